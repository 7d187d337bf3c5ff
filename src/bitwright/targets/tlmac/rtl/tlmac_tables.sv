// SPDX-License-Identifier: Apache-2.0
// Lookup tables over one lane group's activation digits, one LUT6 a bit:  leaf[a] = Table[a][select, digits]
//
// Bit b of array a is Init[(a*Bits + b)*64 + address], address = {select, digits}; shorter addresses use the low
// entries. OwnSelect: every array has its own select (LUT6 products, select = weight code from ROM), else all share
// one (tables indexed by step or cluster). Latency 1, II 1, moves only while en_i. Part of Conv2d and Dense.
module tlmac_tables #(
    parameter int unsigned Arrays = 1,
    parameter int unsigned DigitBits = 1,
    parameter int unsigned SelectBits = 0,
    parameter bit OwnSelect = 1'b0,
    parameter int unsigned Bits = 1,
    parameter logic [Arrays*Bits*64-1:0] Init = '0,
    localparam int unsigned Selects = OwnSelect ? Arrays : 1,
    localparam int unsigned SelectWidth = (SelectBits > 0) ? Selects * SelectBits : 1
) (
    input  logic                   clk_i,
    input  logic                   en_i,
    input  logic [DigitBits-1:0]   digits_i,
    input  logic [SelectWidth-1:0] select_i,
    output logic [Arrays*Bits-1:0] leaf_o
);
  if (DigitBits < 1 || DigitBits + SelectBits > 6) $error("tlmac_tables: an address has 1 to 6 bits");

  logic [Arrays*Bits-1:0] leaf;
  for (genvar a = 0; a < Arrays; a++) begin : gen_array
    logic [5:0] address;
    if (SelectBits > 0) begin : gen_select
      assign address = 6'({select_i[(OwnSelect?a : 0)*SelectBits+:SelectBits], digits_i});
    end else begin : gen_plain
      assign address = 6'(digits_i);
    end
    for (genvar b = 0; b < Bits; b++) begin : gen_bit
      lut6 #(
          .Init(Init[(a*Bits+b)*64+:64])
      ) i_lut (
          .addr_i(address),
          .data_o(leaf[a*Bits+b])
      );
    end
  end
  always_ff @(posedge clk_i) if (en_i) leaf_o <= leaf;
endmodule
