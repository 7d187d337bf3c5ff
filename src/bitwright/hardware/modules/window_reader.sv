// SPDX-License-Identifier: Apache-2.0
// Sliding windows over a stream of images (the im2col order of a convolution or a pool).
//
//   for oy, ox (output pixels), g in Groups, r in Repeats, ky, kx, k in Chunks/Groups:
//     emit chunk g*Chunks/Groups + k of pixel (oy*StrideH - PadTop + ky*DilationH, ox*StrideW - PadLeft + kx*DilationW),
//     or PadWord where that lies outside the image
//
// Input: pixels in raster order, Chunks words each. m_first_o and m_last_o mark the first and last word of each
// pass, one (g, r). One word a cycle, latency 2 from the arrival of a word to its first emission; a word is emitted
// as soon as it has arrived. The buffer holds the last `Depth` words of the endless input stream; a word is
// overwritten once no later window needs it, so the next rows and the next frame are taken meanwhile.
// Without anything to repeat (1x1 kernel, stride 1, no pads, Repeats 1) the module is a wire, latency 0.
//
// Word positions are linear in the input stream. Every move from one item to the next adds one of 8 constants
// (see window_loops) to the registers below, so there is no multiplier and one LUT level before each adder:
//   address  position modulo Depth              lead   words written - position - 1; the word is there where >= 0
//   ix, iy   column and row, for the padding    need   words written - oldest position in use - Depth; full where >= 0
module window_reader #(
    parameter int Width       = 8,
    parameter int Height      = 4,
    parameter int ImageWidth  = 4,
    parameter int Chunks      = 1,
    parameter int KernelH     = 3,
    parameter int KernelW     = 3,
    parameter int StrideH     = 1,
    parameter int StrideW     = 1,
    parameter int PadTop      = 0,
    parameter int PadLeft     = 0,
    parameter int PadBottom   = 0,
    parameter int PadRight    = 0,
    parameter int DilationH   = 1,
    parameter int DilationW   = 1,
    parameter int Groups      = 1,
    parameter int Repeats     = 1,
    parameter logic [Width-1:0] PadWord = '0
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic [Width-1:0] s_data_i,
    input  logic             s_valid_i,
    output logic             s_ready_o,
    output logic [Width-1:0] m_data_o,
    output logic             m_first_o,
    output logic             m_last_o,
    output logic             m_valid_o,
    input  logic             m_ready_i
);
  localparam int GroupChunks = Chunks / Groups;
  localparam int SpanH = DilationH * (KernelH - 1);
  localparam int SpanW = DilationW * (KernelW - 1);
  localparam int OutHeight = (Height + PadTop + PadBottom - SpanH - 1) / StrideH + 1;
  localparam int OutWidth = (ImageWidth + PadLeft + PadRight - SpanW - 1) / StrideW + 1;
  localparam bit HasPads = PadTop != 0 || PadLeft != 0 || PadBottom != 0 || PadRight != 0;
  localparam bit Wire = KernelH * KernelW * StrideH * StrideW * Repeats == 1 && !HasPads;

  if (Width < 1 || Height < 1 || ImageWidth < 1 || KernelH < 1 || KernelW < 1 || StrideH < 1 || StrideW < 1 ||
      DilationH < 1 || DilationW < 1 || Repeats < 1 || PadTop < 0 || PadLeft < 0 || PadBottom < 0 || PadRight < 0 ||
      Height + PadTop + PadBottom <= SpanH || ImageWidth + PadLeft + PadRight <= SpanW ||
      Groups < 1 || Chunks < 1 || Chunks % Groups != 0) begin : g_illegal
    $error("window_reader: the window must fit the padded image, and Groups divide Chunks");
  end

  if (Wire) begin : g_wire
    logic [(GroupChunks > 1 ? $clog2(GroupChunks) : 1)-1:0] unused;
    loop_counter #(
        .Count(GroupChunks)
    ) u_chunk (
        .clk_i,
        .rst_i,
        .step_i (s_valid_i && m_ready_i),
        .count_o(unused),
        .first_o(m_first_o),
        .last_o (m_last_o)
    );
    assign m_data_o  = s_data_i;
    assign m_valid_o = s_valid_i;
    assign s_ready_o = m_ready_i;
  end else begin : g_buffer
    window_buffer #(
        .Width(Width),
        .Height(Height),
        .ImageWidth(ImageWidth),
        .Chunks(Chunks),
        .KernelH(KernelH),
        .KernelW(KernelW),
        .StrideH(StrideH),
        .StrideW(StrideW),
        .PadTop(PadTop),
        .PadLeft(PadLeft),
        .DilationH(DilationH),
        .DilationW(DilationW),
        .Groups(Groups),
        .Repeats(Repeats),
        .OutHeight(OutHeight),
        .OutWidth(OutWidth),
        .PadWord(PadWord)
    ) u_buffer (
        .*
    );
  end
endmodule
