// SPDX-License-Identifier: Apache-2.0
// Address of an item of a window in a circular buffer; with step_i it moves to (address_o + Steps[level]) modulo Depth.
//
// The level of the first step is 0; that of the step behind it is ahead_i, and so on: what a step adds is a register. One
// adder, and a second one with its selection where Depth is no power of two. Reset brings address Start.
// Steps holds 8 signed 32-bit numbers, level 0 in the lowest bits.
module window_step #(
    parameter int Depth = 32,
    parameter int Start = 0,
    parameter logic [8*32-1:0] Steps = '0,
    localparam int AddrBits = $clog2(Depth)
) (
    input  logic                clk_i,
    input  logic                rst_i,
    input  logic                step_i,
    input  logic [         2:0] ahead_i,
    output logic [AddrBits-1:0] address_o
);
  if (Depth < 2) begin : g_illegal
    $error("window_step: Depth >= 2 is legal");
  end

  // Adding step + 2**AddrBits - Depth carries out exactly where address + step >= Depth.
  logic [8:0][AddrBits-1:0] up, down;  // step in [0, Depth), and the same plus 2**AddrBits - Depth, of levels below l
  logic [AddrBits-1:0] up_q, down_q, sum, wrapped;
  logic carry;
  assign up[0]   = '0;
  assign down[0] = '0;
  for (genvar l = 0; l < 8; l++) begin : g_level
    // As sums of products: Yosys makes a choice by index a memory that takes in the register of the index.
    localparam int Step = $signed(Steps[32*l+:32]);
    localparam int Up = (Step % Depth + Depth) % Depth;
    assign up[l+1]   = up[l] | (ahead_i == 3'(l) ? AddrBits'(Up) : '0);
    assign down[l+1] = down[l] | (ahead_i == 3'(l) ? AddrBits'(Up + (1 << AddrBits) - Depth) : '0);
  end
  localparam int Step0 = $signed(Steps[31:0]);
  localparam int Up0 = (Step0 % Depth + Depth) % Depth;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      up_q   <= AddrBits'(Up0);
      down_q <= AddrBits'(Up0 + (1 << AddrBits) - Depth);
    end else if (step_i) begin
      up_q   <= up[8];
      down_q <= down[8];
    end
  end
  assign sum = address_o + up_q;
  assign {carry, wrapped} = {1'b0, address_o} + {1'b0, down_q};
  always_ff @(posedge clk_i) begin
    if (rst_i) address_o <= AddrBits'(Start);
    else if (step_i) address_o <= Depth != 1 << AddrBits && carry ? wrapped : sum;
  end
endmodule
