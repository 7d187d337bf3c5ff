// SPDX-License-Identifier: Apache-2.0
// Output-stationary array of plain 8-bit multiply-accumulate elements, one channel a word; operands as in the
// container array in mode 3. With DSP blocks its elements are DSPs; without, it is the baseline of the benchmark.
//
// Element (r, c)'s sum stands in acc_o 3 + r + c cycles after its last word, for at least one cycle.
module bitsys_fixed_grid #(
    parameter int unsigned Rows    = 4,
    parameter int unsigned Columns = 4
) (
    input  logic                       clk_i,
    input  logic                       rst_i,
    input  logic [         8*Rows-1:0] a_i,
    input  logic [      8*Columns-1:0] b_i,
    input  logic                       signed_a_i,
    input  logic                       signed_b_i,
    input  logic                       valid_i,
    input  logic                       first_i,
    output logic [32*Rows*Columns-1:0] acc_o
);
  localparam int unsigned Length = Rows + Columns + 1;
  logic [Length-1:0] valid, first;
  logic [Length-1:1] valid_q, first_q;
  assign valid = {valid_q, valid_i};
  assign first = {first_q, first_i};
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      {valid_q, first_q} <= '0;
    end else begin
      valid_q <= valid[Length-2:0];
      first_q <= first[Length-2:0];
    end
  end

  for (genvar r = 0; r < Rows; r++) begin : g_row
    for (genvar c = 0; c < Columns; c++) begin : g_column
      logic signed [8:0] a, b, a_q, b_q;
      if (c == 0) begin : g_a_edge
        assign a = {signed_a_i && a_i[8*r+7], a_i[8*r+:8]};
      end else begin : g_a
        assign a = g_row[r].g_column[c-1].a_q;
      end
      if (r == 0) begin : g_b_edge
        assign b = {signed_b_i && b_i[8*c+7], b_i[8*c+:8]};
      end else begin : g_b
        assign b = g_row[r-1].g_column[c].b_q;
      end
      logic signed [17:0] product_q;
      logic signed [31:0] acc_q;
      always_ff @(posedge clk_i) begin
        a_q <= a;
        b_q <= b;
        product_q <= a_q * b_q;
        if (valid[r+c+2]) acc_q <= 32'(product_q) + (first[r+c+2] ? 32'sd0 : acc_q);
      end
      assign acc_o[32*(Columns*r+c)+:32] = acc_q;
    end
  end
endmodule
