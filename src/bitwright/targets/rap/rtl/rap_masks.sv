// SPDX-License-Identifier: Apache-2.0
// What the lanes of all elements need in the execute stage, decoded once from an operation in the load stage.
//
//   rotate: the word turned right by so many bits brings every bit of SHR or SHL to its place
//   mask:   SHR, SHL: bits that come from outside the lane; SAT: bits that must equal the sign to fit (0 if unsigned)
//   get_range: GET: bits of an accumulator that must equal its sign so that it fits behind the shift
// Latency 2. What it says of an operation stays as long as masking_i.
module rap_masks (
    input  logic                     clk_i,
    input  rap_pkg::width_e          width_i,
    input  logic                     sign_i,
    input  rap_pkg::masking_t        masking_i,
    output rap_pkg::alu_t            alu_o
);
  // The operation, and how many bits of an accumulator fit.
  rap_pkg::op_e op;
  rap_pkg::alu_e kind, kind_q;
  logic [3:0] rotate_q;
  logic [15:0] beyond_q;  // bit k of SHR and SHL: imm > k; of SAT: whether place k lies above what fits
  rap_pkg::width_e width_q;
  logic [4:0] bits, shift_q;
  logic [5:0] reach_q;
  logic repack, other_q, subtract_q, saturate_q, right_q, get_q, lanes_q;
  assign op = masking_i.op;
  assign repack = op >= rap_pkg::OpPACK && op <= rap_pkg::OpUNPH && width_i != rap_pkg::WidthW16;
  assign bits = width_i == rap_pkg::WidthW16 ? 5'd16 : width_i == rap_pkg::WidthW8 ? 5'd8 : 5'd4;
  always_comb begin
    kind = rap_pkg::AluMove;
    if (op == rap_pkg::OpADD || op == rap_pkg::OpSUB) kind = rap_pkg::AluAdd;
    if (op == rap_pkg::OpMAX || op == rap_pkg::OpMIN) kind = rap_pkg::AluSelect;
    if (op == rap_pkg::OpSHR || op == rap_pkg::OpSHL) kind = rap_pkg::AluShift;
    if (op == rap_pkg::OpSAT) kind = rap_pkg::AluLimit;
    if (repack) kind = op == rap_pkg::OpPACK ? rap_pkg::AluPack : rap_pkg::AluUnpack;
  end
  always_ff @(posedge clk_i) begin
    kind_q <= kind;
    other_q <= op == rap_pkg::OpMIN || op == rap_pkg::OpUNPH || op == rap_pkg::OpSHL;
    subtract_q <= op != rap_pkg::OpADD;
    right_q <= op == rap_pkg::OpSHR;
    saturate_q <= masking_i.imm[0];
    width_q <= width_i;
    for (int k = 0; k < 16; k++) begin
      // SAT: place >= imm, or > imm if unsigned.
      if (op == rap_pkg::OpSAT) beyond_q[k] <= {5'(k), sign_i} > {1'b0, masking_i.imm, 1'b0};
      else beyond_q[k] <= masking_i.imm > 4'(k);
    end
    rotate_q <= op == rap_pkg::OpSHL ? -masking_i.imm : masking_i.imm;
    get_q <= op == rap_pkg::OpGET;
    lanes_q <= masking_i.lanes;
    shift_q <= masking_i.shift;
    reach_q <= 6'(masking_i.shift) + 6'(bits) - 6'(sign_i);
  end

  // SHR counts the places of a lane from its end.
  rap_pkg::alu_t alu_d, alu_q;
  always_comb begin
    alu_d.kind = kind_q;
    alu_d.other = other_q;
    alu_d.subtract = subtract_q;
    alu_d.saturate = saturate_q;
    alu_d.rotate = rotate_q;
    for (int i = 0; i < 16; i++) begin
      case (width_q)
        rap_pkg::WidthW16: alu_d.mask[i] = beyond_q[right_q ? 15 - i : i];
        rap_pkg::WidthW8: alu_d.mask[i] = beyond_q[right_q ? 7 - i % 8 : i % 8];
        default: alu_d.mask[i] = beyond_q[right_q ? 3 - i % 4 : i % 4];
      endcase
    end
    alu_d.get = get_q;
    alu_d.get_lanes = lanes_q;
    alu_d.get_shift = shift_q;
    for (int i = 0; i < 32; i++) alu_d.get_range[i] = 6'(i) >= reach_q;
  end
  always_ff @(posedge clk_i) alu_q <= alu_d;
  assign alu_o = alu_q;
endmodule
