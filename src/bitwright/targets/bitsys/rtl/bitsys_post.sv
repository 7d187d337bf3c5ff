// SPDX-License-Identifier: Apache-2.0
// Post stage: eight channels at a time through thresholds or a table, then multiplier, bias, rounding and clamp.
//
// Without a table a group may enter every cycle; with one of 2^B entries a channel every B + 2 cycles: the number of
// thresholds that are not greater than the value is found by binary search, one comparison a cycle. A channel's 2^B - 1
// thresholds ascend from entry 0 on. Latency 7 cycles, and B + 1 more with thresholds, 2 more with a table of results.
// Memories are written through the control bus. Python: Threshold, Lookup, Requantize.
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
  localparam int unsigned Depth = 6;  // of a lane
  logic [3:0] table_bits;
  logic has_table, lookup;
  assign table_bits = layer_i[FTableBits+:WTableBits];
  assign has_table = table_bits != 4'd0;
  assign lookup = layer_i[FLookup];

  // Search: step_q counts the comparisons that are left; the table's answer to the first read comes a cycle after it.
  logic searching_q, answer_q;
  logic [3:0] step_q;
  logic [255:0] held_q, x_q;
  logic [15:0] held_group_q, held_pixel_q;
  logic x_valid_q, last_step;
  assign last_step = answer_q && (lookup || step_q == 4'd0);
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      searching_q <= 1'b0;
      answer_q <= 1'b0;
      x_valid_q <= 1'b0;
    end else begin
      if (valid_i && has_table) searching_q <= 1'b1;
      else if (last_step) searching_q <= 1'b0;
      answer_q <= searching_q && !last_step;
      x_valid_q <= has_table ? last_step : valid_i;
    end
  end
  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      held_q <= value_i;
      held_group_q <= group_i;
      held_pixel_q <= pixel_i;
      step_q <= table_bits - 4'd1;
    end else if (answer_q) begin
      step_q <= step_q - 4'd1;
    end
  end

  // Metadata beside the lanes.
  logic [Depth:0] valid_q;
  logic [(Depth+1)*32-1:0] meta_q;
  assign valid_q[0] = x_valid_q;
  logic [31:0] meta_x_q;
  assign meta_q[31:0] = meta_x_q;
  for (genvar d = 0; d < Depth; d++) begin : g_delay
    logic v_q;
    logic [31:0] m_q;
    always_ff @(posedge clk_i) begin
      v_q <= valid_q[d] && !rst_i;
      m_q <= meta_q[32*d+:32];
    end
    assign valid_q[d+1] = v_q;
    assign meta_q[32*(d+1)+:32] = m_q;
  end
  always_ff @(posedge clk_i) meta_x_q <= has_table ? {held_group_q, held_pixel_q} : {group_i, pixel_i};

  logic [15:0] param_addr;
  logic [19:0] table_group;
  assign param_addr = layer_i[FParamBase+:WParamBase] + (has_table ? held_group_q : group_i);
  assign table_group = layer_i[FTableBase+:WTableBase] + (20'(held_group_q) << table_bits);
  for (genvar k = 0; k < 8; k++) begin : g_lane
    logic [95:0] param;
    for (genvar w = 0; w < 3; w++) begin : g_word
      ram_sdp #(
          .Width(32),
          .Depth(ParamGroups)
      ) u_param (
          .clk_i  (clk_i),
          .we_i   (param_we_i && windex_i[4:0] == 5'(4 * k + w)),
          .waddr_i(windex_i[5+:ParamBits]),
          .wdata_i(wdata_i),
          .re_i   (1'b1),
          .raddr_i(param_addr[ParamBits-1:0]),
          .rdata_o(param[32*w+:32])
      );
    end
    logic signed [31:0] entry, value;
    logic [7:0] index_q, index, probe, entry_index;
    logic [19:0] address;
    assign value = held_q[32*k+:32];
    // The comparison decides bit step_q of the index; the probe of the next step is read in the same cycle.
    always_comb begin
      index = index_q;
      if (answer_q && value >= entry) index[step_q[2:0]] = 1'b1;
      probe = index | (8'd1 << (answer_q ? step_q - 4'd1 : step_q));
    end
    always_ff @(posedge clk_i) index_q <= valid_i ? 8'd0 : index;
    assign entry_index = lookup ? value[7:0] & ~(8'hFF << table_bits) : probe - 8'd1;
    assign address = table_group + 20'(entry_index);
    ram_sdp #(
        .Width(32),
        .Depth(TableEntries)
    ) u_table (
        .clk_i  (clk_i),
        .we_i   (table_we_i && windex_i[2:0] == 3'(k)),
        .waddr_i(windex_i[3+:TableBits]),
        .wdata_i(wdata_i),
        .re_i   (1'b1),
        .raddr_i(address[TableBits-1:0]),
        .rdata_o(entry)
    );
    always_ff @(posedge clk_i)
      x_q[32*k+:32] <= has_table ? (lookup ? entry : 32'(index)) : value_i[32*k+:32];
    bitsys_post_lane #(
        .MultiplierBits(MultiplierBits)
    ) u_lane (
        .clk_i(clk_i),
        .x_i(x_q[32*k+:32]),
        .param_i(param),
        .rounding_i(layer_i[FRounding+:WRounding]),
        .zero_point_i(layer_i[FZeroPoint+:WZeroPoint]),
        .low_i(layer_i[FClampLow+:WClampLow]),
        .high_i(layer_i[FClampHigh+:WClampHigh]),
        .code_o(code_o[32*k+:32])
    );
  end
  assign busy_o = searching_q || valid_q != '0;
  assign valid_o = valid_q[Depth];
  assign {group_o, pixel_o} = meta_q[32*Depth+:32];
endmodule
