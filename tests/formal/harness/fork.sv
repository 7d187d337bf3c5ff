// Each of OUTPUTS readers gets each word once and in order, whatever the others do.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic [`OUTPUTS-1:0] ready_i, input logic [`BITS-1:0] junk_i
);
  `START
  logic [`BITS-1:0] s_data, offered;
  logic [`OUTPUTS*`BITS-1:0] m_data;
  logic [`OUTPUTS-1:0] m_valid;
  logic s_valid, s_ready;
  numbers #(.Bits(`BITS)) u_in (
      .clk_i, .rst_i(rst), .go_i, .junk_i, .data_o(s_data), .valid_o(s_valid), .ready_i(s_ready), .offered_o(offered)
  );
  `DUT #(.Outputs(`OUTPUTS), .Width(`BITS)) u_dut (
      .clk_i, .rst_i(rst), .s_data_i(s_data), .s_valid_i(s_valid), .s_ready_o(s_ready),
      .m_data_o(m_data), .m_valid_o(m_valid), .m_ready_i(ready_i)
  );
  for (genvar o = 0; o < `OUTPUTS; o++) begin : g_output
    logic [`BITS-1:0] next, inside;
    expects #(.Bits(`BITS)) u_out (
        .clk_i, .rst_i(rst), .data_i(m_data[o*`BITS+:`BITS]), .valid_i(m_valid[o]), .ready_i(ready_i[o]), .next_o(next)
    );
    stays #(.Width(`BITS)) u_stays (
        .clk_i, .rst_i(rst), .data_i(m_data[o*`BITS+:`BITS]), .valid_i(m_valid[o]), .ready_i(ready_i[o])
    );
    assign inside = offered - next;
    always_comb begin
      if (!rst) begin
        assert (inside <= 1);
        assert (m_valid[o] == (inside != 0));
      end
    end
  end
  progress #(.Limit(2)) u_enters (.clk_i, .rst_i(rst), .waits_i(&ready_i && s_valid && !s_ready));
  reached u_reached (.clk_i, .rst_i(rst), .event_i(s_valid && s_ready));
endmodule
