// The number of ones of six bits, or of four and a product, for all values.
module proof (input logic clk_i, input logic reset_i, input logic [5:0] x_i);
  `START
  logic [2:0] count;
  bitsys_count6 #(.Product(`PRODUCT)) u_dut (.x_i, .count_o(count));
  logic [2:0] ones;
  assign ones = 3'(x_i[0]) + 3'(x_i[1]) + 3'(x_i[2]) + 3'(x_i[3]);
  always_comb begin
    if (!rst) assert (count == ones + (`PRODUCT ? 3'(x_i[4] && x_i[5]) : 3'(x_i[4]) + 3'(x_i[5])));
  end
  reached #(.Count(1)) u_reached (.clk_i, .rst_i(rst), .event_i(count == 5));
endmodule
