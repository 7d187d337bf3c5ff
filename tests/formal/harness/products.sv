// rap_multiply: PRODUCT of the lanes of two words, signed or not, leaves two cycles later.
module proof (input logic clk_i, input logic reset_i, input logic [33:0] x_i);
  `START
  rap_pkg::width_e width;
  assign width = rap_pkg::`CODE;
  localparam int unsigned Lanes = 16 / `BITS;
  logic [127:0] products;
  rap_multiply u_dut (
      .clk_i, .width_i(width), .asign_i(x_i[33]), .bsign_i(x_i[32]), .a_i(x_i[31:16]), .b_i(x_i[15:0]),
      .p_o(products)
  );
  logic [1:0] known_q = '0;
  always_ff @(posedge clk_i) known_q <= rst ? '0 : 2'({known_q, 1'b1});
  for (genvar l = 0; l < 4; l++) begin : g_lane
    localparam int unsigned Bits = l == 0 ? 17 : l == 1 ? 9 : 5;  // of the numbers that a lane multiplies
    logic signed [Bits-1:0] a, b, a_q, b_q;
    logic signed [2*Bits-1:0] want_q;
    if (l < Lanes) begin : g_used
      assign a = Bits'($signed({x_i[33] & x_i[16+`BITS*(l+1)-1], x_i[16+`BITS*l+:`BITS]}));
      assign b = Bits'($signed({x_i[32] & x_i[`BITS*(l+1)-1], x_i[`BITS*l+:`BITS]}));
    end else begin : g_unused
      assign a = '0;
      assign b = '0;
    end
    always_ff @(posedge clk_i) begin
      a_q <= a;
      b_q <= b;
      want_q <= `PRODUCT;
    end
    always_comb begin
      if (!rst && known_q[1]) begin
        if (l < Lanes) assert (products[32*l+:32] == 32'(want_q));
        else if (`FIRST) assert (products[32*l+Bits+:32-Bits] == '0);  // a is 0
      end
    end
  end
  reached #(.Count(1)) u_reached (.clk_i, .rst_i(rst), .event_i(known_q[1] && products[31:0] != 0));
endmodule
