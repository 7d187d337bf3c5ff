// SPDX-License-Identifier: Apache-2.0
// Rescaling (Python op Requantize):
//   y = clamp(round((x * multiplier[c] + bias[c]) / 2**shift[c]) + ZeroPoint)
//
// A stream of words of Lanes channels, Tiles words a pixel. Latency 3, and 1 each for a multiplier, a bias and
// shifts that differ (MultBits, BiasBits, Lift > 0). One word a cycle.
//
// Every quotient is taken with the largest shift, Shift: v = x * multiplier + bias (AccBits bits, signed) is first
// lifted by Shift - shift[c] (at most Lift) bits, which keeps the quotient, so that rounding has a fixed place.
// Rounding: 0 floor, 1 half up, 2 half to even, 3 half away from zero, 4 stochastic: lane l of word t of a frame of
// FrameWords words adds the low shift[c] bits of draw t * Lanes + l. Seeds holds draw l of each lane, Jump moves on by
// Lanes draws (see lfsr32). MultBits 0: multiplier 1. BiasBits 0: no bias. Uniform: Multiplier and Bias are
// constants, and Lift is 0.
// requantize.py gives all parameters and files.
//
// Files, where not Uniform: <File>_l<lll>.mem has Tiles words {lift, bias, multiplier} for lane lll.
module requantize #(
    parameter int unsigned InBits     = 16,
    parameter bit          InSigned   = 1,
    parameter int unsigned OutBits    = 8,
    parameter bit          OutSigned  = 1,
    parameter int unsigned Lanes      = 1,
    parameter int unsigned Tiles      = 1,
    parameter int unsigned MultBits   = 0,
    parameter int unsigned BiasBits   = 0,
    parameter int unsigned Lift       = 0,
    parameter int unsigned AccBits    = 16,
    parameter int unsigned Shift      = 8,
    parameter int          ZeroPoint  = 0,
    parameter int unsigned Rounding   = 2,
    parameter bit          Uniform    = 1,
    parameter logic [63:0] Multiplier = 64'd1,
    parameter logic [63:0] Bias       = 64'd0,
    parameter int unsigned FrameWords = 1,
    parameter logic [Lanes*32-1:0] Seeds = {Lanes{32'd1}},
    parameter logic [32*32-1:0] Jump = '0,
    parameter File = "requantize"
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
  if (InBits < 1 || OutBits < 1 || Lanes < 1 || Lanes > 1000 || Tiles < 1 || FrameWords < 1 || AccBits < InBits ||
      AccBits > 64 || MultBits > 64 || BiasBits > 64 || Lift > Shift || Shift > 32 || Rounding > 4 ||
      (Uniform && Lift > 0) || (!Uniform && MultBits + BiasBits + Lift == 0)) begin : g_illegal
    $error("requantize: illegal parameters, see requantize.py");
  end

  localparam int unsigned Stages = 3 + (MultBits > 0 ? 1 : 0) + (BiasBits > 0 ? 1 : 0) + (Lift > 0 ? 1 : 0);
  localparam int unsigned DrawStage = Lift > 0 ? Stages - 3 : Stages - 2;

  localparam int unsigned LiftBits = $clog2(Lift + 1);

  // Each stage index; a stage that does not exist shares the index of the one before it.
  localparam int unsigned MultStage = MultBits > 0 ? 1 : 0;
  localparam int unsigned BiasStage = MultStage + (BiasBits > 0 ? 1 : 0);
  localparam int unsigned LiftStage = BiasStage + (LiftBits > 0 ? 1 : 0);
  localparam int unsigned SumStage = LiftStage + 1;

  // Parameter fields, each at least one bit wide so that absent ones have a name.
  localparam int unsigned MultWidth = MultBits > 0 ? MultBits : 1;
  localparam int unsigned BiasWidth = BiasBits > 0 ? BiasBits : 1;
  localparam int unsigned LiftWidth = LiftBits > 0 ? LiftBits : 1;
  localparam int unsigned WideBits = AccBits + Lift;

  logic [Stages-1:0] en, enter;
  logic [Stages-1:0][(Tiles > 1 ? $clog2(Tiles) : 1)-1:0] tile;
  pipe_control #(
      .Stages(Stages),
      .Tiles (Tiles)
  ) u_pipe (
      .en_o(en),
      .enter_o(enter),
      .tile_o(tile),
      .*
  );

  logic restart;
  if (Rounding == 4) begin : g_frame
    logic [(FrameWords > 1 ? $clog2(FrameWords) : 1)-1:0] unused_word;
    logic unused_word_first;
    loop_counter #(
        .Count(FrameWords)
    ) u_word (
        .clk_i,
        .rst_i,
        .step_i (enter[DrawStage]),
        .count_o(unused_word),
        .first_o(unused_word_first),
        .last_o (restart)
    );
  end else begin : g_no_frame
    assign restart = 1'b0;
  end

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    logic [31:0] draw;
    if (Rounding == 4) begin : g_draw
      lfsr32 #(
          .Jump(Jump)
      ) u_draw (
          .clk_i,
          .load_i(rst_i || (enter[DrawStage] && restart)),
          .seed_i(Seeds[32*l+:32]),
          .step_i(enter[DrawStage]),
          .draw_o(draw)
      );
    end else begin : g_no_draw
      assign draw = '0;
    end

    // ------------------------------------------------------------------ stage 0: x and its channel's parameters
    logic [InBits-1:0] x_q;
    logic [MultWidth-1:0] mult;
    logic [BiasWidth-1:0] bias;
    logic [LiftWidth-1:0] lift;
    always_ff @(posedge clk_i) if (en[0]) x_q <= s_data_i[l*InBits+:InBits];

    if (Uniform) begin : g_constants
      assign mult = Multiplier[MultWidth-1:0];
      assign bias = Bias[BiasWidth-1:0];
      assign lift = '0;
    end else begin : g_memory
      logic [MultBits+BiasBits+LiftBits-1:0] word;
      rom #(
          .Width(MultBits + BiasBits + LiftBits),
          .Depth(Tiles),
          .File ({File, "_l", 8'(48 + l / 100), 8'(48 + l / 10 % 10), 8'(48 + l % 10), ".mem"})
      ) u_parameters (
          .clk_i,
          .re_i  (en[0]),
          .addr_i(tile[0]),
          .data_o(word)
      );
      if (MultBits > 0) begin : g_mult
        assign mult = word[MultBits-1:0];
      end else begin : g_no_mult
        assign mult = 1'b1;
      end
      if (BiasBits > 0) begin : g_bias
        assign bias = word[MultBits+:BiasBits];
      end else begin : g_no_bias
        assign bias = 1'b0;
      end
      if (LiftBits > 0) begin : g_lift
        assign lift = word[MultBits+BiasBits+:LiftBits];
      end else begin : g_no_lift
        assign lift = 1'b0;
      end
    end

    // ------------------------------------------------------------------ product and bias
    logic [AccBits-1:0] x, product, v;
    logic [BiasWidth-1:0] bias_late;
    assign x = AccBits'($signed({InSigned && x_q[InBits-1], x_q}));

    if (MultBits > 0) begin : g_multiply
      logic signed [AccBits-1:0] product_q;
      logic [BiasWidth-1:0] bias_q;
      always_ff @(posedge clk_i) begin
        if (en[MultStage]) begin
          product_q <= $signed(x) * AccBits'($signed(mult));
          bias_q <= bias;
        end
      end
      assign product = product_q;
      assign bias_late = Uniform ? bias : bias_q;
    end else begin : g_no_multiply
      assign product = x;
      assign bias_late = bias;
    end

    if (BiasBits > 0) begin : g_add
      logic [AccBits-1:0] v_q;
      always_ff @(posedge clk_i) if (en[BiasStage]) v_q <= product + AccBits'($signed(bias_late));
      assign v = v_q;
    end else begin : g_no_add
      assign v = product;
    end

    // ------------------------------------------------------------------ lift, and the random bits with it
    logic [WideBits-1:0] wide;
    logic [31:0] random;
    logic [(BiasStage+1)*LiftWidth-1:0] lift_at;  // the lift of the word in each stage
    if (LiftBits > 0) begin : g_lift_stage
      logic [WideBits-1:0] wide_q;
      logic [31:0] random_q;
      assign lift_at[LiftWidth-1:0] = lift;
      for (genvar s = 1; s <= BiasStage; s++) begin : g_delay
        always_ff @(posedge clk_i) if (en[s]) lift_at[LiftWidth*s+:LiftWidth] <= lift_at[LiftWidth*(s-1)+:LiftWidth];
      end
      always_ff @(posedge clk_i) begin
        if (en[LiftStage]) begin
          wide_q   <= WideBits'($signed(v)) << lift_at[LiftWidth*BiasStage+:LiftWidth];
          random_q <= draw << lift_at[LiftWidth*BiasStage+:LiftWidth];
        end
      end
      assign wide   = wide_q;
      assign random = random_q;
    end else begin : g_no_lift_stage
      assign lift_at = '0;
      assign wide   = v;
      assign random = draw;
    end

    // ------------------------------------------------------------------ round: whole part + carry + zero point
    localparam int unsigned WholeBits = WideBits > Shift ? WideBits - Shift : 1;
    localparam int unsigned ZeroBits = $clog2((ZeroPoint < 0 ? -ZeroPoint : ZeroPoint) + 1) + 1;
    localparam int unsigned SumBits = 2 + (WholeBits > ZeroBits ? WholeBits : ZeroBits);
    localparam int unsigned FractionBits = Shift > 0 ? Shift : 1;
    logic [SumBits-1:0] sum_q, sum_d, whole;
    logic up, tie, unused_low;
    assign whole = SumBits'($signed(wide) >>> Shift);
    round_up #(
        .Bits(FractionBits)
    ) u_round (
        .rounding_i(3'(Rounding)),
        .value_i(FractionBits'($signed(wide))),
        .mask_i({FractionBits{Shift > 0}}),
        .negative_i(wide[WideBits-1]),
        .draw_i(random[FractionBits-1:0]),
        .up_o(up),
        .tie_o(tie)
    );

    // The lowest bit brings in the rounding carry, so that one carry chain does all.
    assign {sum_d, unused_low} = {whole, 1'b1} + {SumBits'(ZeroPoint), up || (tie && whole[0])};
    always_ff @(posedge clk_i) if (en[SumStage]) sum_q <= sum_d;

    // ------------------------------------------------------------------ clamp
    logic [OutBits-1:0] y, y_q;
    saturate #(
        .InBits (SumBits),
        .OutBits(OutBits)
    ) u_clamp (
        .signed_i(OutSigned),
        .x_i(sum_q),
        .y_o(y)
    );
    always_ff @(posedge clk_i) if (en[Stages-1]) y_q <= y;
    assign m_data_o[l*OutBits+:OutBits] = y_q;

    logic unused;
    assign unused = &{1'b0, draw, random, mult, bias, lift, lift_at, bias_late};
  end

  logic unused;
  assign unused = &{1'b0, enter, restart, tile};
endmodule
