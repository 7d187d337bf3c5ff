// SPDX-License-Identifier: Apache-2.0
// Fetches instructions, runs the loops, waits where an instruction has to wait.
//
// instr_o is the instruction at hand; issue_o marks the one cycle in which it takes effect. Loops cost no cycle beyond
// those of LOOP. The cycles of each instruction are those of the table of instructions.
module rap_sequencer #(
    parameter int unsigned Words = 4096,
    localparam int unsigned AddrBits = $clog2(Words)
) (
    input  logic                clk_i,
    input  logic                rst_i,
    input  logic                start_i,
    input  logic                we_i,        // loading
    input  logic [AddrBits-1:0] waddr_i,
    input  logic [        63:0] wdata_i,
    input  logic                idle_i,      // no slot is at work
    input  logic                free_i,      // the last DRAIN has read its accumulators
    input  logic                in_done_i,
    input  logic                out_done_i,
    output logic                running_o,
    output logic [        63:0] instr_o,
    output logic                issue_o,
    output logic                blocked_o,
    output logic                leave_o,
    output logic                end_o        // OUT or HALT leaves
);
  `include "rap_isa.svh"
  localparam int Depth = 4;

  logic running_q, valid_q;
  logic [15:0] pc_q;  // the next to fetch
  logic [ 5:0] op;
  assign op = instr_o[5:0];

  // How long the instruction stays, and when it takes effect.
  logic [3:0] count_q, total, effect;
  logic need_idle, need_free, is_frame, is_setup;
  always_comb begin
    total = 4'd0;
    effect = 4'd0;
    case (op)
      OpLOOP, OpJUMP: total = 4'd1;
      OpMOVB, OpADD, OpSUB, OpMAX, OpMIN, OpSHR, OpSHL, OpSAT, OpPACK, OpUNPL, OpUNPH: total = 4'd2;
      OpGET: begin
        total  = 4'd4;
        effect = 4'd2;
      end
      OpHALT, OpWIDTH, OpMASK, OpPAD, OpSHAPE: begin
        total  = 4'd7;
        effect = 4'd7;
      end
      default: total = 4'd0;
    endcase
  end
  assign is_setup = op == OpSTREAM || op == OpLEVEL;
  assign is_frame = op == OpIN || op == OpOUT;
  assign need_idle = op == OpWAIT || op == OpPOST || op == OpLIMIT || op == OpST || op == OpHALT || is_frame
      || (is_setup && instr_o[LsbSTREAM_stream+:BitsSTREAM_stream] >= 3'd2)
      || (op == OpSHAPE && instr_o[LsbSHAPE_stream+:BitsSHAPE_stream] >= 2'd2);
  assign need_free = op == OpDRAIN;

  logic blocked, leave, fetch, frame_done;
  assign blocked = valid_q && count_q == '0 && ((need_idle && !idle_i) || (need_free && !free_i));
  assign frame_done = op == OpIN ? in_done_i : out_done_i;
  assign leave = valid_q && !blocked && (is_frame ? frame_done : count_q == total);
  assign issue_o = valid_q && !blocked && count_q == effect;
  assign fetch = running_q && (!valid_q || (leave && op != OpHALT));
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      running_q <= 1'b0;
      valid_q   <= 1'b0;
      count_q   <= '0;
    end else begin
      if (start_i && !running_q) running_q <= 1'b1;
      else if (leave && op == OpHALT) running_q <= 1'b0;
      if (fetch) valid_q <= 1'b1;
      else if (leave) valid_q <= 1'b0;
      if (leave) count_q <= '0;
      else if (valid_q && !blocked && !(is_frame && count_q[0])) count_q <= count_q + 4'd1;
    end
  end

  // Loops: a stack of first and last instruction and passes left.
  logic [2:0] loops_q;
  logic [Depth*16-1:0] first_q, last_q, left_q;
  logic [1:0] top;
  logic at_end, again;
  assign top = loops_q[1:0] - 2'd1;
  assign at_end = loops_q != '0 && last_q[16*top+:16] == pc_q;
  assign again = at_end && left_q[16*top+:16] != '0;
  logic push, jump;
  assign push = issue_o && op == OpLOOP;
  assign jump = issue_o && op == OpJUMP;
  always_ff @(posedge clk_i) begin
    if (rst_i || !running_q) begin
      pc_q <= '0;
      loops_q <= '0;
    end else if (push) begin
      loops_q <= loops_q + 3'd1;
    end else if (jump) begin
      pc_q <= instr_o[LsbJUMP_target+:BitsJUMP_target];
    end else if (fetch) begin
      pc_q <= again ? first_q[16*top+:16] : pc_q + 16'd1;
      if (at_end && !again) loops_q <= loops_q - 3'd1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (push) begin
      first_q[16*loops_q[1:0]+:16] <= pc_q;
      last_q[16*loops_q[1:0]+:16]  <= instr_o[LsbLOOP_end+:BitsLOOP_end];
      left_q[16*loops_q[1:0]+:16]  <= instr_o[LsbLOOP_count+:BitsLOOP_count];
    end else if (fetch && again) begin
      left_q[16*top+:16] <= left_q[16*top+:16] - 16'd1;
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
  assign running_o = running_q;
  assign blocked_o = blocked;
  assign leave_o = leave;
  assign end_o = leave && (op == OpOUT || op == OpHALT);
endmodule
