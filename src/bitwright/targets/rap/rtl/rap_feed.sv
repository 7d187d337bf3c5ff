// SPDX-License-Identifier: Apache-2.0
// Banks A and B and what they bring: a word of A for every element and one of B for every column in stage load.
//
// fetching_i and out_i belong to the dispatch, positions to stage position: stream A is placed until stage read, then
// the banks are read, words chosen and turned. LDA and LDB put their word on all buses. load_* and *_we_i write the
// memories while the processor stands still, or while nothing else writes them.
module rap_feed #(
    parameter  int unsigned Size     = 4,
    parameter  int unsigned AWords   = 1024,
    parameter  int unsigned BWords   = 1024,
    localparam int unsigned AAddr    = $clog2(AWords > 2 * Size ? AWords : 2 * Size),
    localparam int unsigned BAddr    = $clog2(BWords),
    localparam int unsigned TurnBits = $clog2(Size)
) (
    input  logic                                          clk_i,
    input  logic                                          running_i,
    input  rap_pkg::fetching_t                            fetching_i,
    input  logic                                          out_i,        // OUT reads row 0
    input  rap_pkg::position_t                            a_i,
    input  rap_pkg::image_t                               image_i,
    input  logic                 [rap_pkg::AddressBits:0] b_addr_i,
    input  logic                                   [15:0] pad_i,
    input  logic                               [Size-1:0] rows_i,
    input  logic                                    [3:0] cols_on_i,    // how many columns are at work
    output logic               [Size-1:0][Size-1:0][15:0] bus_a_o,      // of row and column
    output logic                         [Size-1:0][15:0] bus_b_o,
    output logic                                    [7:0] a_reads_o,    // words read, for the counter
    // results
    input  logic                               [Size-1:0] we_i,
    input  logic                              [AAddr-1:0] waddr_i,
    input  logic                           [TurnBits-1:0] wturn_i,
    input  logic                         [Size-1:0][15:0] wdata_i,
    // loading
    input  logic               [rap_pkg::AddressBits-1:0] load_addr_i,
    input  logic                         [Size-1:0][15:0] load_data_i,  // of every bank
    input  logic                               [Size-1:0] a_we_i,
    input  logic                               [Size-1:0] b_we_i,
    // a line of banks A for external memory, its words of bank b in bus_a_o[b][0]
    input  logic                                          line_i,
    input  logic               [rap_pkg::AddressBits-1:0] line_addr_i
);
  logic [AAddr-1:0] a_addr;
  logic [BAddr-1:0] b_addr;
  logic [TurnBits-1:0] turn, unused_turn;
  logic [Size-1:0] valid, unused_valid;
  rap_place #(
      .Size    (Size),
      .AddrBits(AAddr)
  ) u_place (
      .clk_i,
      .at_i   (a_i),
      .image_i,
      .addr_o (a_addr),
      .turn_o (turn),
      .valid_o(valid),
      .turn2_o(unused_turn),
      .valid2_o(unused_valid)
  );
  logic a_read, b_read, out_read, wide, given;
  logic [15:0] word;
  rap_delay #(
      .Bits  (3),
      .Cycles(rap_pkg::StageRead - rap_pkg::StageDispatch)
  ) u_a_read (
      .clk_i,
      .rst_i(1'b0),
      .d_i({fetching_i.a || out_i, fetching_i.a && fetching_i.wide, out_i}),
      .q_o({a_read, wide, out_read})
  );
  rap_delay #(
      .Cycles(rap_pkg::StageOutput - rap_pkg::StageDispatch)
  ) u_b_read (
      .clk_i,
      .rst_i(1'b0),
      .d_i(fetching_i.b),
      .q_o(b_read)
  );
  rap_delay #(
      .Bits  (BAddr),
      .Cycles(rap_pkg::StageOutput - rap_pkg::StagePosition)
  ) u_b_addr (
      .clk_i,
      .rst_i(1'b0),
      .d_i(b_addr_i[BAddr-1:0]),
      .q_o(b_addr)
  );
  rap_delay #(
      .Bits  (17),
      .Cycles(rap_pkg::StageTurn - rap_pkg::StageDispatch)
  ) u_given (
      .clk_i,
      .rst_i(1'b0),
      .d_i({fetching_i.given, fetching_i.word}),
      .q_o({given, word})
  );

  logic loading, line_q;
  logic [AAddr-1:0] line_addr_q;
  assign loading = !running_i || |a_we_i;
  always_ff @(posedge clk_i) begin
    line_q <= line_i;
    line_addr_q <= line_addr_i[AAddr-1:0];
  end
  rap_banks #(
      .Size (Size),
      .Words(AWords)
  ) u_a (
      .clk_i,
      .re_i   (a_read || line_q),
      .raddr_i(line_q ? line_addr_q : a_addr),
      .wide_i (wide),
      .rturn_i(line_q ? '0 : turn),
      .valid_i(line_q ? '1 : valid),
      .pad_i,
      .given_i(given),
      .word_i (word),
      .data_o (bus_a_o),
      .we_i   (loading ? a_we_i : we_i),
      .waddr_i(loading ? load_addr_i[AAddr-1:0] : waddr_i),
      .wturn_i(loading ? '0 : wturn_i),
      .wdata_i(loading ? load_data_i : wdata_i)
  );
  rap_weights #(
      .Size (Size),
      .Words(BWords)
  ) u_b (
      .clk_i,
      .re_i   (b_read),
      .raddr_i(b_addr),
      .given_i(given),
      .word_i (word),
      .data_o (bus_b_o),
      .we_i   (b_we_i),
      .waddr_i(load_addr_i[BAddr-1:0]),
      .wdata_i(load_data_i)
  );

  logic [3:0] lines_q, words_q;  // lines read, and words of each
  logic [7:0] a_reads_q;
  always_ff @(posedge clk_i) begin
    lines_q <= !a_read ? '0 : out_read ? 4'(valid[0]) : rap_pkg::ones(8'(valid & rows_i));
    words_q <= wide ? cols_on_i : 4'd1;
    a_reads_q <= 8'(lines_q) * 8'(words_q);
  end
  assign a_reads_o = a_reads_q;
  logic unused;
  assign unused = ^{b_addr_i, load_addr_i, line_addr_i};
endmodule
