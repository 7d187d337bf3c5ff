// SPDX-License-Identifier: Apache-2.0
// Output-stationary array of bit-plane elements: operands move right and down, control along the diagonals.
//
// Row r's operand a and column c's operand b come r and c cycles after those of row and column 0, with which valid_i,
// first_i, shift_i and negate_i come. Element (r, c)'s sum stands in acc_o 7 + r + c cycles after its last word, for at
// least one cycle: the skew itself buffers the accumulators while the next product begins.
module bitsys_bitplane_grid #(
    parameter int unsigned Rows    = 4,
    parameter int unsigned Columns = 4
) (
    input  logic                       clk_i,
    input  logic                       rst_i,
    input  logic [        64*Rows-1:0] a_i,
    input  logic [     64*Columns-1:0] b_i,
    input  logic                       valid_i,
    input  logic                       first_i,
    input  logic                       shift_i,
    input  logic                       negate_i,
    output logic [32*Rows*Columns-1:0] acc_o
);
  localparam int unsigned Length = Rows + Columns + 5;
  // Delay k of the control; reset keeps the delays in registers.
  logic [Length-1:0] valid, first, shift, negate;
  logic [Length-1:1] valid_q, first_q, shift_q, negate_q;
  assign valid  = {valid_q, valid_i};
  assign first  = {first_q, first_i};
  assign shift  = {shift_q, shift_i};
  assign negate = {negate_q, negate_i};
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      {valid_q, first_q, shift_q, negate_q} <= '0;
    end else begin
      valid_q  <= valid[Length-2:0];
      first_q  <= first[Length-2:0];
      shift_q  <= shift[Length-2:0];
      negate_q <= negate[Length-2:0];
    end
  end

  for (genvar r = 0; r < Rows; r++) begin : g_row
    for (genvar c = 0; c < Columns; c++) begin : g_column
      logic [63:0] a, b, a_next, b_next;
      if (c == 0) begin : g_a_edge
        assign a = a_i[64*r+:64];
      end else begin : g_a
        assign a = g_row[r].g_column[c-1].a_next;
      end
      if (r == 0) begin : g_b_edge
        assign b = b_i[64*c+:64];
      end else begin : g_b
        assign b = g_row[r-1].g_column[c].b_next;
      end
      bitsys_bitplane_pe u_pe (
          .clk_i(clk_i),
          .en_i(1'b1),
          .a_i(a),
          .b_i(b),
          .negate_i(negate[r+c+5]),
          .negate_acc_i(negate[r+c+6]),
          .valid_i(valid[r+c+6]),
          .first_i(first[r+c+6]),
          .shift_i(shift[r+c+6]),
          .a_o(a_next),
          .b_o(b_next),
          .acc_o(acc_o[32*(Columns*r+c)+:32])
      );
    end
  end
endmodule
