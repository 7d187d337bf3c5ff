// SPDX-License-Identifier: Apache-2.0
// Fetches instructions, runs the loops, waits where an instruction has to wait.
//
// instr_o is the instruction at hand; issue_o marks the one cycle in which it takes effect. Loops cost no cycle beyond
// those of LOOP. The cycles of each instruction are those of the table of instructions.
module rap_sequencer #(
    parameter int unsigned Words = 4096,
    localparam int unsigned AddrBits = $clog2(Words)
) (
    input  logic                           clk_i,
    input  logic                           rst_i,
    input  logic                           start_i,
    input  logic                           we_i,        // loading
    input  logic            [AddrBits-1:0] waddr_i,
    input  rap_pkg::instr_t                wdata_i,
    input  logic                           idle_i,      // no slot is at work
    input  logic                           free_i,      // the last DRAIN has read its accumulators
    input  logic                           in_done_i,
    input  logic                           out_done_i,
    output logic                           running_o,
    output rap_pkg::instr_t                instr_o,
    output logic                           issue_o,
    output logic                           blocked_o,
    output logic                           leave_o,
    output logic                           end_o        // OUT or HALT leaves
);
  logic running_q, valid_q;
  logic [15:0] pc_q;  // the next to fetch
  rap_pkg::op_e op;
  rap_pkg::jump_t jump_to;
  rap_pkg::loop_t body;
  rap_pkg::stream_t stream;
  rap_pkg::shape_t shape;
  assign op = instr_o.op;
  assign jump_to = instr_o.operands[rap_pkg::BitsJump-1:0];
  assign body = instr_o.operands[rap_pkg::BitsLoop-1:0];
  assign stream = instr_o.operands[rap_pkg::BitsStream-1:0];
  assign shape = instr_o.operands[rap_pkg::BitsShape-1:0];

  // How long the instruction stays, and when it takes effect.
  logic [3:0] count_q, total, effect;
  logic need_idle, need_free, is_frame, is_setup;
  always_comb begin
    total  = 4'd0;
    effect = 4'd0;
    case (op)
      rap_pkg::OpLOOP, rap_pkg::OpJUMP: total = 4'(rap_pkg::CyclesBranch - 1);
      rap_pkg::OpGET: begin
        total  = 4'(rap_pkg::CyclesGet - 1);
        effect = 4'(rap_pkg::CyclesGetWait);
      end
      rap_pkg::OpHALT, rap_pkg::OpWIDTH, rap_pkg::OpMASK, rap_pkg::OpPAD, rap_pkg::OpSHAPE: begin
        total  = 4'(rap_pkg::CyclesConfig - 1);
        effect = 4'(rap_pkg::CyclesConfig - 1);
      end
      default: if (op >= rap_pkg::OpMOVB && op <= rap_pkg::OpUNPH) total = 4'(rap_pkg::CyclesAlu - 1);
    endcase
  end
  assign is_setup = op == rap_pkg::OpSTREAM || op == rap_pkg::OpLEVEL;
  assign is_frame = op == rap_pkg::OpIN || op == rap_pkg::OpOUT;
  assign need_idle = op == rap_pkg::OpWAIT || op == rap_pkg::OpPOST || op == rap_pkg::OpLIMIT || op == rap_pkg::OpST
      || op == rap_pkg::OpHALT || is_frame || (is_setup && stream.stream >= rap_pkg::StreamO0)
      || (op == rap_pkg::OpSHAPE && 3'(shape.stream) >= rap_pkg::StreamO0);
  assign need_free = op == rap_pkg::OpDRAIN;

  logic blocked, leave, fetch, frame_done;
  assign blocked = valid_q && count_q == '0 && ((need_idle && !idle_i) || (need_free && !free_i));
  assign frame_done = op == rap_pkg::OpIN ? in_done_i : out_done_i;
  assign leave = valid_q && !blocked && (is_frame ? frame_done : count_q == total);
  assign issue_o = valid_q && !blocked && count_q == effect;
  assign fetch = running_q && (!valid_q || (leave && op != rap_pkg::OpHALT));
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      running_q <= 1'b0;
      valid_q   <= 1'b0;
      count_q   <= '0;
    end else begin
      if (start_i && !running_q) running_q <= 1'b1;
      else if (leave && op == rap_pkg::OpHALT) running_q <= 1'b0;
      if (fetch) valid_q <= 1'b1;
      else if (leave) valid_q <= 1'b0;
      if (leave) count_q <= '0;
      else if (valid_q && !blocked && !(is_frame && count_q[0])) count_q <= count_q + 4'd1;
    end
  end

  // Loops: a stack of first and last instruction and passes left.
  localparam int LevelBits = $clog2(rap_pkg::LoopDepth);
  logic [LevelBits:0] loops_q;
  logic [rap_pkg::LoopDepth-1:0][15:0] first_q, last_q, left_q;
  logic [LevelBits-1:0] top;
  logic at_end, again, push, jump;
  assign top = loops_q[LevelBits-1:0] - LevelBits'(1);
  assign at_end = loops_q != '0 && last_q[top] == pc_q;
  assign again = at_end && left_q[top] != '0;
  assign push = issue_o && op == rap_pkg::OpLOOP;
  assign jump = issue_o && op == rap_pkg::OpJUMP;
  always_ff @(posedge clk_i) begin
    if (rst_i || !running_q) begin
      pc_q <= '0;
      loops_q <= '0;
    end else if (push) begin
      loops_q <= loops_q + (LevelBits + 1)'(1);
    end else if (jump) begin
      pc_q <= jump_to.target;
    end else if (fetch) begin
      pc_q <= again ? first_q[top] : pc_q + 16'd1;
      if (at_end && !again) loops_q <= loops_q - (LevelBits + 1)'(1);
    end
  end
  logic [15:0] left;
  assign left = left_q[top] - 16'd1;
  for (genvar l = 0; l < rap_pkg::LoopDepth; l++) begin : g_loop
    always_ff @(posedge clk_i) begin
      if (push && loops_q[LevelBits-1:0] == LevelBits'(l)) begin
        first_q[l] <= pc_q;
        last_q[l]  <= body.last;
        left_q[l]  <= body.count;
      end else if (!push && fetch && again && top == LevelBits'(l)) begin
        left_q[l] <= left;
      end
    end
  end

  ram_sdp #(
      .Width(64),
      .Depth(Words)
  ) u_code (
      .clk_i,
      .we_i,
      .waddr_i,
      .wdata_i,
      .re_i   (fetch),
      .raddr_i(pc_q[AddrBits-1:0]),
      .rdata_o(instr_o)
  );
  logic unused;
  assign unused = ^{stream, shape};
  assign running_o = running_q;
  assign blocked_o = blocked;
  assign leave_o = leave;
  assign end_o = leave && (op == rap_pkg::OpOUT || op == rap_pkg::OpHALT);
endmodule
