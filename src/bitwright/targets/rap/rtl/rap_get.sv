// SPDX-License-Identifier: Apache-2.0
// Instruction GET: floor(acc / 2**shift), saturated to lanes of the current width.
//
// The accumulators stay for two cycles; y_o holds in the second. With get_lanes each lane has its own accumulator at
// acc_i[32*l+:32]; else lane 0 has one and the others are 0. Lane 0 has up to 16 bits, lane 1 up to 8, lanes 2 and 3
// have 4. get_range marks the bits that must equal the sign (rap_masks).
module rap_get (
    input  logic                    clk_i,
    input  rap_pkg::width_e         width_i,
    input  logic                    sign_i,
    input  rap_pkg::alu_t           alu_i,
    input  logic            [127:0] acc_i,
    output logic             [15:0] y_o
);
  logic [4:0] shift;
  assign shift = alu_i.get_shift;
  logic [3:0] negative, fits_q;
  logic [15:0] y0_q, shifted;
  logic [7:0] y1_q;
  logic [7:0] y32_q;
  for (genvar l = 0; l < 4; l++) begin : g_lane
    localparam int unsigned Bits = l == 0 ? 16 : l == 1 ? 8 : 4;
    logic [31:0] acc;
    logic [Bits-1:0] y;
    assign acc = acc_i[32*l+:32];
    assign negative[l] = acc[31];
    always_ff @(posedge clk_i) fits_q[l] <= !(|((acc ^ {32{acc[31]}}) & alu_i.get_range));
    // Turned by up to 3, 12 and 16 bits in turn: 4:1 selections of no more bits than the lane needs.
    logic [Bits+14:0] far;
    logic [Bits+2:0] near;
    assign far = (Bits + 15)'(shift[4] ? {{16{acc[31]}}, acc[31:16]} : acc);
    assign near = (Bits + 3)'(far >> {shift[3:2], 2'd0});
    assign y = Bits'(near >> shift[1:0]);
    if (l == 0) begin : g_first
      always_ff @(posedge clk_i) y0_q <= y;
    end else if (l == 1) begin : g_second
      always_ff @(posedge clk_i) y1_q <= y;
    end else begin : g_rest
      always_ff @(posedge clk_i) y32_q[4*(l-2)+:4] <= y;
    end
  end
  always_comb begin
    case (width_i)
      rap_pkg::WidthW16: shifted = y0_q;
      rap_pkg::WidthW8: shifted = {y1_q, y0_q[7:0]};
      default: shifted = {y32_q, y1_q[3:0], y0_q[3:0]};
    endcase
  end

  // Nibble by nibble: its lane, and whether that ends with it.
  for (genvar n = 0; n < 4; n++) begin : g_nibble
    logic fits, below, last, used;
    logic [3:0] nibble;
    always_comb begin
      case (width_i)
        rap_pkg::WidthW16: {fits, below, last, used} = {fits_q[0], negative[0], 1'(n == 3), 1'b1};
        rap_pkg::WidthW8: {fits, below, last, used} = {fits_q[n/2], negative[n/2], 1'(n % 2), 1'(n < 2)};
        default: {fits, below, last, used} = {fits_q[n], negative[n], 1'b1, 1'(n == 0)};
      endcase
      if (sign_i) nibble = fits ? shifted[4*n+:4] : {!below ^ last, {3{!below}}};
      else nibble = below ? '0 : shifted[4*n+:4] | {4{!fits}};
      y_o[4*n+:4] = used || alu_i.get_lanes ? nibble : '0;
    end
  end
  logic unused;
  assign unused = ^alu_i;
endmodule
