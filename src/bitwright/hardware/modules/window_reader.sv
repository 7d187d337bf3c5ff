// SPDX-License-Identifier: Apache-2.0
// Sliding windows over a stream of images (the im2col order of a convolution or a pool).
//
//   for oy, ox (output pixels), g in Groups, r in Repeats, ky, kx, k in Chunks/Groups:
//     emit chunk g*Chunks/Groups + k of pixel (oy*StrideH - PadTop + ky*DilationH, ox*StrideW - PadLeft + kx*DilationW),
//     or PadWord where that lies outside the image
//
// Input: pixels in raster order, Chunks words each. m_first_o and m_last_o mark the first and last word of each
// pass, one (g, r). One word a cycle, latency 3 from the arrival of a word to its first emission, one more where the
// buffer has more than 64 words, one less where it is block RAM: LUT RAM lies all over the part, so a word waits in a
// register until it is written there. A word is emitted as soon as it has arrived. What is emitted moves only while
// m_ready_i, words and bubbles alike, so m_ready_i must not wait for m_valid_o. The buffer holds the last `Depth` words of
// the endless input stream; a word is overwritten once no later window needs it, so the next rows and the next frame are
// taken meanwhile.
// Without anything to repeat (1x1 kernel, stride 1, no pads, Repeats 1) the module is a wire, latency 0.
//
// Word positions are linear in the input stream. Every move from one item to the next adds one of 8 constants
// (see window_loops) to the registers below, so there is no multiplier and one LUT level before each adder:
//   address  position modulo Depth              lead   words written - position - 1; the word is there where >= 0
//   ix, iy   column and row, for the padding    need   words written - oldest position in use - Depth; full where >= 0
// How to move on and where padding is are computed one item ahead, so that an item goes by one LUT behind registers.
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
  function automatic integer max(input integer a, input integer b);
    max = a > b ? a : b;
  endfunction

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
    // Geometry. Positions are in words unless a name says pixels.
    localparam int Row = ImageWidth * Chunks;
    localparam int FramePixels = Height * ImageWidth;
    localparam int LastX = (OutWidth - 1) * StrideW - PadLeft;  // left column of the last window
    localparam int LastY = (OutHeight - 1) * StrideH - PadTop;
    localparam int Origin = -(PadTop * Row + PadLeft * Chunks);  // position of the first window

    // How far the oldest position moves with the window.
    localparam int NextWindow = StrideW * Chunks;
    localparam int NextRow = StrideH * Row - (OutWidth - 1) * NextWindow;
    localparam int NextFrame = Height * Row - (OutHeight - 1) * StrideH * Row - (OutWidth - 1) * NextWindow;

    // How far the position moves at each level.
    localparam int BackX = SpanW * Chunks + GroupChunks - 1;  // from the end of a window's row to its start
    localparam int Back = SpanH * Row + BackX;  // from the end of a pass to its start
    localparam int ToTap = DilationW * Chunks - (GroupChunks - 1);
    localparam int ToTapRow = DilationH * Row - BackX;
    localparam int ToRepeat = -Back;
    localparam int ToGroup = GroupChunks - Back;
    localparam int ToWindow = NextWindow - (Groups - 1) * GroupChunks - Back;
    localparam int ToRow = NextRow - (Groups - 1) * GroupChunks - Back;
    localparam int ToFrame = NextFrame - (Groups - 1) * GroupChunks - Back;

    // Size of the buffer, in pixels: the window's span (or the first one's distance from the first pixel), what padding
    // beyond the span would free too early, and what the next step needs: one window, or a new row where the reader is
    // the slower side, or also the next frame's start where waiting for it would cost more than 1/64 of the interval.
    localparam int Taps = KernelH * KernelW * Repeats;
    localparam int Early = max(0, max(LastX - ImageWidth, LastY * ImageWidth + LastX - FramePixels));
    localparam int RowAhead = OutWidth * Taps > ImageWidth ? max(StrideW, NextRow / Chunks) : StrideW;
    localparam int Gap = max(0, NextFrame / Chunks - RowAhead);
    localparam bit HideGap = Taps > FramePixels / (OutHeight * OutWidth) && Gap * 64 / (OutHeight * OutWidth) >= Taps;
    localparam int Span = max(SpanH * ImageWidth + SpanW, PadTop * ImageWidth + PadLeft) + 1;
    localparam int Words = (Span + Early + RowAhead + (HideGap ? Gap : 0)) * Chunks;
    localparam bit Block = Words > 64 && Words > 4096 / Width;
    localparam int Unit = Block ? 512 : Words > 32 ? 64 : 32;  // what the memory comes in anyway
    localparam int Depth = (Words + Unit - 1) / Unit * Unit;
    localparam int AddrBits = $clog2(Depth);
    localparam int Stages = Block || Depth > 64 ? 2 : 1;  // registers of the memory

    // From the first item of a frame to the second, where the first one has the lead of the frame's first word.
    localparam int ToSecond = GroupChunks > 1 ? -1 - Origin :
        KernelW > 1 ? -ToTap - Origin : KernelH > 1 ? -ToTapRow - Origin : Repeats > 1 ? -ToRepeat - Origin :
        Groups > 1 ? -ToGroup - Origin : OutWidth > 1 ? -ToWindow - Origin : OutHeight > 1 ? -ToRow - Origin : -ToFrame;

    // `lead` and `need` stay within (-2**(LeadBits-1), 2**(LeadBits-1)): padding is emitted only while lead is at
    // least -2**(LeadBits-2), a bound that lies behind the end of the frame.
    localparam int Forward = max(max(max(ToTap, ToTapRow), ToWindow), max(ToRow, ToFrame));
    localparam int Behind = LastY * Row + LastX * Chunks + Back + 1 - Height * Row;
    localparam int Backward = max(-Origin, max(-NextRow, -NextFrame));
    localparam int LeadBits = 2 + $clog2(max(max(Depth, Forward), max(Behind, Backward)) + 1);
    localparam int NeedBits = LeadBits + 1;

    // ------------------------------------------------------------------ the item: where it is, whether it may go
    logic [2:0] ahead, level_q;  // how to move on from the next item, and from this one
    logic prime_q, ready, fire, write, pad_q, skip_q, first_q;
    logic [LeadBits-1:0] lead_q;
    logic [NeedBits-1:0] need_q;
    logic [AddrBits-1:0] read_q, write_q;

    assign s_ready_o = need_q[NeedBits-1];
    assign write = s_valid_i && s_ready_o;
    assign ready = !lead_q[LeadBits-1] || (skip_q && lead_q[LeadBits-2]);
    assign fire = m_ready_i && ready;

    logic arrive;  // a word enters the memory
    logic [Width-1:0] arrival;
    if (Block) begin : g_at_once
      assign arrive  = write;
      assign arrival = s_data_i;
    end else begin : g_waiting
      always_ff @(posedge clk_i) begin
        if (rst_i) arrive <= 1'b0;
        else arrive <= write;
      end
      always_ff @(posedge clk_i) arrival <= s_data_i;
    end

    window_loops #(
        .GroupChunks(GroupChunks),
        .KernelW(KernelW),
        .KernelH(KernelH),
        .Repeats(Repeats),
        .Groups(Groups),
        .OutWidth(OutWidth),
        .OutHeight(OutHeight)
    ) u_loops (
        .clk_i,
        .rst_i,
        .step_i (fire),
        .level_o(ahead)
    );
    // An item in front of the first one, which is not emitted, brings the registers that are one item ahead there.
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        prime_q <= 1'b1;
        level_q <= '0;
      end else if (fire) begin
        prime_q <= 1'b0;
        level_q <= ahead;
        first_q <= prime_q || level_q >= 3'd3;
      end
    end

    // What the next item adds to `lead`, minus its distance to the one behind it, and to `need`, minus the number of words
    // that it frees; known one item ahead, too.
    logic start;  // the next item is a frame's first one, which has the lead of the frame's first word
    logic [LeadBits-1:0] move, move_q;
    logic [NeedBits-1:0] drop, drop_q;
    assign start = Origin != 0 && (prime_q || level_q == 3'd7);
    always_comb begin
      unique case (ahead)
        3'd0: move = LeadBits'(-1);
        3'd1: move = LeadBits'(-ToTap);
        3'd2: move = LeadBits'(-ToTapRow);
        3'd3: move = LeadBits'(-ToRepeat);
        3'd4: move = LeadBits'(-ToGroup);
        3'd5: move = LeadBits'(-ToWindow);
        3'd6: move = LeadBits'(-ToRow);
        default: move = LeadBits'(Origin - ToFrame);
      endcase
      if (start) move = LeadBits'(ToSecond);
      unique case (ahead)
        3'd5: drop = NeedBits'(-NextWindow);
        3'd6: drop = NeedBits'(-NextRow);
        3'd7: drop = NeedBits'(-NextFrame);
        default: drop = '0;
      endcase
    end
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        move_q <= LeadBits'(-1);
        drop_q <= '0;
      end else if (fire) begin
        move_q <= move;
        drop_q <= drop;
      end
    end

    // The lowest bit of each sum brings in the word as a carry, so that one carry chain does all.
    logic unused_lead, unused_need;
    logic [LeadBits-1:0] lead_d;
    logic [NeedBits-1:0] need_d;
    assign {lead_d, unused_lead} = {lead_q, 1'b1} + {fire ? move_q : '0, arrive};
    assign {need_d, unused_need} = {need_q, 1'b1} + {fire ? drop_q : '0, write};
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        lead_q <= '0;
        need_q <= NeedBits'(-Origin + Early * Chunks - Depth);
      end else begin
        lead_q <= lead_d;
        need_q <= need_d;
      end
    end

    // ------------------------------------------------------------------ padding
    // A frame that starts with padding waits for its first word, so that nothing comes out before something goes in:
    // its first item has that word's lead (see `start`).
    if (PadTop != 0 || LastY + SpanH >= Height || PadLeft != 0 || LastX + SpanW >= ImageWidth) begin : g_pad
      localparam int XBits = 1 + $clog2(max(max(PadLeft, ImageWidth), LastX + SpanW) + 1);
      localparam int YBits = 1 + $clog2(max(max(PadTop, Height), LastY + SpanH) + 1);
      logic [XBits-1:0] ix_q, move_x;  // of the next item
      logic [YBits-1:0] iy_q, move_y;
      logic pad;
      always_comb begin
        unique case (ahead)
          3'd0: move_x = '0;
          3'd1: move_x = XBits'(DilationW);
          3'd2, 3'd3, 3'd4: move_x = XBits'(-SpanW);
          3'd5: move_x = XBits'(StrideW - SpanW);
          default: move_x = XBits'(-PadLeft - LastX - SpanW);
        endcase
        unique case (ahead)
          3'd0, 3'd1: move_y = '0;
          3'd2: move_y = YBits'(DilationH);
          3'd3, 3'd4, 3'd5: move_y = YBits'(-SpanH);
          3'd6: move_y = YBits'(StrideH - SpanH);
          default: move_y = YBits'(-PadTop - LastY - SpanH);
        endcase
      end
      assign pad = ix_q >= XBits'(ImageWidth) || iy_q >= YBits'(Height);  // negative ones are large, too
      always_ff @(posedge clk_i) begin
        if (rst_i) begin
          ix_q   <= XBits'(-PadLeft);
          iy_q   <= YBits'(-PadTop);
          skip_q <= 1'b0;
        end else if (fire) begin
          ix_q   <= ix_q + move_x;
          iy_q   <= iy_q + move_y;
          pad_q  <= pad;
          skip_q <= pad && !start;
        end
      end
    end else begin : g_no_pad
      assign pad_q  = 1'b0;
      assign skip_q = 1'b0;
    end

    // ------------------------------------------------------------------ memory
    logic [AddrBits-1:0] write_d;
    window_step #(
        .Depth(Depth),
        .Start(((Origin - 1) % Depth + Depth) % Depth),
        .Steps({ToFrame, ToRow, ToWindow, ToGroup, ToRepeat, ToTapRow, ToTap, 32'd1})
    ) u_read (
        .clk_i,
        .rst_i,
        .step_i   (fire),
        .ahead_i  (ahead),
        .address_o(read_q)
    );
    assign write_d = write_q == AddrBits'(Depth - 1) ? '0 : write_q + 1'b1;
    always_ff @(posedge clk_i) begin
      if (rst_i) write_q <= '0;
      else if (arrive) write_q <= write_d;
    end

    logic [Width-1:0] data;
    ram_sdp #(
        .Width(Width),
        .Depth(Depth),
        .Style(Block ? 1 : 2),
        .Latency(Stages)
    ) u_ram (
        .clk_i,
        .we_i   (arrive),
        .waddr_i(write_q),
        .wdata_i(arrival),
        .re_i   (m_ready_i),
        .raddr_i(read_q),
        .oe_i   (m_ready_i),
        .rdata_o(data)
    );

    // ------------------------------------------------------------------ output
    logic [Stages-1:0] valid_q, pads_q, firsts_q, lasts_q;  // behind each register of the memory
    always_ff @(posedge clk_i) begin
      if (rst_i) valid_q <= '0;
      else if (m_ready_i) valid_q <= Stages'({valid_q, ready && !prime_q});
    end
    always_ff @(posedge clk_i) begin
      if (m_ready_i) begin
        pads_q   <= Stages'({pads_q, pad_q});
        firsts_q <= Stages'({firsts_q, first_q});
        lasts_q  <= Stages'({lasts_q, level_q >= 3'd3});
      end
    end
    assign m_valid_o = valid_q[Stages-1];
    assign m_first_o = firsts_q[Stages-1];
    assign m_last_o  = lasts_q[Stages-1];
    assign m_data_o  = pads_q[Stages-1] ? PadWord : data;
  end
endmodule
