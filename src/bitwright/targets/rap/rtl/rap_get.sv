// SPDX-License-Identifier: Apache-2.0
// Instruction GET: floor(acc / 2**shift), saturated to lanes of the current width.
//
// With get_lanes each lane has its own accumulator at acc_i[32*l+:32]; else lane 0 has one and the others are 0. Lane 0
// has up to 16 bits, lane 1 up to 8, lanes 2 and 3 have 4. get_range marks the bits that must equal the sign
// (rap_masks). y_o holds in the cycle behind the first of acc_i, which stays.
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
  logic [15:0] y0;
  logic [7:0] y1;
  logic [7:0] y32;
  for (genvar l = 0; l < 4; l++) begin : g_lane
    localparam int unsigned Bits = l == 0 ? 16 : l == 1 ? 8 : 4;
    logic [31:0] acc;
    logic negative, fits_q;
    logic [Bits-1:0] ends;  // whether a lane of the current width ends with this bit
    logic [Bits-1:0] shifted, y;
    assign acc = acc_i[32*l+:32];
    assign negative = acc[31];
    always_ff @(posedge clk_i) fits_q <= !(|((acc ^ {32{negative}}) & alu_i.get_range));
    // Turned by up to 3, 12 and 16 bits in turn: 4:1 selections of no more bits than the lane needs.
    logic [Bits+14:0] far;
    logic [Bits+2:0] near;
    assign far = (Bits + 15)'(shift[4] ? {{16{negative}}, acc[31:16]} : acc);
    assign near = (Bits + 3)'(far >> {shift[3:2], 2'd0});
    assign shifted = Bits'(near >> shift[1:0]);
    assign ends = Bits'(width_i == rap_pkg::WidthW16 ? 16'h8000 : width_i == rap_pkg::WidthW8 ? 16'h0080 : 16'h0008);
    always_comb begin
      if (sign_i) y = fits_q ? shifted : {Bits{!negative}} ^ ends;
      else y = negative ? '0 : shifted | {Bits{!fits_q}};
    end
    if (l == 0) begin : g_first
      assign y0 = y;
    end else if (l == 1) begin : g_second
      assign y1 = y;
    end else begin : g_rest
      assign y32[4*(l-2)+:4] = y;
    end
  end
  always_comb begin
    case (width_i)
      rap_pkg::WidthW16: y_o = y0;
      rap_pkg::WidthW8: y_o = {alu_i.get_lanes ? y1 : 8'd0, y0[7:0]};
      default: y_o = {alu_i.get_lanes ? {y32, y1[3:0]} : 12'd0, y0[3:0]};
    endcase
  end
  logic unused;
  assign unused = ^alu_i;
endmodule
