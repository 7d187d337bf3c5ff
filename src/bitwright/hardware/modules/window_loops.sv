// SPDX-License-Identifier: Apache-2.0
// The nested loops of a sliding window, as the level that steps after each item.
//
//   for oy, ox, g, r, ky, kx, k:  level_o = the outermost loop that steps behind this item
//     0 k, 1 kx, 2 ky, 3 r (next repetition), 4 g (next group), 5 ox (next window), 6 oy (next row), 7 next frame
//
// level_o is a register; step_i asks for the next item. Reset presents the first one.
module window_loops #(
    parameter int unsigned GroupChunks = 1,
    parameter int unsigned KernelW     = 1,
    parameter int unsigned KernelH     = 1,
    parameter int unsigned Repeats     = 1,
    parameter int unsigned Groups      = 1,
    parameter int unsigned OutWidth    = 1,
    parameter int unsigned OutHeight   = 1
) (
    input  logic       clk_i,
    input  logic       rst_i,
    input  logic       step_i,
    output logic [2:0] level_o
);
  localparam int unsigned Loops = 7;
  localparam logic [Loops*32-1:0] Counts = {
    OutHeight, OutWidth, Groups, Repeats, KernelH, KernelW, GroupChunks
  };

  // The innermost loop of more than one iteration steps behind the first item; the counters stand one item ahead.
  function automatic logic [2:0] innermost();
    innermost = 3'd7;
    for (int l = Loops - 1; l >= 0; l--) if (Counts[32*l+:32] > 1) innermost = 3'(l);
  endfunction
  localparam logic [2:0] First = innermost();

  logic [Loops-1:0] last;
  logic [Loops:0] step;  // step[l]: loop l steps; all loops inside it are at their last iteration
  assign step[0] = step_i;

  for (genvar l = 0; l < Loops; l++) begin : g_loop
    localparam int unsigned Count = Counts[32*l+:32];
    logic [(Count > 1 ? $clog2(Count) : 1)-1:0] unused_count;
    logic unused_first;
    loop_counter #(
        .Count(Count),
        .Start(32'(First) == l ? 1 : 0)
    ) u_counter (
        .clk_i,
        .rst_i,
        .step_i (step[l]),
        .count_o(unused_count),
        .first_o(unused_first),
        .last_o (last[l])
    );
    assign step[l+1] = step_i && (&last[l:0]);
  end

  logic unused_step;
  assign unused_step = step[Loops];

  logic [2:0] level_d;
  always_comb begin
    level_d = 3'd7;
    for (int l = Loops - 1; l >= 0; l--) if (!last[l]) level_d = 3'(l);
  end
  always_ff @(posedge clk_i) begin
    if (rst_i) level_o <= First;
    else if (step_i) level_o <= level_d;
  end
endmodule
