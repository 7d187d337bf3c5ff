// SPDX-License-Identifier: Apache-2.0
// An instruction at its issue to what the units do with it at its dispatch, one cycle later.
//
// strobes_o are 1 for the cycle of the dispatch alone. instr_o, and what else stands in control_o and fetching_o, stay
// until the next dispatch: operations of several cycles find their operands held.
module rap_decode (
    input  logic                                           clk_i,
    input  logic                                           rst_i,
    input  logic                                           issue_i,
    input  rap_pkg::instr_t                                instr_i,
    input  logic                                           half_i,
    input  logic               [rap_pkg::Accumulators-1:0] fresh_i,
    output rap_pkg::strobes_t                              strobes_o,
    output rap_pkg::instr_t                                instr_o,
    output rap_pkg::control_t                              control_o,
    output rap_pkg::fetching_t                             fetching_o
);
  // Issue.
  rap_pkg::op_e next;
  rap_pkg::mac_t next_mac;
  rap_pkg::fetch_t next_fetch;
  rap_pkg::source_e from;
  rap_pkg::strobes_t strobes, strobes_q;
  rap_pkg::instr_t instr_q;
  logic loads;
  assign next = instr_i.op;
  assign next_mac = instr_i.operands[rap_pkg::BitsMac-1:0];
  assign next_fetch = instr_i.operands[rap_pkg::BitsFetch-1:0];
  assign loads = strobes.accumulate || next == rap_pkg::OpFETCH;
  assign from = strobes.accumulate ? next_mac.afrom : next_fetch.afrom;
  always_comb begin
    strobes.width = next == rap_pkg::OpWIDTH;
    strobes.mask = next == rap_pkg::OpMASK;
    strobes.pad = next == rap_pkg::OpPAD;
    strobes.shape = next == rap_pkg::OpSHAPE;
    strobes.stream = next == rap_pkg::OpSTREAM;
    strobes.level = next == rap_pkg::OpLEVEL;
    strobes.accumulate = next == rap_pkg::OpMAC || next == rap_pkg::OpMACL || next == rap_pkg::OpMAXL;
    strobes.a_bus = loads && (from == rap_pkg::SourceBus || from == rap_pkg::SourceWide);
    strobes.b_bus = loads && (strobes.accumulate ? next_mac.bfrom : next_fetch.bfrom);
    strobes.given = next == rap_pkg::OpLDA || next == rap_pkg::OpLDB;
    strobes.a_load = (loads && from != rap_pkg::SourceNone) || next == rap_pkg::OpMOV || next == rap_pkg::OpLDA;
    strobes.b_load = strobes.b_bus || next == rap_pkg::OpLDB;
    strobes.a_write = next >= rap_pkg::OpADD && next <= rap_pkg::OpUNPH;
    strobes.b_write = next == rap_pkg::OpMOVB;
    strobes.get = next == rap_pkg::OpGET;
    strobes.post = next == rap_pkg::OpPOST;
    strobes.limit = next == rap_pkg::OpLIMIT;
    strobes.drain = next == rap_pkg::OpDRAIN;
    strobes.st = next == rap_pkg::OpST;
    strobes.receive = next == rap_pkg::OpIN;
    strobes.send = next == rap_pkg::OpOUT;
    strobes.ldm = next == rap_pkg::OpLDM;
    strobes.stm = next == rap_pkg::OpSTM;
    strobes.waitm = next == rap_pkg::OpWAITM;
  end
  always_ff @(posedge clk_i) begin
    strobes_q <= issue_i && !rst_i ? strobes : '0;
    if (issue_i) instr_q <= instr_i;
  end

  // Dispatch.
  rap_pkg::op_e op;
  rap_pkg::mac_t mac;
  rap_pkg::fetch_t fetch;
  rap_pkg::lda_t lda;
  rap_pkg::ldb_t ldb;
  rap_pkg::mov_t mov;
  rap_pkg::movb_t movb;
  rap_pkg::add_t add;
  rap_pkg::shr_t shr;
  rap_pkg::sat_t sat;
  rap_pkg::get_t get;
  rap_pkg::st_t st;
  assign op = instr_q.op;
  assign mac = instr_q.operands[rap_pkg::BitsMac-1:0];
  assign lda = instr_q.operands[rap_pkg::BitsLda-1:0];
  assign ldb = instr_q.operands[rap_pkg::BitsLdb-1:0];
  assign mov = instr_q.operands[rap_pkg::BitsMov-1:0];
  assign movb = instr_q.operands[rap_pkg::BitsMovb-1:0];
  assign add = instr_q.operands[rap_pkg::BitsAdd-1:0];
  assign shr = instr_q.operands[rap_pkg::BitsShr-1:0];
  assign sat = instr_q.operands[rap_pkg::BitsSat-1:0];
  assign get = instr_q.operands[rap_pkg::BitsGet-1:0];
  assign st = instr_q.operands[rap_pkg::BitsSt-1:0];
  logic is_acc;
  assign is_acc = op == rap_pkg::OpMAC || op == rap_pkg::OpMACL || op == rap_pkg::OpMAXL;
  always_comb begin
    fetch = instr_q.operands[rap_pkg::BitsFetch-1:0];
    if (is_acc) fetch = {mac.bload, mac.bfrom, mac.aread, mac.aload, mac.afrom};
  end

  rap_pkg::load_t load;
  always_comb begin
    load.a = strobes_q.a_load;
    load.a_to = fetch.aload;
    load.from = fetch.afrom == rap_pkg::SourceWide ? rap_pkg::SourceBus : fetch.afrom;
    load.pass = fetch.aread;
    load.b = strobes_q.b_load;
    load.b_to = fetch.bload;
    if (op == rap_pkg::OpMOV) begin
      load.a_to = mov.ad;
      load.from = rap_pkg::source_e'(mov.of);
      load.pass = mov.as;
    end
    if (op == rap_pkg::OpLDA) begin
      load.a_to = lda.ad;
      load.from = rap_pkg::SourceBus;
    end
    if (op == rap_pkg::OpLDB) load.b_to = ldb.bd;
  end

  rap_pkg::operands_t operands;
  rap_pkg::masking_t masking;
  rap_pkg::write_t write;
  rap_pkg::update_t update;
  always_comb begin
    operands.a = add.as;
    if (is_acc) operands.a = mac.as;
    if (op == rap_pkg::OpMOVB) operands.a = movb.as;
    if (op == rap_pkg::OpST) operands.a = st.as;
    operands.b = is_acc ? mac.bs : add.bs;

    masking.op = op;
    case (op)
      rap_pkg::OpSHR, rap_pkg::OpSHL: masking.imm = shr.shift;
      rap_pkg::OpSAT: masking.imm = sat.bits;
      default: masking.imm = {3'd0, add.sat};
    endcase
    masking.lanes = get.lanes;
    masking.shift = get.shift;

    write.a = strobes_q.a_write;
    write.b = strobes_q.b_write;
    write.get = strobes_q.get;
    write.to = op == rap_pkg::OpMOVB ? {1'b0, movb.bd} : add.ad;

    update.valid = strobes_q.accumulate;
    update.lanes = op == rap_pkg::OpMACL || op == rap_pkg::OpMAXL;
    update.first = strobes_q.accumulate && fresh_i[mac.acc];
    update.max = op == rap_pkg::OpMAXL;
    update.acc = {half_i, op == rap_pkg::OpGET ? get.acc : mac.acc};
  end
  assign strobes_o = strobes_q;
  assign instr_o = instr_q;
  assign control_o = {load, operands, masking, write, update};
  always_comb begin
    fetching_o.a = strobes_q.a_bus;
    fetching_o.b = strobes_q.b_bus;
    fetching_o.given = strobes_q.given;
    fetching_o.wide = fetch.afrom == rap_pkg::SourceWide;
    fetching_o.word = op == rap_pkg::OpLDA ? lda.word : ldb.word;
  end

  logic unused;
  assign unused = ^{next_mac, next_fetch, fetch, shr, sat, get, st};
endmodule
