// SPDX-License-Identifier: Apache-2.0
// What the lanes of all elements need in the execute stage, decoded once from an operation in the operand stage.
//
//   rotate: the word turned right by so many bits brings every bit of SHR or SHL to its place
//   mask:   SHR, SHL: bits that come from outside the lane; SAT: bits that must equal the sign to fit (0 if unsigned)
//   range:  GET: bits of an accumulator that must equal its sign so that it fits behind the shift
// Latency 1.
module rap_masks (
    input  logic        clk_i,
    input  logic [ 1:0] width_i,  // 0: 16, 1: 8, 2: 4 bits
    input  logic        sign_i,
    input  logic [ 5:0] op_i,
    input  logic [ 3:0] imm_i,    // shift; bits - 1 of SAT; bit 0 is the saturation of ADD and SUB
    input  logic [ 4:0] shift_i,  // of GET
    output logic [57:0] exec_o    // exec_t
);
  `include "rap_isa.svh"
  `include "rap_types.svh"
  exec_t d, q;
  logic repack;
  assign repack = (op_i == OpPACK || op_i == OpUNPL || op_i == OpUNPH) && width_i != 2'd0;
  always_comb begin
    d.kind = KindMove;
    if (op_i == OpADD || op_i == OpSUB) d.kind = KindAdd;
    if (op_i == OpMAX || op_i == OpMIN) d.kind = KindSelect;
    if (op_i == OpSHR || op_i == OpSHL) d.kind = KindShift;
    if (op_i == OpSAT) d.kind = KindLimit;
    if (repack) d.kind = op_i == OpPACK ? KindPack : KindUnpack;
    d.other = op_i == OpMIN || op_i == OpUNPH || op_i == OpSHL;
    d.subtract = op_i != OpADD;
    d.saturate = imm_i[0];
    d.rotate = op_i == OpSHL ? -imm_i : imm_i;
  end

  // Position of a bit in its lane, and how many bits lie above it.
  logic [4:0] bits, last;
  assign bits = width_i == 2'd0 ? 5'd16 : width_i == 2'd1 ? 5'd8 : 5'd4;
  assign last = bits - 5'd1;
  for (genvar i = 0; i < 16; i++) begin : g_mask
    logic [4:0] place;
    assign place = 5'(i) & last;
    always_comb begin
      case (op_i)
        OpSHR:   d.mask[i] = place + 5'(imm_i) > last;
        OpSHL:   d.mask[i] = place < 5'(imm_i);
        default: d.mask[i] = sign_i ? place >= 5'(imm_i) : place > 5'(imm_i);
      endcase
    end
  end
  logic [5:0] reach;
  assign reach = 6'(shift_i) + 6'(bits) - 6'(sign_i);
  for (genvar i = 0; i < 32; i++) begin : g_range
    assign d.range[i] = 6'(i) >= reach;
  end

  always_ff @(posedge clk_i) q <= d;
  assign exec_o = q;
endmodule
