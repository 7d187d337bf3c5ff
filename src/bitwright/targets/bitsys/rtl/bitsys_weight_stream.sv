// SPDX-License-Identifier: Apache-2.0
// Takes packets of weight lines from a stream into the weight memory, as far ahead of the layers as their places allow.
//
// A packet is a head (fields base, lines, ahead, see registers.toml) and its lines, LineWords words each. It is written
// when at most `ahead` earlier packets still belong to layers that have not ended. ready_o: the packet of the next
// streamed layer is complete, a cycle late; free_i: that layer has ended. A word takes one cycle, a head two or more.
module bitsys_weight_stream #(
    parameter int unsigned LineWords = 1
) (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic        run_i,
    input  logic [63:0] s_axis_tdata,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    input  logic        blocked_i,      // another write takes the memory's port
    output logic        we_o,
    output logic [18:0] windex_o,       // LineWords * line + word
    output logic [63:0] wdata_o,
    output logic        ready_o,
    input  logic        free_i
);
  `include "bitsys_registers.svh"
  typedef enum logic [1:0] {Head, Wait, Lines} state_e;
  state_e state_q;
  logic [BAhead-1:0] ahead_q, begun_q, arrived_q;
  logic [18:0] index_q, left_q;
  logic accept, start, last, final_q, last_q, free_q;  // final_q: one word is left
  assign s_axis_tready = run_i && (state_q == Head || (state_q == Lines && !blocked_i));
  assign accept = s_axis_tvalid && s_axis_tready;
  assign start = state_q == Wait && begun_q <= ahead_q;
  assign last = state_q == Lines && accept && final_q;
  always_ff @(posedge clk_i) begin
    if (rst_i || !run_i) begin
      state_q <= Head;
      begun_q <= '0;
      arrived_q <= '0;
      last_q <= 1'b0;
      free_q <= 1'b0;
    end else begin
      case (state_q)
        Head: if (accept) state_q <= Wait;
        Wait: if (start) state_q <= Lines;
        default: if (last) state_q <= Head;
      endcase
      last_q <= last;
      free_q <= free_i;
      // Packets begun, and complete, whose layers have not ended.
      if (start != free_q) begun_q <= begun_q + {{(BAhead - 1) {free_q}}, 1'b1};
      if (last_q != free_q) arrived_q <= arrived_q + {{(BAhead - 1) {free_q}}, 1'b1};
    end
  end
  always_ff @(posedge clk_i) begin
    if (accept && state_q == Head) begin
      ahead_q <= s_axis_tdata[PAhead+:BAhead];
      index_q <= 19'(s_axis_tdata[PBase+:BBase] * BBase'(LineWords));
      left_q <= 19'(s_axis_tdata[PLines+:BLines] * BLines'(LineWords));
      final_q <= LineWords == 1 && s_axis_tdata[PLines+:BLines] == BLines'(1);
    end else if (accept) begin
      index_q <= index_q + 19'd1;
      left_q <= left_q - 19'd1;
      final_q <= left_q == 19'd2;
    end
  end
  assign we_o = accept && state_q == Lines;
  assign windex_o = index_q;
  assign wdata_o = s_axis_tdata;
  assign ready_o = arrived_q != '0;
endmodule
