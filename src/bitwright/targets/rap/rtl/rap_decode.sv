// SPDX-License-Identifier: Apache-2.0
// An instruction to what the elements and their buses do with it; combinational.
module rap_decode (
    input  logic                                           issue_i,
    input  rap_pkg::op_e                                   op_i,
    input  logic                    [rap_pkg::BitsMac-1:0] operands_i,
    input  logic                                           half_i,
    input  logic               [rap_pkg::Accumulators-1:0] fresh_i,
    output rap_pkg::control_t                              control_o,
    output rap_pkg::fetching_t                             fetching_o
);
  rap_pkg::mac_t mac;
  rap_pkg::fetch_t fetch, loads;
  rap_pkg::lda_t lda;
  rap_pkg::ldb_t ldb;
  rap_pkg::mov_t mov;
  rap_pkg::movb_t movb;
  rap_pkg::add_t add;
  rap_pkg::shr_t shr;
  rap_pkg::sat_t sat;
  rap_pkg::get_t get;
  rap_pkg::st_t st;
  assign mac   = operands_i;
  assign fetch = operands_i[rap_pkg::BitsFetch-1:0];
  assign lda   = operands_i[rap_pkg::BitsLda-1:0];
  assign ldb   = operands_i[rap_pkg::BitsLdb-1:0];
  assign mov   = operands_i[rap_pkg::BitsMov-1:0];
  assign movb  = operands_i[rap_pkg::BitsMovb-1:0];
  assign add   = operands_i[rap_pkg::BitsAdd-1:0];
  assign shr   = operands_i[rap_pkg::BitsShr-1:0];
  assign sat   = operands_i[rap_pkg::BitsSat-1:0];
  assign get   = operands_i[rap_pkg::BitsGet-1:0];
  assign st    = operands_i[rap_pkg::BitsSt-1:0];

  logic is_acc, is_load;
  assign is_acc = op_i == rap_pkg::OpMAC || op_i == rap_pkg::OpMACL || op_i == rap_pkg::OpMAXL;
  assign is_load = is_acc || op_i == rap_pkg::OpFETCH;
  assign loads = is_acc ? {mac.bload, mac.bfrom, mac.aread, mac.aload, mac.afrom} : fetch;

  rap_pkg::load_t load;
  always_comb begin
    load.a = issue_i && ((is_load && loads.afrom != rap_pkg::SourceNone) || op_i == rap_pkg::OpMOV
        || op_i == rap_pkg::OpLDA);
    load.a_to = loads.aload;
    load.from = loads.afrom;
    load.pass = loads.aread;
    load.b = issue_i && ((is_load && loads.bfrom) || op_i == rap_pkg::OpLDB);
    load.b_to = loads.bload;
    if (op_i == rap_pkg::OpMOV) begin
      load.a_to = mov.ad;
      load.from = rap_pkg::source_e'(mov.of);
      load.pass = mov.as;
    end
    if (op_i == rap_pkg::OpLDA) begin
      load.a_to = lda.ad;
      load.from = rap_pkg::SourceBus;
    end
    if (op_i == rap_pkg::OpLDB) load.b_to = ldb.bd;
  end

  rap_pkg::operands_t operands;
  rap_pkg::masking_t masking;
  rap_pkg::execute_t execute;
  rap_pkg::update_t update;
  always_comb begin
    operands.a = add.as;
    if (is_acc) operands.a = mac.as;
    if (op_i == rap_pkg::OpMOVB) operands.a = movb.as;
    if (op_i == rap_pkg::OpST) operands.a = st.as;
    operands.b = is_acc ? mac.bs : add.bs;

    masking.op = op_i;
    case (op_i)
      rap_pkg::OpSHR, rap_pkg::OpSHL: masking.imm = shr.shift;
      rap_pkg::OpSAT: masking.imm = sat.bits;
      default: masking.imm = {3'd0, add.sat};
    endcase
    masking.shift = get.shift;

    execute.a = issue_i && op_i >= rap_pkg::OpADD && op_i <= rap_pkg::OpGET;
    execute.b = issue_i && op_i == rap_pkg::OpMOVB;
    execute.to = op_i == rap_pkg::OpMOVB ? {1'b0, movb.bd} : add.ad;
    execute.get = issue_i && op_i == rap_pkg::OpGET;
    execute.get_lanes = get.lanes;
    execute.get_shift = get.shift;

    update.valid = issue_i && is_acc;
    update.lanes = op_i == rap_pkg::OpMACL || op_i == rap_pkg::OpMAXL;
    update.first = fresh_i[mac.acc];
    update.max = op_i == rap_pkg::OpMAXL;
    update.acc = {half_i, op_i == rap_pkg::OpGET ? get.acc : mac.acc};
  end
  assign control_o = {load, operands, masking, execute, update};

  logic unused;
  assign unused = ^{shr, sat, get, st};
  assign fetching_o.a = issue_i && is_load && loads.afrom == rap_pkg::SourceBus;
  assign fetching_o.b = issue_i && is_load && loads.bfrom;
  assign fetching_o.given = op_i == rap_pkg::OpLDA || op_i == rap_pkg::OpLDB;
  assign fetching_o.word = op_i == rap_pkg::OpLDA ? lda.word : ldb.word;
endmodule
