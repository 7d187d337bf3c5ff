// SPDX-License-Identifier: Apache-2.0
// Products of the lanes of two 16-bit words: one of 16, two of 8 or four of 4 bits, each side signed or not.
//
// Latency 2 (operands, products), one a cycle. Product l lies at p_o[32*l+:32], sign-extended (at width 16 its low 32
// bits); unused lanes are 0. Lane 0 shares one 17 x 17 multiplier for all widths, lane 1 one of 9 x 9; lanes 2 and 3
// have 5 x 5.
module rap_multiply (
    input  logic                    clk_i,
    input  rap_pkg::width_e         width_i,
    input  logic                    asign_i,
    input  logic                    bsign_i,
    input  logic             [15:0] a_i,
    input  logic             [15:0] b_i,
    output logic            [127:0] p_o
);
  // Lane 0 and 1 of each width, extended to the multiplier's width.
  logic signed [16:0] a0, b0;
  logic signed [8:0] a1, b1;
  logic signed [4:0] a2, b2, a3, b3;
  always_comb begin
    case (width_i)
      rap_pkg::WidthW16: begin
        a0 = {asign_i & a_i[15], a_i};
        b0 = {bsign_i & b_i[15], b_i};
        a1 = '0;
        b1 = '0;
      end
      rap_pkg::WidthW8: begin
        a0 = {{9{asign_i & a_i[7]}}, a_i[7:0]};
        b0 = {{9{bsign_i & b_i[7]}}, b_i[7:0]};
        a1 = {asign_i & a_i[15], a_i[15:8]};
        b1 = {bsign_i & b_i[15], b_i[15:8]};
      end
      default: begin
        a0 = {{13{asign_i & a_i[3]}}, a_i[3:0]};
        b0 = {{13{bsign_i & b_i[3]}}, b_i[3:0]};
        a1 = {{5{asign_i & a_i[7]}}, a_i[7:4]};
        b1 = {{5{bsign_i & b_i[7]}}, b_i[7:4]};
      end
    endcase
    a2 = width_i[1] ? {asign_i & a_i[11], a_i[11:8]} : '0;
    b2 = {bsign_i & b_i[11], b_i[11:8]};
    a3 = width_i[1] ? {asign_i & a_i[15], a_i[15:12]} : '0;
    b3 = {bsign_i & b_i[15], b_i[15:12]};
  end
  logic signed [33:0] p0;
  logic signed [17:0] p1;
  logic signed [9:0] p2, p3;
  multiply_pipe #(
      .ABits(17),
      .BBits(17)
  ) u_lane0 (
      .clk_i,
      .a_i(a0),
      .b_i(b0),
      .p_o(p0)
  );
  multiply_pipe #(
      .ABits(9),
      .BBits(9)
  ) u_lane1 (
      .clk_i,
      .a_i(a1),
      .b_i(b1),
      .p_o(p1)
  );
  multiply_pipe #(
      .ABits(5),
      .BBits(5)
  ) u_lane2 (
      .clk_i,
      .a_i(a2),
      .b_i(b2),
      .p_o(p2)
  );
  multiply_pipe #(
      .ABits(5),
      .BBits(5)
  ) u_lane3 (
      .clk_i,
      .a_i(a3),
      .b_i(b3),
      .p_o(p3)
  );
  assign p_o = {{22{p3[9]}}, p3, {22{p2[9]}}, p2, {14{p1[17]}}, p1, p0[31:0]};
  logic unused;
  assign unused = ^p0[33:32];
endmodule
