// SPDX-License-Identifier: Apache-2.0
// Register slice: cuts the data, valid and ready paths of a stream.
//
// Latency 1; s_ready_o is a register. Words 2: one word a cycle; the second place catches what the source sends before it
// sees the stall. Words 1: a word every two cycles.
module stream_skid #(
    parameter int unsigned Width = 8,
    parameter int unsigned Words = 2
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic [Width-1:0] s_data_i,
    input  logic             s_valid_i,
    output logic             s_ready_o,
    output logic [Width-1:0] m_data_o,
    output logic             m_valid_o,
    input  logic             m_ready_i
);
  if (Width < 1 || Words < 1 || Words > 2) begin : g_illegal
    $error("stream_skid: Width >= 1 and Words 1..2 are legal");
  end

  logic [Width-1:0] data_q;
  logic valid_q;
  if (Words == 1) begin : g_one
    always_ff @(posedge clk_i) begin
      if (rst_i) valid_q <= 1'b0;
      else valid_q <= valid_q ? !m_ready_i : s_valid_i;
    end
    always_ff @(posedge clk_i) if (!valid_q) data_q <= s_data_i;
    assign s_ready_o = !valid_q;
  end else begin : g_two
    logic [Width-1:0] skid_q;
    logic full_q, advance;
    assign advance = m_ready_i || !valid_q;
    // As sums of products: a register that an enable or a reset of its own decides would wait for one gate more.
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        valid_q <= 1'b0;
        full_q  <= 1'b0;
      end else begin
        valid_q <= full_q || s_valid_i || (valid_q && !m_ready_i);
        full_q  <= valid_q && !m_ready_i && (full_q || s_valid_i);
      end
    end
    always_ff @(posedge clk_i) begin
      if (!full_q) skid_q <= s_data_i;
      if (advance) data_q <= full_q ? skid_q : s_data_i;
    end
    assign s_ready_o = !full_q;
  end
  assign m_data_o  = data_q;
  assign m_valid_o = valid_q;
endmodule
