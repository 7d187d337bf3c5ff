// SPDX-License-Identifier: Apache-2.0
// Address stream: nested loops with post-increment (instructions STREAM and LEVEL).
//
//   step_i: the innermost loop that has not finished adds its steps to address, x and y; the loops below it begin
//   anew. place_i sets the position and gives all loops one pass; level_we_i sets one loop. One step a cycle.
module rap_stream #(
    parameter int unsigned Levels = 4
) (
    input  logic                      clk_i,
    input  logic                      step_i,
    input  logic                      place_i,
    input  logic                      level_we_i,
    input  logic                [2:0] level_i,
    input  logic               [13:0] count_i,     // passes - 1
    input  rap_pkg::position_t        given_i,     // position, or step of a level
    output rap_pkg::position_t        at_o
);
  localparam int unsigned Bits = $bits(given_i);
  rap_pkg::position_t at_q, add;
  logic [Levels-1:0][13:0] done_q, last_q;
  logic [Levels-1:0][Bits-1:0] step_q;

  // The level that steps: the lowest whose count has not reached its last pass.
  logic [Levels-1:0] open, chosen;
  for (genvar l = 0; l < Levels; l++) begin : g_open
    assign open[l] = done_q[l] != last_q[l];
    if (l == 0) begin : g_first
      assign chosen[l] = open[l];
    end else begin : g_rest
      assign chosen[l] = open[l] && open[l-1:0] == '0;
    end
  end
  always_comb begin
    add = '0;
    for (int l = 0; l < Levels; l++) add |= step_q[l] & {Bits{chosen[l]}};
  end

  always_ff @(posedge clk_i) begin
    if (place_i) begin
      at_q <= given_i;
    end else if (step_i) begin
      at_q.addr <= at_q.addr + add.addr;
      at_q.x <= at_q.x + add.x;
      at_q.y <= at_q.y + add.y;
    end
  end

  for (genvar l = 0; l < Levels; l++) begin : g_level
    logic lower;  // a level below this one, or this one, steps
    assign lower = |chosen[l:0];
    always_ff @(posedge clk_i) begin
      if (place_i) begin
        done_q[l] <= '0;
        last_q[l] <= '0;
      end else if (level_we_i && level_i == 3'(l)) begin
        last_q[l] <= count_i;
        step_q[l] <= given_i;
      end else if (step_i) begin
        if (chosen[l]) done_q[l] <= done_q[l] + 14'd1;
        else if (!lower) done_q[l] <= '0;
      end
    end
  end
  assign at_o = at_q;
endmodule
