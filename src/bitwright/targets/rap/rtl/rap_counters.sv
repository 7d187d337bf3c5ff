// SPDX-License-Identifier: Apache-2.0
// Counters of a run: events are added while the processor works; the values read are those at the last OUT or HALT.
//
// Order: cycles, stalls, instructions, operations, words read of A, of B, written, parameter words, stream words in, out.
module rap_counters (
    input  logic        clk_i,
    input  logic        clear_i,
    input  logic        cycle_i,
    input  logic        stall_i,
    input  logic        leave_i,
    input  logic [ 7:0] operations_i,
    input  logic [ 3:0] a_reads_i,
    input  logic [ 3:0] b_reads_i,
    input  logic [ 3:0] writes_i,
    input  logic        param_read_i,
    input  logic        input_i,
    input  logic        output_i,
    input  logic        end_i,
    input  logic [ 3:0] index_i,
    output logic [31:0] value_o
);
  localparam int Count = 10;
  logic [8*Count-1:0] add;
  logic [32*Count-1:0] live_q, held_q;
  logic end_q;
  assign add = {
    8'(output_i), 8'(input_i), 8'(param_read_i), 8'(writes_i), 8'(b_reads_i), 8'(a_reads_i), operations_i,
    8'(leave_i), 8'(stall_i), 8'(cycle_i)
  };
  for (genvar i = 0; i < Count; i++) begin : g_counter
    always_ff @(posedge clk_i) begin
      if (clear_i) live_q[32*i+:32] <= '0;
      else live_q[32*i+:32] <= live_q[32*i+:32] + 32'(add[8*i+:8]);
      if (end_q) held_q[32*i+:32] <= live_q[32*i+:32];
    end
  end
  always_ff @(posedge clk_i) end_q <= end_i && !clear_i;
  assign value_o = index_i < 4'(Count) ? held_q[32*index_i+:32] : '0;
endmodule
