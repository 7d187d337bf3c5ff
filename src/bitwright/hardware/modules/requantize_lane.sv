// SPDX-License-Identifier: Apache-2.0
// One lane of module requantize, which see: the arithmetic without its flow control.
module requantize_lane #(
    parameter int unsigned InBits     = 16,
    parameter bit          InSigned   = 1,
    parameter int unsigned OutBits    = 8,
    parameter bit          OutSigned  = 1,
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
    parameter int unsigned Stages     = 3,
    parameter File = "requantize_l000.mem",
    localparam int unsigned TileBits = Tiles > 1 ? $clog2(Tiles) : 1
) (
    input  logic                clk_i,
    input  logic [  Stages-1:0] en_i,
    input  logic [TileBits-1:0] tile_i,
    input  logic [        31:0] draw_i,
    input  logic [  InBits-1:0] x_i,
    output logic [ OutBits-1:0] y_o
);
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

  // ------------------------------------------------------------------ stage 0: x and its channel's parameters
  logic [InBits-1:0] x_q;
  logic [MultWidth-1:0] mult;
  logic [BiasWidth-1:0] bias;
  logic [LiftWidth-1:0] lift;
  always_ff @(posedge clk_i) if (en_i[0]) x_q <= x_i;

  if (Uniform) begin : g_constants
    assign mult = Multiplier[MultWidth-1:0];
    assign bias = Bias[BiasWidth-1:0];
    assign lift = '0;
  end else begin : g_memory
    logic [MultBits+BiasBits+LiftBits-1:0] word;
    rom #(
        .Width(MultBits + BiasBits + LiftBits),
        .Depth(Tiles),
        .File (File)
    ) u_parameters (
        .clk_i,
        .re_i  (en_i[0]),
        .addr_i(tile_i),
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
  if (InSigned) begin : g_signed
    assign x = AccBits'($signed(x_q));
  end else begin : g_unsigned
    assign x = AccBits'(x_q);
  end

  if (MultBits > 0) begin : g_multiply
    logic signed [AccBits-1:0] product_q;
    logic [BiasWidth-1:0] bias_q;
    always_ff @(posedge clk_i) begin
      if (en_i[MultStage]) begin
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
    always_ff @(posedge clk_i) if (en_i[BiasStage]) v_q <= product + AccBits'($signed(bias_late));
    assign v = v_q;
  end else begin : g_no_add
    assign v = product;
  end

  // ------------------------------------------------------------------ lift, and the random bits with it
  logic [WideBits-1:0] wide;
  logic [31:0] random;
  logic [BiasStage:0][LiftWidth-1:0] lift_at;  // the lift of the word in each stage; Yosys wants it outside the block
  if (LiftBits > 0) begin : g_lift_stage
    logic [WideBits-1:0] wide_q;
    logic [31:0] random_q;
    assign lift_at[0] = lift;
    for (genvar s = 1; s <= BiasStage; s++) begin : g_delay
      always_ff @(posedge clk_i) if (en_i[s]) lift_at[s] <= lift_at[s-1];
    end
    always_ff @(posedge clk_i) begin
      if (en_i[LiftStage]) begin
        wide_q   <= WideBits'($signed(v)) << lift_at[BiasStage];
        random_q <= draw_i << lift_at[BiasStage];
      end
    end
    assign wide   = wide_q;
    assign random = random_q;
  end else begin : g_no_lift_stage
    assign lift_at = '0;
    assign wide   = v;
    assign random = draw_i;
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
  always_ff @(posedge clk_i) if (en_i[SumStage]) sum_q <= sum_d;

  // ------------------------------------------------------------------ clamp
  logic [OutBits-1:0] y;
  saturate #(
      .InBits (SumBits),
      .OutBits(OutBits)
  ) u_clamp (
      .signed_i(OutSigned),
      .x_i(sum_q),
      .y_o(y)
  );
  always_ff @(posedge clk_i) if (en_i[Stages-1]) y_o <= y;

  logic unused;
  assign unused = &{1'b0, tile_i, draw_i, random, mult, bias, lift, lift_at, bias_late};
endmodule
