// SPDX-License-Identifier: Apache-2.0
// Registers that instructions configure: WIDTH, MASK, PAD, SHAPE; which half of the accumulators is in use (DRAIN).
module rap_config #(
    parameter int unsigned Size = 4
) (
    input  logic            clk_i,
    input  logic            rst_i,
    input  logic            running_i,
    input  logic            issue_i,
    input  logic [    63:0] instr_i,
    input  logic            is_acc_i,
    output logic [     1:0] width_o,
    output logic            asign_o,
    output logic            bsign_o,
    output logic [Size-1:0] rows_o,
    output logic [Size-1:0] cols_o,
    output logic [    15:0] pad_o,
    output logic            cut_o,      // links end at the edges of the grid
    output logic            half_o,
    output logic [    15:0] fresh_o,    // accumulators whose next operation overwrites
    output logic [    48:0] shape_a_o,  // span, height, width, strip
    output logic [    97:0] shape_o_o   // of O0, then O1
);
  `include "rap_isa.svh"
  logic [5:0] op;
  logic [1:0] shape;
  assign op = instr_i[5:0];
  assign shape = instr_i[LsbSHAPE_stream+:2];

  logic [1:0] width_q;
  logic asign_q, bsign_q, half_q, cut_q;
  logic [Size-1:0] rows_q, cols_q;
  logic [15:0] pad_q, fresh_q;
  logic [48:0] shape_a_q;
  logic [97:0] shape_o_q;
  always_ff @(posedge clk_i) begin
    if (rst_i || !running_i) begin
      width_q <= '0;
      asign_q <= 1'b0;
      bsign_q <= 1'b0;
      rows_q <= '1;
      cols_q <= '1;
      pad_q <= '0;
      cut_q <= 1'b0;
      half_q <= 1'b0;
      fresh_q <= '1;
      shape_a_q <= '0;
      shape_o_q <= '0;
    end else if (issue_i) begin
      if (op == OpWIDTH) begin
        width_q <= instr_i[LsbWIDTH_width+:2];
        asign_q <= instr_i[LsbWIDTH_asign];
        bsign_q <= instr_i[LsbWIDTH_bsign];
      end
      if (op == OpMASK) rows_q <= instr_i[LsbMASK_rows+:Size];
      if (op == OpMASK) cols_q <= instr_i[LsbMASK_cols+:Size];
      if (op == OpPAD) pad_q <= instr_i[LsbPAD_word+:16];
      if (op == OpPAD) cut_q <= instr_i[LsbPAD_cut];
      if (op == OpSHAPE && shape == 2'd0) shape_a_q <= instr_i[LsbSHAPE_strip+:49];
      if (op == OpSHAPE && shape == 2'd2) shape_o_q[48:0] <= instr_i[LsbSHAPE_strip+:49];
      if (op == OpSHAPE && shape == 2'd3) shape_o_q[97:49] <= instr_i[LsbSHAPE_strip+:49];
      if (is_acc_i) fresh_q[instr_i[LsbMAC_acc+:4]] <= 1'b0;
      if (op == OpDRAIN && !instr_i[LsbDRAIN_keep]) begin
        half_q  <= !half_q;
        fresh_q <= '1;
      end
    end
  end
  assign width_o = width_q;
  assign asign_o = asign_q;
  assign bsign_o = bsign_q;
  assign rows_o = rows_q;
  assign cols_o = cols_q;
  assign pad_o = pad_q;
  assign cut_o = cut_q;
  assign half_o = half_q;
  assign fresh_o = fresh_q;
  assign shape_a_o = shape_a_q;
  assign shape_o_o = shape_o_q;
endmodule
