// rap_masks and rap_alu: operation OP on the lanes of two words that stay, BITS bits a lane, as the manual defines it.
module proof (
    input logic clk_i, input logic reset_i, input logic [15:0] first_i, input logic [15:0] second_i, input logic [3:0] number_i,
    input logic sign_i
);
  `START
  rap_pkg::width_e width;
  assign width = rap_pkg::`CODE;
  logic [15:0] a_q, b_q, y;
  logic [3:0] imm_q;
  logic sign_q;
  logic [3:0] age_q;
  always_ff @(posedge clk_i) begin
    if (rst) {a_q, b_q, imm_q, sign_q} <= {first_i, second_i, number_i, sign_i};
    age_q <= rst ? '0 : age_q == 4'd4 ? age_q : age_q + 1'b1;
  end
  rap_pkg::masking_t masking;
  rap_pkg::alu_t alu;
  always_comb begin
    masking = '0;
    masking.op = rap_pkg::`OP;
    masking.imm = imm_q;
  end
  rap_masks u_masks (
      .clk_i, .width_i(width), .sign_i(sign_q), .masking_i(masking), .alu_o(alu)
  );
  rap_alu u_alu (
      .clk_i, .width_i(width), .sign_i(sign_q), .alu_i(alu), .a_i(a_q), .b_i(b_q), .y_o(y)
  );
  function automatic logic signed [39:0] lane(input logic [15:0] word, input int unsigned l, input int unsigned bits);
    lane = 40'((word >> (l * bits)) & 16'((1 << bits) - 1));
    if (sign_q && lane[bits-1]) lane = lane - (40'd1 << bits);
  endfunction
  function automatic logic signed [39:0] clamp(input logic signed [39:0] v, input int unsigned bits);
    logic signed [39:0] low, high;
    low = sign_q ? -(40'sd1 <<< (bits - 1)) : 40'sd0;
    high = (40'sd1 <<< (sign_q ? bits - 1 : bits)) - 40'sd1;
    clamp = v < low ? low : v > high ? high : v;
  endfunction
  logic [15:0] want;
  logic signed [39:0] v;
  always_comb begin
    want = '0;
    for (int unsigned l = 0; l < 16 / `BITS; l++) begin
      v = `EXPECTED;
      want[`BITS*l+:`BITS] = v[`BITS-1:0];
    end
  end
  always_comb if (!rst && age_q == 4'd4) assert (y == want);
  reached #(.Count(1)) u_reached (.clk_i, .rst_i(rst), .event_i(age_q == 4'd4 && y[0]));
endmodule
