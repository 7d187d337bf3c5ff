// SPDX-License-Identifier: Apache-2.0
// Counters of a run: events are added while the processor works; the values read are those at the last OUT or HALT.
//
// Order: that of events_t. value_o is one cycle behind index_i.
module rap_counters (
    input  logic                    clk_i,
    input  logic                    clear_i,
    input  rap_pkg::events_t        events_i,
    input  logic                    end_i,
    input  logic              [3:0] index_i,
    output logic             [31:0] value_o
);
  localparam int unsigned Count = rap_pkg::Counters;
  logic [Count-1:0][7:0] add_q;
  logic [Count-1:0][31:0] live_q, held_q;
  logic [1:0] end_q;
  logic [31:0] value_q;
  always_ff @(posedge clk_i) add_q <= clear_i ? '0 : events_i;
  for (genvar i = 0; i < Count; i++) begin : g_counter
    always_ff @(posedge clk_i) begin
      live_q[i] <= clear_i ? '0 : live_q[i] + 32'(add_q[i]);
      if (end_q[1]) held_q[i] <= live_q[i];
    end
  end
  always_ff @(posedge clk_i) begin
    end_q   <= clear_i ? '0 : {end_q[0], end_i};
    value_q <= index_i < 4'(Count) ? held_q[index_i] : '0;
  end
  assign value_o = value_q;
endmodule
