// SPDX-License-Identifier: Apache-2.0
// The bytes of a stored group to eight elements, one half of 8 bits; combinational, inverse of bitsys_pack.
//
// Elements are extended to 8 bits: by their sign where signed_i, else by zeros.
module bitsys_unpack #(
    parameter bit Planes = 1'b0
) (
    input  logic [63:0] bytes_i,
    input  logic [ 3:0] stored_i,
    input  logic        signed_i,
    output logic [63:0] elements_o
);
  for (genvar k = 0; k < 8; k++) begin : g_element
    logic [7:0] element;
    if (Planes) begin : g_planes
      logic sign;
      assign sign = signed_i && bytes_i[8*3'(stored_i-4'd1)+k];
      for (genvar i = 0; i < 8; i++) assign element[i] = 4'(i) < stored_i ? bytes_i[8*i+k] : sign;
    end else begin : g_containers
      always_comb begin  // one bit tells which of the widths 1, 2, 4 and 8 it is
        if (stored_i[0]) element = {{7{signed_i && bytes_i[k]}}, bytes_i[k]};
        else if (stored_i[1]) element = {{6{signed_i && bytes_i[2*k+1]}}, bytes_i[2*k+:2]};
        else if (stored_i[2]) element = {{4{signed_i && bytes_i[4*k+3]}}, bytes_i[4*k+:4]};
        else element = bytes_i[8*k+:8];
      end
    end
    assign elements_o[8*k+:8] = element;
  end
endmodule
