// SPDX-License-Identifier: Apache-2.0
// Valid bits and enables of an elastic pipeline of Stages register stages, and the place of its words in their pixels.
//
//   Stage s loads where en_o[s]; stage 0 takes the input word, stage Stages-1 holds the output word.
//   enter_o[s]: a word, not a bubble, enters stage s; tile_o[s]: which of the Tiles words of a pixel it is.
//
// A stage moves when it is empty or the next one moves, so bubbles close under back-pressure. Latency Stages,
// one word a cycle. s_ready_o depends on m_ready_i by one OR with a register. Tiles that nobody reads cost nothing.
module pipe_control #(
    parameter int unsigned Stages = 2,
    parameter int unsigned Tiles  = 1,
    localparam int unsigned TileBits = Tiles > 1 ? $clog2(Tiles) : 1
) (
    input  logic                            clk_i,
    input  logic                            rst_i,
    input  logic                            s_valid_i,
    output logic                            s_ready_o,
    output logic                            m_valid_o,
    input  logic                            m_ready_i,
    output logic [Stages-1:0]               en_o,
    output logic [Stages-1:0]               enter_o,
    output logic [Stages-1:0][TileBits-1:0] tile_o
);
  if (Stages < 1) begin : g_illegal
    $error("pipe_control: Stages >= 1 is legal");
  end

  logic [Stages-1:0] valid_q;
  // full[s]: every stage from s on holds a word; a register, computed from what all stages do.
  logic [Stages-1:0] full;
  for (genvar s = 0; s < Stages; s++) begin : g_stage
    logic previous;
    if (s == 0) begin : g_input
      logic unused_first, unused_last;
      assign previous = s_valid_i;
      loop_counter #(
          .Count(Tiles)
      ) u_tile (
          .clk_i,
          .rst_i,
          .step_i (enter_o[0]),
          .count_o(tile_o[0]),
          .first_o(unused_first),
          .last_o (unused_last)
      );
    end else begin : g_inner
      assign previous = valid_q[s-1];
      always_ff @(posedge clk_i) if (en_o[s-1]) tile_o[s] <= tile_o[s-1];
    end
    assign enter_o[s] = en_o[s] && previous;
    assign en_o[s] = m_ready_i || !full[s];
    if (s == Stages - 1) begin : g_last
      assign full[s] = valid_q[s];
    end else begin : g_before
      logic full_q;
      logic [Stages-1:s] behind;  // the stage before each one holds a word
      assign behind  = {valid_q[Stages-2:s], previous};
      assign full[s] = full_q;
      always_ff @(posedge clk_i) begin
        if (rst_i) full_q <= 1'b0;
        else full_q <= m_ready_i ? &behind : &(full[Stages-1:s] | behind);
      end
    end
    always_ff @(posedge clk_i) begin
      if (rst_i) valid_q[s] <= 1'b0;
      else if (en_o[s]) valid_q[s] <= previous;
    end
  end

  assign s_ready_o = en_o[0];
  assign m_valid_o = valid_q[Stages-1];
endmodule
