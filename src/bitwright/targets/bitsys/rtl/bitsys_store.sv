// SPDX-License-Identifier: Apache-2.0
// Writes results and input groups: results to the activation memory (one or two 8-bit halves) or the output buffer.
//
// A group of results is written in the cycle after it comes, its high half in the next, or with it where the memory has several
// PortWords; input groups
// wait meanwhile, which s_next_ready_o tells a cycle before. In other cycles words go to external memory, or come from it.
module bitsys_store #(
    parameter int unsigned PortWords = 1
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
    output logic             s_next_ready_o,
    input  logic [     63:0] s_elements_i,
    input  logic [     15:0] s_pixel_i,
    input  logic [     11:0] s_group_i,
    input  logic [      3:0] s_stored_i,
    // External memory: words to read go before words to write
    input  logic         save_valid_i,
    output logic         save_ready_o,
    input  logic [ 15:0] save_addr_i,
    input  logic         load_valid_i,
    output logic         load_ready_o,
    input  logic [ 15:0] load_addr_i,
    input  logic [ 63:0] load_data_i,
    // Activation memory: a group of a pixel, one half of 8 bits; or a word
    output logic             we_o,
    output logic [     15:0] wpixel_o,
    output logic [     11:0] wgroup_o,
    output logic [      3:0] wstored_o,
    output logic             wwide_o,
    output logic             whalf_o,
    output logic [     63:0] welements_o,
    output logic [     63:0] whigh_o,
    output logic             wword_o,
    output logic             word_re_o,
    // Output buffer
    output logic             out_we_o,
    output logic [     15:0] out_addr_o,
    output logic [    255:0] out_data_o
);
  `include "bitsys_registers.svh"
  logic valid_q, high_q, result, result_q, wide, apart;  // apart: the high half comes in a cycle of its own
  logic [255:0] code_q;
  logic [15:0] pixel_q, out_addr_q;
  logic [11:0] group_q;
  logic [63:0] low, high;
  assign wide = layer_i[FWideOut];
  assign apart = PortWords == 1 && wide;
  assign result = (valid_i || (valid_q && apart)) && !layer_i[FToOutput] && !rst_i;
  always_ff @(posedge clk_i) begin
    valid_q <= valid_i && !rst_i;
    high_q <= valid_q && apart && !layer_i[FToOutput] && !rst_i;
    result_q <= result;
    if (valid_i) begin
      code_q <= code_i;
      pixel_q <= pixel_i;
      out_addr_q <= pixel_i + {4'd0, group_i[11:0]};
      group_q <= group_i[11:0];
    end
  end
  for (genvar k = 0; k < 8; k++) begin : g_lane
    assign low[8*k+:8] = code_q[32*k+:8];
    assign high[8*k+:8] = code_q[32*k+8+:8];
  end

  // One write port: results first.
  assign s_next_ready_o = !result;
  assign save_ready_o = !result_q && !s_valid_i;
  assign load_ready_o = save_ready_o && !save_valid_i;
  assign wword_o = save_ready_o && (save_valid_i || load_valid_i);
  assign word_re_o = save_ready_o && save_valid_i;
  assign we_o = result_q || s_valid_i || (load_ready_o && load_valid_i);
  assign welements_o = high_q ? high : result_q ? low : s_valid_i ? s_elements_i : load_data_i;
  assign wstored_o = result_q ? layer_i[FStoredOut+:WStoredOut] : s_valid_i ? s_stored_i : 4'd8;
  assign wpixel_o = result_q ? pixel_q : s_valid_i ? s_pixel_i : save_valid_i ? save_addr_i : load_addr_i;
  assign wgroup_o = result_q ? group_q : s_valid_i ? s_group_i : 12'd0;
  assign wwide_o = result_q && wide;
  assign whalf_o = high_q;
  assign whigh_o = high;

  assign out_we_o = valid_q && layer_i[FToOutput];
  assign out_addr_o = out_addr_q;
  assign out_data_o = code_q;
  assign busy_o = valid_i || valid_q || high_q;
endmodule
