// Sum of two or three words on one carry chain, one LUT pair a position at most; combinational.
//
//   sum_o = ((x0_i ^ Invert0) + (x1_i ^ Invert1) + (x2_i ^ Invert2) + Constant
//            + (CarryIn + MajorityIn) * 2^Start  mod 2^Width) >> Dropped
//
// HereK: positions that word k reaches. Majority: positions that the majority bit of the position below enters. Below
// Start only one word stands, not inverted: wires. No bit of Constant stands where three words do. Used for circuits of other tools.
module carry_sum #(
    parameter int unsigned Width = 2,
    parameter int unsigned Dropped = 0,
    parameter int unsigned Start = 0,
    parameter logic [Width-1:0] Here0 = '0,
    parameter logic [Width-1:0] Here1 = '0,
    parameter logic [Width-1:0] Here2 = '0,
    parameter logic [Width-1:0] Invert0 = '0,
    parameter logic [Width-1:0] Invert1 = '0,
    parameter logic [Width-1:0] Invert2 = '0,
    parameter logic [Width-1:0] Constant = '0,
    parameter logic [Width:0] Majority = '0,
    parameter bit CarryIn = 1'b0,
    parameter bit MajorityIn = 1'b0
) (
    input  logic [        Width-1:0] x0_i,
    input  logic [        Width-1:0] x1_i,
    input  logic [        Width-1:0] x2_i,
    output logic [Width-Dropped-1:0] sum_o
);
  if ((Here0 & Here1 & Here2 & Constant) != '0) $error("carry_sum: a constant bit where three words stand");

  logic [Width-1:0] s, di, sum;
  logic [Width:0] m;
  assign m[0] = 1'b0;
  for (genvar p = 0; p < Width; p++) begin : g_position
    localparam bit Fixed = MajorityIn && p == Start;  // enters where a majority bit would
    localparam int unsigned Words = 32'(Here0[p]) + 32'(Here1[p]) + 32'(Here2[p]);
    localparam int unsigned Items = Words + 32'(Constant[p]) + 32'(Majority[p]) + 32'(Fixed);
    localparam logic [63:0] A = Here0[p] ? 64'hAAAA_AAAA_AAAA_AAAA ^ {64{Invert0[p]}} : 64'd0;
    localparam logic [63:0] B = Here1[p] ? 64'hCCCC_CCCC_CCCC_CCCC ^ {64{Invert1[p]}} : 64'd0;
    localparam logic [63:0] C = Here2[p] ? 64'hF0F0_F0F0_F0F0_F0F0 ^ {64{Invert2[p]}} : 64'd0;
    localparam logic [63:0] M = Majority[p] ? 64'hFF00_FF00_FF00_FF00 : {64{Fixed}};
    localparam logic [63:0] K = {64{Constant[p]}};
    localparam logic [63:0] Two = (A & B) | (A & C) | (B & C) | (K & (A | B | C));
    localparam bit Inverted = ((Here0[p] && Invert0[p]) || (Here1[p] && Invert1[p]) || (Here2[p] && Invert2[p]));
    if (p >= Start && Words >= 1 && (Items >= 2 || Inverted)) begin : g_lut
      logic two;
      lut6_2 #(
          .Init({32'(A ^ B ^ C ^ K ^ M), 32'(Two)})
      ) u_lut (
          .addr_i({2'b10, m[p], x2_i[p], x1_i[p], x0_i[p]}),
          .o6_o  (s[p]),
          .o5_o  (two)
      );
      assign di[p] = Majority[p] ? m[p] : Fixed || (Items == 2 && two);
      assign m[p+1] = Majority[p+1] && two;
    end else begin : g_wire
      assign s[p] = (Here0[p] && x0_i[p]) | (Here1[p] && x1_i[p]) | (Here2[p] && x2_i[p]) | (m[p] ^ Constant[p]);
      assign di[p] = Majority[p] && Constant[p] && m[p];
      assign m[p+1] = 1'b0;
    end
    if (p < Start) begin : g_below
      assign sum[p] = s[p];
    end
  end
  if (Start < Width) begin : g_chain
    carry_chain #(
        .Width(Width - Start)
    ) u_chain (
        .ci_i(CarryIn),
        .s_i (s[Width-1:Start]),
        .di_i(di[Width-1:Start]),
        .o_o (sum[Width-1:Start])
    );
  end
  assign sum_o = sum[Width-1:Dropped];
  logic unused;
  assign unused = &{1'b0, m[Width], di, sum, x0_i, x1_i, x2_i};
endmodule
