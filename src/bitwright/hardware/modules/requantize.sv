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

  logic [Stages-1:0] en, enter;
  pipe_control #(
      .Stages(Stages)
  ) u_pipe (
      .clk_i,
      .rst_i,
      .s_valid_i,
      .s_ready_o,
      .m_valid_o,
      .m_ready_i,
      .en_o(en),
      .enter_o(enter)
  );

  logic [(Tiles > 1 ? $clog2(Tiles) : 1)-1:0] tile;
  logic unused_first, unused_last;
  loop_counter #(
      .Count(Tiles)
  ) u_tile (
      .clk_i,
      .rst_i,
      .step_i (enter[0]),
      .count_o(tile),
      .first_o(unused_first),
      .last_o (unused_last)
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
    requantize_lane #(
        .InBits(InBits),
        .InSigned(InSigned),
        .OutBits(OutBits),
        .OutSigned(OutSigned),
        .Tiles(Tiles),
        .MultBits(MultBits),
        .BiasBits(BiasBits),
        .Lift(Lift),
        .AccBits(AccBits),
        .Shift(Shift),
        .ZeroPoint(ZeroPoint),
        .Rounding(Rounding),
        .Uniform(Uniform),
        .Multiplier(Multiplier),
        .Bias(Bias),
        .Stages(Stages),
        .File({File, "_l", 8'(48 + l / 100), 8'(48 + l / 10 % 10), 8'(48 + l % 10), ".mem"})
    ) u_lane (
        .clk_i,
        .en_i  (en),
        .tile_i(tile),
        .draw_i(draw),
        .x_i   (s_data_i[l*InBits+:InBits]),
        .y_o   (m_data_o[l*OutBits+:OutBits])
    );
  end

  logic unused;
  assign unused = &{1'b0, enter, restart};
endmodule
