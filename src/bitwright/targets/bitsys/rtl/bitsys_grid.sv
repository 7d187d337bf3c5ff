// SPDX-License-Identifier: Apache-2.0
// Output-stationary array of elements: operands move right and down, control along the diagonals.
//
// Unit 0: containers of 1 to 8 bits. 1: bit planes of 64 channels. 2: plain 8-bit multiply-accumulate, one channel a
// word, operands as those of containers in mode 3; with DSP blocks its elements are DSPs, without them the baseline of
// the benchmark. 3: the same products, two in one DSP block (bitsys_dsp_grid).
// depthwise_i (all but planes): byte c of row r's word own_i, which comes with its operand, goes to column c alone; of the
// columns behind the first eight nothing counts then.
// Row r's operand a and column c's operand b come r and c cycles after those of row and column 0, with which the control
// comes: mode_i (containers), signs (all but planes), shift_i and negate_i (planes). Element (r, c) works r + c cycles
// later, so one control per diagonal serves all its elements: precision may change with every word. Its sum stands in
// acc_o Latency + r + c cycles after its last word, for at least one cycle: the skew itself buffers the accumulators
// while the next product begins.
module bitsys_grid #(
    parameter int unsigned Unit    = 0,
    parameter int unsigned Rows    = 4,
    parameter int unsigned Columns = 4,
    localparam int unsigned WordBits = Unit == 1 ? 64 : 8,
    localparam int unsigned Latency = Unit == 0 ? 5 : Unit == 1 ? 7 : Unit == 2 ? 3 : 6
) (
    input  logic                        clk_i,
    input  logic                        rst_i,
    input  logic [   WordBits*Rows-1:0] a_i,
    input  logic [         64*Rows-1:0] own_i,
    input  logic                        depthwise_i,
    input  logic [WordBits*Columns-1:0] b_i,
    input  logic [                 1:0] mode_i,
    input  logic                        signed_a_i,
    input  logic                        signed_b_i,
    input  logic                        valid_i,
    input  logic                        first_i,
    input  logic                        shift_i,
    input  logic                        negate_i,
    output logic [ 32*Rows*Columns-1:0] acc_o
);
  localparam int unsigned Diagonals = Rows + Columns - 1;
  localparam int unsigned Length = Diagonals + Latency - 1;
  localparam int unsigned Lanes = 8;  // columns that a word of the row buffers has bytes for
  localparam int unsigned OperandBits = Unit == 2 ? 9 : WordBits;  // plain elements take either sign as a ninth bit

  // Delay k of the control; reset keeps the delays in registers.
  logic [Length-1:0] valid, first, shift, negate;
  logic [Length-1:1] valid_q, first_q, shift_q, negate_q;
  assign valid  = {valid_q, valid_i};
  assign first  = {first_q, first_i};
  assign shift  = {shift_q, shift_i};
  assign negate = {negate_q, negate_i};
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      {valid_q, first_q, shift_q, negate_q} <= '0;
    end else begin
      valid_q  <= valid[Length-2:0];
      first_q  <= first[Length-2:0];
      shift_q  <= shift[Length-2:0];
      negate_q <= negate[Length-2:0];
    end
  end

  // What the containers' control becomes for each diagonal.
  logic [ 5*Diagonals-1:0] operand;
  logic [15*Diagonals-1:0] invert;
  logic [ 4*Diagonals-1:0] constant;
  if (Unit == 0) begin : g_decode
    bitsys_container_decode u_decode (
        .clk_i(clk_i),
        .en_i(1'b1),
        .busy_i(1'b0),
        .ready_i(1'b1),
        .mode_i(mode_i),
        .signed_a_i(signed_a_i),
        .signed_b_i(signed_b_i),
        .operand_o(operand[4:0]),
        .invert_o(invert[14:0]),
        .constant_o(constant[3:0])
    );
    for (genvar d = 1; d < Diagonals; d++) begin : g_delay
      logic [23:0] word_q;
      always_ff @(posedge clk_i) word_q <= {operand[5*(d-1)+:5], invert[15*(d-1)+:15], constant[4*(d-1)+:4]};
      assign {operand[5*d+:5], invert[15*d+:15], constant[4*d+:4]} = word_q;
    end
  end else begin : g_no_decode
    assign {operand, invert, constant} = '0;
  end

  if (Unit == 3) begin : g_dsp
    bitsys_dsp_grid #(
        .Rows(Rows),
        .Columns(Columns)
    ) u_pairs (
        .clk_i(clk_i),
        .a_i(a_i),
        .own_i(own_i),
        .depthwise_i(depthwise_i),
        .b_i(b_i),
        .signed_a_i(signed_a_i),
        .signed_b_i(signed_b_i),
        .valid_i(valid),
        .first_i(first),
        .acc_o(acc_o)
    );
  end
  for (genvar r = 0; r < (Unit == 3 ? 0 : Rows); r++) begin : g_row
    // keep: each row has a bit of its own, near its elements.
    (* keep *) logic depthwise_q;
    always_ff @(posedge clk_i) depthwise_q <= depthwise_i;
    for (genvar c = 0; c < Columns; c++) begin : g_column
      logic [OperandBits-1:0] a, b, a_next, b_next;
      if (Unit != 1 && c < Lanes) begin : g_own
        // Byte c, c cycles later.
        logic [7:0] byte_q[c+1];
        assign byte_q[0] = own_i[64*r+8*c+:8];
        for (genvar k = 0; k < c; k++) begin : g_delay
          always_ff @(posedge clk_i) byte_q[k+1] <= byte_q[k];
        end
        logic [OperandBits-1:0] passed;
        if (c == 0) begin : g_a_edge
          assign passed = OperandBits'({signed_a_i && a_i[WordBits*r+WordBits-1], a_i[WordBits*r+:WordBits]});
        end else begin : g_a
          assign passed = g_row[r].g_column[c-1].a_next;
        end
        assign a = depthwise_q ? OperandBits'({signed_a_i && byte_q[c][7], byte_q[c]}) : passed;
      end else if (c == 0) begin : g_a_edge
        assign a = OperandBits'({signed_a_i && a_i[WordBits*r+WordBits-1], a_i[WordBits*r+:WordBits]});
      end else begin : g_a
        assign a = g_row[r].g_column[c-1].a_next;
      end
      if (r == 0) begin : g_b_edge
        assign b = OperandBits'({signed_b_i && b_i[WordBits*c+WordBits-1], b_i[WordBits*c+:WordBits]});
      end else begin : g_b
        assign b = g_row[r-1].g_column[c].b_next;
      end
      if (Unit == 0) begin : g_container
        bitsys_container_pe u_pe (
            .clk_i(clk_i),
            .en_i(1'b1),
            .a_i(a),
            .b_i(b),
            .operand_i(operand[5*(r+c)+:5]),
            .invert_i(invert[15*(r+c)+:15]),
            .constant_i(constant[4*(r+c)+:4]),
            .valid_i(valid[r+c+Latency-1]),
            .first_i(first[r+c+Latency-1]),
            .a_o(a_next),
            .b_o(b_next),
            .acc_o(acc_o[32*(Columns*r+c)+:32])
        );
      end else if (Unit == 1) begin : g_planes
        bitsys_bitplane_pe u_pe (
            .clk_i(clk_i),
            .en_i(1'b1),
            .a_i(a),
            .b_i(b),
            .negate_i(negate[r+c+Latency-2]),
            .negate_acc_i(negate[r+c+Latency-1]),
            .valid_i(valid[r+c+Latency-1]),
            .first_i(first[r+c+Latency-1]),
            .shift_i(shift[r+c+Latency-1]),
            .a_o(a_next),
            .b_o(b_next),
            .acc_o(acc_o[32*(Columns*r+c)+:32])
        );
      end else begin : g_fixed
        logic signed [8:0] a_q, b_q;
        logic signed [17:0] product_q;
        logic signed [31:0] acc_q;
        always_ff @(posedge clk_i) begin
          a_q <= a;
          b_q <= b;
          product_q <= a_q * b_q;
          if (valid[r+c+Latency-1]) acc_q <= 32'(product_q) + (first[r+c+Latency-1] ? 32'sd0 : acc_q);
        end
        assign a_next = a_q;
        assign b_next = b_q;
        assign acc_o[32*(Columns*r+c)+:32] = acc_q;
      end
    end
  end
  logic unused;
  assign unused = &{1'b0, mode_i, operand, invert, constant, shift, negate, own_i, depthwise_i, valid, first};
endmodule
