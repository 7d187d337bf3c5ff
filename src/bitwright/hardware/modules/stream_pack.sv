// SPDX-License-Identifier: Apache-2.0
// Repacks a frame of FrameElements lanes from words of InLanes to words of OutLanes, for any two lane counts.
//
// A frame takes ceil(FrameElements/InLanes) input words and yields ceil(FrameElements/OutLanes) output words; the
// lanes behind its last element are zero in the output and ignored in the input. Frames do not mix. Latency 1, one
// word a cycle at the busier side. Works in units of the greatest common divisor of both lane counts.
module stream_pack #(
    parameter int unsigned LaneBits      = 8,
    parameter int unsigned InLanes       = 3,
    parameter int unsigned OutLanes      = 2,
    parameter int unsigned FrameElements = 7
) (
    input  logic                         clk_i,
    input  logic                         rst_i,
    input  logic [ InLanes*LaneBits-1:0] s_data_i,
    input  logic                         s_valid_i,
    output logic                         s_ready_o,
    output logic [OutLanes*LaneBits-1:0] m_data_o,
    output logic                         m_valid_o,
    input  logic                         m_ready_i
);
  if (LaneBits < 1 || InLanes < 1 || OutLanes < 1 || FrameElements < 1) begin : g_illegal
    $error("stream_pack: every parameter must be at least 1");
  end

  function automatic integer gcd(input integer a, input integer b);
    integer t;
    while (b != 0) begin
      t = a % b;
      a = b;
      b = t;
    end
    gcd = a;
  endfunction

  localparam int unsigned UnitLanes = $unsigned(gcd(InLanes, OutLanes));
  localparam int unsigned Unit = UnitLanes * LaneBits;  // bits
  localparam int unsigned In = InLanes / UnitLanes;  // units a word
  localparam int unsigned Out = OutLanes / UnitLanes;
  localparam int unsigned Size = In + Out - 1;  // units of the buffer
  localparam int unsigned FillBits = $clog2(Size + 1);
  localparam int unsigned Words = (FrameElements + InLanes - 1) / InLanes;
  localparam int unsigned LastLanes = FrameElements - (Words - 1) * InLanes;
  localparam int unsigned LastUnits = (LastLanes + UnitLanes - 1) / UnitLanes;

  logic [Size*Unit-1:0] buffer_q, kept, inserted;
  logic [FillBits-1:0] fill_q, fill_kept;  // units in the buffer; the rest of it is zero
  logic flush_q;  // the buffer holds the end of a frame
  logic last, take, give, full, room;

  if (Words == 1) begin : g_one
    assign last = 1'b1;
  end else begin : g_many
    logic [$clog2(Words)-1:0] unused_word;
    logic unused;
    loop_counter #(
        .Count(Words)
    ) u_word (
        .clk_i,
        .rst_i,
        .step_i (take),
        .count_o(unused_word),
        .first_o(unused),
        .last_o (last)
    );
  end

  assign full      = fill_q >= FillBits'(Out);
  assign m_valid_o = full || flush_q;
  assign m_data_o  = buffer_q[Out*Unit-1:0];
  assign give      = m_valid_o && m_ready_i;
  assign s_ready_o = !m_valid_o || (m_ready_i && room);
  assign take      = s_valid_i && s_ready_o;
  assign kept      = give ? buffer_q >> (Out * Unit) : buffer_q;
  assign fill_kept = !give ? fill_q : full ? fill_q - FillBits'(Out) : '0;

  // Behind this word's output there is room: less than one output word is left, nothing of an ending frame.
  if (In > Out) begin : g_several
    assign room = flush_q ? fill_q <= FillBits'(Out) : fill_q < FillBits'(2 * Out);
  end else begin : g_single
    assign room = !flush_q || !full || fill_q == FillBits'(Out);
  end

  // Only the elements of the frame enter, so that the rest of the buffer stays zero.
  logic [In*Unit-1:0] word;
  if (LastLanes == InLanes) begin : g_whole
    assign word = s_data_i;
  end else begin : g_partial
    localparam int unsigned Rest = (InLanes - LastLanes) * LaneBits;
    assign word = {s_data_i[In*Unit-1-:Rest] & {Rest{!last}}, s_data_i[LastLanes*LaneBits-1:0]};
  end

  always_comb begin
    inserted = '0;
    for (int unsigned u = 0; u < Out; u++)
      if (fill_kept == FillBits'(u)) inserted[u*Unit+:In*Unit] = word;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      buffer_q <= '0;
      fill_q   <= '0;
      flush_q  <= 1'b0;
    end else begin
      buffer_q <= take ? kept | inserted : kept;
      fill_q   <= !take ? fill_kept : fill_kept + (last ? FillBits'(LastUnits) : FillBits'(In));
      if (take) flush_q <= last;
      else if (fill_kept == '0) flush_q <= 1'b0;
    end
  end
endmodule
