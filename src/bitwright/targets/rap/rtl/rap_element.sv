// SPDX-License-Identifier: Apache-2.0
// Processing element: registers, lane multiplier, accumulators, lane ALU, links to four neighbors.
//
// The sequencer broadcasts the control of each stage; enable_i is this element's bit of MASK.
//   load      A[load.a_to] <= bus or neighbor, B[load.b_to] <= bus               (instructions MAC to MOV)
//   operands  a, b <= A[operands.a], B[operands.b]
//   execute   products <= lanes of a * b
//   sum       values <= sum of the products, or the products; old <= accumulators
//   update    accumulators <= old and values, see rap_accumulators
// Each stage takes one cycle; an instruction passes through them in this order. The ALU and GET take several cycles, in
// which their operands stay; then write_a_i and write_b_i store the result.
(* keep_hierarchy = "yes" *)  // synthesized once for all elements
module rap_element #(
    localparam int unsigned AccBits = $clog2(2 * rap_pkg::Accumulators)
) (
    input  logic                             clk_i,
    input  logic                             enable_i,
    input  rap_pkg::width_t                  lanes_i,
    // control of each stage
    input  rap_pkg::load_t                   load_i,
    input  rap_pkg::operands_t               operands_i,
    input  rap_pkg::alu_t                    alu_i,        // from stage execute on
    input  rap_pkg::sum_t                    sum_i,
    input  rap_pkg::sum_t                    update_i,
    input  logic                             write_a_i,
    input  logic                             write_b_i,
    input  logic                       [3:0] write_to_i,
    // buses and neighbors
    input  logic                      [15:0] bus_a_i,
    input  logic                      [15:0] bus_b_i,
    input  logic                      [15:0] north_i,
    input  logic                      [15:0] east_i,
    input  logic                      [15:0] south_i,
    input  logic                      [15:0] west_i,
    output logic                      [15:0] pass_o,
    // second port
    input  logic               [AccBits-1:0] drain_i,
    output logic                 [3:0][31:0] drain_o,
    output logic                      [15:0] operand_o     // A operand, for ST
);
  rap_pkg::width_t lanes_q;  // WIDTH waits for the operations before it, and comes long before those behind it
  always_ff @(posedge clk_i) lanes_q <= lanes_i;

  // Load stage.
  logic [15:0] load_a, operand_a, operand_b, pass, unused_b, result_q;
  always_comb begin
    case (load_i.from)
      rap_pkg::SourceBus: load_a = bus_a_i;
      rap_pkg::SourceNorth: load_a = north_i;
      rap_pkg::SourceEast: load_a = east_i;
      rap_pkg::SourceSouth: load_a = south_i;
      rap_pkg::SourceWest: load_a = west_i;
      default: load_a = pass;
    endcase
  end
  assign pass_o = pass;
  rap_regs #(
      .Count(rap_pkg::ARegisters)
  ) u_a (
      .clk_i,
      .we_i    ((load_i.a || write_a_i) && enable_i),
      .waddr_i (write_a_i ? write_to_i : load_i.a_to),
      .wdata_i (write_a_i ? result_q : load_a),
      .raddr0_i(operands_i.a),
      .raddr1_i(load_i.pass),
      .rdata0_o(operand_a),
      .rdata1_o(pass)
  );
  rap_regs #(
      .Count(rap_pkg::BRegisters)
  ) u_b (
      .clk_i,
      .we_i    ((load_i.b || write_b_i) && enable_i),
      .waddr_i (write_b_i ? write_to_i[2:0] : load_i.b_to),
      .wdata_i (write_b_i ? result_q : bus_b_i),
      .raddr0_i(operands_i.b),
      .raddr1_i(operands_i.b),
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

  // Stage execute; the ALU works until stage update.
  logic [3:0][31:0] product;
  logic [15:0] alu, get;
  logic [3:0][31:0] old;
  rap_multiply u_multiply (
      .clk_i,
      .width_i(lanes_q.width),
      .asign_i(lanes_q.asign),
      .bsign_i(lanes_q.bsign),
      .a_i(operand_a),
      .b_i(operand_b),
      .p_o(product)
  );
  rap_alu u_alu (
      .clk_i,
      .width_i(lanes_q.width),
      .sign_i (lanes_q.asign),
      .alu_i,
      .a_i(a_q),
      .b_i(b_q),
      .y_o(alu)
  );
  rap_get u_get (
      .clk_i,
      .width_i(lanes_q.width),
      .sign_i (lanes_q.asign),
      .alu_i,
      .acc_i  (old),
      .y_o    (get)
  );
  always_ff @(posedge clk_i) result_q <= alu_i.get ? get : alu;

  // Stages sum and update.
  // The sum of the products, or that of lane 0 alone, by two rows of adders without carries and one with.
  logic [31:0] few, kept, all, carried, total;
  assign few = (product[1] ^ product[2] ^ product[3]) & {32{!sum_i.lanes}};
  assign kept = {(product[1][30:0] & product[2][30:0]) | (product[1][30:0] & product[3][30:0])
      | (product[2][30:0] & product[3][30:0]), 1'b0} & {32{!sum_i.lanes}};
  assign all = product[0] ^ few ^ kept;
  assign carried = {(product[0][30:0] & few[30:0]) | (product[0][30:0] & kept[30:0]) | (few[30:0] & kept[30:0]), 1'b0};
  assign total = all + carried;
  for (genvar l = 0; l < 4; l++) begin : g_lane
    logic [31:0] value_q;
    always_ff @(posedge clk_i) value_q <= l == 0 ? total : product[l];
    rap_accumulators #(
        .Count(2 * rap_pkg::Accumulators)
    ) u_acc (
        .clk_i,
        .first_i     (sum_i.first),
        .max_i       (sum_i.max),
        .same_i      (sum_i.same[l]),
        .addr_i      (sum_i.acc),
        .we_i        (update_i.we[l] && enable_i),
        .max_now_i   (update_i.max),
        .waddr_i     (update_i.acc),
        .value_i     (value_q),
        .old_o       (old[l]),
        .drain_addr_i(drain_i),
        .drain_o     (drain_o[l])
    );
  end
  logic unused;
  assign unused = ^{sum_i, update_i};
endmodule
