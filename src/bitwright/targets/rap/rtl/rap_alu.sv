// SPDX-License-Identifier: Apache-2.0
// Operations from register to register (instructions MOVB, ADD to UNPH); y_o holds in the cycle behind the first of the
// operands, which stay: registers hold the sum, and of all else what is left to choose from by lane.
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
  logic [20:0] left, right, sum, sum_q;
  assign sum = left + right;
  always_ff @(posedge clk_i) sum_q <= sum;
  assign left[0] = alu_i.subtract;
  assign right[0] = alu_i.subtract;
  logic [3:0] beyond_q, less_q, over, lower, ones;  // over, lower: those of the lane
  logic [15:0] fill;  // the sign of the bit's lane
  for (genvar n = 0; n < 4; n++) begin : g_nibble
    localparam int End = n == 3 ? 20 : 5 * n + 5;
    logic [1:0] top;  // last nibble of this nibble's lane
    assign top = width_i == rap_pkg::WidthW16 ? 2'd3 : width_i == rap_pkg::WidthW8 ? 2'(n | 1) : 2'(n);
    assign left[5*n+1+:4] = a_i[4*n+:4];
    assign right[5*n+1+:4] = b_i[4*n+:4] ^ {4{alu_i.subtract}};
    assign left[End] = n < 3 && (!ends[n] || alu_i.subtract);
    assign right[End] = n < 3 && ends[n] && alu_i.subtract;
    logic less;
    assign less = (sign_i && (a_i[4*n+3] ^ b_i[4*n+3])) ^ alu_i.subtract ^ sum[End];
    always_ff @(posedge clk_i) begin
      less_q[n]   <= less;
      beyond_q[n] <= alu_i.saturate && (sign_i ? less ^ sum[5*n+4] : less);
    end
    assign fill[4*n+:4] = {4{sign_i && a_i[{top, 2'd3}]}};
    // Limits: signed 0111.. or 1000.., unsigned 1111.. of a sum, 0000.. of a difference.
    assign over[n] = beyond_q[top];
    assign lower[n] = less_q[top];
    assign ones[n] = sign_i ? !less_q[top] : !alu_i.subtract;
  end

  // Shifts and SAT.
  logic [15:0] turned, limit;
  logic [3:0] unequal_q, outside;
  assign turned = 16'({a_i, a_i} >> alu_i.rotate);
  assign limit = ~(alu_i.mask ^ fill);
  for (genvar n = 0; n < 4; n++) begin : g_limit
    always_ff @(posedge clk_i) begin
      unequal_q[n] <= alu_i.kind == rap_pkg::AluLimit && |((a_i[4*n+:4] ^ fill[4*n+:4]) & alu_i.mask[4*n+:4]);
    end
    always_comb begin
      case (width_i)
        rap_pkg::WidthW16: outside[n] = |unequal_q;
        rap_pkg::WidthW8: outside[n] = |unequal_q[2*(n/2)+:2];
        default: outside[n] = unequal_q[n];
      endcase
    end
  end

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

  // What needs no sum, and what joins it: the sign in places that SHR leaves, the limit where SAT is outside, and PACK.
  logic [15:0] kept, kept_q, joins_q;
  always_comb begin
    case (alu_i.kind)
      rap_pkg::AluShift: kept = turned & ~alu_i.mask;
      rap_pkg::AluPack: kept = '0;
      rap_pkg::AluUnpack: kept = unpacked;
      default: kept = a_i;
    endcase
  end
  always_ff @(posedge clk_i) begin
    kept_q <= kept;
    joins_q <= (limit & {16{alu_i.kind == rap_pkg::AluLimit}})
        | (fill & alu_i.mask & {16{alu_i.kind == rap_pkg::AluShift && !alu_i.other}})
        | ((width_i[1] ? pack4 : pack8) & {16{alu_i.kind == rap_pkg::AluPack}});
  end
  // By nibble and bit: what it takes, decided from few registers, and what comes together.
  for (genvar n = 0; n < 4; n++) begin : g_choice
    logic add, select, limit_now, sum_now, b_now, kept_now, joins_now, top_now, rest_now;
    assign add = alu_i.kind == rap_pkg::AluAdd;
    assign select = alu_i.kind == rap_pkg::AluSelect;
    assign limit_now = alu_i.kind == rap_pkg::AluLimit;
    assign sum_now = add && !over[n];
    assign rest_now = add && over[n] && ones[n];
    assign top_now = add && over[n] && (ones[n] ^ (sign_i && ends[n]));
    assign b_now = select && (lower[n] ^ alu_i.other);
    assign kept_now = !add && !(select && (lower[n] ^ alu_i.other)) && !(limit_now && outside[n]);
    assign joins_now = !add && !select && !(limit_now && !outside[n]);
    assign y_o[4*n+:4] = (sum_q[5*n+1+:4] & {4{sum_now}}) | (b_i[4*n+:4] & {4{b_now}})
        | (kept_q[4*n+:4] & {4{kept_now}}) | (joins_q[4*n+:4] & {4{joins_now}}) | {top_now, {3{rest_now}}};
  end
  logic unused;
  assign unused = ^{alu_i, sum_q};
endmodule
