// SPDX-License-Identifier: Apache-2.0
// The tile index (word of a pixel) of the word in each stage of an elastic pipeline.
//
// tile_o[0] belongs to the word at the input, counted by take_i; tile_o[s+1] follows tile_o[s] where en_i[s].
module tile_pipe #(
    parameter int unsigned Tiles  = 2,
    parameter int unsigned Stages = 1,
    localparam int unsigned TileBits = Tiles > 1 ? $clog2(Tiles) : 1
) (
    input  logic                              clk_i,
    input  logic                              rst_i,
    input  logic                              take_i,
    input  logic [Stages-1:0]                 en_i,
    output logic [  Stages:0][TileBits-1:0]   tile_o
);
  logic unused_first, unused_last;
  loop_counter #(
      .Count(Tiles)
  ) u_tile (
      .clk_i,
      .rst_i,
      .step_i (take_i),
      .count_o(tile_o[0]),
      .first_o(unused_first),
      .last_o (unused_last)
  );
  for (genvar s = 0; s < Stages; s++) begin : g_stage
    always_ff @(posedge clk_i) if (en_i[s]) tile_o[s+1] <= tile_o[s];
  end
endmodule
