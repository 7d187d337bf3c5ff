// SPDX-License-Identifier: Apache-2.0
// Horizontally adjacent pixels side by side: word (x, chunk) of the output holds, for each lane, Kernel taps.
//
//   m[lane * Kernel + k] = pixel (x*Stride - PadBefore + k*Dilation, chunk)[lane], PadLane outside the row
//
// Rows of Size pixels, Chunks words of Lanes numbers each. A convolution of kernel width Kernel becomes one of
// width 1 with Kernel times as many channels. One shift a cycle, padding included: (PadBefore + Size + PadAfter) *
// Chunks cycles a row; latency 1. Part of Conv2d.
module tlmac_columns #(
    parameter int unsigned Lanes = 1,
    parameter int unsigned Bits = 1,
    parameter int unsigned Size = 4,
    parameter int unsigned Chunks = 1,
    parameter int unsigned Kernel = 3,
    parameter int unsigned Stride = 1,
    parameter int unsigned PadBefore = 0,
    parameter int unsigned PadAfter = 0,
    parameter int unsigned Dilation = 1,
    parameter logic [Bits-1:0] PadLane = '0
) (
    input  logic                         clk_i,
    input  logic                         rst_i,
    input  logic [       Lanes*Bits-1:0] s_data_i,
    input  logic                         s_valid_i,
    output logic                         s_ready_o,
    output logic [Kernel*Lanes*Bits-1:0] m_data_o,
    output logic                         m_valid_o,
    input  logic                         m_ready_i
);
  localparam int unsigned Span = Dilation * (Kernel - 1);
  localparam int unsigned Padded = PadBefore + Size + PadAfter;
  localparam int unsigned Depth = Span * Chunks + 1;

  if (Lanes < 1 || Bits < 1 || Chunks < 1 || Stride < 1 || Padded <= Span) begin : g_illegal
    $error("tlmac_columns: the window must fit the padded row");
  end

  logic move, hit, pad, trailing;
  logic [(Chunks > 1 ? $clog2(Chunks) : 1)-1:0] unused_chunk;
  tlmac_axis #(
      .Words(Chunks),
      .Size(Size),
      .PadBefore(PadBefore),
      .PadAfter(PadAfter),
      .Span(Span),
      .Stride(Stride)
  ) u_axis (
      .clk_i,
      .rst_i,
      .step_i(move),
      .word_o(unused_chunk),
      .pad_o(pad),
      .trailing_o(trailing),
      .hit_o(hit)
  );

  // ---- shift register; its newest word is the last tap
  logic [Depth-1:0][Lanes*Bits-1:0] shift_q;
  logic valid_q;
  assign move = (trailing || s_valid_i) && (!valid_q || m_ready_i);
  assign s_ready_o = !pad && (!valid_q || m_ready_i);
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 1'b0;
    else if (!valid_q || m_ready_i) valid_q <= move && hit;
  end
  // Padding as a sum of products: as a choice it would become a reset of the register, which decides late.
  logic [Lanes*Bits-1:0] word;
  assign word = (s_data_i & {Lanes * Bits{!pad}}) | ({Lanes{PadLane}} & {Lanes * Bits{pad}});
  if (Depth > 1) begin : g_shift
    always_ff @(posedge clk_i) if (move) shift_q <= {shift_q[Depth-2:0], word};
  end else begin : g_register
    always_ff @(posedge clk_i) if (move) shift_q <= word;
  end

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    for (genvar k = 0; k < Kernel; k++) begin : g_tap
      localparam int unsigned Age = (Kernel - 1 - k) * Dilation * Chunks;
      assign m_data_o[(l*Kernel+k)*Bits+:Bits] = shift_q[Age][l*Bits+:Bits];
    end
  end
  assign m_valid_o = valid_q;

  logic unused;
  assign unused = &{1'b0, shift_q};
endmodule
