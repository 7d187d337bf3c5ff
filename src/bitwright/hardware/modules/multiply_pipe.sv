// SPDX-License-Identifier: Apache-2.0
// Pipelined product of two signed numbers: p = a * b, for multiplier blocks with registers of their own.
//
// Latency: 2, and 1 more for each operand of more than 18 bits, which is split into its low 17 bits and the rest; one
// product a cycle. Of each block the operands and the product are registers, which tools pack into it. Stage s, from 0
// on, takes what the one before holds where en_i[s]. multiply_pipe.py gives the latency.
module multiply_pipe #(
    parameter int unsigned ABits = 18,
    parameter int unsigned BBits = 18,
    localparam bit ASplit = ABits > 18,
    localparam bit BSplit = BBits > 18,
    localparam int unsigned Latency = 2 + (ASplit ? 1 : 0) + (BSplit ? 1 : 0)
) (
    input  logic                          clk_i,
    input  logic        [    Latency-1:0] en_i = {Latency{1'b1}},
    input  logic signed [      ABits-1:0] a_i,
    input  logic signed [      BBits-1:0] b_i,
    output logic signed [ABits+BBits-1:0] p_o
);
  if (ABits < 1 || ABits > 35 || BBits < 1 || BBits > 35) begin : g_illegal
    $error("multiply_pipe: ABits and BBits of 1 to 35 are legal");
  end

  localparam int unsigned Bits = ABits + BBits, Low = 17;
  logic signed [ABits-1:0] a_q;
  logic signed [BBits-1:0] b_q;
  always_ff @(posedge clk_i) begin
    if (en_i[0]) begin
      a_q <= a_i;
      b_q <= b_i;
    end
  end

  if (ASplit && BSplit) begin : g_four
    localparam int unsigned MiddleBits = (ABits > BBits ? ABits : BBits) + 2;
    logic signed [Low:0] a_low, b_low;
    logic signed [ABits-Low-1:0] a_high;
    logic signed [BBits-Low-1:0] b_high;
    logic signed [2*Low+1:0] low_q;  // the top two bits are 0
    logic signed [ABits:0] high_low_q;
    logic signed [BBits:0] low_high_q;
    logic signed [Bits-2*Low-1:0] high_q;
    logic signed [MiddleBits-1:0] middle_q;
    logic signed [Bits-1:0] outer_q, p_q;
    logic unused;
    assign a_low = {1'b0, a_q[Low-1:0]};
    assign b_low = {1'b0, b_q[Low-1:0]};
    assign a_high = a_q[ABits-1:Low];
    assign b_high = b_q[BBits-1:Low];
    always_ff @(posedge clk_i) begin
      if (en_i[1]) begin
        low_q <= a_low * b_low;
        high_low_q <= a_high * b_low;
        low_high_q <= a_low * b_high;
        high_q <= a_high * b_high;
      end
      if (en_i[2]) begin
        middle_q <= MiddleBits'(high_low_q) + MiddleBits'(low_high_q);
        outer_q <= {high_q, low_q[2*Low-1:0]};
      end
      if (en_i[3]) p_q <= {outer_q[Bits-1:Low] + (Bits - Low)'(middle_q), outer_q[Low-1:0]};
    end
    assign p_o = p_q;
    assign unused = ^low_q[2*Low+1:2*Low];
  end else if (ASplit || BSplit) begin : g_two
    localparam int unsigned Wide = ASplit ? ABits : BBits, Narrow = Bits - Wide;
    logic signed [Wide-1:0] wide;
    logic signed [Narrow-1:0] narrow;
    logic signed [Low:0] wide_low;
    logic signed [Wide-Low-1:0] wide_high;
    logic signed [Low+Narrow:0] low_q;
    logic signed [Bits-Low-1:0] high_q;
    logic signed [Bits-1:0] p_q;
    if (ASplit) begin : g_wide_a
      assign wide = a_q;
      assign narrow = b_q;
    end else begin : g_wide_b
      assign wide = b_q;
      assign narrow = a_q;
    end
    assign wide_low = {1'b0, wide[Low-1:0]};
    assign wide_high = wide[Wide-1:Low];
    always_ff @(posedge clk_i) begin
      if (en_i[1]) begin
        low_q  <= wide_low * narrow;
        high_q <= wide_high * narrow;
      end
      if (en_i[2]) p_q <= {high_q + (Bits - Low)'($signed(low_q[Low+Narrow:Low])), low_q[Low-1:0]};
    end
    assign p_o = p_q;
  end else begin : g_one
    logic signed [Bits-1:0] p_q;
    always_ff @(posedge clk_i) if (en_i[1]) p_q <= a_q * b_q;
    assign p_o = p_q;
  end
endmodule
