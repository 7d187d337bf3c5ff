// SPDX-License-Identifier: Apache-2.0
// Keeps finished accumulators while the next ones are computed, and says when the pipeline before it moves.
//
// next_i: what the accumulators take now, if anything, makes a finished word; it stands in s_data_i after the next move.
// en_o, a register, is low where a finished word stands there and no place is free: everything up to s_data_i then waits.
// fetch_o is the same but for the cycle after reset, when en_o is low: a register of its own for what gives the words.
// stop_o is the complement of en_o: a register of its own for what decides more than itself.
// Words 1: a word every two cycles. Words 2: a word a cycle; the second place catches what follows while the first waits.
// Latency 1 from s_data_i. Words 0: a word a cycle that leaves from s_data_i itself, latency 0; the enables follow
// m_ready_i in the same cycle. Part of Conv2d and Dense.
module tlmac_hold #(
    parameter int unsigned Width = 8,
    parameter int unsigned Words = 1
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic             next_i,
    input  logic [Width-1:0] s_data_i,
    output logic             en_o,
    output logic             fetch_o,
    output logic             stop_o,
    output logic [Width-1:0] m_data_o,
    output logic             m_valid_o,
    input  logic             m_ready_i
);
  logic done_q, done_d;  // a finished word stands in s_data_i
  assign done_d = stop_o ? done_q : next_i;
  always_ff @(posedge clk_i) begin
    if (rst_i) done_q <= 1'b0;
    else done_q <= done_d;
  end

  if (Words == 0) begin : g_none
    assign en_o      = m_ready_i || !done_q;
    assign fetch_o   = en_o;
    assign stop_o    = !en_o;
    assign m_valid_o = done_q;
    assign m_data_o  = s_data_i;
  end else begin : g_held
    logic valid_q, full_d;  // a word is held; no place is free
    logic [Width-1:0] data_q;
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        en_o    <= 1'b0;
        fetch_o <= 1'b1;
        stop_o  <= 1'b1;
      end else begin
        en_o    <= !(done_d && full_d);
        fetch_o <= !(done_d && full_d);
        stop_o  <= done_d && full_d;
      end
    end

    if (Words == 1) begin : g_one
      assign full_d = valid_q ? !m_ready_i : done_q;
      always_ff @(posedge clk_i) begin
        if (rst_i) valid_q <= 1'b0;
        else valid_q <= full_d;
      end
      always_ff @(posedge clk_i) if (!valid_q) data_q <= s_data_i;
    end else begin : g_two
      logic full_q, advance;
      logic [Width-1:0] second_q;
      assign advance = m_ready_i || !valid_q;
      assign full_d  = !advance && (full_q || done_q);
      always_ff @(posedge clk_i) begin
        if (rst_i) begin
          valid_q <= 1'b0;
          full_q  <= 1'b0;
        end else begin
          full_q  <= full_d;
          valid_q <= full_q || done_q || (valid_q && !m_ready_i);
        end
      end
      always_ff @(posedge clk_i) begin
        if (!full_q) second_q <= s_data_i;
        if (advance) data_q <= full_q ? second_q : s_data_i;
      end
    end
    assign m_valid_o = valid_q;
    assign m_data_o  = data_q;
  end
endmodule
