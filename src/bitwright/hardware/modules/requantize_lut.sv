// SPDX-License-Identifier: Apache-2.0
// Rescaling without multiplier blocks: module requantize, which see, behind a multiplication in LUTs.
//
// Latency: that of channel_multiply (Rows digits of the multipliers) and that of requantize for products of
// ProductBits bits. One word a cycle.
// Files: those of channel_multiply, <File>_m_l<lll>.mem, and of requantize, <File>_l<lll>.mem
// (requantize_lut.py).
module requantize_lut #(
    parameter int unsigned InBits      = 16,
    parameter bit          InSigned    = 1,
    parameter int unsigned Rows        = 4,
    parameter int unsigned ProductBits = 24,
    parameter int unsigned OutBits     = 8,
    parameter bit          OutSigned   = 1,
    parameter int unsigned Lanes       = 1,
    parameter int unsigned Tiles       = 1,
    parameter int unsigned BiasBits    = 0,
    parameter int unsigned Lift        = 0,
    parameter int unsigned AccBits     = 24,
    parameter int unsigned Shift       = 8,
    parameter int          ZeroPoint   = 0,
    parameter int unsigned Rounding    = 2,
    parameter bit          Uniform     = 1,
    parameter logic [63:0] Bias        = 64'd0,
    parameter int unsigned FrameWords  = 1,
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
  logic [Lanes*ProductBits-1:0] product_data;
  logic product_valid, product_ready;
  channel_multiply #(
      .InBits(InBits),
      .InSigned(InSigned),
      .Rows(Rows),
      .OutBits(ProductBits),
      .Lanes(Lanes),
      .Tiles(Tiles),
      .File({File, "_m"})
  ) u_multiply (
      .clk_i,
      .rst_i,
      .s_data_i,
      .s_valid_i,
      .s_ready_o,
      .m_data_o (product_data),
      .m_valid_o(product_valid),
      .m_ready_i(product_ready)
  );
  requantize #(
      .InBits(ProductBits),
      .InSigned(1'b1),
      .OutBits(OutBits),
      .OutSigned(OutSigned),
      .Lanes(Lanes),
      .Tiles(Tiles),
      .BiasBits(BiasBits),
      .Lift(Lift),
      .AccBits(AccBits),
      .Shift(Shift),
      .ZeroPoint(ZeroPoint),
      .Rounding(Rounding),
      .Uniform(Uniform),
      .Bias(Bias),
      .FrameWords(FrameWords),
      .Seeds(Seeds),
      .Jump(Jump),
      .File(File)
  ) u_rescale (
      .clk_i,
      .rst_i,
      .s_data_i (product_data),
      .s_valid_i(product_valid),
      .s_ready_o(product_ready),
      .m_data_o,
      .m_valid_o,
      .m_ready_i
  );
endmodule
