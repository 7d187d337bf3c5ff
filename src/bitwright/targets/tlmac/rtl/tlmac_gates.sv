// SPDX-License-Identifier: Apache-2.0
// Products of one activation bit and Arrays weights of any width:  leaf[a] = magnitude[a] * (bit xor sign[a])
//
// A negative weight w contributes |w| * (1 - bit) = w * bit + |w|; the constants are folded into the layer's bias.
// code_i holds for each array the magnitude (Bits bits) and, above it where Signed, the sign.
// Latency 1, II 1, moves only while en_i. Part of Conv2d and Dense.
module tlmac_gates #(
    parameter int unsigned Arrays = 1,
    parameter int unsigned Bits = 1,
    parameter bit Signed = 1'b1,
    localparam int unsigned CodeBits = Bits + 32'(Signed)
) (
    input  logic                       clk_i,
    input  logic                       en_i,
    input  logic                       bit_i,
    input  logic [Arrays*CodeBits-1:0] code_i,
    output logic [Arrays*Bits-1:0]     leaf_o
);
  for (genvar a = 0; a < Arrays; a++) begin : gen_array
    logic open;
    if (Signed) begin : gen_signed
      assign open = bit_i ^ code_i[a*CodeBits+Bits];
    end else begin : gen_unsigned
      assign open = bit_i;
    end
    always_ff @(posedge clk_i) begin
      if (en_i) leaf_o[a*Bits+:Bits] <= code_i[a*CodeBits+:Bits] & {Bits{open}};
    end
  end
endmodule
