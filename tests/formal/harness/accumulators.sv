// rap_accumulators: sums or maxima of values that come an operation a cycle, each a cycle after its accumulator is named.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic first_i, input logic max_i, input logic to_i,
    input logic signed [31:0] value_i, input logic read_i
);
  `START
  logic busy_q, first_q, max_q, to_q;  // the operation whose value comes
  logic signed [31:0] held[2], want, drain;
  logic [31:0] old;
  always_ff @(posedge clk_i) begin
    busy_q <= go_i && !rst;
    {first_q, max_q, to_q} <= {first_i, max_i, to_i};
    if (busy_q && !rst) held[to_q] <= want;
  end
  assign want = first_q ? value_i : !max_q ? held[to_q] + value_i : held[to_q] < value_i ? value_i : held[to_q];
  logic [63:0] memory;
  rap_accumulators #(.Count(2)) u_dut (
      .clk_i, .first_i, .max_i, .same_i(busy_q && to_q == to_i), .addr_i(to_i), .we_i(busy_q && !rst), .max_now_i(max_q),
      .waddr_i(to_q), .value_i, .old_o(old), .drain_addr_i(read_i), .drain_o(drain), .memory_o(memory)
  );
  // Neither side resets what it holds: an accumulator is compared from its first value on.
  logic [1:0] known_q;
  always_ff @(posedge clk_i) begin
    if (rst) known_q <= '0;
    else if (busy_q && first_q) known_q[to_q] <= 1'b1;
  end
  always_comb begin
    if (!rst) begin
      if (known_q[read_i]) assert (drain == held[read_i]);
      if (known_q[0]) assert (memory[31:0] == held[0]);
      if (known_q[1]) assert (memory[63:32] == held[1]);
      if (busy_q && (first_q || known_q[to_q])) assert (old == (first_q ? {max_q, 31'd0} : held[to_q]));
    end
  end
  reached #(.Count(2)) u_reached (.clk_i, .rst_i(rst), .event_i(busy_q && !first_q && known_q[to_q] && drain == 32'd7));
endmodule
