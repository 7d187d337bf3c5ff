// SPDX-License-Identifier: Apache-2.0
// Post stage: eight channels at a time through thresholds or a table, then multiplier, bias, rounding and clamp.
//
// group_i comes a cycle before the values. A group may enter every cycle without a table, with a table of results and with
// a single threshold. The number of 2^B - 1 thresholds that are not greater than the value is found by binary search, a
// comparison every third cycle: three groups take turns. Groups enter B or more cycles apart; the distances are one number
// and multiples of 3 more, which is no multiple of 3 unless it is at least 3B.
// A channel's thresholds ascend from entry 0 on; table_base is a multiple of a channel's entries.
// Latency 11 cycles and the multiplier's, and 3B more with thresholds, 2 more with a table of results.
// Memories are written through the control bus, lane k's 1 + k cycles later: lanes pass the words on.
// Python: Threshold, Lookup, Requantize.
module bitsys_post #(
    parameter int unsigned ParamGroups    = 256,
    parameter int unsigned TableEntries   = 1024,
    parameter int unsigned MultiplierBits = 25
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic [32*28-1:0] layer_i,
    input  logic             param_we_i,
    input  logic             table_we_i,
    input  logic [     18:0] windex_i,
    input  logic [     31:0] wdata_i,
    input  logic             valid_i,
    input  logic [    255:0] value_i,
    input  logic [     15:0] group_i,
    input  logic [     15:0] pixel_i,
    output logic             busy_o,
    output logic             valid_o,
    output logic [    255:0] code_o,
    output logic [     15:0] group_o,
    output logic [     15:0] pixel_o
);
  `include "bitsys_registers.svh"
  localparam int unsigned ParamBits = $clog2(ParamGroups);
  localparam int unsigned TableBits = $clog2(TableEntries);
  localparam int unsigned Multiply = 2 + 1 + (MultiplierBits > 18 ? 1 : 0);  // latency of multiply_pipe
  localparam int unsigned Depth = Multiply + 9;  // from x_q on
  // Of the layer, whose first group comes long after its start.
  logic [3:0] table_bits, table_bits_q;
  logic has_table_q, lookup_q, single_q;
  logic [TableBits-1:0] table_base_q;
  logic [7:0] mask_q, first_bit_q;  // of a channel's entries; the bit that the first comparison decides
  assign table_bits = layer_i[FTableBits+:WTableBits];
  always_ff @(posedge clk_i) begin
    table_bits_q <= table_bits;
    table_base_q <= layer_i[FTableBase+:TableBits];
    has_table_q <= table_bits != 4'd0;
    lookup_q <= layer_i[FLookup];
    single_q <= layer_i[FLookup] || table_bits == 4'd1;
    mask_q <= ~(8'hFF << table_bits);
    first_bit_q <= layer_i[FLookup] ? 8'd0 : 8'd1 << 3'(table_bits - 4'd1);
  end

  // A group is in enter, which reads its first entry, then by turns in wait, in turn, where the entry has come and is
  // compared, and in move, which reads the next one. bit_q: what the comparison decides; last_q: there is no further one.
  logic enter_valid_q, wait_valid_q, wait_last_q, turn_valid_q, turn_last_q, move_valid_q, move_last_q;
  logic turn_goes_on, move_goes_on;
  logic [7:0] wait_bit_q, turn_bit_q, move_bit_q, read_bit_q;
  logic [255:0] enter_q, wait_q, turn_q, move_q, x_q;
  logic [31:0] enter_place_q, wait_place_q, turn_place_q, move_place_q, x_place_q;
  logic [15:0] group_q;
  logic [TableBits-1:0] shifted_q, first_entry;
  logic x_valid_q;
  assign turn_goes_on = turn_valid_q && !turn_last_q;
  assign move_goes_on = move_valid_q && !move_last_q;
  assign first_entry = table_base_q + shifted_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      enter_valid_q <= 1'b0;
      wait_valid_q <= 1'b0;
      turn_valid_q <= 1'b0;
      move_valid_q <= 1'b0;
      x_valid_q <= 1'b0;
    end else begin
      enter_valid_q <= valid_i;
      wait_valid_q <= move_goes_on || (enter_valid_q && has_table_q);
      turn_valid_q <= wait_valid_q;
      move_valid_q <= turn_valid_q && !lookup_q;
      x_valid_q <= !has_table_q ? enter_valid_q : lookup_q ? turn_valid_q : move_valid_q && move_last_q;
    end
  end
  always_ff @(posedge clk_i) begin
    group_q <= group_i;
    shifted_q <= TableBits'(group_i) << table_bits_q;
    enter_q <= value_i;
    enter_place_q <= {group_q, pixel_i};
    wait_q <= move_goes_on ? move_q : enter_q;
    wait_place_q <= move_goes_on ? move_place_q : enter_place_q;
    wait_bit_q <= move_goes_on ? move_bit_q >> 1 : first_bit_q;
    wait_last_q <= move_goes_on ? move_bit_q[1] : single_q;
    {turn_q, turn_place_q, turn_bit_q, turn_last_q} <= {wait_q, wait_place_q, wait_bit_q, wait_last_q};
    {move_q, move_place_q, move_bit_q, move_last_q} <= {turn_q, turn_place_q, turn_bit_q, turn_last_q};
    read_bit_q <= turn_goes_on ? turn_bit_q : 8'd0;
    x_place_q <= !has_table_q ? enter_place_q : lookup_q ? turn_place_q : move_place_q;
  end

  // Beside the lanes.
  logic [Depth:0] valid_q;
  logic [(Depth+1)*32-1:0] place_q;
  assign valid_q[0] = x_valid_q;
  assign place_q[31:0] = x_place_q;
  for (genvar d = 0; d < Depth; d++) begin : g_delay
    logic v_q;
    logic [31:0] p_q;
    always_ff @(posedge clk_i) begin
      v_q <= valid_q[d] && !rst_i;
      p_q <= place_q[32*d+:32];
    end
    assign valid_q[d+1] = v_q;
    assign place_q[32*(d+1)+:32] = p_q;
  end

  // Parameters: the multiplier comes with x a register later, bias and shift a cycle before the product.
  logic [ParamBits-1:0] param_base_q;
  logic [Multiply*ParamBits-1:0] param_addr_q;
  always_ff @(posedge clk_i) begin
    param_base_q <= layer_i[FParamBase+:ParamBits];
    param_addr_q[ParamBits-1:0] <= param_base_q + (!has_table_q ? group_i[ParamBits-1:0]
      : lookup_q ? enter_place_q[16+:ParamBits] : wait_place_q[16+:ParamBits]);
    param_addr_q[ParamBits+:(Multiply-1)*ParamBits] <= param_addr_q[0+:(Multiply-1)*ParamBits];
  end

  localparam int unsigned IndexBits = ParamBits + 5 > TableBits + 3 ? ParamBits + 5 : TableBits + 3;
  localparam int unsigned WriteBits = 2 + IndexBits + 32;
  logic [9*WriteBits-1:0] write;
  assign write[WriteBits-1:0] = {param_we_i, table_we_i, windex_i[IndexBits-1:0], wdata_i};
  for (genvar k = 0; k < 8; k++) begin : g_lane
    logic param_we_q, table_we_q;
    logic [IndexBits-1:0] windex_q;
    logic [31:0] wdata_q, x_qq;
    logic [ParamBits-1:0] addr_q, late_addr_q;  // of the multiplier, of the rest
    always_ff @(posedge clk_i) begin
      {param_we_q, table_we_q, windex_q, wdata_q} <= write[WriteBits*k+:WriteBits];
      x_qq <= x_q[32*k+:32];
    end
    assign write[WriteBits*(k+1)+:WriteBits] = {param_we_q, table_we_q, windex_q, wdata_q};
    // keep: every lane has addresses of its own, near its blocks.
    (* keep *)
    always_ff @(posedge clk_i)
      {late_addr_q, addr_q} <= {param_addr_q[(Multiply-1)*ParamBits+:ParamBits], param_addr_q[ParamBits-1:0]};
    logic [95:0] param;
    for (genvar w = 0; w < 3; w++) begin : g_word
      ram_sdp #(
          .Width(32),
          .Depth(ParamGroups),
          .Latency(2)
      ) u_param (
          .clk_i  (clk_i),
          .we_i   (param_we_q && windex_q[4:0] == 5'(4 * k + w)),
          .waddr_i(windex_q[5+:ParamBits]),
          .wdata_i(wdata_q),
          .re_i   (1'b1),
          .raddr_i(w == 0 ? addr_q : late_addr_q),
          .rdata_o(param[32*w+:32])
      );
    end
    // An entry that is read has zero in the bit that it decides, and ones below.
    logic [31:0] entry, value;
    logic [32:0] difference;
    logic reached_q;
    logic [7:0] index_q, index, first;  // first: entry of a search, or of a table of results
    logic [TableBits-1:0] read_q, address, wait_address_q, turn_address_q;
    assign value = turn_q[32*k+:32];
    assign difference = {1'b0, !value[31], value[30:0]} - {1'b0, !entry[31], entry[30:0]};
    assign index = index_q | (move_bit_q & {8{reached_q}});
    assign first = lookup_q ? value_i[32*k+:8] & mask_q : mask_q >> 1;
    assign address = read_q | (TableBits'(read_bit_q) & {TableBits{reached_q}});
    always_ff @(posedge clk_i) begin
      wait_address_q <= address;
      turn_address_q <= wait_address_q & ~(TableBits'(wait_bit_q >> 1));
      reached_q <= !difference[32];
      index_q <= 8'(turn_address_q) & mask_q;
      read_q <= turn_goes_on ? turn_address_q : first_entry | TableBits'(first);
    end
    ram_sdp #(
        .Width(32),
        .Depth(TableEntries),
        .Latency(2)
    ) u_table (
        .clk_i  (clk_i),
        .we_i   (table_we_q && windex_q[2:0] == 3'(k)),
        .waddr_i(windex_q[3+:TableBits]),
        .wdata_i(wdata_q),
        .re_i   (1'b1),
        .raddr_i(address),
        .rdata_o(entry)
    );
    always_ff @(posedge clk_i)
      x_q[32*k+:32] <= !has_table_q ? enter_q[32*k+:32] : lookup_q ? entry : 32'(index);
    bitsys_post_lane #(
        .MultiplierBits(MultiplierBits)
    ) u_lane (
        .clk_i(clk_i),
        .x_i(x_qq),
        .multiplier_i(param[MultiplierBits-1:0]),
        .bias_i(param[32+:58]),
        .shift_i(param[90+:6]),
        .rounding_i(layer_i[FRounding+:WRounding]),
        .zero_point_i(layer_i[FZeroPoint+:WZeroPoint]),
        .low_i(layer_i[FClampLow+:WClampLow]),
        .high_i(layer_i[FClampHigh+:WClampHigh]),
        .code_o(code_o[32*k+:32])
    );
    logic unused;
    assign unused = ^{difference[31:0], param[31:0]};
  end
  assign busy_o = enter_valid_q || wait_valid_q || turn_valid_q || move_valid_q || valid_q != '0;
  assign valid_o = valid_q[Depth];
  assign {group_o, pixel_o} = place_q[32*Depth+:32];
endmodule
