// SPDX-License-Identifier: Apache-2.0
// Splits each word of InLanes lanes into InLanes/OutLanes words of OutLanes lanes, low lanes first.
//
// Latency 1 (equal lanes: a wire, 0), one output word a cycle. The input word stays at the source until its
// last part is taken, so only one output word is registered.
module stream_narrow #(
    parameter int unsigned LaneBits = 8,
    parameter int unsigned InLanes  = 4,
    parameter int unsigned OutLanes = 1
) (
    input  logic                         clk_i,
    input  logic                         rst_i,
    input  logic [ InLanes*LaneBits-1:0] s_data_i,
    input  logic                         s_valid_i,
    output logic                         s_ready_o,
    output logic [OutLanes*LaneBits-1:0] m_data_o,
    output logic                         m_valid_o,
    input  logic                         m_ready_i
);
  if (LaneBits < 1 || OutLanes < 1 || InLanes < OutLanes || InLanes % OutLanes != 0) begin : g_illegal
    $error("stream_narrow: OutLanes must divide InLanes");
  end

  localparam int unsigned Parts = InLanes / OutLanes;
  localparam int unsigned Width = OutLanes * LaneBits;

  if (Parts == 1) begin : g_wire
    logic unused;
    assign unused    = &{1'b0, clk_i, rst_i};
    assign m_data_o  = s_data_i;
    assign m_valid_o = s_valid_i;
    assign s_ready_o = m_ready_i;
  end else begin : g_narrow
    logic [$clog2(Parts)-1:0] part;
    logic                     last, ready, valid_q, unused;
    logic [Width-1:0]         data_q;

    assign ready = m_ready_i || !valid_q;
    loop_counter #(
        .Count(Parts)
    ) u_part (
        .clk_i,
        .rst_i,
        .step_i (s_valid_i && ready),
        .count_o(part),
        .first_o(unused),
        .last_o (last)
    );
    always_ff @(posedge clk_i) begin
      if (rst_i) valid_q <= 1'b0;
      else if (ready) valid_q <= s_valid_i;
    end
    always_ff @(posedge clk_i) if (ready) data_q <= s_data_i[part*Width+:Width];

    assign s_ready_o = ready && last;
    assign m_data_o  = data_q;
    assign m_valid_o = valid_q;
  end
endmodule
