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
    logic [7:0] raw;
    logic sign;
    if (Planes) begin : g_planes
      for (genvar i = 0; i < 8; i++) assign raw[i] = bytes_i[8*i+k];
    end else begin : g_containers
      always_comb begin
        case (stored_i)
          4'd1: raw = {7'd0, bytes_i[k]};
          4'd2: raw = {6'd0, bytes_i[2*k+:2]};
          4'd4: raw = {4'd0, bytes_i[4*k+:4]};
          default: raw = bytes_i[8*k+:8];
        endcase
      end
    end
    assign sign = signed_i && raw[3'(stored_i-4'd1)];
    for (genvar i = 0; i < 8; i++) assign elements_o[8*k+i] = 4'(i) < stored_i ? raw[i] : sign;
  end
endmodule
