// SPDX-License-Identifier: Apache-2.0
// Address stream: nested loops with post-increment (instructions STREAM and LEVEL).
//
//   step_i: the innermost loop that has not finished adds its steps to address, x and y; the loops below it begin
//   anew. place_i sets the position and gives all loops one pass; level_we_i sets one loop. One step a cycle.
module rap_stream #(
    parameter int unsigned Levels = 4
) (
    input  logic               clk_i,
    input  logic               step_i,
    input  logic               place_i,
    input  logic               level_we_i,
    input  logic        [ 2:0] level_i,
    input  logic        [13:0] count_i,    // passes - 1
    input  logic signed [17:0] addr_i,     // position, or step of a level
    input  logic signed [11:0] x_i,
    input  logic signed [11:0] y_i,
    output logic        [17:0] addr_o,
    output logic signed [11:0] x_o,
    output logic signed [11:0] y_o
);
  logic [17:0] addr_q;
  logic signed [11:0] x_q, y_q;
  logic [Levels*14-1:0] done_q, last_q;
  logic [Levels*18-1:0] step_addr_q;
  logic [Levels*12-1:0] step_x_q, step_y_q;

  // The level that steps: the lowest whose count has not reached its last pass.
  logic [Levels-1:0] open, chosen;
  logic [17:0] add_addr;
  logic [11:0] add_x, add_y;
  for (genvar l = 0; l < Levels; l++) begin : g_open
    assign open[l] = done_q[14*l+:14] != last_q[14*l+:14];
    if (l == 0) begin : g_first
      assign chosen[l] = open[l];
    end else begin : g_rest
      assign chosen[l] = open[l] && open[l-1:0] == '0;
    end
  end
  always_comb begin
    add_addr = '0;
    add_x = '0;
    add_y = '0;
    for (int l = 0; l < Levels; l++) begin
      add_addr |= step_addr_q[18*l+:18] & {18{chosen[l]}};
      add_x |= step_x_q[12*l+:12] & {12{chosen[l]}};
      add_y |= step_y_q[12*l+:12] & {12{chosen[l]}};
    end
  end

  always_ff @(posedge clk_i) begin
    if (place_i) begin
      addr_q <= addr_i;
      x_q <= x_i;
      y_q <= y_i;
    end else if (step_i) begin
      addr_q <= addr_q + add_addr;
      x_q <= x_q + $signed(add_x);
      y_q <= y_q + $signed(add_y);
    end
  end

  for (genvar l = 0; l < Levels; l++) begin : g_level
    logic lower;  // a level below this one, or this one, steps
    assign lower = |chosen[l:0];
    always_ff @(posedge clk_i) begin
      if (place_i) begin
        done_q[14*l+:14] <= '0;
        last_q[14*l+:14] <= '0;
      end else if (level_we_i && level_i == 3'(l)) begin
        last_q[14*l+:14] <= count_i;
        step_addr_q[18*l+:18] <= addr_i;
        step_x_q[12*l+:12] <= x_i;
        step_y_q[12*l+:12] <= y_i;
      end else if (step_i) begin
        if (chosen[l]) done_q[14*l+:14] <= done_q[14*l+:14] + 14'd1;
        else if (!lower) done_q[14*l+:14] <= '0;
      end
    end
  end

  assign addr_o = addr_q;
  assign x_o = x_q;
  assign y_o = y_q;
endmodule
