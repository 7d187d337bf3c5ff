// SPDX-License-Identifier: Apache-2.0
// The program in external memory, record by record: descriptors to the sequencer, transfers to their queues.
//
// Asks for all records once, then for those from `repeated` on again and again. A record of a layer is written into the
// ring of Layers descriptors when the one in its place has ended; behind its fields (word 28) stands what it waits for:
// {stores, loads} that must be done. A transfer joins the loads or the stores with what it waits for: layers and stores
// done. All of them are counts modulo 2^16 since run; a record names them as what may still be missing of all before it,
// so it never waits for a record behind it. Words: one a cycle. layer_o: a descriptor is complete, a cycle late.
module bitsys_records #(
    parameter int unsigned Layers = 32
) (
    input  logic         clk_i,
    input  logic         rst_i,
    input  logic         run_i,
    input  logic [ 31:0] records_i,
    input  logic [ 31:0] repeated_i,
    input  logic         hold_i,
    // Commands of the reader: first word from the network's first address on, words
    output logic [ 31:0] cmd_offset_o,
    output logic [ 23:0] cmd_words_o,
    output logic         cmd_valid_o,
    input  logic         cmd_ready_i,
    input  logic [ 63:0] s_data_i,
    input  logic         s_valid_i,
    output logic         s_ready_o,
    // What has ended
    input  logic         layer_done_i,
    input  logic         load_done_i,
    input  logic         store_done_i,
    output logic [ 15:0] layers_done_o,
    output logic [ 15:0] loads_done_o,
    output logic [ 15:0] stores_done_o,
    // Descriptors: two words of 32 bits
    output logic         layers_we_o,
    output logic [ 18:0] windex_o,
    output logic [ 63:0] wdata_o,
    output logic         layer_o,
    // Transfers: {kind, layers, stores, the record's two other words}
    output logic [162:0] transfer_o,
    output logic         load_valid_o,
    input  logic         load_ready_i,
    output logic         store_valid_o,
    input  logic         store_ready_i
);
  `include "bitsys_registers.svh"
  localparam int unsigned LayerBits = $clog2(Layers);
  localparam logic [3:0] LastWord = 4'(LayerWords / 2 - 1);
  logic stop_q;
  always_ff @(posedge clk_i) stop_q <= rst_i || !run_i;

  // Commands
  logic again_q;
  assign cmd_valid_o = !stop_q;
  assign cmd_offset_o = again_q ? repeated_i : 32'd0;
  assign cmd_words_o = 24'(records_i - cmd_offset_o);
  always_ff @(posedge clk_i) again_q <= !stop_q && (again_q || cmd_ready_i);

  // Counts of what has been handed on, and of what has ended.
  logic [15:0] layers_q, loads_q, stores_q, layers_done_q, loads_done_q, stores_done_q;
  logic layer, load, store;
  always_ff @(posedge clk_i) begin
    if (stop_q) begin
      {layers_q, loads_q, stores_q} <= 48'd0;
      {layers_done_q, loads_done_q, stores_done_q} <= 48'd0;
    end else begin
      layers_q <= layers_q + 16'(layer);
      loads_q <= loads_q + 16'(load);
      stores_q <= stores_q + 16'(store);
      layers_done_q <= layers_done_q + 16'(layer_done_i);
      loads_done_q <= loads_done_q + 16'(load_done_i);
      stores_done_q <= stores_done_q + 16'(store_done_i);
    end
  end
  assign {layers_done_o, loads_done_o, stores_done_o} = {layers_done_q, loads_done_q, stores_done_q};

  // The record
  typedef enum logic [2:0] {Head, Room, Layer, Place, Extent, Hand} state_e;
  state_e state_q;
  logic [2:0] kind_q;
  logic [15:0] need_layers_q, need_loads_q, need_stores_q, unfinished_q;
  logic [127:0] transfer_q;
  logic [3:0] word_q;
  logic accept, room_q;
  assign accept = s_valid_i && s_ready_o;
  assign s_ready_o = !hold_i && (state_q == Head || state_q == Layer || state_q == Place || state_q == Extent);
  assign layer = state_q == Layer && accept && word_q == LastWord;
  assign load = load_valid_o && load_ready_i;
  assign store = store_valid_o && store_ready_i;
  always_ff @(posedge clk_i) begin
    unfinished_q <= layers_q - layers_done_q;
    room_q <= unfinished_q < 16'(Layers) && state_q == Room;
    layer_o <= layer && !stop_q;
    if (stop_q) begin
      state_q <= Head;
    end else begin
      case (state_q)
        Head: if (accept) state_q <= s_data_i[RKind+:RKindBits] == '0 ? Room : Place;
        Room: if (room_q) state_q <= Layer;
        Layer: if (layer) state_q <= Head;
        Place: if (accept) state_q <= Extent;
        Extent: if (accept) state_q <= Hand;
        default: if (load || store) state_q <= Head;
      endcase
    end
    if (state_q == Head) begin
      kind_q <= s_data_i[RKind+:RKindBits];
      need_layers_q <= layers_q - 16'(s_data_i[RLayers+:RLayersBits]);
      need_loads_q <= loads_q - 16'(s_data_i[RLoads+:RLoadsBits]);
      need_stores_q <= stores_q - 16'(s_data_i[RStores+:RStoresBits]);
      word_q <= 4'd0;
    end else if (state_q == Layer && accept) begin
      word_q <= word_q + 4'd1;
    end
    if (state_q == Place) transfer_q[63:0] <= s_data_i;
    if (state_q == Extent) transfer_q[127:64] <= s_data_i;
  end
  assign transfer_o = {kind_q, need_layers_q, need_stores_q, transfer_q};
  assign load_valid_o = state_q == Hand && kind_q != 3'd5;
  assign store_valid_o = state_q == Hand && kind_q == 3'd5;

  // What a layer waits for is written before its fields.
  assign layers_we_o = (state_q == Room && room_q) || (state_q == Layer && accept);
  assign windex_o = 19'({layers_q[LayerBits-1:0], state_q == Room ? 4'd14 : word_q, 1'b0});
  assign wdata_o = state_q == Room ? {32'd0, need_stores_q, need_loads_q} : s_data_i;
endmodule
