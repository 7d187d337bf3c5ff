// floor(value / 2**shift) and what round_up adds to it, against the definition of each rounding, for all values.
module proof (
    input logic clk_i, input logic reset_i, input logic signed [`BITS-1:0] value_i, input logic [3:0] shift_i,
    input logic [2:0] rounding_i, input logic [31:0] draw_i
);
  `START
  localparam int DrawBits = `BITS < 32 ? `BITS : 32;
  logic up, tie;
  logic [`BITS-1:0] mask;
  logic signed [31:0] value, floor, result, rest, half, want, nearest;
  assign mask = `BITS'((32'd1 << shift_i) - 32'd1);
  round_up #(.Bits(`BITS)) u_dut (
      .rounding_i, .value_i(value_i), .mask_i(mask), .negative_i(value_i < 0), .draw_i(draw_i[DrawBits-1:0]),
      .up_o(up), .tie_o(tie)
  );
  assign value = 32'(value_i);
  assign floor = value >>> shift_i;
  assign result = floor + 32'(up || (tie && floor[0]));
  assign rest = value - (floor <<< shift_i);  // of 2**shift
  assign half = 32'd1 <<< shift_i;            // twice the half
  always_comb begin
    nearest = 2 * rest > half ? floor + 1 : floor;  // where it is no tie
    case (rounding_i)
      3'd1: want = 2 * rest >= half ? floor + 1 : floor;
      3'd2: want = 2 * rest == half ? floor + 32'(floor[0]) : nearest;
      3'd3: want = 2 * rest == half ? floor + 32'(value >= 0) : nearest;
      3'd4: want = (value + $signed(draw_i & (half - 1))) >>> shift_i;
      default: want = floor;
    endcase
    if (!rst && shift_i <= `BITS && rounding_i <= 4) assert (result == want);
  end
  reached #(.Count(1)) u_reached (.clk_i, .rst_i(rst), .event_i(up));
endmodule
