// SPDX-License-Identifier: Apache-2.0
// Front of a multiply-accumulate layer: cuts activations into digits and tells the rest what to do with each word.
//
// The window reader repeats every window Digits times. Repetition d carries digit d of each lane, the most
// significant first: bits [(Digits-1-d)*DigitBits +: DigitBits] of the lane, filled up with zeros at the top.
// Flip inverts the lanes' sign bits, which turns two's complement into offset binary.
// addr_o counts the steps of a frame's pixel: Steps words a pass, Tiles passes, each for every digit.
// Latency: early_o, the step, one cycle after the word; digits_o, step_o Waits cycles later; valid_o, clear_o, shift_o
// Delay + 1 cycles after the word (they accompany the sum of its products), and so does last_o, of the word that
// finishes the accumulators.
// Everything moves only while en_i, whose complement is stop_i; II one word a cycle. Implements the schedule of Conv2d and Dense.
module tlmac_front #(
    parameter int unsigned Lanes = 1,
    parameter int unsigned Bits = 1,
    parameter int unsigned DigitBits = 1,
    parameter int unsigned Digits = 1,
    parameter bit Flip = 1'b0,
    parameter int unsigned Steps = 1,
    parameter int unsigned Tiles = 1,
    parameter int unsigned Delay = 1,
    parameter int unsigned Waits = 0,
    localparam int unsigned AddrBits = (Steps * Tiles > 1) ? $clog2(Steps * Tiles) : 1
) (
    input  logic                       clk_i,
    input  logic                       rst_i,
    input  logic                       en_i,
    input  logic                       stop_i,
    input  logic [Lanes*Bits-1:0]      s_data_i,
    input  logic                       s_valid_i,
    input  logic                       s_last_i,
    output logic [AddrBits-1:0]        addr_o,
    output logic [AddrBits-1:0]        early_o,
    output logic [AddrBits-1:0]        step_o,
    output logic [Lanes*DigitBits-1:0] digits_o,
    output logic                       valid_o,
    output logic                       clear_o,
    output logic                       shift_o,
    output logic                       last_o
);
  localparam int unsigned Padded = Digits * DigitBits;
  localparam int unsigned DigitIndexBits = (Digits > 1) ? $clog2(Digits) : 1;
  localparam int unsigned Last = Steps * Tiles - 1;

  if (Delay < 1) $error("tlmac_front: Delay must be at least 1");
  if (Padded < Bits || Padded >= Bits + DigitBits) $error("tlmac_front: Digits must be ceil(Bits / DigitBits)");

  logic take, first_q, last_digit, first_digit;
  assign take = !stop_i && s_valid_i;

  // ---- schedule
  logic [DigitIndexBits-1:0] digit_q;
  assign first_digit = digit_q == '0;
  assign last_digit = digit_q == DigitIndexBits'(Digits - 1);

  if (Digits > 1) begin : gen_digit
    always_ff @(posedge clk_i) begin
      if (rst_i) digit_q <= '0;
      else if (take && s_last_i) digit_q <= last_digit ? '0 : digit_q + 1'b1;
    end
  end else begin : gen_one_digit
    assign digit_q = '0;
  end

  // at_last, base_at_last: whether the address, or the base, is Last; registers, so that no compare precedes the address.
  logic [AddrBits-1:0] base, next;
  logic next_at_last, base_at_last;
  if (Last > 0) begin : gen_step
    logic [AddrBits-1:0] addr_q;
    logic at_last_q;
    assign next = at_last_q ? '0 : addr_q + 1'b1;
    assign next_at_last = addr_q == AddrBits'(Last - 1);
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        addr_q    <= '0;
        at_last_q <= 1'b0;
      end else if (take) begin
        addr_q    <= (s_last_i && !last_digit) ? base : next;
        at_last_q <= (s_last_i && !last_digit) ? base_at_last : next_at_last;
      end
    end
    assign addr_o = addr_q;
  end else begin : gen_one_step
    assign next = '0;
    assign next_at_last = 1'b1;
    assign addr_o = '0;
  end
  if (Tiles > 1 && Digits > 1) begin : gen_base
    logic [AddrBits-1:0] base_q;
    logic base_at_last_q;
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        base_q         <= '0;
        base_at_last_q <= 1'b0;
      end else if (take && s_last_i && last_digit) begin
        base_q         <= next;
        base_at_last_q <= next_at_last;
      end
    end
    assign base = base_q;
    assign base_at_last = base_at_last_q;
  end else begin : gen_zero_base
    logic unused;
    assign unused = &{1'b0, next_at_last};
    assign base = '0;
    assign base_at_last = 1'b0;
  end

  if (Steps > 1) begin : gen_first
    always_ff @(posedge clk_i) begin
      if (rst_i) first_q <= 1'b1;
      else if (take) first_q <= s_last_i;
    end
  end else begin : gen_always_first
    assign first_q = 1'b1;
  end

  // ---- digits
  logic [Lanes*DigitBits-1:0] digits;
  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    logic [Padded-1:0] lane;
    always_comb begin
      lane = '0;
      lane[Bits-1:0] = s_data_i[l*Bits+:Bits];
      lane[Bits-1] = s_data_i[l*Bits+Bits-1] ^ Flip;
    end
    logic [DigitBits-1:0] choice[Digits];
    for (genvar d = 0; d < Digits; d++) begin : gen_choice
      assign choice[d] = lane[(Digits-1-d)*DigitBits+:DigitBits];
    end
    assign digits[l*DigitBits+:DigitBits] = choice[digit_q];
  end
  logic [Lanes*DigitBits-1:0] digits_q;
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      digits_q <= digits;
      early_o  <= addr_o;
    end
  end
  logic [Waits:0][Lanes*DigitBits-1:0] waiting;
  logic [Waits:0][AddrBits-1:0] steps;
  assign waiting[0] = digits_q;
  assign steps[0]   = early_o;
  for (genvar w = 0; w < Waits; w++) begin : gen_wait
    always_ff @(posedge clk_i) begin
      if (en_i) begin
        waiting[w+1] <= waiting[w];
        steps[w+1]   <= steps[w];
      end
    end
  end
  assign digits_o = waiting[Waits];
  assign step_o   = steps[Waits];

  // ---- flags, delayed until the word's sum stands at the accumulators
  logic [Delay:0] valid_q, clear_q, shift_q, last_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      valid_q  <= '0;
      clear_q  <= '0;
      shift_q  <= '0;
      last_q   <= '0;
    end else if (en_i) begin
      valid_q  <= {valid_q[Delay-1:0], s_valid_i};
      clear_q  <= {clear_q[Delay-1:0], first_q && first_digit};
      shift_q  <= {shift_q[Delay-1:0], first_q && !first_digit};
      last_q   <= {last_q[Delay-1:0], s_valid_i && s_last_i && last_digit};
    end
  end
  assign valid_o = valid_q[Delay];
  assign clear_o = clear_q[Delay];
  assign shift_o = shift_q[Delay];
  assign last_o  = last_q[Delay];
endmodule
