// SPDX-License-Identifier: Apache-2.0
// The eight address streams (instructions STREAM and LEVEL); step_i by number of the stream.
module rap_streams (
    input  logic                                             clk_i,
    input  logic                                             issue_i,
    input  rap_pkg::instr_t                                  instr_i,
    input  logic                                       [7:0] step_i,
    output rap_pkg::position_t                               a_o,
    output rap_pkg::position_t                               o0_o,
    output rap_pkg::position_t                               o1_o,
    output logic                    [rap_pkg::AddressBits:0] b_addr_o,
    output logic               [1:0][rap_pkg::AddressBits:0] p_addr_o,
    output logic               [1:0][rap_pkg::AddressBits:0] r_addr_o
);
  rap_pkg::stream_t stream;
  rap_pkg::level_t level;
  assign stream = instr_i.operands[rap_pkg::BitsStream-1:0];
  assign level  = instr_i.operands[rap_pkg::BitsLevel-1:0];
  logic place, set;
  assign place = issue_i && instr_i.op == rap_pkg::OpSTREAM;
  assign set   = issue_i && instr_i.op == rap_pkg::OpLEVEL;

  // A new position, or the step of a level.
  rap_pkg::position_t given;
  assign given.addr = place ? {1'b0, stream.addr} : level.step;
  assign given.x = place ? stream.x : 12'($signed(level.dx));
  assign given.y = place ? stream.y : 12'($signed(level.dy));
  logic [7:0][$bits(given)-1:0] at;
  logic [7:0][rap_pkg::AddressBits:0] addr;
  for (genvar s = 0; s < 8; s++) begin : g_stream
    rap_stream #(
        .Levels(rap_pkg::Levels[32*s+:32])
    ) u_stream (
        .clk_i,
        .step_i    (step_i[s]),
        .place_i   (place && stream.stream == 3'(s)),
        .level_we_i(set && stream.stream == 3'(s)),
        .level_i   (level.level),
        .count_i   (level.count),
        .given_i   (given),
        .at_o      (at[s])
    );
    assign addr[s] = at[s][rap_pkg::AddressBits:0];
  end
  assign a_o  = at[rap_pkg::StreamA];
  assign o0_o = at[rap_pkg::StreamO0];
  assign o1_o = at[rap_pkg::StreamO1];
  assign b_addr_o = addr[rap_pkg::StreamB];
  assign p_addr_o = {addr[rap_pkg::StreamP1], addr[rap_pkg::StreamP0]};
  assign r_addr_o = {addr[rap_pkg::StreamR1], addr[rap_pkg::StreamR0]};
  logic unused;
  assign unused = ^{at, addr, level};
endmodule
