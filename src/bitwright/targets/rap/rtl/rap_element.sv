// SPDX-License-Identifier: Apache-2.0
// Processing element: registers, lane multiplier, accumulators, lane ALU, links to four neighbors.
//
// The sequencer broadcasts the control of each stage; enable_i is this element's bit of MASK.
//   load stage     A[load_a_i] <= bus or neighbor, B[load_b_i] <= bus          (instructions MAC to MOV)
//   operand stage  a, b <= A[read_a_i], B[read_b_i]
//   execute stage  products <= lanes of a * b; A or B [result_i] <= ALU or GET
//   sum stage      values <= sum of the products, or the products
//   update stage   accumulators, see rap_accumulators
// Each stage takes one cycle; an instruction passes through them in this order.
(* keep_hierarchy = "yes" *)  // synthesized once for all elements
module rap_element #(
    parameter int unsigned Accumulators = 16,
    localparam int unsigned AccBits = $clog2(2 * Accumulators)
) (
    input  logic               clk_i,
    input  logic               enable_i,
    input  logic [        1:0] width_i,
    input  logic               asign_i,
    input  logic               bsign_i,
    // load stage
    input  logic               load_a_we_i,
    input  logic [        3:0] load_a_i,
    input  logic [        2:0] from_i,          // 1 bus, 2 north, 3 east, 4 south, 5 west, 0 self
    input  logic [        3:0] pass_i,          // A register that the neighbors see
    input  logic               load_b_we_i,
    input  logic [        2:0] load_b_i,
    input  logic [       15:0] bus_a_i,
    input  logic [       15:0] bus_b_i,
    input  logic [       15:0] north_i,
    input  logic [       15:0] east_i,
    input  logic [       15:0] south_i,
    input  logic [       15:0] west_i,
    output logic [       15:0] pass_o,
    // operand stage
    input  logic [        3:0] read_a_i,
    input  logic [        2:0] read_b_i,
    // execute stage
    input  logic [       57:0] exec_i,          // exec_t
    input  logic               result_a_we_i,
    input  logic               result_b_we_i,
    input  logic [        3:0] result_i,
    input  logic               get_i,
    input  logic               get_lanes_i,
    input  logic [        4:0] get_shift_i,
    // sum and update stage
    input  logic               sum_lanes_i,
    input  logic               update_i,
    input  logic               update_lanes_i,
    input  logic               first_i,
    input  logic               max_i,
    input  logic [AccBits-1:0] acc_i,           // of GET in its execute stage
    // second port
    input  logic [AccBits-1:0] drain_i,
    output logic [      127:0] drain_o,
    output logic [       15:0] operand_o        // A operand, for ST
);
  // Load stage.
  logic [15:0] load_a, operand_a, operand_b, pass, unused_b, result;
  always_comb begin
    case (from_i)
      3'd1: load_a = bus_a_i;
      3'd2: load_a = north_i;
      3'd3: load_a = east_i;
      3'd4: load_a = south_i;
      3'd5: load_a = west_i;
      default: load_a = pass;
    endcase
  end
  assign pass_o = pass;
  rap_regs #(
      .Count(16)
  ) u_a (
      .clk_i,
      .we_i    ((load_a_we_i || result_a_we_i) && enable_i),
      .waddr_i (result_a_we_i ? result_i : load_a_i),
      .wdata_i (result_a_we_i ? result : load_a),
      .raddr0_i(read_a_i),
      .raddr1_i(pass_i),
      .rdata0_o(operand_a),
      .rdata1_o(pass)
  );
  rap_regs #(
      .Count(8)
  ) u_b (
      .clk_i,
      .we_i    ((load_b_we_i || result_b_we_i) && enable_i),
      .waddr_i (result_b_we_i ? result_i[2:0] : load_b_i),
      .wdata_i (result_b_we_i ? result : bus_b_i),
      .raddr0_i(read_b_i),
      .raddr1_i(read_b_i),
      .rdata0_o(operand_b),
      .rdata1_o(unused_b)
  );

  // Operand stage.
  logic [15:0] a_q, b_q;
  always_ff @(posedge clk_i) begin
    a_q <= operand_a;
    b_q <= operand_b;
  end
  assign operand_o = a_q;

  // Execute stage.
  logic [127:0] product, product_q;
  logic [15:0] alu, get;
  logic [127:0] got;
  rap_multiply u_multiply (
      .width_i,
      .asign_i,
      .bsign_i,
      .a_i(a_q),
      .b_i(b_q),
      .p_o(product)
  );
  rap_alu u_alu (
      .width_i,
      .sign_i(asign_i),
      .exec_i,
      .a_i(a_q),
      .b_i(b_q),
      .y_o(alu)
  );
  rap_get u_get (
      .width_i,
      .sign_i (asign_i),
      .lanes_i(get_lanes_i),
      .shift_i(get_shift_i),
      .range_i(exec_i[31:0]),
      .acc_i  (got),
      .y_o    (get)
  );
  assign result = get_i ? get : alu;
  always_ff @(posedge clk_i) product_q <= product;

  // Sum and update stage.
  logic [31:0] total;
  assign total = product_q[31:0] + product_q[63:32] + product_q[95:64] + product_q[127:96];
  for (genvar l = 0; l < 4; l++) begin : g_lane
    logic [31:0] value_q;
    always_ff @(posedge clk_i) value_q <= l == 0 && !sum_lanes_i ? total : product_q[32*l+:32];
    rap_accumulators #(
        .Count(2 * Accumulators)
    ) u_acc (
        .clk_i,
        .we_i        (update_i && enable_i && (l == 0 || (update_lanes_i && (width_i == 2'd2 || (width_i == 2'd1 && l == 1))))),
        .first_i,
        .max_i,
        .addr_i      (acc_i),
        .value_i     (value_q),
        .old_o       (got[32*l+:32]),
        .drain_addr_i(drain_i),
        .drain_o     (drain_o[32*l+:32])
    );
  end
endmodule
