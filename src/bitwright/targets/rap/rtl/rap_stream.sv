// SPDX-License-Identifier: Apache-2.0
// Address stream: nested loops with post-increment (instructions STREAM and LEVEL).
//
//   step_i: the innermost loop that has not finished adds its steps to address, x and y; the loops below it begin
//   anew. place_i gives all loops one pass; level_we_i sets one loop, which begins anew. One of them a cycle.
// A step in cycle 0 passes two stages (which loop, its steps): at_o is the position that it uses in cycle 2 and moves
// on behind it. So does place_i: position_i belongs to the place_i of two cycles ago.
module rap_stream #(
    parameter int unsigned Levels = 4
) (
    input  logic                      clk_i,
    input  logic                      step_i,
    input  logic                      place_i,
    input  logic                      level_we_i,
    input  logic                [2:0] level_i,
    input  logic               [13:0] count_i,     // passes - 1
    input  rap_pkg::position_t        steps_i,     // of a level
    input  rap_pkg::position_t        position_i,
    output rap_pkg::position_t        at_o
);
  localparam int unsigned Bits = $bits(steps_i);
  // Passes left of each loop, whether there are any, now and when it begins anew.
  logic [Levels-1:0][13:0] left_q, passes_q;
  logic [Levels-1:0] open_q, several_q, chosen;
  logic [Levels-1:0][Bits-1:0] steps_q;
  for (genvar l = 0; l < Levels; l++) begin : g_level
    logic below;  // no loop below this one has passes left
    if (l == 0) begin : g_first
      assign below = 1'b1;
    end else begin : g_rest
      assign below = open_q[l-1:0] == '0;
    end
    assign chosen[l] = open_q[l] && below;
    always_ff @(posedge clk_i) begin
      if (place_i) begin
        left_q[l] <= '0;
        passes_q[l] <= '0;
        open_q[l] <= 1'b0;
        several_q[l] <= 1'b0;
      end else if (level_we_i && level_i == 3'(l)) begin
        left_q[l] <= count_i;
        passes_q[l] <= count_i;
        open_q[l] <= count_i != '0;
        several_q[l] <= count_i != '0;
        steps_q[l] <= steps_i;
      end else if (step_i && below) begin
        left_q[l] <= open_q[l] ? left_q[l] - 14'd1 : passes_q[l];
        open_q[l] <= open_q[l] ? left_q[l] != 14'd1 : several_q[l];
      end
    end
  end

  logic [Levels-1:0] chosen_q;
  logic [1:0] stepped_q, placed_q;
  rap_pkg::position_t at_q, add, add_q;
  always_comb begin
    add = '0;
    for (int l = 0; l < Levels; l++) add |= steps_q[l] & {Bits{chosen_q[l]}};
  end
  always_ff @(posedge clk_i) begin
    chosen_q <= chosen;
    stepped_q <= {stepped_q[0], step_i};
    placed_q <= {placed_q[0], place_i};
    add_q <= add;
    if (placed_q[1]) begin
      at_q <= position_i;
    end else if (stepped_q[1]) begin
      at_q.addr <= at_q.addr + add_q.addr;
      at_q.x <= at_q.x + add_q.x;
      at_q.y <= at_q.y + add_q.y;
    end
  end
  assign at_o = at_q;
endmodule
