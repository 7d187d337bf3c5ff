// A unit of products with a result that waits: where hold_o is 1, no register that its outputs rest on may change.
module proof (
    input logic clk_i, input logic [`WORD-1:0] word_i, input logic valid_i, input logic ready_i, output logic hold_o,
    output logic [31:0] sum_o, output logic s_ready_o
);
  logic m_valid;
  `DUT u_dut (
      .clk_i, .rst_i(1'b0), .s_data_i(word_i), .s_valid_i(valid_i), .s_ready_o,
      .m_data_o(sum_o), .m_valid_o(m_valid), .m_ready_i(ready_i)
  );
  assign hold_o = m_valid && !ready_i;
endmodule
