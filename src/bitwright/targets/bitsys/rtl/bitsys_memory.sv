// SPDX-License-Identifier: Apache-2.0
// Activation memory: 64-bit words in eight byte lanes, read and written by groups of eight channels.
//
// Byte b of word A lies in lane (b + A) mod 8, so that the same byte of consecutive words lies in different lanes:
// a group is n bytes of one word (containers), or byte b of n consecutive words (Planes, one word a bit plane), and
// either takes one cycle. Words are read as a whole with rgroup_i = 0 and rbyte_i = 0; what is read begins at byte
// rbyte_i of word raddr_i. What is written is a half of 8 bits of group wgroup_i of the pixel at wpixel_i, or both with several
// PortWords.
// PortWords words are read at once, from word raddr_i on: word k in bits 64 * k. Word A lies in bank A mod PortWords, which
// has every PortWords-th word of each lane; with more than one, Planes must be 0.
// Latency of a read 5 cycles; what is written can be read 5 cycles later. One read and one write a cycle.
// With External, a word whole is written where wword_i, or read in place of a write where word_re_i: 7 cycles to word_valid_o.
module bitsys_memory #(
    parameter int unsigned Depth  = 1024,
    parameter bit          Planes = 1'b0,
    parameter bit          External = 1'b0,
    parameter int unsigned PortWords = 1
) (
    input  logic        clk_i,
    input  logic        rgroup_i,
    input  logic [15:0] raddr_i,
    input  logic [ 2:0] rbyte_i,
    output logic [64*PortWords-1:0] rdata_o,
    input  logic        we_i,
    input  logic [15:0] wpixel_i,
    input  logic [11:0] wgroup_i,
    input  logic [ 3:0] wstored_i,
    input  logic        wwide_i,
    input  logic        whalf_i,
    input  logic [63:0] welements_i,
    input  logic [63:0] whigh_i,
    input  logic        wword_i,
    input  logic        word_re_i,
    output logic        word_valid_o,
    output logic [63:0] word_o
);
  if (PortWords == 0 || (PortWords & (PortWords - 1)) != 0 || PortWords > 8 || (Planes && PortWords > 1)) begin : g_illegal
    $error("bitsys_memory: PortWords 1, 2, 4, 8 are legal, with Planes 1");
  end
  localparam int unsigned BankBits = $clog2(PortWords);
  localparam int unsigned AddrBits = $clog2(Depth / PortWords);
  logic [8*PortWords-1:0] we;
  logic [128*PortWords-1:0] waddr;
  logic [64*PortWords-1:0] wdata;
  bitsys_write #(
      .Planes(Planes),
      .PortWords(PortWords)
  ) u_write (
      .clk_i,
      .we_i,
      .pixel_i(wpixel_i),
      .group_i(wgroup_i),
      .stored_i(wstored_i),
      .wide_i(wwide_i),
      .half_i(whalf_i),
      .word_i(wword_i),
      .elements_i(welements_i),
      .high_i(whigh_i),
      .we_o(we),
      .addr_o(waddr),
      .data_o(wdata)
  );

  // Addresses in registers of their own, the memory's two, one of what its blocks yield, rotation.
  // first: the bank of the first word, one by one for the four cycles from the address on.
  logic [2:0] turn, turn_q, turn_qq, turn_qqq;
  logic [11:0] first;
  logic [64*PortWords-1:0] lanes_q, rdata_q;
  logic [63:0] shared;
  logic [2:0] word_turn;
  logic [23:0] from_q;
  assign turn = rbyte_i + raddr_i[2:0];
  assign first[2:0] = raddr_i[2:0] & 3'(PortWords - 1);
  always_ff @(posedge clk_i) begin
    {turn_q, turn_qq, turn_qqq} <= {turn, turn_q, turn_qq};
    first[11:3] <= first[8:0];
  end
  for (genvar l = 0; l < 8; l++) begin : g_lane
    logic [2:0] index;
    logic [8*PortWords-1:0] lane, written;
    assign index = 3'(l) - turn;
    for (genvar b = 0; b < PortWords; b++) begin : g_bank
      logic [AddrBits-1:0] raddr_q;
      logic [15:0] raddr;
      assign raddr = Planes && rgroup_i ? raddr_i + {13'd0, index} : raddr_i;
      // keep: lanes with the same address each have theirs, near their blocks. Banks before that of the first word have words
      // of a round further.
      (* keep *)
      always_ff @(posedge clk_i) raddr_q <= raddr[BankBits+:AddrBits] + AddrBits'(3'(b) < first[2:0]);
      if (External) begin : g_shared
        ram_shared #(
            .Width(8),
            .Depth(Depth / PortWords)
        ) u_ram (
            .clk_i,
            .raddr_i(raddr_q),
            .rdata_o(lane[8*b+:8]),
            .we_i(we[8*b+l]),
            .addr_i(waddr[16*(8*b+l)+BankBits+:AddrBits]),
            .wdata_i(wdata[8*(8*b+l)+:8]),
            .data_o(written[8*b+:8])
        );
      end else begin : g_apart
        ram_sdp #(
            .Width(8),
            .Depth(Depth / PortWords),
            .Latency(2)
        ) u_ram (
            .clk_i,
            .we_i(we[8*b+l]),
            .waddr_i(waddr[16*(8*b+l)+BankBits+:AddrBits]),
            .wdata_i(wdata[8*(8*b+l)+:8]),
            .re_i(1'b1),
            .raddr_i(raddr_q),
            .rdata_o(lane[8*b+:8])
        );
        assign written[8*b+:8] = 8'd0;
      end
    end
    // Byte l of a word comes from the lane that it lies in, that of the word behind from the next one.
    logic [2:0] bank;
    assign bank = word_turn & 3'(PortWords - 1);
    assign shared[8*l+:8] = written[8*bank+:8];
    always_ff @(posedge clk_i) from_q[3*l+:3] <= 3'(l) + turn_qqq;
    for (genvar k = 0; k < PortWords; k++) begin : g_word
      logic [2:0] of_word;
      assign of_word = (first[11:9] + 3'(k)) & 3'(PortWords - 1);
      always_ff @(posedge clk_i) begin
        lanes_q[64*k+8*l+:8] <= lane[8*of_word+:8];
        rdata_q[64*k+8*l+:8] <= lanes_q[64*k+8*from_q[3*((l+k)%8)+:3]+:8];
      end
    end
  end
  assign rdata_o = rdata_q;

  // A word read at the write port: four cycles to the lanes' addresses, two of the memory, rotation.
  if (External) begin : g_word
    logic [6:0] word_re_q;
    logic [2:0] word_turn_q[6];
    logic [63:0] word_q;
    always_ff @(posedge clk_i) begin
      word_re_q <= {word_re_q[5:0], word_re_i};
      word_turn_q[0] <= wpixel_i[2:0];
      for (int k = 1; k < 6; k++) word_turn_q[k] <= word_turn_q[k-1];
      for (int b = 0; b < 8; b++) word_q[8*b+:8] <= shared[8*3'(3'(b)+word_turn)+:8];
    end
    assign word_turn = word_turn_q[5];
    assign word_valid_o = word_re_q[6];
    assign word_o = word_q;
  end else begin : g_no_word
    assign {word_valid_o, word_o, word_turn} = '0;
    logic unused;
    assign unused = ^{word_re_i, shared};
  end
endmodule
