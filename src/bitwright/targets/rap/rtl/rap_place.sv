// SPDX-License-Identifier: Apache-2.0
// Where the rows read or write: bank r holds columns r * strip to (r + 1) * strip - 1 of an image.
//
//   turn = floor(x / strip), limited to what rows of the grid can reach;  bank of row r = r + turn;
//   address = addr - turn * span;  valid[r] = row y and column x + r * strip lie inside the image.
//   strip 0: turn 0, all valid. Latency 2, one position a cycle.
module rap_place #(
    parameter int unsigned Size = 4
) (
    input  logic                          clk_i,
    input  logic               [    17:0] addr_i,
    input  logic signed        [    11:0] x_i,
    input  logic signed        [    11:0] y_i,
    input  logic               [     9:0] strip_i,
    input  logic               [    11:0] width_i,
    input  logic               [    11:0] height_i,
    input  logic               [    14:0] span_i,
    output logic               [    16:0] addr_o,
    output logic               [     2:0] turn_o,   // modulo Size
    output logic               [Size-1:0] valid_o
);
  // Stage 1: in which strip x lies, and which rows are inside.
  logic signed [4:0] turn_d, turn_q;
  logic [Size-1:0] valid_d, valid_q, valid2_q;
  logic [17:0] addr_q;
  always_comb begin
    turn_d = -5'(Size) + 5'd1;
    for (int k = 2 - int'(Size); k < int'(Size); k++) begin
      if (32'(x_i) >= k * $signed({22'd0, strip_i})) turn_d = 5'(k);
    end
    if (strip_i == '0) turn_d = '0;
    for (int r = 0; r < int'(Size); r++) begin
      valid_d[r] = strip_i == '0 || (!y_i[11] && 13'(y_i) < $signed({1'b0, height_i})
          && 32'(x_i) + r * $signed({22'd0, strip_i}) >= 0
          && 32'(x_i) + r * $signed({22'd0, strip_i}) < $signed({20'd0, width_i}));
    end
  end
  // Stage 2: the address in that strip.
  logic signed [20:0] back;
  logic [17:0] addr2_q;
  logic [2:0] turn2_q;
  assign back = 21'(turn_q) * $signed({6'd0, span_i});
  always_ff @(posedge clk_i) begin
    turn_q <= turn_d;
    valid_q <= valid_d;
    addr_q <= addr_i;
    addr2_q <= addr_q - 18'(back);
    valid2_q <= valid_q;
    turn2_q <= 3'(turn_q) & 3'(Size - 1);
  end
  assign addr_o = addr2_q[16:0];
  assign turn_o = turn2_q;
  assign valid_o = valid2_q;
  logic unused;
  assign unused = addr2_q[17];
endmodule
