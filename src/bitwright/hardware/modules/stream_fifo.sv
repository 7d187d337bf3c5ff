// SPDX-License-Identifier: Apache-2.0
// First-in first-out buffer of Depth words and one more in its output register.
//
// Depth 1 is a plain register stage (Depth words in all). Latency 2 (Depth 1: 1), one word a cycle. Depth > 1
// uses ram_sdp: LUT RAM or, by size, block RAM; its read register is the output register. Of more than 64 words, which may
// lie all over the part, a word waits in a register until it is written: latency 3. s_ready_o and m_valid_o are registers
// (Depth 1: s_ready_o depends on m_ready_i).
module stream_fifo #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 16
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
  if (Width < 1 || Depth < 1) begin : g_illegal
    $error("stream_fifo: Width, Depth >= 1 are legal");
  end

  logic valid_q;
  logic advance;
  assign advance   = m_ready_i || !valid_q;
  assign m_valid_o = valid_q;

  if (Depth == 1) begin : g_register
    logic [Width-1:0] data_q;
    always_ff @(posedge clk_i) begin
      if (rst_i) valid_q <= 1'b0;
      else if (advance) valid_q <= s_valid_i;
    end
    always_ff @(posedge clk_i) if (advance) data_q <= s_data_i;
    assign s_ready_o = advance;
    assign m_data_o  = data_q;
  end else begin : g_memory
    localparam int unsigned AddrBits = $clog2(Depth);
    localparam int unsigned FillBits = $clog2(Depth + 1);
    logic [AddrBits-1:0] waddr, raddr;
    logic [FillBits-1:0] fill_q, up, down;
    logic full_q, more_q, write, read;
    assign write = s_valid_i && !full_q;

    logic arrive;  // a word enters the memory
    logic [Width-1:0] arrival;
    if (Depth > 64) begin : g_waiting
      always_ff @(posedge clk_i) begin
        if (rst_i) arrive <= 1'b0;
        else arrive <= write;
      end
      always_ff @(posedge clk_i) arrival <= s_data_i;
    end else begin : g_at_once
      assign arrive  = write;
      assign arrival = s_data_i;
    end

    assign read  = more_q && advance;

    assign up    = fill_q + 1'b1;
    assign down  = fill_q - 1'b1;

    // The flags know the next fill without its adder, and no enable waits for what is written and read.
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        fill_q  <= '0;
        full_q  <= 1'b0;
        more_q  <= 1'b0;
        valid_q <= 1'b0;
      end else begin
        fill_q <= (write && !read ? up : '0) | (read && !write ? down : '0) | (write == read ? fill_q : '0);
        full_q <= !read && (full_q || (write && fill_q == FillBits'(Depth - 1)));
        more_q <= arrive || (more_q && !(read && fill_q == FillBits'(1)));
        valid_q <= read || (valid_q && !m_ready_i);
      end
    end

    logic [3:0] unused;
    loop_counter #(
        .Count(Depth)
    ) u_waddr (
        .clk_i,
        .rst_i,
        .step_i (arrive),
        .count_o(waddr),
        .first_o(unused[0]),
        .last_o (unused[1])
    );
    loop_counter #(
        .Count(Depth)
    ) u_raddr (
        .clk_i,
        .rst_i,
        .step_i (read),
        .count_o(raddr),
        .first_o(unused[2]),
        .last_o (unused[3])
    );
    ram_sdp #(
        .Width(Width),
        .Depth(Depth),
        .Late (1'b1)
    ) u_ram (
        .clk_i,
        .we_i   (arrive),
        .waddr_i(waddr),
        .wdata_i(arrival),
        .re_i   (read),
        .raddr_i(raddr),
        .rdata_o(m_data_o)
    );
    assign s_ready_o = !full_q;
  end
endmodule
