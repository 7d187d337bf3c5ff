// SPDX-License-Identifier: Apache-2.0
// Vertically adjacent words side by side: word (y, i) of the output holds, for each lane, Kernel taps.
//
//   m[lane * Kernel + k] = word (y*Stride - PadBefore + k, i)[lane], PadLane outside the image
//
// Images of Size rows of RowWords words of Lanes numbers. A convolution of kernel height Kernel becomes one of
// height 1 with Kernel times as many channels. The last Kernel - 1 rows lie in one memory, RowWords deep. One word
// a cycle, rows of padding included: (PadBefore + Size + PadAfter) * RowWords cycles a frame; latency 1.
// Part of Conv2d.
module tlmac_rows #(
    parameter int unsigned Lanes = 1,
    parameter int unsigned Bits = 1,
    parameter int unsigned Size = 4,
    parameter int unsigned RowWords = 4,
    parameter int unsigned Kernel = 3,
    parameter int unsigned Stride = 1,
    parameter int unsigned PadBefore = 0,
    parameter int unsigned PadAfter = 0,
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
  localparam int unsigned Width = Lanes * Bits;
  localparam int unsigned Padded = PadBefore + Size + PadAfter;

  if (RowWords < 2 || Kernel < 2 || Padded < Kernel) begin : g_illegal
    $error("tlmac_rows: legal are RowWords >= 2, Kernel >= 2 and a window that fits the padded image");
  end

  logic take, hit, pad, trailing;
  logic [$clog2(RowWords)-1:0] word;
  tlmac_axis #(
      .Words(RowWords),
      .Size(Size),
      .PadBefore(PadBefore),
      .PadAfter(PadAfter),
      .Span(Kernel - 1),
      .Stride(Stride)
  ) u_axis (
      .clk_i,
      .rst_i,
      .step_i(take),
      .word_o(word),
      .pad_o(pad),
      .trailing_o(trailing),
      .hit_o(hit)
  );

  // ---- the newest word meets those above it, and takes their place
  logic full_q, valid_q, advance;
  logic [$clog2(RowWords)-1:0] word_q;
  logic [Width-1:0] new_q;
  logic [(Kernel-1)*Width-1:0] above;  // the oldest in the lowest bits
  logic [Kernel*Width-1:0] column;
  assign advance = !valid_q || m_ready_i;
  assign take = advance && (trailing || s_valid_i);
  assign s_ready_o = advance && !pad;
  assign m_valid_o = valid_q;
  assign column = {new_q, above};
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      full_q  <= 1'b0;
      valid_q <= 1'b0;
    end else if (advance) begin
      full_q  <= take;
      valid_q <= take && hit;
    end
  end
  always_ff @(posedge clk_i) begin
    if (take) begin
      // As a sum of products: as a choice, padding would become a reset of the register, which decides late.
      new_q  <= (s_data_i & {Width{!pad}}) | ({Lanes{PadLane}} & {Width{pad}});
      word_q <= word;
    end
  end
  ram_sdp #(
      .Width((Kernel - 1) * Width),
      .Depth(RowWords)
  ) u_ram (
      .clk_i,
      .we_i   (full_q && advance),
      .waddr_i(word_q),
      .wdata_i(column[Kernel*Width-1:Width]),
      .re_i   (take),
      .raddr_i(word),
      .rdata_o(above)
  );

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    for (genvar k = 0; k < Kernel; k++) begin : g_tap
      assign m_data_o[(l*Kernel+k)*Bits+:Bits] = column[k*Width+l*Bits+:Bits];
    end
  end
endmodule
