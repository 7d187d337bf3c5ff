// SPDX-License-Identifier: Apache-2.0
// Adds a constant of each channel (a bias): y = x + bias[c], OutBits bits.
//
// A stream of words of Lanes channels, Tiles words a pixel. Latency 2, one word a cycle. OutBits must hold every sum.
// Files: <File>_l<lll>.mem has Tiles words of OutBits bits for lane lll (channel_add.py).
module channel_add #(
    parameter int unsigned InBits   = 8,
    parameter bit          InSigned = 1,
    parameter int unsigned OutBits  = 9,
    parameter int unsigned Lanes    = 1,
    parameter int unsigned Tiles    = 1,
    parameter File = "channel_add"
) (
    input  logic                     clk_i,
    input  logic                     rst_i,
    input  logic [ Lanes*InBits-1:0] s_data_i,
    input  logic                     s_valid_i,
    output logic                     s_ready_o,
    output logic [Lanes*OutBits-1:0] m_data_o,
    output logic                     m_valid_o,
    input  logic                     m_ready_i
);
  localparam int unsigned Stages = 2;
  if (InBits < 1 || OutBits < InBits || Lanes < 1 || Lanes > 1000 || Tiles < 1) begin : g_illegal
    $error("channel_add: legal are OutBits >= InBits, 1..1000 lanes");
  end

  logic [Stages-1:0] en, unused_enter;
  logic [Stages-1:0][(Tiles > 1 ? $clog2(Tiles) : 1)-1:0] tile;
  pipe_control #(
      .Stages(Stages),
      .Tiles (Tiles)
  ) u_pipe (
      .en_o(en),
      .enter_o(unused_enter),
      .tile_o(tile),
      .*
  );

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    logic [InBits-1:0] x_q;
    logic [OutBits-1:0] wide, bias, sum_q;
    rom #(
        .Width(OutBits),
        .Depth(Tiles),
        .File ({File, "_l", 8'(48 + l / 100), 8'(48 + l / 10 % 10), 8'(48 + l % 10), ".mem"})
    ) u_bias (
        .clk_i,
        .re_i  (en[0]),
        .addr_i(tile[0]),
        .data_o(bias)
    );
    assign wide = OutBits'($signed({InSigned && x_q[InBits-1], x_q}));
    always_ff @(posedge clk_i) begin
      if (en[0]) x_q <= s_data_i[l*InBits+:InBits];
      if (en[1]) sum_q <= wide + bias;
    end
    assign m_data_o[l*OutBits+:OutBits] = sum_q;
  end
  logic unused;
  assign unused = &{1'b0, tile, unused_enter};
endmodule
