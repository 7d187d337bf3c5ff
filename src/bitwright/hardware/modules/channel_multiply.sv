// SPDX-License-Identifier: Apache-2.0
// Multiplies each channel by a constant of its own without multiplier blocks: y = x * multiplier[c].
//
// The constant comes as radix-4 Booth digits: multiplier = sum over k of digit[k] * 4**k, digit[k] in -2..2. Row k adds
// digit[k] * x to the sum so far, 2 * k bits up: a bit of a row is one LUT6 (one bit of the sum, two of x, three of
// the digit) on a carry chain. Two rows a stage: latency 1 + ceil(Rows / 2), one word a cycle.
//
// A stream of words of Lanes channels, Tiles words a pixel. OutBits must hold every product.
// Files: <File>_l<lll>.mem has Tiles words of 3 * Rows bits for lane lll: digit k is {negative, two, one} from bit 3 * k
// (requantize_lut.py).
module channel_multiply #(
    parameter int unsigned InBits   = 8,
    parameter bit          InSigned = 1,
    parameter int unsigned Rows     = 4,
    parameter int unsigned OutBits  = 16,
    parameter int unsigned Lanes    = 1,
    parameter int unsigned Tiles    = 1,
    parameter File = "channel_multiply"
) (
    input  logic                     clk_i,
    input  logic                     rst_i,
    input  logic [ Lanes*InBits-1:0] s_data_i,
    input  logic                     s_valid_i,
    output logic                     s_ready_o,
    output logic [Lanes*OutBits-1:0] m_data_o,
    output logic                     m_valid_o,
    input  logic                     m_ready_i
);
  localparam int unsigned XBits = InBits + (InSigned ? 0 : 1);  // of x as a signed number
  localparam int unsigned SumBits = XBits + 2 * Rows;  // of the sum of all rows
  localparam int unsigned Stages = 1 + (Rows + 1) / 2;
  if (InBits < 1 || Rows < 1 || OutBits < 1 || OutBits > SumBits || Lanes < 1 || Lanes > 1000 ||
      Tiles < 1) begin : g_illegal
    $error("channel_multiply: legal are OutBits <= bits of x + 2 * Rows, 1..1000 lanes");
  end

  logic [Stages-1:0] en, unused_enter;
  logic [Stages-1:0][(Tiles > 1 ? $clog2(Tiles) : 1)-1:0] tile;
  pipe_control #(
      .Stages(Stages),
      .Tiles (Tiles)
  ) u_pipe (
      .en_o(en),
      .enter_o(unused_enter),
      .tile_o(tile),
      .*
  );

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    logic [InBits-1:0] x_q;
    logic [3*Rows-1:0] word;
    always_ff @(posedge clk_i) if (en[0]) x_q <= s_data_i[l*InBits+:InBits];
    rom #(
        .Width(3 * Rows),
        .Depth(Tiles),
        .File ({File, "_l", 8'(48 + l / 100), 8'(48 + l / 10 % 10), 8'(48 + l % 10), ".mem"})
    ) u_digits (
        .clk_i,
        .re_i  (en[0]),
        .addr_i(tile[0]),
        .data_o(word)
    );

    for (genvar k = 0; k < Rows; k++) begin : g_row
      // The sum of the rows before has XBits + 2 * k bits; this row's has two more.
      localparam int unsigned Low = 2 * k;
      localparam int unsigned Width = XBits + 2;
      logic [XBits-1:0] x, x_o;
      logic [3*Rows-1:0] digits, digits_o;
      logic [SumBits-1:0] sum, next, sum_o;
      logic one, two, negative;
      logic [Width-1:0] wide, twice, above, added;
      logic unused;
      assign unused = &{1'b0, sum};
      if (k > 0) begin : g_further
        assign x = g_row[k-1].x_o;
        assign digits = g_row[k-1].digits_o;
        assign sum = g_row[k-1].sum_o;
        assign next = SumBits'({added, sum[Low-1:0]});
      end else begin : g_first
        assign x = XBits'($signed({InSigned && x_q[InBits-1], x_q}));
        assign digits = word;
        assign sum = '0;
        assign next = SumBits'(added);
      end

      assign {negative, two, one} = digits[3*k+:3];
      assign wide = Width'($signed(x));
      assign twice = wide << 1;
      assign above = Width'($signed(sum[Low+:XBits]));
      carry_chain #(
          .Width(Width)
      ) u_add (
          .ci_i(negative),
          .s_i (above ^ ((wide & {Width{one}}) | (twice & {Width{two}})) ^ {Width{negative}}),
          .di_i(above),
          .o_o (added)
      );
      if (k % 2 == 1 || k == Rows - 1) begin : g_register
        always_ff @(posedge clk_i) begin
          if (en[1+k/2]) begin
            x_o <= x;
            digits_o <= digits;
            sum_o <= next;
          end
        end
      end else begin : g_wire
        assign x_o = x;
        assign digits_o = digits;
        assign sum_o = next;
      end
    end
    assign m_data_o[l*OutBits+:OutBits] = g_row[Rows-1].sum_o[OutBits-1:0];
    logic unused;
    assign unused = &{1'b0, g_row[Rows-1].x_o, g_row[Rows-1].digits_o, g_row[Rows-1].sum_o};
  end
  logic unused;
  assign unused = &{1'b0, tile, unused_enter};
endmodule
