// SPDX-License-Identifier: Apache-2.0
// The elements and their links: columns share the B bus; neighbors see each other's A register.
//
// sum_i and drain_i come a stage early: every row has registers of its own. Beyond an edge stands the pad word, or, on
// a torus while pad_i.cut is 0, the element of the opposite edge.
module rap_grid #(
    parameter int unsigned Size = 4,
    parameter bit Torus = 1'b0,
    localparam int unsigned ColBits = $clog2(Size)
) (
    input  logic                                clk_i,
    input  logic                     [Size-1:0] rows_i,
    input  logic                     [Size-1:0] cols_i,
    input  rap_pkg::width_t                     lanes_i,
    input  rap_pkg::pad_t                       pad_i,
    input  rap_pkg::load_t                      load_i,
    input  rap_pkg::operands_t                  operands_i,
    input  rap_pkg::alu_t                       alu_i,
    input  rap_pkg::sum_t                       sum_i,
    input  logic                                write_a_i,
    input  logic                                write_b_i,
    input  logic                          [3:0] write_to_i,
    input  logic     [Size-1:0][Size-1:0][15:0] bus_a_i,        // of row and column
    input  logic               [Size-1:0][15:0] bus_b_i,
    input  logic                          [4:0] drain_i,
    input  logic                  [ColBits-1:0] drain_col_i,
    input  logic                          [1:0] drain_lane_i,
    output logic               [Size-1:0][31:0] drain_o,        // by row
    input  logic                  [ColBits-1:0] operand_col_i,
    output logic               [Size-1:0][15:0] operand_o       // by row
);
  logic [Size-1:0][Size-1:0][15:0] pass, operand;  // of row and column
  logic [Size-1:0][Size-1:0][3:0][31:0] drain;
  logic joined;
  assign joined = Torus && !pad_i.cut;
  for (genvar r = 0; r < Size; r++) begin : g_row
    localparam int North = (r + Size - 1) % Size;
    localparam int South = (r + 1) % Size;
    rap_pkg::sum_t sum_q, update_q;
    logic [4:0] acc_q;
    logic [ColBits-1:0] col_q;
    logic [1:0] lane_q;
    always_ff @(posedge clk_i) begin
      sum_q <= sum_i;
      update_q <= sum_q;
      {acc_q, col_q, lane_q} <= {drain_i, drain_col_i, drain_lane_i};
    end
    for (genvar c = 0; c < Size; c++) begin : g_col
      localparam int West = (c + Size - 1) % Size;
      localparam int East = (c + 1) % Size;
      rap_element u_element (
          .clk_i,
          .enable_i (rows_i[r] && cols_i[c]),
          .lanes_i,
          .load_i,
          .operands_i,
          .alu_i,
          .sum_i    (sum_q),
          .update_i (update_q),
          .write_a_i,
          .write_b_i,
          .write_to_i,
          .bus_a_i  (bus_a_i[r][c]),
          .bus_b_i  (bus_b_i[c]),
          .north_i  (r > 0 || joined ? pass[North][c] : pad_i.word),
          .east_i   (c < Size - 1 || joined ? pass[r][East] : pad_i.word),
          .south_i  (r < Size - 1 || joined ? pass[South][c] : pad_i.word),
          .west_i   (c > 0 || joined ? pass[r][West] : pad_i.word),
          .pass_o   (pass[r][c]),
          .drain_i  (acc_q),
          .drain_o  (drain[r][c]),
          .operand_o(operand[r][c])
      );
    end
    assign drain_o[r]   = drain[r][col_q][lane_q];
    assign operand_o[r] = operand[r][operand_col_i];
  end
endmodule
