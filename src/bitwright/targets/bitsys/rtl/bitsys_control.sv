// SPDX-License-Identifier: Apache-2.0
// Control registers and the write bus of the memories, behind AXI4-Lite; see registers.toml. Memories are written a
// cycle later, registers answer three; addr_i must stay until then.
module bitsys_control #(
    parameter bit External = 1'b0
) (
    input  logic        clk_i,
    input  logic        rst_i,
    // Simple bus
    input  logic [23:0] addr_i,
    input  logic [31:0] wdata_i,
    input  logic        we_i,
    input  logic        re_i,
    output logic [31:0] rdata_o,
    output logic        rvalid_o,
    output logic        writable_o,
    output logic        readable_o,
    // Memories
    output logic        layers_we_o,
    output logic        param_we_o,
    output logic        table_we_o,
    output logic        weight_we_o,
    output logic        inputs_we_o,
    output logic        outputs_we_o,
    output logic [18:0] windex_o,
    output logic [31:0] wdata_o,
    // Settings
    output logic        run_o,
    output logic [ 7:0] batch_o,
    output logic [31:0] input_base_o,
    output logic [ 4:0] inputs_o,   // of a frame, less one
    output logic [ 4:0] outputs_o,
    output logic [31:0] idle_o,
    output logic [39:0] memory_o,
    output logic [31:0] records_o,
    output logic [31:0] repeated_o,
    // Observation
    input  logic        input_seen_i,
    input  logic        running_i,
    input  logic        waiting_i,
    input  logic        output_busy_i,
    input  logic        array_valid_i,
    input  logic        weights_wait_i,
    input  logic        output_wait_i,
    input  logic        loads_wait_i,
    input  logic        stores_wait_i,
    input  logic        input_wait_i,
    input  logic        error_i,
    input  logic [ 1:0] error_kind_i,
    input  logic [39:0] error_address_i,
    input  logic        batch_done_i,
    input  logic        fetching_i,
    input  logic [ 7:0] layer_index_i
);
  `include "bitsys_registers.svh"
  logic [2:0] region;
  logic [7:0] register;
  logic memory_we_q, control_we, known, known_q, readable_q, unknown_q;
  assign region = addr_i[RegionShift+:3];
  assign register = addr_i[7:0];
  assign control_we = we_i && region == RegionControl;
  always_ff @(posedge clk_i) begin
    known_q <= known;
    readable_q <= known && region == RegionControl;
    unknown_q <= we_i && !known;
    memory_we_q <= we_i && region != RegionControl;
    layers_we_o <= we_i && !External && region == RegionLayers;
    param_we_o <= we_i && !External && region == RegionParameters;
    table_we_o <= we_i && !External && region == RegionTables;
    weight_we_o <= we_i && !External && region == RegionWeights;
    inputs_we_o <= we_i && region == RegionInputs;
    outputs_we_o <= we_i && region == RegionOutputs;
    windex_o <= addr_i[20:2];
    wdata_o <= wdata_i;
  end
  assign writable_o = known_q;
  assign readable_o = readable_q;
  assign known = region == RegionControl ? addr_i[20:8] == 13'd0 && register <= (External ? RegHighestExternal : RegHighest)
    : region <= RegionOutputs && !(External && region < RegionInputs);

  logic run_q, seen_q;
  logic [2:0] errors_q;
  logic [4:0] inputs_q, outputs_q;
  logic [7:0] batch_q, select_q, timed_q;
  logic [31:0] base_q, idle_q;
  logic [31:0] total_q, busy_q, array_q, weights_q, output_q, batches_q, timer_q, layer_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      run_q <= 1'b0;
    end else if (control_we && register == RegRun) begin
      run_q <= wdata_i[0];
    end
    if (control_we) begin
      case (register)
        RegBatch: batch_q <= wdata_i[7:0];
        RegInputBase: base_q <= wdata_i;
        RegTensors: {outputs_q, inputs_q} <= {wdata_i[12:8], wdata_i[4:0]};
        RegIdle: idle_q <= wdata_i;
        RegLayerSelect: select_q <= wdata_i[7:0];
        default: ;
      endcase
    end
  end

  // Counters start with run; a layer is timed from its fetch to the next one, or to the end of the batch.
  logic running_q, waiting_q, output_busy_q, weights_wait_q, output_wait_q, batch_done_q, fetching_q;
  always_ff @(posedge clk_i) begin
    running_q <= running_i;
    waiting_q <= waiting_i;
    output_busy_q <= output_busy_i;
    weights_wait_q <= weights_wait_i;
    output_wait_q <= output_wait_i;
    batch_done_q <= batch_done_i;
    fetching_q <= fetching_i;
    if (rst_i || !run_q) begin
      errors_q <= 3'd0;
      seen_q <= 1'b0;
      total_q <= 32'd0;
      busy_q <= 32'd0;
      array_q <= 32'd0;
      weights_q <= 32'd0;
      output_q <= 32'd0;
      batches_q <= 32'd0;
    end else begin
      seen_q <= seen_q || input_seen_i;
      total_q <= total_q + 32'(seen_q);
      busy_q <= busy_q + 32'(running_q);
      array_q <= array_q + 32'(array_valid_i);
      weights_q <= weights_q + 32'(weights_wait_q);
      output_q <= output_q + 32'(output_wait_q);
      batches_q <= batches_q + 32'(batch_done_q);
    end
    if (unknown_q) errors_q[0] <= 1'b1;
    if (memory_we_q && running_q) errors_q[1] <= 1'b1;
    if (External && error_i) errors_q[2] <= 1'b1;
    if (rst_i) errors_q <= 3'd0;
    timer_q <= fetching_q ? 32'd1 : timer_q + 32'd1;
    if (fetching_q) timed_q <= layer_index_i;
    if ((fetching_q || batch_done_q) && timed_q == select_q) layer_q <= timer_q;
    if (batch_done_q) timed_q <= 8'hFF;
    if (rst_i || !run_q) timed_q <= 8'hFF;
  end

  // Which register, then its value: of either half of them, then of both.
  logic [14:0] hit_q;
  logic [31:0] more_q;  // of external memory
  logic [31:0] values[15];
  logic [1:0][31:0] value, value_q;
  logic [1:0] re_q;
  assign values[0] = {31'd0, run_q};
  assign values[1] = {29'd0, output_busy_q, waiting_q, running_q};
  assign values[2] = {29'd0, errors_q};
  assign values[3] = {24'd0, batch_q};
  assign values[4] = base_q;
  assign values[5] = {19'd0, outputs_q, 3'd0, inputs_q};
  assign values[6] = idle_q;
  assign values[7] = total_q;
  assign values[8] = busy_q;
  assign values[9] = array_q;
  assign values[10] = weights_q;
  assign values[11] = output_q;
  assign values[12] = batches_q;
  assign values[13] = {24'd0, select_q};
  assign values[14] = layer_q;
  always_comb begin
    value = 64'd0;
    for (int k = 0; k < 15; k++) value[k%2] = value[k%2] | (hit_q[k] ? values[k] : 32'd0);
  end
  always_ff @(posedge clk_i) begin
    hit_q[0] <= register == RegRun;
    hit_q[1] <= register == RegStatus;
    hit_q[2] <= register == RegErrors;
    hit_q[3] <= register == RegBatch;
    hit_q[4] <= register == RegInputBase;
    hit_q[5] <= register == RegTensors;
    hit_q[6] <= register == RegIdle;
    hit_q[7] <= register == RegCyclesTotal;
    hit_q[8] <= register == RegCyclesBusy;
    hit_q[9] <= register == RegCyclesArray;
    hit_q[10] <= register == RegCyclesWeights;
    hit_q[11] <= register == RegCyclesOutput;
    hit_q[12] <= register == RegBatches;
    hit_q[13] <= register == RegLayerSelect;
    hit_q[14] <= register == RegLayerCycles;
    value_q <= value;
    rdata_o <= value_q[0] | value_q[1] | more_q;
    re_q <= rst_i ? 2'd0 : {re_q[0], re_i};
    rvalid_o <= re_q[1] && !rst_i;
  end

  // What hardware with external memory has beside them.
  if (External) begin : g_external
    logic [39:0] memory_q;
    logic [31:0] records_q, repeated_q, loads_q, stores_q, input_q;
    logic loads_wait_q, stores_wait_q, input_wait_q;
    logic [8:0] hit_more_q;
    logic [31:0] more[9], more_value;
    always_ff @(posedge clk_i) begin
      if (control_we) begin
        case (register)
          RegMemoryLow: memory_q[31:0] <= wdata_i;
          RegMemoryHigh: memory_q[39:32] <= wdata_i[7:0];
          RegRecords: records_q <= wdata_i;
          RegRepeated: repeated_q <= wdata_i;
          default: ;
        endcase
      end
      {loads_wait_q, stores_wait_q, input_wait_q} <= {loads_wait_i, stores_wait_i, input_wait_i};
      if (rst_i || !run_q) begin
        {loads_q, stores_q, input_q} <= 96'd0;
      end else begin
        loads_q <= loads_q + 32'(loads_wait_q);
        stores_q <= stores_q + 32'(stores_wait_q);
        input_q <= input_q + 32'(input_wait_q);
      end
      for (int k = 0; k < 9; k++) hit_more_q[k] <= register == RegMemoryLow + 8'(4 * k);
      more_q <= more_value;
    end
    assign more[0] = memory_q[31:0];
    assign more[1] = {24'd0, memory_q[39:32]};
    assign more[2] = records_q;
    assign more[3] = repeated_q;
    assign more[4] = loads_q;
    assign more[5] = stores_q;
    assign more[6] = input_q;
    assign more[7] = error_address_i[31:0];
    assign more[8] = {22'd0, error_kind_i, error_address_i[39:32]};
    always_comb begin
      more_value = 32'd0;
      for (int k = 0; k < 9; k++) more_value = more_value | (hit_more_q[k] ? more[k] : 32'd0);
    end
    assign memory_o = memory_q;
    assign records_o = records_q;
    assign repeated_o = repeated_q;
  end else begin : g_streams
    assign more_q = 32'd0;
    assign {memory_o, records_o, repeated_o} = '0;
    logic unused;
    assign unused = ^{loads_wait_i, stores_wait_i, input_wait_i, error_i, error_kind_i, error_address_i};
  end
  assign run_o = run_q;
  assign batch_o = batch_q;
  assign input_base_o = base_q;
  assign inputs_o = inputs_q;
  assign outputs_o = outputs_q;
  assign idle_o = idle_q;
endmodule
