// SPDX-License-Identifier: Apache-2.0
// Where the rows read or write: bank r holds columns r * strip to (r + 1) * strip - 1 of an image.
//
//   turn = floor(x / strip), limited to what rows of the grid can reach;  bank of row r = r + turn;
//   address = addr - turn * span;  valid[r] = row y and column x + r * strip lie inside the image.
//   strip 0: turn 0, all valid. Latency 3 (compares, turn, address), one position a cycle; turn2_o and valid2_o are
//   turn_o and valid_o one cycle before.
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
    output logic                   [Size-1:0] valid_o,
    output logic               [TurnBits-1:0] turn2_o,
    output logic                   [Size-1:0] valid2_o
);
  localparam int unsigned Turns = 2 * Size - 1;  // from 1 - Size on
  localparam int unsigned Bits = 15;
  logic signed [Bits-1:0] x, strip;
  assign x = Bits'($signed(at_i.x));
  assign strip = $signed({5'd0, image_i.strip});

  // Stage 1: which strips x has reached, and where it lies in the image.
  logic [Turns-1:0] reached_d, reached_q;
  logic [Size-1:0] short_d, short_q;  // of the image's width
  logic flat_q, row_q;
  logic [AddrBits-1:0] addr_q;
  logic [14:0] span_q;
  logic [Size-1:0][Bits-1:0] strips;  // strips[r] = r * strip
  for (genvar r = 0; r < Size; r++) begin : g_row
    if (r == 0) begin : g_none
      assign strips[r] = '0;
      assign reached_d[Size-1] = !x[Bits-1];
    end else begin : g_several
      if (r % 2 == 0) begin : g_even
        assign strips[r] = strips[r/2] << 1;
      end else begin : g_odd
        assign strips[r] = strips[r-1] + strip;
      end
      logic signed [Bits-1:0] left;
      assign left = x + $signed(strips[r]);
      assign reached_d[Size-1-r] = !left[Bits-1];
      assign reached_d[Size-1+r] = x >= $signed(strips[r]);
    end
    assign short_d[r] = x + $signed(strips[r]) < $signed({3'd0, image_i.width});
  end
  always_ff @(posedge clk_i) begin
    reached_q <= reached_d;
    short_q <= short_d;
    flat_q <= image_i.strip == '0;
    row_q <= !at_i.y[11] && {1'b0, at_i.y[10:0]} < image_i.height;
    addr_q <= at_i.addr[AddrBits-1:0];
    span_q <= image_i.span;
  end

  // Stage 2: the turn, and what its low and its high bits add to the address.
  logic [TurnBits:0] turn;
  logic [TurnBits-1:0] turn2_q;
  logic [Size-1:0] valid2_q, visible;
  logic [AddrBits-1:0] span, low2_q, high2_q, high;
  always_comb begin
    turn = (TurnBits + 1)'(1) - (TurnBits + 1)'(Size);
    for (int k = 1; k < int'(Turns); k++) begin
      if (reached_q[k]) turn = (TurnBits + 1)'(k + 1) - (TurnBits + 1)'(Size);
    end
    if (flat_q) turn = '0;
    for (int r = 0; r < int'(Size); r++) visible[r] = reached_q[int'(Size)-1-r] && short_q[r] && row_q;
  end
  assign span = AddrBits'(span_q);
  if (Size == 8) begin : g_eight
    always_comb begin
      case (turn[3:2])
        2'd1: high = -(span << 2);
        2'd2: high = span << 3;
        2'd3: high = span << 2;
        default: high = '0;
      endcase
    end
  end else begin : g_few
    assign high = turn[TurnBits] ? span << TurnBits : '0;
  end
  logic second;  // bit 1 of the turn where it is not its sign
  assign second = Size > 2 && turn[1];
  always_ff @(posedge clk_i) begin
    low2_q <= (span & {AddrBits{turn[0]}}) + ((span << 1) & {AddrBits{second}});
    high2_q <= addr_q + high;
    turn2_q <= turn[TurnBits-1:0];
    valid2_q <= visible | {Size{flat_q}};
  end

  // Stage 3: the address in that strip.
  logic [AddrBits-1:0] addr3_q;
  logic [TurnBits-1:0] turn3_q;
  logic [Size-1:0] valid3_q;
  always_ff @(posedge clk_i) begin
    addr3_q  <= high2_q - low2_q;
    turn3_q  <= turn2_q;
    valid3_q <= valid2_q;
  end
  assign addr_o = addr3_q;
  assign turn_o = turn3_q;
  assign valid_o = valid3_q;
  assign turn2_o = turn2_q;
  assign valid2_o = valid2_q;
  logic unused;
  assign unused = ^{at_i.addr, span_q};
endmodule
