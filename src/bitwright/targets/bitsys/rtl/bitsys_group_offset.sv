// SPDX-License-Identifier: Apache-2.0
// Where group g of eight channels lies in a pixel: word and byte; combinational.
//
//   containers of n bits: byte g * n, or words 2g and 2g + 1 (half 0 and 1) in 16-bit storage
//   planes of n bits:     byte g mod 8 of the words (g / 8) * n ...; half 1 of 16-bit storage is eight words further
module bitsys_group_offset #(
    parameter bit Planes = 1'b0
) (
    input  logic [11:0] group_i,
    input  logic [ 3:0] stored_i,
    input  logic        wide_i,
    input  logic        half_i,
    output logic [15:0] word_o,
    output logic [ 2:0] byte_o
);
  if (Planes) begin : g_planes
    // 16, or 0 to 8 times the number of the word: sums of two powers each, no multiplier.
    logic [15:0] word, low, high;
    assign word = {7'd0, group_i[11:3]};
    assign low = (stored_i[0] ? word : 16'd0) + (stored_i[1] ? word << 1 : 16'd0);
    assign high = (stored_i[2] ? word << 2 : 16'd0) + (stored_i[3] ? word << 3 : 16'd0);
    assign word_o = wide_i ? {word[11:0], half_i, 3'd0} : low + high;
    assign byte_o = group_i[2:0];
  end else begin : g_containers
    logic [14:0] bytes;
    always_comb begin
      case (stored_i)
        4'd1: bytes = {3'd0, group_i};
        4'd2: bytes = {2'd0, group_i, 1'd0};
        4'd4: bytes = {1'd0, group_i, 2'd0};
        default: bytes = {group_i, 3'd0};
      endcase
    end
    assign word_o = wide_i ? {3'd0, group_i, half_i} : {4'd0, bytes[14:3]};
    assign byte_o = wide_i ? 3'd0 : bytes[2:0];
  end
endmodule
