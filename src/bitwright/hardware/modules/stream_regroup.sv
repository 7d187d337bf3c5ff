// SPDX-License-Identifier: Apache-2.0
// Words of InLanes lanes as words of OutLanes lanes, low lanes first, where one number divides the other.
//
// Wide words are split: latency 1, one output word a cycle; the input word stays at the source until its last part is
// taken, so only one output word is registered. Narrow ones are gathered in a shift register, without logic on the
// data: latency 1 after the last part, one input word a cycle. Equal lanes: a wire, latency 0. s_ready_o depends on
// m_ready_i while an output word waits; not so with Sparse, where words leave at most every second cycle and nothing is
// taken while one leaves.
module stream_regroup #(
    parameter int unsigned LaneBits = 8,
    parameter int unsigned InLanes  = 4,
    parameter int unsigned OutLanes = 1,
    parameter bit          Sparse   = 0
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
  if (LaneBits < 1 || InLanes < 1 || OutLanes < 1 || (InLanes % OutLanes != 0 && OutLanes % InLanes != 0))
  begin : g_illegal
    $error("stream_regroup: InLanes must divide OutLanes, or OutLanes InLanes");
  end

  localparam bit Split = InLanes > OutLanes;
  localparam int unsigned Parts = Split ? InLanes / OutLanes : OutLanes / InLanes;
  localparam int unsigned Width = (Split ? OutLanes : InLanes) * LaneBits;

  if (Parts == 1) begin : g_wire
    logic unused;
    assign unused    = &{1'b0, clk_i, rst_i};
    assign m_data_o  = s_data_i;
    assign m_valid_o = s_valid_i;
    assign s_ready_o = m_ready_i;
  end else begin : g_parts
    logic [$clog2(Parts)-1:0] part;
    logic last, ready, take, valid_q, unused;
    logic [OutLanes*LaneBits-1:0] data_q;

    assign ready = (m_ready_i && !Sparse) || !valid_q;
    assign take  = s_valid_i && ready;  // a part
    loop_counter #(
        .Count(Parts)
    ) u_part (
        .clk_i,
        .rst_i,
        .step_i (take),
        .count_o(part),
        .first_o(unused),
        .last_o (last)
    );
    always_ff @(posedge clk_i) begin
      if (rst_i) valid_q <= 1'b0;
      else if (ready) valid_q <= s_valid_i && (Split || last);
      else if (m_ready_i) valid_q <= 1'b0;
    end
    if (Split) begin : g_split
      always_ff @(posedge clk_i) if (ready) data_q <= s_data_i[part*Width+:Width];
    end else begin : g_gather
      logic unused_part;
      assign unused_part = &{1'b0, part};
      always_ff @(posedge clk_i) if (take) data_q <= {s_data_i, data_q[Parts*Width-1:Width]};
    end

    assign s_ready_o = ready && (!Split || last);
    assign m_data_o  = data_q;
    assign m_valid_o = valid_q;
  end
endmodule
