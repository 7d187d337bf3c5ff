// SPDX-License-Identifier: Apache-2.0
// Products of two streams, lane by lane: y = (a - AZero) * (b - BZero) (Python op Mul).
//
// A word is taken from both inputs at once. Latency: that of multiply_pipe. One word a cycle. s_ready of a stream depends
// on m_ready_i and on the other stream's valid. The differences are signed, of AWide and BWide bits; OutBits must hold
// every product.
module stream_multiply #(
    parameter int unsigned Lanes   = 1,
    parameter int unsigned OutBits = 16,
    parameter int unsigned ABits   = 8,
    parameter bit          ASigned = 1,
    parameter int          AZero   = 0,
    parameter int unsigned AWide   = 8,
    parameter int unsigned BBits   = 8,
    parameter bit          BSigned = 1,
    parameter int          BZero   = 0,
    parameter int unsigned BWide   = 8
) (
    input  logic                     clk_i,
    input  logic                     rst_i,
    input  logic [  Lanes*ABits-1:0] a_data_i,
    input  logic                     a_valid_i,
    output logic                     a_ready_o,
    input  logic [  Lanes*BBits-1:0] b_data_i,
    input  logic                     b_valid_i,
    output logic                     b_ready_o,
    output logic [Lanes*OutBits-1:0] m_data_o,
    output logic                     m_valid_o,
    input  logic                     m_ready_i
);
  localparam int unsigned ProductBits = AWide + BWide;
  localparam int unsigned Stages = 2 + (AWide > 18 ? 1 : 0) + (BWide > 18 ? 1 : 0);
  if (Lanes < 1 || ABits < 1 || BBits < 1 || OutBits < 1 || AWide < ABits || BWide < BBits || OutBits > ProductBits)
  begin : g_illegal
    $error("stream_multiply: AWide >= ABits, BWide >= BBits and OutBits <= AWide + BWide are legal");
  end

  logic s_ready;
  logic [Stages-1:0] en, unused_enter;
  logic [Stages-1:0][0:0] unused_tile;
  pipe_control #(
      .Stages(Stages)
  ) u_pipe (
      .clk_i,
      .rst_i,
      .s_valid_i(a_valid_i && b_valid_i),
      .s_ready_o(s_ready),
      .m_valid_o,
      .m_ready_i,
      .en_o(en),
      .enter_o(unused_enter),
      .tile_o(unused_tile)
  );
  assign a_ready_o = s_ready && b_valid_i;
  assign b_ready_o = s_ready && a_valid_i;

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    logic signed [AWide-1:0] a;
    logic signed [BWide-1:0] b;
    logic signed [ProductBits-1:0] product;
    assign a = AWide'($signed({ASigned && a_data_i[(l+1)*ABits-1], a_data_i[l*ABits+:ABits]})) - AWide'(AZero);
    assign b = BWide'($signed({BSigned && b_data_i[(l+1)*BBits-1], b_data_i[l*BBits+:BBits]})) - BWide'(BZero);
    multiply_pipe #(
        .ABits(AWide),
        .BBits(BWide)
    ) u_product (
        .clk_i,
        .en_i(en),
        .a_i(a),
        .b_i(b),
        .p_o(product)
    );
    assign m_data_o[l*OutBits+:OutBits] = product[OutBits-1:0];
    logic unused;
    assign unused = &{1'b0, product};
  end
  logic unused;
  assign unused = &{1'b0, unused_enter, unused_tile};
endmodule
