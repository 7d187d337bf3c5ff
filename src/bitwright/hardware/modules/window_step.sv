// SPDX-License-Identifier: Apache-2.0
// Address of the next item of a window in a circular buffer: (address_i + Steps[level_i]) modulo Depth.
//
// Combinational: one adder, and a second one with its selection where Depth is no power of two.
// Steps holds 8 signed 32-bit numbers, level 0 in the lowest bits.
module window_step #(
    parameter int Depth = 32,
    parameter logic [8*32-1:0] Steps = '0,
    localparam int AddrBits = $clog2(Depth)
) (
    input  logic [         2:0] level_i,
    input  logic [AddrBits-1:0] address_i,
    output logic [AddrBits-1:0] address_o
);
  if (Depth < 2) begin : g_illegal
    $error("window_step: Depth >= 2 is legal");
  end

  // Adding step + 2**AddrBits - Depth carries out exactly where address + step >= Depth.
  logic [8:0][AddrBits-1:0] up, down;  // step in [0, Depth), and the same plus 2**AddrBits - Depth, of levels below l
  logic [AddrBits-1:0] sum, wrapped;
  logic carry;
  assign up[0]   = '0;
  assign down[0] = '0;
  for (genvar l = 0; l < 8; l++) begin : g_level
    // As sums of products: Yosys makes a choice by index a memory that takes in the register of the index.
    localparam int Step = $signed(Steps[32*l+:32]);
    localparam int Up = (Step % Depth + Depth) % Depth;
    assign up[l+1]   = up[l] | (level_i == 3'(l) ? AddrBits'(Up) : '0);
    assign down[l+1] = down[l] | (level_i == 3'(l) ? AddrBits'(Up + (1 << AddrBits) - Depth) : '0);
  end
  assign sum = address_i + up[8];
  assign {carry, wrapped} = {1'b0, address_i} + {1'b0, down[8]};
  assign address_o = Depth != 1 << AddrBits && carry ? wrapped : sum;
endmodule
