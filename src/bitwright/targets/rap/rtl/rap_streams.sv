// SPDX-License-Identifier: Apache-2.0
// The eight address streams: A, B, O0, O1, P0, P1, R0, R1 (instructions STREAM and LEVEL).
module rap_streams (
    input  logic         clk_i,
    input  logic         issue_i,
    input  logic [ 63:0] instr_i,
    input  logic [  7:0] step_i,
    output logic [143:0] addr_o,
    output logic [ 95:0] x_o,
    output logic [ 95:0] y_o
);
  `include "rap_isa.svh"
  logic place, level;
  logic [2:0] which;
  assign place = issue_i && instr_i[5:0] == OpSTREAM;
  assign level = issue_i && instr_i[5:0] == OpLEVEL;
  assign which = instr_i[LsbSTREAM_stream+:3];
  logic [17:0] addr;
  logic [11:0] x, y;
  assign addr = place ? {1'b0, instr_i[LsbSTREAM_addr+:17]} : instr_i[LsbLEVEL_step+:18];
  assign x = place ? instr_i[LsbSTREAM_x+:12] : 12'($signed(instr_i[LsbLEVEL_dx+:10]));
  assign y = place ? instr_i[LsbSTREAM_y+:12] : 12'($signed(instr_i[LsbLEVEL_dy+:10]));
  for (genvar s = 0; s < 8; s++) begin : g_stream
    rap_stream #(
        .Levels(s == 0 ? 8 : s == 2 || s == 3 ? 7 : s >= 6 ? 2 : 4)
    ) u_stream (
        .clk_i,
        .step_i    (step_i[s]),
        .place_i   (place && which == 3'(s)),
        .level_we_i(level && which == 3'(s)),
        .level_i   (instr_i[LsbLEVEL_level+:3]),
        .count_i   (instr_i[LsbLEVEL_count+:14]),
        .addr_i    (addr),
        .x_i       (x),
        .y_i       (y),
        .addr_o    (addr_o[18*s+:18]),
        .x_o       (x_o[12*s+:12]),
        .y_o       (y_o[12*s+:12])
    );
  end
endmodule
