// SPDX-License-Identifier: Apache-2.0
// Output-stationary array of pairs of 8-bit multiply-accumulates, each in one DSP block: rows 2p and 2p + 1 share weights.
//
// Operands, control and sums as of bitsys_grid: row r's operand and column c's operand come r and c cycles after those of
// row and column 0, and element (r, c)'s sum stands in acc_o Latency + r + c cycles after its last word, for at least one
// cycle. A row of pairs waits for the operand of its second row, packs both once for all columns (bitsys_dsp_pair), and
// passes them right; weights go down two rows in two cycles. The second row accumulates a cycle after the first. Bit k of
// valid_i and first_i is the control k cycles after it came.
// depthwise_i: byte c of the rows' words own_i goes to column c alone; of the columns behind the first eight nothing counts.
module bitsys_dsp_grid #(
    parameter int unsigned Rows    = 4,
    parameter int unsigned Columns = 8,
    localparam int unsigned Latency = 6,
    localparam int unsigned Length = Rows + Columns + Latency - 2
) (
    input  logic                       clk_i,
    input  logic [         8*Rows-1:0] a_i,
    input  logic [        64*Rows-1:0] own_i,
    input  logic                       depthwise_i,
    input  logic [      8*Columns-1:0] b_i,
    input  logic                       signed_a_i,
    input  logic                       signed_b_i,
    input  logic [         Length-1:0] valid_i,
    input  logic [         Length-1:0] first_i,
    output logic [32*Rows*Columns-1:0] acc_o
);
  localparam int unsigned Lanes = 8;  // columns that a word of the row buffers has bytes for

  // Whether no operand is signed, as late as the control.
  logic [Length-1:0] plain;
  logic [Length-1:1] plain_q;
  assign plain = {plain_q, !signed_a_i && !signed_b_i};
  always_ff @(posedge clk_i) plain_q <= plain[Length-2:0];

  function automatic logic [17:0] packed_pair(input logic [8:0] x1, input logic [8:0] x0);
    packed_pair = {x1 - 9'(x0[8]), x0};
  endfunction

  for (genvar p = 0; p < Rows / 2; p++) begin : g_pair
    // keep: each row of pairs has a bit of its own, near its elements.
    (* keep *) logic depthwise_q;
    logic [8:0] even_q, odd;
    logic [17:0] edge_q;
    assign odd = {signed_a_i && a_i[16*p+15], a_i[16*p+8+:8]};
    always_ff @(posedge clk_i) begin
      depthwise_q <= depthwise_i;
      even_q <= {signed_a_i && a_i[16*p+7], a_i[16*p+:8]};
      edge_q <= packed_pair(odd, even_q);
    end
    for (genvar c = 0; c < Columns; c++) begin : g_column
      logic [17:0] a, passed, a_next;
      logic [8:0] b, b_next;
      logic [63:0] acc;
      if (c == 0) begin : g_a_edge
        assign passed = edge_q;
      end else begin : g_a
        assign passed = g_pair[p].g_column[c-1].a_next;
      end
      if (c < Lanes) begin : g_own
        // Bytes c, c cycles later.
        logic [8:0] even_byte_q, odd_byte;
        logic [17:0] own_q[c+1];
        assign odd_byte = {signed_a_i && own_i[128*p+64+8*c+7], own_i[128*p+64+8*c+:8]};
        always_ff @(posedge clk_i) begin
          even_byte_q <= {signed_a_i && own_i[128*p+8*c+7], own_i[128*p+8*c+:8]};
          own_q[0] <= packed_pair(odd_byte, even_byte_q);
        end
        for (genvar k = 0; k < c; k++) begin : g_delay
          always_ff @(posedge clk_i) own_q[k+1] <= own_q[k];
        end
        assign a = depthwise_q ? own_q[c] : passed;
      end else begin : g_passed
        assign a = passed;
      end
      if (p == 0) begin : g_b_edge
        logic [8:0] edge_b_q;
        always_ff @(posedge clk_i) edge_b_q <= {signed_b_i && b_i[8*c+7], b_i[8*c+:8]};
        assign b = edge_b_q;
      end else begin : g_b
        assign b = g_pair[p-1].g_column[c].b_next;
      end
      bitsys_dsp_pair u_pair (
          .clk_i(clk_i),
          .a_i(a),
          .b_i(b),
          .plain_i(plain[2*p+c+Latency-1]),
          .valid_i(valid_i[2*p+c+Latency-1+:2]),
          .first_i(first_i[2*p+c+Latency-1+:2]),
          .a_o(a_next),
          .b_o(b_next),
          .acc_o(acc)
      );
      assign acc_o[32*(Columns*2*p+c)+:32] = acc[31:0];
      assign acc_o[32*(Columns*(2*p+1)+c)+:32] = acc[63:32];
    end
  end
endmodule
