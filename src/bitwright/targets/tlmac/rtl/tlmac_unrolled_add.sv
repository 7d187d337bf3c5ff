// SPDX-License-Identifier: Apache-2.0
// Sum of two or three unsigned numbers on one carry chain, one LUT pair a position at most; combinational.
//
//   sum = (a ^ Invert0) << Shift0 + (b ^ Invert1) << Shift1 + (c ^ Invert2) << Shift2 + Constant   mod 2^OutBits
//
// An operand is not there if its shift is OutBits. At every position stand the operands' bits, the constant's bit and the
// majority of the position below, where that had three of these or more. Two or more of them share one LUT pair (their
// parity, and whether two of the first are set); one alone passes by, and below the chain's start it is not even
// inverted: there sum_o is inverted where the operand is, which Python's `adder_layout` tells the readers.
// The constant may have a bit only where at most two operands stand. Part of Conv2d and Dense.
module tlmac_unrolled_add #(
    parameter int unsigned Bits0 = 1,
    parameter int unsigned Bits1 = 1,
    parameter int unsigned Bits2 = 1,
    parameter int unsigned Shift0 = 0,
    parameter int unsigned Shift1 = 0,
    parameter int unsigned Shift2 = 0,
    parameter logic [Bits0-1:0] Invert0 = '0,
    parameter logic [Bits1-1:0] Invert1 = '0,
    parameter logic [Bits2-1:0] Invert2 = '0,
    parameter int unsigned OutBits = 2,
    parameter logic [OutBits-1:0] Constant = '0
) (
    input  logic [  Bits0-1:0] a_i,
    input  logic [  Bits1-1:0] b_i,
    input  logic [  Bits2-1:0] c_i,
    output logic [OutBits-1:0] sum_o
);
  localparam int unsigned Wide = OutBits + 64;
  localparam logic [OutBits-1:0] Here0 = OutBits'({{(Wide - Bits0) {1'b0}}, {Bits0{1'b1}}} << Shift0);
  localparam logic [OutBits-1:0] Here1 = OutBits'({{(Wide - Bits1) {1'b0}}, {Bits1{1'b1}}} << Shift1);
  localparam logic [OutBits-1:0] Here2 = OutBits'({{(Wide - Bits2) {1'b0}}, {Bits2{1'b1}}} << Shift2);
  localparam logic [OutBits-1:0] Inverted0 = OutBits'({{(Wide - Bits0) {1'b0}}, Invert0} << Shift0);
  localparam logic [OutBits-1:0] Inverted1 = OutBits'({{(Wide - Bits1) {1'b0}}, Invert1} << Shift1);
  localparam logic [OutBits-1:0] Inverted2 = OutBits'({{(Wide - Bits2) {1'b0}}, Invert2} << Shift2);
  localparam logic [OutBits-1:0] Inverted = Inverted0 | Inverted1 | Inverted2;
  // Bit p: whether a majority of position p - 1 enters position p.
  localparam logic [OutBits:0] Majority = majorities(Here0, Here1, Here2, Constant);
  localparam int unsigned Start = chain_start(Here0, Here1, Here2, Constant);

  if ((Here0 & Here1 & Here2 & Constant) != '0)
    $error("tlmac_unrolled_add: the constant has a bit where three operands stand");

  function automatic logic [OutBits:0] majorities(input logic [OutBits-1:0] h0, input logic [OutBits-1:0] h1,
                                                  input logic [OutBits-1:0] h2, input logic [OutBits-1:0] k);
    int unsigned n;
    majorities = '0;
    for (int unsigned p = 0; p < OutBits; p++) begin
      n = 32'(h0[p]) + 32'(h1[p]) + 32'(h2[p]) + 32'(k[p]);
      majorities[p+1] = n >= 2 && n + 32'(majorities[p]) >= 3;
    end
  endfunction

  function automatic int unsigned chain_start(input logic [OutBits-1:0] h0, input logic [OutBits-1:0] h1,
                                              input logic [OutBits-1:0] h2, input logic [OutBits-1:0] k);
    int unsigned n;
    logic [OutBits:0] m;
    m = majorities(h0, h1, h2, k);
    chain_start = OutBits;
    for (int unsigned p = 0; p < OutBits; p++) begin
      n = 32'(h0[p]) + 32'(h1[p]) + 32'(h2[p]) + 32'(k[p]) + 32'(m[p]);
      if (chain_start == OutBits && n >= 2 && (n == 2 || m[p])) chain_start = p;
    end
  endfunction

  logic [OutBits-1:0] x0, x1, x2, s, di;
  logic [OutBits:0] m;
  assign x0 = OutBits'({{(Wide - Bits0) {1'b0}}, a_i} << Shift0);
  assign x1 = OutBits'({{(Wide - Bits1) {1'b0}}, b_i} << Shift1);
  assign x2 = OutBits'({{(Wide - Bits2) {1'b0}}, c_i} << Shift2);
  assign m[0] = 1'b0;

  for (genvar p = 0; p < OutBits; p++) begin : g_position
    localparam int unsigned Fixed = 32'(Constant[p]);
    localparam int unsigned Operands = 32'(Here0[p]) + 32'(Here1[p]) + 32'(Here2[p]);
    localparam int unsigned Items = Operands + Fixed + 32'(Majority[p]);
    localparam logic [63:0] A = Here0[p] ? 64'hAAAA_AAAA_AAAA_AAAA ^ {64{Inverted0[p]}} : 64'd0;
    localparam logic [63:0] B = Here1[p] ? 64'hCCCC_CCCC_CCCC_CCCC ^ {64{Inverted1[p]}} : 64'd0;
    localparam logic [63:0] C = Here2[p] ? 64'hF0F0_F0F0_F0F0_F0F0 ^ {64{Inverted2[p]}} : 64'd0;
    localparam logic [63:0] M = Majority[p] ? 64'hFF00_FF00_FF00_FF00 : 64'd0;
    localparam logic [63:0] K = {64{Constant[p]}};
    localparam logic [63:0] Two = (A & B) | (A & C) | (B & C) | (K & (A | B | C));
    if (Items >= 2 || (Items == 1 && Inverted[p] && p > Start)) begin : g_lut
      logic two;
      lut6_2 #(
          .Init({32'(A ^ B ^ C ^ K ^ M), 32'(Two)})
      ) u_lut (
          .addr_i({2'b10, m[p], x2[p], x1[p], x0[p]}),
          .o6_o  (s[p]),
          .o5_o  (two)
      );
      assign di[p] = Majority[p] ? m[p] : (Items == 2 && two);
      assign m[p+1] = Majority[p+1] && two;
    end else begin : g_wire
      assign s[p] = x0[p] | x1[p] | x2[p] | m[p] | Constant[p];
      assign di[p] = 1'b0;
      assign m[p+1] = 1'b0;
    end
    if (p < Start) begin : g_below
      assign sum_o[p] = s[p];
    end
  end
  if (Start < OutBits) begin : g_chain
    carry_chain #(
        .Width(OutBits - Start)
    ) u_chain (
        .ci_i(1'b0),
        .s_i (s[OutBits-1:Start]),
        .di_i(di[OutBits-1:Start]),
        .o_o (sum_o[OutBits-1:Start])
    );
  end
  logic unused;
  assign unused = &{1'b0, m[OutBits], di};
endmodule
