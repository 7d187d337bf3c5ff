// SPDX-License-Identifier: Apache-2.0
// Fetches instructions and runs the loops: what is at hand (valid_o) goes to the issue with take_i.
//
// The address of an instruction, the word that the memory read, and its output register are three stages that take_i
// moves on together. A LOOP or JUMP works where it is at hand; what was fetched behind it is fetched anew. Whether an
// address ends a loop is known before it is its turn: ahead_q is compared with the ends of all open loops. Beside each
// instruction lies what it asks of the issue (needs_t), decoded as it is loaded.
module rap_fetch #(
    parameter int unsigned Words = 4096,
    localparam int unsigned AddrBits = $clog2(Words)
) (
    input  logic                           clk_i,
    input  logic                           rst_i,
    input  logic                           running_i,
    input  logic                           we_i,        // loading; the data stay two cycles longer
    input  logic            [AddrBits-1:0] waddr_i,
    input  rap_pkg::instr_t                wdata_i,
    input  logic                           take_i,
    output logic                           valid_o,
    output rap_pkg::instr_t                instr_o,
    output rap_pkg::needs_t                needs_o
);
  localparam int unsigned Depth = rap_pkg::LoopDepth;
  rap_pkg::jump_t jump_to;
  rap_pkg::loop_t body;
  assign jump_to = instr_o.operands[rap_pkg::BitsJump-1:0];
  assign body = instr_o.operands[rap_pkg::BitsLoop-1:0];

  logic [AddrBits-1:0] pc_q, ahead_q, fetched_q;  // to fetch; pc_q + 1; of the word that was read
  logic settle_q, valid1_q, valid2_q, push, jump;
  logic [Depth-1:0] level_q, free, at_q, more_q, single_q;  // level_q: the innermost open loop; more_q: passes are left
  logic [Depth-1:0][AddrBits-1:0] first_q, second_q, last_q;
  logic [Depth-1:0][15:0] left_q;
  logic again, pop, single;
  logic [AddrBits-1:0] first, second;
  assign push   = valid2_q && needs_o.loop;
  assign jump   = valid2_q && needs_o.jump;
  assign free   = {level_q[Depth-2:0], level_q == '0};
  assign again  = |(level_q & at_q & more_q);
  assign pop    = |(level_q & at_q & ~more_q);
  assign single = body.last[AddrBits-1:0] == fetched_q;
  always_comb begin
    first  = '0;
    second = '0;
    for (int l = 0; l < int'(Depth); l++) begin
      first  |= first_q[l] & {AddrBits{level_q[l]}};
      second |= second_q[l] & {AddrBits{level_q[l]}};
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i || !running_i) begin
      pc_q <= '0;
      ahead_q <= AddrBits'(1);
      settle_q <= 1'b0;
      valid1_q <= 1'b0;
      valid2_q <= 1'b0;
      level_q <= '0;
    end else if (take_i) begin
      settle_q <= jump;
      valid1_q <= !push && !jump && !settle_q;
      valid2_q <= !push && !jump && valid1_q;
      pc_q <= push ? fetched_q : again ? first : ahead_q;
      ahead_q <= push ? pc_q : jump ? jump_to.target[AddrBits-1:0] : again ? second : ahead_q + AddrBits'(1);
      if (jump) level_q <= '0;
      else if (push) level_q <= free;
      else if (pop) level_q <= level_q >> 1;
    end
  end
  always_ff @(posedge clk_i) if (take_i) fetched_q <= pc_q;

  for (genvar l = 0; l < Depth; l++) begin : g_loop
    always_ff @(posedge clk_i) begin
      if (take_i) begin
        if (push) at_q[l] <= free[l] && single;
        else at_q[l] <= again ? level_q[l] && single_q[l] : ahead_q == last_q[l];
        if (push && free[l]) begin
          first_q[l] <= fetched_q;
          second_q[l] <= pc_q;
          last_q[l] <= body.last[AddrBits-1:0];
          single_q[l] <= single;
          left_q[l] <= body.count;
          more_q[l] <= body.count != '0;
        end else if (!push && !jump && level_q[l] && at_q[l] && more_q[l]) begin
          left_q[l] <= left_q[l] - 16'd1;
          more_q[l] <= left_q[l] != 16'd1;
        end
      end
    end
  end

  // What an instruction asks of the issue, decoded in two cycles.
  rap_pkg::op_e op;
  rap_pkg::stream_t stream;
  rap_pkg::shape_t shape;
  rap_pkg::ldm_t ldm;
  rap_pkg::needs_t needs, needs_q, needs2_q;
  logic slots_q, config_q, slots, config_op;
  logic [1:0] we_q;
  logic [1:0][AddrBits-1:0] waddr_q;
  assign op = wdata_i.op;
  assign stream = wdata_i.operands[rap_pkg::BitsStream-1:0];
  assign ldm = wdata_i.operands[rap_pkg::BitsLdm-1:0];
  assign shape = wdata_i.operands[rap_pkg::BitsShape-1:0];
  always_comb begin
    needs.jump  = op == rap_pkg::OpJUMP;
    needs.loop  = op == rap_pkg::OpLOOP;
    needs.halt  = op == rap_pkg::OpHALT;
    needs.frame = op == rap_pkg::OpIN || op == rap_pkg::OpOUT || op == rap_pkg::OpSTM
        || op == rap_pkg::OpWAITM;
    needs.free  = op == rap_pkg::OpDRAIN;
    needs.idle  = op == rap_pkg::OpWAIT || op == rap_pkg::OpPOST || op == rap_pkg::OpLIMIT || op == rap_pkg::OpST;
    needs.stay = rap_pkg::StayOne;
    if (op >= rap_pkg::OpMOVB && op <= rap_pkg::OpUNPH) needs.stay = rap_pkg::StayAlu;
    if (op == rap_pkg::OpGET) needs.stay = rap_pkg::StayGet;
    slots = ((op == rap_pkg::OpSTREAM || op == rap_pkg::OpLEVEL) && stream.stream >= rap_pkg::StreamO0)
        || (op == rap_pkg::OpSHAPE && 3'(shape.stream) >= rap_pkg::StreamO0)
        || (op == rap_pkg::OpLDM && ldm.into == rap_pkg::IntoA);
    config_op = op == rap_pkg::OpWIDTH || op == rap_pkg::OpMASK || op == rap_pkg::OpPAD;
  end
  always_ff @(posedge clk_i) begin
    we_q <= {we_q[0], we_i} & {2{!rst_i}};
    waddr_q <= {waddr_q[0], waddr_i};
    needs_q <= needs;
    slots_q <= slots;
    config_q <= config_op;
    needs2_q <= needs_q;
    needs2_q.idle <= needs_q.idle || needs_q.frame || needs_q.halt || slots_q;
    if (needs_q.halt || config_q) needs2_q.stay <= rap_pkg::StayConfig;
  end
  rap_memory #(
      .Width(rap_pkg::CodeBits),
      .Depth(Words)
  ) u_code (
      .clk_i,
      .we_i   (we_q[1]),
      .waddr_i(waddr_q[1]),
      .wdata_i({needs2_q, wdata_i}),
      .re_i   (take_i),
      .raddr_i(pc_q),
      .rdata_o({needs_o, instr_o})
  );
  assign valid_o = valid2_q;
  logic unused;
  assign unused = ^{stream, shape, ldm, jump_to, body};
endmodule
