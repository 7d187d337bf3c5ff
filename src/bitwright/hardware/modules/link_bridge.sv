// SPDX-License-Identifier: Apache-2.0
// Commands in a stream of bytes to a design: words for its input stream, and reads and writes of its registers.
//
//   1, words (4 bytes), words * InBytes bytes     the words go to m_axis, lowest byte first
//   2, address (4), word (4)                      AXI4-Lite write; a byte comes back, the response
//   3, address (4)                                AXI4-Lite read; the word (4 bytes) and the response come back
//
// Other bytes in the place of a command are dropped. The words of s_axis leave in between as OutBytes bytes each; register
// answers stand between two words. Control = 0: without registers, commands 2 and 3 get no answer.
module link_bridge #(
    parameter int unsigned InBytes = 1,
    parameter int unsigned OutBytes = 1,
    parameter int unsigned Control = 1
) (
    input  logic                  clk_i,
    input  logic                  rst_i,
    input  logic [           7:0] s_data_i,
    input  logic                  s_valid_i,
    output logic                  s_ready_o,
    output logic [           7:0] m_data_o,
    output logic                  m_valid_o,
    input  logic                  m_ready_i,
    output logic [ 8*InBytes-1:0] m_axis_tdata,
    output logic                  m_axis_tvalid,
    input  logic                  m_axis_tready,
    input  logic [8*OutBytes-1:0] s_axis_tdata,
    input  logic                  s_axis_tvalid,
    output logic                  s_axis_tready,
    output logic [          31:0] axil_addr_o,
    output logic [          31:0] axil_wdata_o,
    output logic                  axil_awvalid_o,
    input  logic                  axil_awready_i,
    output logic                  axil_wvalid_o,
    input  logic                  axil_wready_i,
    input  logic [           1:0] axil_bresp_i,
    input  logic                  axil_bvalid_i,
    output logic                  axil_bready_o,
    output logic                  axil_arvalid_o,
    input  logic                  axil_arready_i,
    input  logic [          31:0] axil_rdata_i,
    input  logic [           1:0] axil_rresp_i,
    input  logic                  axil_rvalid_i,
    output logic                  axil_rready_o
);
  localparam int unsigned Longest = OutBytes > 5 ? OutBytes : 5;

  typedef enum logic [2:0] {Command, Argument, Words, Offer, Access, Answer} state_e;
  state_e state_q;
  logic [1:0] command_q;
  logic [3:0] left_q;  // bytes of arguments
  logic [63:0] argument_q;
  logic [31:0] words_q;
  logic [8*InBytes-1:0] word_q;
  logic [15:0] bytes_q;  // of the word that comes in
  logic take;

  assign s_ready_o = state_q == Command || state_q == Argument || state_q == Words;
  assign take = s_valid_i && s_ready_o;
  assign m_axis_tdata = word_q;
  assign m_axis_tvalid = state_q == Offer;

  logic answered, aw_q, w_q, ar_q, sent_q;
  logic [39:0] answer_q;
  assign axil_addr_o = command_q == 2'd2 ? argument_q[31:0] : argument_q[63:32];
  assign axil_wdata_o = argument_q[63:32];
  assign axil_awvalid_o = aw_q;
  assign axil_wvalid_o = w_q;
  assign axil_arvalid_o = ar_q;
  assign axil_bready_o = state_q == Access && command_q == 2'd2;
  assign axil_rready_o = state_q == Access && command_q == 2'd3;

  always_ff @(posedge clk_i) begin
    if (axil_awready_i) aw_q <= 1'b0;
    if (axil_wready_i) w_q <= 1'b0;
    if (axil_arready_i) ar_q <= 1'b0;
    case (state_q)
      Command: begin
        command_q <= s_data_i[1:0];
        left_q <= s_data_i[1:0] == 2'd2 ? 4'd8 : 4'd4;
        if (take && s_data_i != 8'd0 && s_data_i < 8'd4) state_q <= Argument;
      end
      Argument: begin
        bytes_q <= 16'(InBytes);
        words_q <= {s_data_i, argument_q[63:40]};
        if (take) begin
          argument_q <= {s_data_i, argument_q[63:8]};
          left_q <= left_q - 4'd1;
          if (left_q == 4'd1) begin
            if (command_q == 2'd1) state_q <= {s_data_i, argument_q[63:40]} == '0 ? Command : Words;
            else if (Control == 0) state_q <= Command;
            else begin
              state_q <= Access;
              {aw_q, w_q, ar_q} <= command_q == 2'd2 ? 3'b110 : 3'b001;
            end
          end
        end
      end
      Words:
      if (take) begin
        word_q  <= (8 * InBytes)'({s_data_i, word_q} >> 8);
        bytes_q <= bytes_q - 16'd1;
        if (bytes_q == 16'd1) state_q <= Offer;
      end
      Offer:
      if (m_axis_tready) begin
        bytes_q <= 16'(InBytes);
        words_q <= words_q - 32'd1;
        state_q <= words_q == 32'd1 ? Command : Words;
      end
      Access: begin
        if (axil_bvalid_i && command_q == 2'd2) answer_q <= {32'd0, 6'd0, axil_bresp_i};
        if (axil_rvalid_i && command_q == 2'd3) answer_q <= {6'd0, axil_rresp_i, axil_rdata_i};
        if (command_q == 2'd2 ? axil_bvalid_i : axil_rvalid_i) state_q <= Answer;
      end
      default: if (answered) state_q <= Command;
    endcase
    if (rst_i) begin
      state_q <= Command;
      {aw_q, w_q, ar_q} <= '0;
    end
  end

  // Bytes out: a word, or an answer, at a time.
  logic [8*Longest-1:0] out_q;
  logic [15:0] out_left_q;
  logic load_answer, load_word;
  assign load_answer = out_left_q == '0 && state_q == Answer && !sent_q;
  assign load_word = out_left_q == '0 && !load_answer && s_axis_tvalid;
  assign s_axis_tready = load_word;
  assign answered = load_answer;
  assign m_data_o = out_q[7:0];
  assign m_valid_o = out_left_q != '0;

  always_ff @(posedge clk_i) begin
    sent_q <= 1'b0;
    if (load_answer) begin
      out_q <= (8 * Longest)'(answer_q);
      out_left_q <= command_q == 2'd2 ? 16'd1 : 16'd5;
      sent_q <= 1'b1;
    end else if (load_word) begin
      out_q <= (8 * Longest)'(s_axis_tdata);
      out_left_q <= 16'(OutBytes);
    end else if (m_valid_o && m_ready_i) begin
      out_q <= out_q >> 8;
      out_left_q <= out_left_q - 16'd1;
    end
    if (rst_i) out_left_q <= '0;
  end
endmodule
