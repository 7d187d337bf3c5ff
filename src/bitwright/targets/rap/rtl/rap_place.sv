// SPDX-License-Identifier: Apache-2.0
// Where the rows read or write: bank r holds columns r * strip to (r + 1) * strip - 1 of an image.
//
//   turn = floor(x / strip), limited to what rows of the grid can reach;  bank of row r = r + turn;
//   address = addr - turn * span;  valid[r] = row y and column x + r * strip lie inside the image.
//   strip 0: turn 0, all valid. Latency 2, one position a cycle.
module rap_place #(
    parameter  int unsigned Size     = 4,
    parameter  int unsigned AddrBits = 10,
    localparam int unsigned TurnBits = $clog2(Size)
) (
    input  logic                              clk_i,
    input  rap_pkg::position_t                at_i,
    input  rap_pkg::image_t                   image_i,
    output logic               [AddrBits-1:0] addr_o,
    output logic               [TurnBits-1:0] turn_o,   // modulo Size
    output logic                   [Size-1:0] valid_o
);
  logic signed [31:0] x, strip;
  assign x = 32'($signed(at_i.x));
  assign strip = $signed({22'd0, image_i.strip});
  // Stage 1: in which strip x lies, and which rows are inside.
  logic signed [4:0] turn_d, turn_q;
  logic [Size-1:0] valid_d, valid_q, valid2_q;
  logic [AddrBits-1:0] addr_q, addr2_q;
  always_comb begin
    turn_d = -5'(Size) + 5'd1;
    for (int k = 2 - int'(Size); k < int'(Size); k++) if (x >= k * strip) turn_d = 5'(k);
    if (image_i.strip == '0) turn_d = '0;
    for (int r = 0; r < int'(Size); r++) begin
      valid_d[r] = image_i.strip == '0 || (!at_i.y[11] && 13'($signed(at_i.y)) < $signed({1'b0, image_i.height})
          && x + r * strip >= 0 && x + r * strip < $signed({20'd0, image_i.width}));
    end
  end
  // Stage 2: the address in that strip.
  logic signed [20:0] back;
  logic [TurnBits-1:0] turn2_q;
  assign back = 21'(turn_q) * $signed({6'd0, image_i.span});
  always_ff @(posedge clk_i) begin
    turn_q <= turn_d;
    valid_q <= valid_d;
    addr_q <= at_i.addr[AddrBits-1:0];
    addr2_q <= addr_q - AddrBits'(back);
    valid2_q <= valid_q;
    turn2_q <= turn_q[TurnBits-1:0];
  end
  assign addr_o = addr2_q;
  assign turn_o = turn2_q;
  assign valid_o = valid2_q;
  logic unused;
  assign unused = ^{at_i.addr, back};
endmodule
