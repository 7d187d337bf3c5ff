// SPDX-License-Identifier: Apache-2.0
// Settings of up to 32 tensors of a frame, `Words` words of 32 bits each: those of tensor_i, a cycle later.
//
// windex_i: word w of tensor t at 4 * t + w.
module bitsys_tensors #(
    parameter int unsigned Words = 3
) (
    input  logic                clk_i,
    input  logic                we_i,
    input  logic [         6:0] windex_i,
    input  logic [        31:0] wdata_i,
    input  logic [         4:0] tensor_i,
    output logic [32*Words-1:0] settings_o
);
  for (genvar w = 0; w < Words; w++) begin : g_word
    ram_sdp #(
        .Width(32),
        .Depth(32),
        .Style(2)
    ) u_ram (
        .clk_i,
        .we_i(we_i && windex_i[1:0] == 2'(w)),
        .waddr_i(windex_i[6:2]),
        .wdata_i,
        .re_i(1'b1),
        .raddr_i(tensor_i),
        .rdata_o(settings_o[32*w+:32])
    );
  end
endmodule
