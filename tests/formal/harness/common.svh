// What every proof begins with: one clock, and a reset in the first cycle and in any other one.
`define START \
  logic begins_q = 1'b1; \
  always_ff @(posedge clk_i) begins_q <= 1'b0; \
  logic rst; \
  assign rst = begins_q || reset_i;

// Lanes numbers a word, n, n + 1, ..., modulo 2**Bits, sent where go_i; a word stays until it is taken. Between words
// the data are arbitrary. offered_o: the first number that has not been offered yet.
module numbers #(
    parameter int Bits  = 3,
    parameter int Lanes = 1
) (
    input  logic                  clk_i,
    input  logic                  rst_i,
    input  logic                  go_i,
    input  logic [Lanes*Bits-1:0] junk_i,
    output logic [Lanes*Bits-1:0] data_o,
    output logic                  valid_o,
    input  logic                  ready_i,
    output logic [      Bits-1:0] offered_o
);
  logic [Bits-1:0] n_q;
  logic valid_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      n_q     <= '0;
      valid_q <= 1'b0;
    end else begin
      if (valid_q && ready_i) n_q <= n_q + Bits'(Lanes);
      if (!valid_q || ready_i) valid_q <= go_i;
    end
  end
  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    assign data_o[l*Bits+:Bits] = valid_q ? n_q + Bits'(l) : junk_i[l*Bits+:Bits];
  end
  assign valid_o   = valid_q;
  assign offered_o = valid_q ? n_q + Bits'(Lanes) : n_q;
endmodule

// The output must be Lanes numbers a word, without a gap; next_o: the first one that has not left yet.
module expects #(
    parameter int Bits  = 3,
    parameter int Lanes = 1
) (
    input  logic                  clk_i,
    input  logic                  rst_i,
    input  logic [Lanes*Bits-1:0] data_i,
    input  logic                  valid_i,
    input  logic                  ready_i,
    output logic [      Bits-1:0] next_o
);
  logic [Bits-1:0] n_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) n_q <= '0;
    else if (valid_i && ready_i) n_q <= n_q + Bits'(Lanes);
  end
  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    always_comb if (!rst_i && valid_i) assert (data_i[l*Bits+:Bits] == n_q + Bits'(l));
  end
  assign next_o = n_q;
endmodule

// What is offered stays until it is taken.
module stays #(
    parameter int Width = 1
) (
    input logic             clk_i,
    input logic             rst_i,
    input logic [Width-1:0] data_i,
    input logic             valid_i,
    input logic             ready_i
);
  logic waits_q = 1'b0;
  logic [Width-1:0] data_q;
  always_ff @(posedge clk_i) begin
    waits_q <= !rst_i && valid_i && !ready_i;
    data_q  <= data_i;
  end
  always_comb begin
    if (waits_q && !rst_i) begin
      assert (valid_i);
      assert (data_i == data_q);
    end
  end
endmodule

// No deadlock: fewer than Limit cycles in a row in which something waits for nothing.
module progress #(
    parameter int Limit = 4
) (
    input logic clk_i,
    input logic rst_i,
    input logic waits_i
);
  logic [Limit-1:0] waited_q = '0;
  always_ff @(posedge clk_i) waited_q <= rst_i || !waits_i ? '0 : {waited_q[Limit-2:0], 1'b1};
  always_comb if (!rst_i && waits_i) assert (!waited_q[Limit-1]);
endmodule

// The harness is alive: Count events happen. Proven wrong on purpose, see prove.py.
module reached #(
    parameter int Count = 4
) (
    input logic clk_i,
    input logic rst_i,
    input logic event_i
);
`ifdef REACH
  logic [Count-1:0] seen_q = '0;
  always_ff @(posedge clk_i) begin
    if (rst_i) seen_q <= '0;
    else if (event_i) seen_q <= {seen_q[Count-2:0], 1'b1};
  end
  always_comb assert (!seen_q[Count-1]);
`endif
endmodule
