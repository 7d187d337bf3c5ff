// SPDX-License-Identifier: Apache-2.0
// Writes along the O streams: packed words of the slots, operands of ST, words of IN; at most one of them at a time.
//
// A word taken in cycle 0 steps its stream in cycle 1, which gives its position in cycle 3, and is written in cycle
// CyclesWrite: data_o[r] into bank r + turn_o; we_o is that of the banks. ST hands over an A register of column operand_col_o in its execute stage.
module rap_write #(
    parameter  int unsigned Size     = 4,
    parameter  int unsigned AddrBits = 10,
    localparam int unsigned ColBits  = $clog2(Size)
) (
    input  logic                                clk_i,
    input  logic                                rst_i,
    input  logic                     [Size-1:0] rows_i,          // rows that are enabled now
    // results
    input  logic                                start_drain_i,   // whose rows write
    input  logic                                result_valid_i,
    input  logic                                result_slot_i,
    input  logic               [Size-1:0][15:0] result_i,
    // ST
    input  logic                                st_valid_i,      // at the dispatch
    input  rap_pkg::st_t                        st_i,
    output logic                  [ColBits-1:0] operand_col_o,
    input  logic               [Size-1:0][15:0] operand_i,
    output logic                                storing_o,       // until it is written
    // IN
    input  logic                                in_valid_i,
    input  logic                         [15:0] in_i,
    // streams O0, O1
    output logic                          [1:0] step_o,
    input  rap_pkg::position_t                  o0_i,
    input  rap_pkg::position_t                  o1_i,
    input  rap_pkg::image_t                     image_o0_i,
    input  rap_pkg::image_t                     image_o1_i,
    // banks
    output logic                     [Size-1:0] we_o,
    output logic                 [AddrBits-1:0] addr_o,
    output logic                  [ColBits-1:0] turn_o,
    output logic               [Size-1:0][15:0] data_o
);
  logic st_valid;
  logic [4:0] store_q;
  logic [Size-1:0] drain_rows_q;
  rap_pkg::st_t st_q;
  rap_delay #(
      .Cycles(rap_pkg::StageExecute - rap_pkg::StageDispatch)
  ) u_st (
      .clk_i,
      .rst_i,
      .d_i(st_valid_i),
      .q_o(st_valid)
  );
  always_ff @(posedge clk_i) begin
    if (st_valid_i) st_q <= st_i;
    if (start_drain_i) drain_rows_q <= rows_i;
    if (rst_i) store_q <= '0;
    else if (st_valid_i) store_q <= 5'(rap_pkg::CyclesStore - 3);
    else if (store_q != '0) store_q <= store_q - 5'd1;
  end
  assign operand_col_o = st_q.col[ColBits-1:0];
  assign storing_o = store_q != '0;

  localparam int unsigned Last = rap_pkg::CyclesWrite - 1;
  logic [2:0] slot_q;
  logic [Last:0] valid_q;
  logic [Last:0][Size-1:0] rows_q;
  logic [Last:0][Size-1:0][15:0] data_q;
  always_ff @(posedge clk_i) begin
    valid_q <= rst_i ? '0 : {valid_q[Last-1:0], result_valid_i || st_valid || in_valid_i};
    slot_q  <= {slot_q[1:0], st_valid ? st_q.slot : result_valid_i && result_slot_i};
    rows_q  <= {rows_q[Last-1:0], in_valid_i ? Size'(1) : st_valid ? rows_i : drain_rows_q};
    data_q  <= {data_q[Last-1:0], in_valid_i ? {Size{in_i}} : st_valid ? operand_i : result_i};
  end
  assign step_o = {valid_q[0] && slot_q[0], valid_q[0] && !slot_q[0]};

  rap_pkg::position_t at_q;
  rap_pkg::image_t image_q;
  always_ff @(posedge clk_i) begin
    at_q <= slot_q[2] ? o1_i : o0_i;
    image_q <= slot_q[2] ? image_o1_i : image_o0_i;
  end
  logic [ColBits-1:0] turn2;
  logic [Size-1:0] inside_image, inside2, writing2, we_q;
  rap_place #(
      .Size    (Size),
      .AddrBits(AddrBits)
  ) u_place (
      .clk_i,
      .at_i   (at_q),
      .image_i(image_q),
      .addr_o,
      .turn_o,
      .valid_o(inside_image),
      .turn2_o(turn2),
      .valid2_o(inside2)
  );
  assign writing2 = rows_q[Last-1] & inside2 & {Size{valid_q[Last-1]}};
  for (genvar b = 0; b < Size; b++) begin : g_bank
    logic [ColBits-1:0] row;
    assign row = ColBits'(b) - turn2;
    always_ff @(posedge clk_i) we_q[b] <= writing2[row] && !rst_i;
  end
  assign we_o   = we_q;
  assign data_o = data_q[Last];
  logic unused;
  assign unused = ^{st_q, inside_image, rows_q[Last], valid_q[Last]};
endmodule
