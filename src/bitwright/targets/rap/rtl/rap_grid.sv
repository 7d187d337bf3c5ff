// SPDX-License-Identifier: Apache-2.0
// The elements and their links: rows share the A bus, columns the B bus; neighbors see each other's A register.
//
// Beyond an edge stands the pad word, or, on a torus while cut_i is 0, the element of the opposite edge.
module rap_grid #(
    parameter int unsigned Size = 4,
    parameter bit Torus = 1'b0
) (
    input  logic                     clk_i,
    input  logic [         Size-1:0] rows_i,
    input  logic [         Size-1:0] cols_i,
    input  logic [              1:0] width_i,
    input  logic                     asign_i,
    input  logic                     bsign_i,
    input  logic [             15:0] pad_i,
    input  logic                     cut_i,
    input  logic                     load_a_we_i,
    input  logic [              3:0] load_a_i,
    input  logic [              2:0] from_i,
    input  logic [              3:0] pass_i,
    input  logic                     load_b_we_i,
    input  logic [              2:0] load_b_i,
    input  logic [      16*Size-1:0] bus_a_i,
    input  logic [      16*Size-1:0] bus_b_i,
    input  logic [              3:0] read_a_i,
    input  logic [              2:0] read_b_i,
    input  logic [             57:0] exec_i,
    input  logic                     result_a_we_i,
    input  logic                     result_b_we_i,
    input  logic [              3:0] result_i,
    input  logic                     get_i,
    input  logic                     get_lanes_i,
    input  logic [              4:0] get_shift_i,
    input  logic                     sum_lanes_i,
    input  logic                     update_i,
    input  logic                     update_lanes_i,
    input  logic                     first_i,
    input  logic                     max_i,
    input  logic [              4:0] acc_i,
    input  logic [              4:0] drain_i,
    input  logic [              2:0] drain_col_i,
    input  logic [              1:0] drain_lane_i,
    output logic [      32*Size-1:0] drain_o,       // by row
    input  logic [              2:0] operand_col_i,
    output logic [      16*Size-1:0] operand_o      // by row
);
  logic [16*Size*Size-1:0] pass, operand;
  logic [128*Size*Size-1:0] drain;
  logic joined;
  assign joined = Torus && !cut_i;
  for (genvar r = 0; r < Size; r++) begin : g_row
    localparam int North = (r + Size - 1) % Size;
    localparam int South = (r + 1) % Size;
    for (genvar c = 0; c < Size; c++) begin : g_col
      localparam int West = (c + Size - 1) % Size;
      localparam int East = (c + 1) % Size;
      rap_element u_element (
          .clk_i,
          .enable_i(rows_i[r] && cols_i[c]),
          .width_i,
          .asign_i,
          .bsign_i,
          .load_a_we_i,
          .load_a_i,
          .from_i,
          .pass_i,
          .load_b_we_i,
          .load_b_i,
          .bus_a_i (bus_a_i[16*r+:16]),
          .bus_b_i (bus_b_i[16*c+:16]),
          .north_i (r > 0 || joined ? pass[16*(Size*North+c)+:16] : pad_i),
          .east_i  (c < Size - 1 || joined ? pass[16*(Size*r+East)+:16] : pad_i),
          .south_i (r < Size - 1 || joined ? pass[16*(Size*South+c)+:16] : pad_i),
          .west_i  (c > 0 || joined ? pass[16*(Size*r+West)+:16] : pad_i),
          .pass_o  (pass[16*(Size*r+c)+:16]),
          .read_a_i,
          .read_b_i,
          .exec_i,
          .result_a_we_i,
          .result_b_we_i,
          .result_i,
          .get_i,
          .get_lanes_i,
          .get_shift_i,
          .sum_lanes_i,
          .update_i,
          .update_lanes_i,
          .first_i,
          .max_i,
          .acc_i,
          .drain_i,
          .drain_o (drain[128*(Size*r+c)+:128]),
          .operand_o(operand[16*(Size*r+c)+:16])
      );
    end
    assign drain_o[32*r+:32] = drain[128*Size*r+32*{drain_col_i[$clog2(Size)-1:0],drain_lane_i}+:32];
    assign operand_o[16*r+:16] = operand[16*Size*r+16*operand_col_i[$clog2(Size)-1:0]+:16];
  end
endmodule
