// SPDX-License-Identifier: Apache-2.0
// Writes results and input groups: results to the activation memory (one or two 8-bit halves) or the output buffer.
//
// A group of results is written in the cycle after it comes, its high half in the next; input groups wait meanwhile.
module bitsys_store #(
    parameter bit Planes = 1'b0
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic [32*28-1:0] layer_i,
    input  logic             valid_i,
    input  logic [    255:0] code_i,
    input  logic [     15:0] group_i,
    input  logic [     15:0] pixel_i,
    output logic             busy_o,
    // Input groups
    input  logic             s_valid_i,
    output logic             s_ready_o,
    input  logic [     63:0] s_elements_i,
    input  logic [     15:0] s_pixel_i,
    input  logic [     11:0] s_group_i,
    input  logic [      3:0] s_stored_i,
    // Activation memory
    output logic             we_o,
    output logic [     15:0] waddr_o,
    output logic [      2:0] wbyte_o,
    output logic [      3:0] wcount_o,
    output logic [     63:0] wdata_o,
    // Output buffer
    output logic             out_we_o,
    output logic [     15:0] out_addr_o,
    output logic [    255:0] out_data_o
);
  `include "bitsys_registers.svh"
  logic valid_q, high_q, result, wide;
  logic [255:0] code_q;
  logic [15:0] pixel_q;
  logic [11:0] group_q;
  logic [63:0] low, high, elements;
  assign wide = layer_i[FWideOut];
  always_ff @(posedge clk_i) begin
    valid_q <= valid_i && !rst_i;
    high_q <= valid_q && wide && !layer_i[FToOutput] && !rst_i;
    if (valid_i) begin
      code_q <= code_i;
      pixel_q <= pixel_i;
      group_q <= group_i[11:0];
    end
  end
  for (genvar k = 0; k < 8; k++) begin : g_lane
    assign low[8*k+:8] = code_q[32*k+:8];
    assign high[8*k+:8] = code_q[32*k+8+:8];
  end

  // One write port: results first.
  logic [3:0] stored;
  logic [15:0] pixel, offset;
  assign result = (valid_q && !layer_i[FToOutput]) || high_q;
  assign s_ready_o = !result;
  assign we_o = result || s_valid_i;
  assign elements = high_q ? high : result ? low : s_elements_i;
  assign stored = result ? layer_i[FStoredOut+:WStoredOut] : s_stored_i;
  assign pixel = result ? pixel_q : s_pixel_i;
  bitsys_group_offset #(
      .Planes(Planes)
  ) u_offset (
      .group_i(result ? group_q : s_group_i),
      .stored_i(stored),
      .wide_i(result && wide),
      .half_i(high_q),
      .word_o(offset),
      .byte_o(wbyte_o)
  );
  bitsys_pack #(
      .Planes(Planes)
  ) u_pack (
      .elements_i(elements),
      .stored_i(stored),
      .wide_i(result && wide),
      .bytes_o(wdata_o),
      .count_o(wcount_o)
  );
  assign waddr_o = pixel + offset;

  assign out_we_o = valid_q && layer_i[FToOutput];
  assign out_addr_o = pixel_q + {4'd0, group_q};
  assign out_data_o = code_q;
  assign busy_o = valid_i || valid_q || high_q;
endmodule
