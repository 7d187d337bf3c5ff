// SPDX-License-Identifier: Apache-2.0
// What the lanes of all elements need in the execute stage, decoded once from an operation in the operand stage.
//
//   rotate: the word turned right by so many bits brings every bit of SHR or SHL to its place
//   mask:   SHR, SHL: bits that come from outside the lane; SAT: bits that must equal the sign to fit (0 if unsigned)
//   get_range: GET: bits of an accumulator that must equal its sign so that it fits behind the shift
// Latency 1. What it says of an operation stays as long as masking_i.
module rap_masks (
    input  logic                     clk_i,
    input  rap_pkg::width_e          width_i,
    input  logic                     sign_i,
    input  rap_pkg::masking_t        masking_i,
    output rap_pkg::alu_t            alu_o
);
  rap_pkg::op_e op;
  logic [3:0] imm;
  assign op  = masking_i.op;
  assign imm = masking_i.imm;
  rap_pkg::alu_t alu_d, alu_q;
  logic repack;
  logic [31:0] range;
  assign repack = op >= rap_pkg::OpPACK && op <= rap_pkg::OpUNPH && width_i != rap_pkg::WidthW16;
  always_comb begin
    alu_d.kind = rap_pkg::AluMove;
    if (op == rap_pkg::OpADD || op == rap_pkg::OpSUB) alu_d.kind = rap_pkg::AluAdd;
    if (op == rap_pkg::OpMAX || op == rap_pkg::OpMIN) alu_d.kind = rap_pkg::AluSelect;
    if (op == rap_pkg::OpSHR || op == rap_pkg::OpSHL) alu_d.kind = rap_pkg::AluShift;
    if (op == rap_pkg::OpSAT) alu_d.kind = rap_pkg::AluLimit;
    if (repack) alu_d.kind = op == rap_pkg::OpPACK ? rap_pkg::AluPack : rap_pkg::AluUnpack;
    alu_d.other = op == rap_pkg::OpMIN || op == rap_pkg::OpUNPH || op == rap_pkg::OpSHL;
    alu_d.subtract = op != rap_pkg::OpADD;
    alu_d.saturate = imm[0];
    alu_d.rotate = op == rap_pkg::OpSHL ? -imm : imm;
    alu_d.get = op == rap_pkg::OpGET;
    alu_d.get_lanes = masking_i.lanes;
    alu_d.get_shift = masking_i.shift;
    alu_d.get_range = range;
  end

  // Position of a bit in its lane, and how many bits lie above it.
  logic [4:0] bits, last;
  assign bits = width_i == rap_pkg::WidthW16 ? 5'd16 : width_i == rap_pkg::WidthW8 ? 5'd8 : 5'd4;
  assign last = bits - 5'd1;
  for (genvar i = 0; i < 16; i++) begin : g_mask
    logic [4:0] place;
    assign place = 5'(i) & last;
    always_comb begin
      case (op)
        rap_pkg::OpSHR: alu_d.mask[i] = place + 5'(imm) > last;
        rap_pkg::OpSHL: alu_d.mask[i] = place < 5'(imm);
        default: alu_d.mask[i] = {place, sign_i} > {5'(imm), 1'b0};  // place >= imm, or > imm if unsigned
      endcase
    end
  end
  logic [5:0] reach;
  assign reach = 6'(masking_i.shift) + 6'(bits) - 6'(sign_i);
  for (genvar i = 0; i < 32; i++) begin : g_range
    assign range[i] = 6'(i) >= reach;
  end

  always_ff @(posedge clk_i) alu_q <= alu_d;
  assign alu_o = alu_q;
endmodule
