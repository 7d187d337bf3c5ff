// SPDX-License-Identifier: Apache-2.0
// Issues instructions, one a cycle, and waits where an instruction has to wait.
//
// instr_o is the instruction at hand; issue_o marks the one cycle in which it takes effect. The cycles of each
// instruction are those of the table of instructions. busy_i and taken_i may come as late as two cycles behind the
// issue of what raises them.
module rap_sequencer #(
    parameter int unsigned Words = 4096,
    localparam int unsigned AddrBits = $clog2(Words)
) (
    input  logic                           clk_i,
    input  logic                           rst_i,
    input  logic                           start_i,
    input  logic                           we_i,        // loading; the data stay two cycles longer
    input  logic            [AddrBits-1:0] waddr_i,
    input  rap_pkg::instr_t                wdata_i,
    input  logic                           busy_i,      // a slot or ST is at work
    input  logic                           taken_i,     // DRAIN reads accumulators, or ST is at work
    input  logic                           done_i,      // IN or OUT ends
    output logic                           running_o,
    output rap_pkg::instr_t                instr_o,
    output logic                           issue_o,
    output logic                           blocked_o,
    output logic                           leave_o,
    output logic                           end_o        // OUT or HALT leaves
);
  logic running_q, valid_q, take, fetched;
  rap_pkg::instr_t instr, instr_q;
  rap_pkg::needs_t needs, needs_q;
  rap_fetch #(
      .Words(Words)
  ) u_fetch (
      .clk_i,
      .rst_i,
      .running_i(running_q),
      .we_i,
      .waddr_i,
      .wdata_i,
      .take_i   (take),
      .valid_o  (fetched),
      .instr_o  (instr),
      .needs_o  (needs)
  );

  // How long the instruction stays, whether this is its last cycle, and the one in which it takes effect.
  logic [3:0] left_q, stay;
  logic last_q, fire_q, go, leave, issue, claims_q, sends_q, claimed_q, busy_q, taken_q;
  always_comb begin
    case (needs.stay)
      rap_pkg::StayAlu: stay = 4'(rap_pkg::CyclesAlu - 1);
      rap_pkg::StayGet: stay = 4'(rap_pkg::CyclesGet - 1);
      rap_pkg::StayConfig: stay = 4'(rap_pkg::CyclesConfig - 1);
      default: stay = 4'd0;
    endcase
  end
  assign go = !(needs_q.idle && busy_q) && !(needs_q.free && taken_q);
  assign leave = valid_q && go && last_q;
  assign issue = valid_q && go && fire_q;
  assign take = !valid_q || leave;
  always_ff @(posedge clk_i) begin
    if (rst_i) running_q <= 1'b0;
    else if (start_i) running_q <= 1'b1;
    else if (leave && needs_q.halt) running_q <= 1'b0;
    if (rst_i || !running_q || (leave && needs_q.halt)) valid_q <= 1'b0;
    else if (take) valid_q <= fetched;
    claimed_q <= issue && claims_q && !rst_i;
    busy_q <= ((issue && claims_q) || claimed_q || busy_i) && !rst_i;
    taken_q <= ((issue && claims_q) || claimed_q || taken_i) && !rst_i;
  end
  always_ff @(posedge clk_i) begin
    if (take) begin
      instr_q <= instr;
      needs_q <= needs;
      claims_q <= needs.free || instr.op == rap_pkg::OpST;
      sends_q <= instr.op == rap_pkg::OpOUT;
      left_q  <= stay;
      last_q  <= needs.stay == rap_pkg::StayOne && !needs.frame;
      fire_q  <= needs.stay != rap_pkg::StayConfig;
    end else if (go) begin
      left_q <= left_q - 4'd1;
      last_q <= needs_q.frame ? done_i : left_q == 4'd1;
      fire_q <= needs_q.stay == rap_pkg::StayConfig && left_q == 4'd1;
    end
  end
  assign running_o = running_q;
  assign instr_o = instr_q;
  assign issue_o = issue;
  assign blocked_o = valid_q && !go;
  assign leave_o = leave;
  assign end_o = leave && (needs_q.halt || sends_q);
  logic unused;
  assign unused = needs_q.jump ^ needs_q.loop;
endmodule
