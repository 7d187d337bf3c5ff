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

  // ---- where the next word stands in the padded row
  logic last_chunk, last_x, move, hit, pad, first_chunk, first_x;
  logic [(Chunks > 1 ? $clog2(Chunks) : 1)-1:0] unused_chunk;
  logic [(Padded > 1 ? $clog2(Padded) : 1)-1:0] x;
  loop_counter #(
      .Count(Chunks)
  ) u_chunk (
      .clk_i,
      .rst_i,
      .step_i (move),
      .count_o(unused_chunk),
      .first_o(first_chunk),
      .last_o (last_chunk)
  );
  loop_counter #(
      .Count(Padded)
  ) u_x (
      .clk_i,
      .rst_i,
      .step_i (move && last_chunk),
      .count_o(x),
      .first_o(first_x),
      .last_o (last_x)
  );
  tlmac_hits #(
      .Size  (Padded),
      .Span  (Span),
      .Stride(Stride)
  ) u_hits (
      .clk_i,
      .rst_i,
      .step_i (move && last_chunk),
      .index_i(x),
      .last_i (last_x),
      .hit_o  (hit)
  );
  logic leading, trailing;  // leading padding waits for its row, so that nothing leaves before the frame begins
  if (PadBefore > 0) begin : g_leading
    assign leading = 32'(x) < PadBefore;
  end else begin : g_no_leading
    assign leading = 1'b0;
  end
  assign trailing = 32'(x) >= PadBefore + Size;
  assign pad = leading || trailing;

  // ---- shift register; its newest word is the last tap
  logic [Depth-1:0][Lanes*Bits-1:0] shift_q;
  logic valid_q;
  assign move = (trailing || s_valid_i) && (!valid_q || m_ready_i);
  assign s_ready_o = !pad && (!valid_q || m_ready_i);
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 1'b0;
    else if (!valid_q || m_ready_i) valid_q <= move && hit;
  end
  if (Depth > 1) begin : g_shift
    always_ff @(posedge clk_i) if (move) shift_q <= {shift_q[Depth-2:0], pad ? {Lanes{PadLane}} : s_data_i};
  end else begin : g_register
    always_ff @(posedge clk_i) if (move) shift_q <= pad ? {Lanes{PadLane}} : s_data_i;
  end

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    for (genvar k = 0; k < Kernel; k++) begin : g_tap
      localparam int unsigned Age = (Kernel - 1 - k) * Dilation * Chunks;
      assign m_data_o[(l*Kernel+k)*Bits+:Bits] = shift_q[Age][l*Bits+:Bits];
    end
  end
  assign m_valid_o = valid_q;

  logic unused;
  assign unused = &{1'b0, first_chunk, first_x, unused_chunk, shift_q};
endmodule
