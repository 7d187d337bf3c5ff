// Of window_loops: the counters are the harness's loops.
for (genvar l = 0; l < Loops; l++) begin : g_lemma
  always_comb begin
    if (!rst_i) begin
      assert (g_loop[l].unused_count == ghost_i[4*l+:4]);
      assert (last[l] == (32'(ghost_i[4*l+:4]) == Counts[32*l+:32] - 1));
    end
  end
end
