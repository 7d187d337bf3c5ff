// SPDX-License-Identifier: Apache-2.0
// The eight address streams (instructions STREAM and LEVEL); step_i by number of the stream. Positions belong to the
// steps of two cycles ago.
module rap_streams (
    input  logic                                             clk_i,
    input  rap_pkg::strobes_t                                strobes_i,
    input  logic                    [rap_pkg::BitsLevel-1:0] operands_i,
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
  assign stream = operands_i[rap_pkg::BitsStream-1:0];
  assign level  = operands_i;
  rap_pkg::position_t steps, position, position_q;
  assign steps = {12'($signed(level.dy)), 12'($signed(level.dx)), level.step};
  rap_delay #(
      .Bits  ($bits(position)),
      .Cycles(2)
  ) u_position (
      .clk_i,
      .rst_i(1'b0),
      .d_i(position),
      .q_o(position_q)
  );
  assign position = {stream.y, stream.x, 1'b0, stream.addr};
  logic [7:0][$bits(position)-1:0] at;
  logic [7:0][rap_pkg::AddressBits:0] addr;
  for (genvar s = 0; s < 8; s++) begin : g_stream
    rap_stream #(
        .Levels(rap_pkg::Levels[32*s+:32])
    ) u_stream (
        .clk_i,
        .step_i    (step_i[s]),
        .place_i   (strobes_i.stream && stream.stream == 3'(s)),
        .level_we_i(strobes_i.level && stream.stream == 3'(s)),
        .level_i   (level.level),
        .count_i   (level.count),
        .steps_i   (steps),
        .position_i(position_q),
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
  assign unused = ^{at, addr, level, strobes_i};
endmodule
