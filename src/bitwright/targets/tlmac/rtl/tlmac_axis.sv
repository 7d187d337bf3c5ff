// SPDX-License-Identifier: Apache-2.0
// Where the next word stands on an axis of an image: Size positions of Words words, with padding before and after them.
//
// step_i moves on by a word; word_o is its index in its position. pad_o: the position is padding, trailing_o: that
// after the image. hit_o: a window of extent Span + 1, which moves by Stride, ends here. Part of tlmac_columns and
// tlmac_rows, which let leading padding wait for its image, so that nothing leaves before the image begins.
module tlmac_axis #(
    parameter int unsigned Words     = 1,
    parameter int unsigned Size      = 4,
    parameter int unsigned PadBefore = 0,
    parameter int unsigned PadAfter  = 0,
    parameter int unsigned Span      = 2,
    parameter int unsigned Stride    = 1,
    localparam int unsigned WordBits = Words > 1 ? $clog2(Words) : 1
) (
    input  logic                clk_i,
    input  logic                rst_i,
    input  logic                step_i,
    output logic [WordBits-1:0] word_o,
    output logic                pad_o,
    output logic                trailing_o,
    output logic                hit_o
);
  localparam int unsigned Padded = PadBefore + Size + PadAfter;
  logic [(Padded > 1 ? $clog2(Padded) : 1)-1:0] position;
  logic last_word, last, move, leading, reached, unused_first_word, unused_first;
  assign move = step_i && last_word;
  loop_counter #(
      .Count(Words)
  ) u_word (
      .clk_i,
      .rst_i,
      .step_i,
      .count_o(word_o),
      .first_o(unused_first_word),
      .last_o (last_word)
  );
  loop_counter #(
      .Count(Padded)
  ) u_position (
      .clk_i,
      .rst_i,
      .step_i (move),
      .count_o(position),
      .first_o(unused_first),
      .last_o (last)
  );

  // Registers that follow the position: what they say of it takes no compare.
  if (PadBefore > 0) begin : g_leading
    logic leading_q;
    always_ff @(posedge clk_i) begin
      if (rst_i) leading_q <= 1'b1;
      else if (move) leading_q <= last || (leading_q && 32'(position) != PadBefore - 1);
    end
    assign leading = leading_q;
  end else begin : g_no_leading
    assign leading = 1'b0;
  end
  if (PadAfter > 0) begin : g_trailing
    logic trailing_q;
    always_ff @(posedge clk_i) begin
      if (rst_i) trailing_q <= 1'b0;
      else if (move) trailing_q <= !last && (trailing_q || 32'(position) == PadBefore + Size - 1);
    end
    assign trailing_o = trailing_q;
  end else begin : g_no_trailing
    assign trailing_o = 1'b0;
  end
  assign pad_o = leading || trailing_o;

  if (Span > 0) begin : g_span
    logic reached_q;
    always_ff @(posedge clk_i) begin
      if (rst_i) reached_q <= 1'b0;
      else if (move) reached_q <= !last && (reached_q || 32'(position) == Span - 1);
    end
    assign reached = reached_q;
  end else begin : g_no_span
    assign reached = 1'b1;
  end
  if (Stride > 1) begin : g_stride
    logic [$clog2(Stride)-1:0] phase_q;
    always_ff @(posedge clk_i) begin
      if (rst_i || (move && last)) phase_q <= '0;
      else if (move && reached) phase_q <= 32'(phase_q) == Stride - 1 ? '0 : phase_q + 1'b1;
    end
    assign hit_o = reached && phase_q == '0;
  end else begin : g_every
    logic unused;
    assign unused = &{1'b0, last};
    assign hit_o  = reached;
  end
endmodule
