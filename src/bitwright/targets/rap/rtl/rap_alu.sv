// SPDX-License-Identifier: Apache-2.0
// Operations from register to register (instructions MOVB, ADD to UNPH); y_o holds in the cycle behind the first of the
// operands, which stay: the sum and the signs of the lanes are registers.
//
// One adder serves all widths: between nibbles stands a guard bit. Inside a lane it is 1 + 0 and passes the carry on;
// at the end of a lane it is 0 + 0, or 1 + 1 to subtract, which takes the carry out and starts the next lane's.
module rap_alu (
    input  logic                   clk_i,
    input  rap_pkg::width_e        width_i,
    input  logic                   sign_i,
    input  rap_pkg::alu_t          alu_i,
    input  logic            [15:0] a_i,
    input  logic            [15:0] b_i,
    output logic            [15:0] y_o
);
  logic [3:0] ends;  // whether a lane ends with this nibble
  assign ends = {1'b1, width_i[1], |width_i, width_i[1]};

  // Sum, and for every lane whether it leaves the range and whether a < b.
  logic [20:0] left, right, sum_q;
  always_ff @(posedge clk_i) sum_q <= left + right;
  assign left[0] = alu_i.subtract;
  assign right[0] = alu_i.subtract;
  logic [3:0] beyond, less, sign_q;
  logic [15:0] added;
  for (genvar n = 0; n < 4; n++) begin : g_nibble
    localparam int End = n == 3 ? 20 : 5 * n + 5;
    logic [1:0] top;  // last nibble of this nibble's lane
    assign top = width_i == rap_pkg::WidthW16 ? 2'd3 : width_i == rap_pkg::WidthW8 ? 2'(n | 1) : 2'(n);
    assign left[5*n+1+:4] = a_i[4*n+:4];
    assign right[5*n+1+:4] = b_i[4*n+:4] ^ {4{alu_i.subtract}};
    assign left[End] = n < 3 && (!ends[n] || alu_i.subtract);
    assign right[End] = n < 3 && ends[n] && alu_i.subtract;
    logic sign_b, negative;
    assign sign_b = sign_i && b_i[4*n+3];
    assign negative = (sign_i && a_i[4*n+3]) ^ sign_b ^ alu_i.subtract ^ sum_q[End];
    assign less[n] = negative;
    assign beyond[n] = alu_i.saturate && (sign_i ? negative ^ sum_q[5*n+4] : negative);
    always_ff @(posedge clk_i) sign_q[n] <= sign_i && a_i[{top, 2'd3}];
    // Limits: signed 0111.. or 1000.., unsigned 1111.. of a sum, 0000.. of a difference.
    logic ones;
    assign ones = sign_i ? !less[top] : !alu_i.subtract;
    assign added[4*n+:3] = beyond[top] ? {3{ones}} : sum_q[5*n+1+:3];
    assign added[4*n+3] = beyond[top] ? ones ^ (sign_i && ends[n]) : sum_q[5*n+4];
  end

  // Shifts and SAT.
  logic [15:0] turned, fill, shifted, limited, selected;
  logic [3:0] unequal;
  assign turned = 16'({a_i, a_i} >> alu_i.rotate);
  for (genvar n = 0; n < 4; n++) begin : g_fill
    assign fill[4*n+:4] = {4{sign_q[n]}};
    assign unequal[n] = |((a_i[4*n+:4] ^ fill[4*n+:4]) & alu_i.mask[4*n+:4]);
  end
  for (genvar n = 0; n < 4; n++) begin : g_limit
    logic outside, take_b;
    always_comb begin
      case (width_i)
        rap_pkg::WidthW16: outside = |unequal;
        rap_pkg::WidthW8: outside = |unequal[2*(n/2)+:2];
        default: outside = unequal[n];
      endcase
    end
    assign take_b = less[width_i == rap_pkg::WidthW16 ? 3 : width_i == rap_pkg::WidthW8 ? n | 1 : n] ^ alu_i.other;
    assign limited[4*n+:4] = outside ? ~(alu_i.mask[4*n+:4] ^ fill[4*n+:4]) : a_i[4*n+:4];
    assign selected[4*n+:4] = take_b ? b_i[4*n+:4] : a_i[4*n+:4];
  end
  assign shifted = alu_i.other ? turned & ~alu_i.mask : (turned & ~alu_i.mask) | (fill & alu_i.mask);

  // PACK halves the width of the lanes of a and b, UNPL and UNPH double that of half a word.
  logic [15:0] pack8, pack4, unpacked;
  for (genvar i = 0; i < 2; i++) begin : g_pack8
    logic [15:0] x;
    assign x = i == 0 ? a_i : b_i;
    saturate #(
        .InBits (17),
        .OutBits(8)
    ) u_saturate (
        .signed_i(sign_i),
        .x_i({sign_i && x[15], x}),
        .y_o(pack8[8*i+:8])
    );
  end
  for (genvar i = 0; i < 4; i++) begin : g_pack4
    logic [7:0] x;
    assign x = i < 2 ? a_i[8*(i%2)+:8] : b_i[8*(i%2)+:8];
    saturate #(
        .InBits (9),
        .OutBits(4)
    ) u_saturate (
        .signed_i(sign_i),
        .x_i({sign_i && x[7], x}),
        .y_o(pack4[4*i+:4])
    );
  end
  logic [7:0] half;
  assign half = alu_i.other ? a_i[15:8] : a_i[7:0];
  assign unpacked = width_i[1] ? {{4{sign_i & half[7]}}, half[7:4], {4{sign_i & half[3]}}, half[3:0]}
      : {{8{sign_i & half[7]}}, half};

  always_comb begin
    case (alu_i.kind)
      rap_pkg::AluAdd: y_o = added;
      rap_pkg::AluSelect: y_o = selected;
      rap_pkg::AluShift: y_o = shifted;
      rap_pkg::AluLimit: y_o = limited;
      rap_pkg::AluPack: y_o = width_i[1] ? pack4 : pack8;
      rap_pkg::AluUnpack: y_o = unpacked;
      default: y_o = a_i;
    endcase
  end
  logic unused;
  assign unused = ^{alu_i, sum_q};
endmodule
