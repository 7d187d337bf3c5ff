// SPDX-License-Identifier: Apache-2.0
// Output-stationary array of container elements: operands move right and down, control along the diagonals.
//
// Row r's operand a and column c's operand b come r and c cycles after those of row and column 0, with which mode_i,
// signs, valid_i and first_i come. Element (r, c) works r + c cycles later, so one control per diagonal serves all its
// elements: precision may change with every word. Element (r, c)'s sum stands in acc_o 5 + r + c cycles after its
// last word, for at least one cycle: the skew itself buffers the accumulators while the next product begins.
module bitsys_container_grid #(
    parameter int unsigned Rows    = 4,
    parameter int unsigned Columns = 4
) (
    input  logic                       clk_i,
    input  logic                       rst_i,
    input  logic [         8*Rows-1:0] a_i,
    input  logic [      8*Columns-1:0] b_i,
    input  logic [                1:0] mode_i,
    input  logic                       signed_a_i,
    input  logic                       signed_b_i,
    input  logic                       valid_i,
    input  logic                       first_i,
    output logic [32*Rows*Columns-1:0] acc_o
);
  localparam int unsigned Diagonals = Rows + Columns - 1;
  logic [ 5*Diagonals-1:0] operand;
  logic [15*Diagonals-1:0] invert;
  logic [ 4*Diagonals-1:0] constant;
  logic [   Diagonals+3:0] valid, first;
  bitsys_container_decode u_decode (
      .clk_i(clk_i),
      .en_i(1'b1),
      .busy_i(1'b0),
      .ready_i(1'b1),
      .mode_i(mode_i),
      .signed_a_i(signed_a_i),
      .signed_b_i(signed_b_i),
      .operand_o(operand[4:0]),
      .invert_o(invert[14:0]),
      .constant_o(constant[3:0])
  );
  assign valid[0] = valid_i;
  assign first[0] = first_i;
  if (Diagonals > 1) begin : g_delay
    logic [ 5*Diagonals-1:5] operand_q;
    logic [15*Diagonals-1:15] invert_q;
    logic [ 4*Diagonals-1:4] constant_q;
    always_ff @(posedge clk_i) begin
      operand_q <= operand[5*(Diagonals-1)-1:0];
      invert_q <= invert[15*(Diagonals-1)-1:0];
      constant_q <= constant[4*(Diagonals-1)-1:0];
    end
    assign operand[5*Diagonals-1:5] = operand_q;
    assign invert[15*Diagonals-1:15] = invert_q;
    assign constant[4*Diagonals-1:4] = constant_q;
  end
  // Reset keeps the delays in registers.
  logic [Diagonals+3:1] valid_q, first_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      valid_q <= '0;
      first_q <= '0;
    end else begin
      valid_q <= valid[Diagonals+2:0];
      first_q <= first[Diagonals+2:0];
    end
  end
  assign valid[Diagonals+3:1] = valid_q;
  assign first[Diagonals+3:1] = first_q;

  for (genvar r = 0; r < Rows; r++) begin : g_row
    for (genvar c = 0; c < Columns; c++) begin : g_column
      logic [7:0] a, b, a_next, b_next;
      if (c == 0) begin : g_a_edge
        assign a = a_i[8*r+:8];
      end else begin : g_a
        assign a = g_row[r].g_column[c-1].a_next;
      end
      if (r == 0) begin : g_b_edge
        assign b = b_i[8*c+:8];
      end else begin : g_b
        assign b = g_row[r-1].g_column[c].b_next;
      end
      bitsys_container_pe u_pe (
          .clk_i(clk_i),
          .en_i(1'b1),
          .a_i(a),
          .b_i(b),
          .operand_i(operand[5*(r+c)+:5]),
          .invert_i(invert[15*(r+c)+:15]),
          .constant_i(constant[4*(r+c)+:4]),
          .valid_i(valid[r+c+4]),
          .first_i(first[r+c+4]),
          .a_o(a_next),
          .b_o(b_next),
          .acc_o(acc_o[32*(Columns*r+c)+:32])
      );
    end
  end
endmodule
