// SPDX-License-Identifier: Apache-2.0
// Whether a window of extent Span + 1 that moves by Stride ends at index_i of a padded axis of Size positions.
//
// index_i counts 0 .. Size-1 where step_i; hit_o is combinational. Part of tlmac_columns and tlmac_rows.
module tlmac_hits #(
    parameter int unsigned Size   = 4,
    parameter int unsigned Span   = 2,
    parameter int unsigned Stride = 1,
    localparam int unsigned IndexBits = Size > 1 ? $clog2(Size) : 1
) (
    input  logic                 clk_i,
    input  logic                 rst_i,
    input  logic                 step_i,
    input  logic [IndexBits-1:0] index_i,
    input  logic                 last_i,
    output logic                 hit_o
);
  logic reached;
  if (Span > 0) begin : g_span
    assign reached = 32'(index_i) >= Span;
  end else begin : g_no_span
    assign reached = 1'b1;
  end
  if (Stride > 1) begin : g_stride
    logic [$clog2(Stride)-1:0] phase_q;
    always_ff @(posedge clk_i) begin
      if (rst_i || (step_i && last_i)) phase_q <= '0;
      else if (step_i && reached) phase_q <= 32'(phase_q) == Stride - 1 ? '0 : phase_q + 1'b1;
    end
    assign hit_o = reached && phase_q == '0;
  end else begin : g_every
    logic unused;
    assign unused = &{1'b0, clk_i, rst_i, step_i, last_i};
    assign hit_o  = reached;
  end
endmodule
