// SPDX-License-Identifier: Apache-2.0
// Gathers OutLanes/InLanes words of InLanes lanes into one word of OutLanes lanes, first word in the low lanes.
//
// Latency 1 after the last part (equal lanes: a wire, 0), one input word a cycle. A shift register: no logic on
// the data. s_ready_o depends on m_ready_i while an output word waits.
module stream_widen #(
    parameter int unsigned LaneBits = 8,
    parameter int unsigned InLanes  = 1,
    parameter int unsigned OutLanes = 4
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
  if (LaneBits < 1 || InLanes < 1 || OutLanes < InLanes || OutLanes % InLanes != 0) begin : g_illegal
    $error("stream_widen: InLanes must divide OutLanes");
  end

  localparam int unsigned Parts = OutLanes / InLanes;
  localparam int unsigned Width = InLanes * LaneBits;

  if (Parts == 1) begin : g_wire
    logic unused;
    assign unused    = &{1'b0, clk_i, rst_i};
    assign m_data_o  = s_data_i;
    assign m_valid_o = s_valid_i;
    assign s_ready_o = m_ready_i;
  end else begin : g_widen
    logic [$clog2(Parts)-1:0] unused_part;
    logic                     last, take, valid_q, unused;
    logic [Parts*Width-1:0]   data_q;

    assign take = s_valid_i && s_ready_o;
    loop_counter #(
        .Count(Parts)
    ) u_part (
        .clk_i,
        .rst_i,
        .step_i (take),
        .count_o(unused_part),
        .first_o(unused),
        .last_o (last)
    );
    always_ff @(posedge clk_i) begin
      if (rst_i) valid_q <= 1'b0;
      else if (s_ready_o) valid_q <= s_valid_i && last;
    end
    always_ff @(posedge clk_i) if (take) data_q <= {s_data_i, data_q[Parts*Width-1:Width]};

    assign s_ready_o = m_ready_i || !valid_q;
    assign m_data_o  = data_q;
    assign m_valid_o = valid_q;
  end
endmodule
