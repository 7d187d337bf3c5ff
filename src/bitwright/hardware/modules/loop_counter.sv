// SPDX-License-Identifier: Apache-2.0
// Index of a loop of Count iterations: 0, 1, ..., Count-1, 0, ..., from Start behind reset
//
// count_o steps where step_i; last_o marks Count-1 and is a register, so that nested loops chain with one AND.
// first_o marks 0 (costs logic only where it is used).
module loop_counter #(
    parameter int unsigned Count = 2,
    parameter int unsigned Start = 0,
    localparam int unsigned Bits = Count > 1 ? $clog2(Count) : 1
) (
    input  logic            clk_i,
    input  logic            rst_i,
    input  logic            step_i,
    output logic [Bits-1:0] count_o,
    output logic            first_o,
    output logic            last_o
);
  if (Count < 1 || Start >= Count) begin : g_illegal
    $error("loop_counter: Count >= 1 and Start < Count are legal");
  end

  if (Count <= 1) begin : g_one
    logic unused;
    assign unused  = &{1'b0, clk_i, rst_i, step_i};
    assign count_o = '0;
    assign first_o = 1'b1;
    assign last_o  = 1'b1;
  end else begin : g_many
    localparam logic [Bits-1:0] BeforeLast = Bits'(Count - 2);
    logic [Bits-1:0] count_q;
    logic            last_q;
    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        count_q <= Bits'(Start);
        last_q  <= Start == Count - 1;
      end else if (step_i) begin
        count_q <= last_q ? '0 : count_q + 1'b1;
        last_q  <= count_q == BeforeLast;
      end
    end
    assign count_o = count_q;
    assign first_o = count_q == '0;
    assign last_o  = last_q;
  end
endmodule
