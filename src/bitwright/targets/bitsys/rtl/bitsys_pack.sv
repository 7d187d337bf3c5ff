// SPDX-License-Identifier: Apache-2.0
// Eight elements to the bytes of a stored group, one half of 8 bits; combinational.
//
// Containers of n bits: element k in bits n * k of the n bytes. Planes: byte i holds bit i of the eight elements.
// count_o: bytes that are written.
module bitsys_pack #(
    parameter bit Planes = 1'b0
) (
    input  logic [63:0] elements_i,
    input  logic [ 3:0] stored_i,
    input  logic        wide_i,
    output logic [63:0] bytes_o,
    output logic [ 3:0] count_o
);
  logic [3:0] bits;
  assign bits = wide_i ? 4'd8 : stored_i;
  assign count_o = bits;
  always_comb begin
    bytes_o = elements_i;
    if (Planes) begin
      for (int i = 0; i < 8; i++) for (int k = 0; k < 8; k++) bytes_o[8*i+k] = elements_i[8*k+i];
    end else begin
      // One bit tells which of the widths 1, 2, 4 and 8 it is.
      if (bits[0]) for (int k = 0; k < 8; k++) bytes_o[k] = elements_i[8*k];
      else if (bits[1]) for (int k = 0; k < 8; k++) bytes_o[2*k+:2] = elements_i[8*k+:2];
      else if (bits[2]) for (int k = 0; k < 8; k++) bytes_o[4*k+:4] = elements_i[8*k+:4];
    end
  end
endmodule
