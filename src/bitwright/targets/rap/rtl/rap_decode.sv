// SPDX-License-Identifier: Apache-2.0
// An instruction to what the elements do with it (rap_types.svh); combinational.
module rap_decode (
    input  logic        issue_i,
    input  logic [63:0] instr_i,
    input  logic        half_i,
    input  logic [15:0] fresh_i,
    output logic [54:0] op_o,
    output logic        is_acc_o,   // works on an accumulator
    output logic        bus_a_o,    // takes a word of stream A
    output logic        bus_b_o
);
  `include "rap_isa.svh"
  `include "rap_types.svh"
  logic [5:0] op;
  logic is_acc, is_load, shifts;
  assign op = instr_i[5:0];
  assign is_acc = op == OpMAC || op == OpMACL || op == OpMAXL;
  assign is_load = is_acc || op == OpFETCH;
  assign shifts = op == OpSHR || op == OpSHL || op == OpSAT;
  localparam int Shift = LsbMAC_afrom - LsbFETCH_afrom;  // the load fields of MAC lie that much higher
  logic [63:0] loads;
  assign loads = is_acc ? instr_i >> Shift : instr_i;

  op_t d;
  logic bus_b;
  assign bus_b = issue_i && is_load && loads[LsbFETCH_bfrom];
  always_comb begin
    d.load_a = issue_i && ((is_load && loads[LsbFETCH_afrom+:3] != '0) || op == OpMOV || op == OpLDA);
    d.load_a_to = loads[LsbFETCH_aload+:4];
    d.from = loads[LsbFETCH_afrom+:3];
    d.pass = loads[LsbFETCH_aread+:4];
    d.load_b = bus_b || (issue_i && op == OpLDB);
    d.load_b_to = loads[LsbFETCH_bload+:3];
    if (op == OpMOV) begin
      d.load_a_to = instr_i[LsbMOV_ad+:4];
      d.from = instr_i[LsbMOV_of+:3];
      d.pass = instr_i[LsbMOV_as+:4];
    end
    if (op == OpLDA) begin
      d.load_a_to = instr_i[LsbLDA_ad+:4];
      d.from = 3'd1;
    end
    if (op == OpLDB) d.load_b_to = instr_i[LsbLDB_bd+:3];

    d.read_a = instr_i[LsbADD_as+:4];
    if (is_acc) d.read_a = instr_i[LsbMAC_as+:4];
    if (op == OpMOVB) d.read_a = instr_i[LsbMOVB_as+:4];
    if (op == OpST) d.read_a = instr_i[LsbST_as+:4];
    d.read_b = is_acc ? instr_i[LsbMAC_bs+:3] : instr_i[LsbADD_bs+:3];

    d.op = op;
    d.result_a = issue_i && op >= OpADD && op <= OpGET;
    d.result_b = issue_i && op == OpMOVB;
    d.result_to = op == OpMOVB ? {1'b0, instr_i[LsbMOVB_bd+:3]} : instr_i[LsbADD_ad+:4];
    d.imm = shifts ? instr_i[LsbSHR_shift+:4] : {3'd0, instr_i[LsbADD_sat]};
    d.get = issue_i && op == OpGET;
    d.get_lanes = instr_i[LsbGET_lanes];
    d.get_shift = instr_i[LsbGET_shift+:5];

    d.lanes = op == OpMACL || op == OpMAXL;
    d.update = issue_i && is_acc;
    d.first = fresh_i[instr_i[LsbMAC_acc+:4]];
    d.max = op == OpMAXL;
    d.acc = {half_i, op == OpGET ? instr_i[LsbGET_acc+:4] : instr_i[LsbMAC_acc+:4]};
  end
  assign op_o = d;
  assign is_acc_o = is_acc;
  assign bus_a_o = issue_i && is_load && loads[LsbFETCH_afrom+:3] == 3'd1;
  assign bus_b_o = bus_b;
endmodule
