// SPDX-License-Identifier: Apache-2.0
// Writes along the O streams: packed words of the slots, operands of ST, words of IN; at most one of them at a time.
//
// A word taken in cycle 0 steps its stream in cycle 1 and is written in cycle 3.
module rap_write #(
    parameter int unsigned Size = 4
) (
    input  logic               clk_i,
    input  logic               rst_i,
    input  logic               result_valid_i,
    input  logic               result_slot_i,
    input  logic [16*Size-1:0] result_i,
    input  logic [   Size-1:0] result_rows_i,
    input  logic               st_valid_i,
    input  logic               st_slot_i,
    input  logic [16*Size-1:0] st_i,
    input  logic [   Size-1:0] st_rows_i,
    input  logic               in_valid_i,
    input  logic [       15:0] in_i,
    output logic [        1:0] step_o,         // streams O0, O1
    input  logic [       35:0] addr_i,         // of O0, then O1
    input  logic [       23:0] x_i,
    input  logic [       23:0] y_i,
    input  logic [       97:0] shape_i,        // span, height, width, strip
    output logic [   Size-1:0] we_o,
    output logic [       16:0] addr_o,
    output logic [        2:0] turn_o,
    output logic [16*Size-1:0] data_o
);
  logic slot_q;
  logic [2:0] valid_q;
  logic [3*Size-1:0] rows_q;
  logic [3*16*Size-1:0] data_q;
  always_ff @(posedge clk_i) begin
    valid_q <= rst_i ? '0 : {valid_q[1:0], result_valid_i || st_valid_i || in_valid_i};
    slot_q  <= st_valid_i ? st_slot_i : result_valid_i && result_slot_i;
    rows_q  <= {rows_q[2*Size-1:0], in_valid_i ? Size'(1) : st_valid_i ? st_rows_i : result_rows_i};
    data_q  <= {data_q[2*16*Size-1:0], in_valid_i ? {Size{in_i}} : st_valid_i ? st_i : result_i};
  end
  assign step_o = {valid_q[0] && slot_q, valid_q[0] && !slot_q};

  logic [48:0] shape;
  logic [Size-1:0] inside_image;
  assign shape = slot_q ? shape_i[97:49] : shape_i[48:0];
  rap_place #(
      .Size(Size)
  ) u_place (
      .clk_i,
      .addr_i  (slot_q ? addr_i[35:18] : addr_i[17:0]),
      .x_i     (slot_q ? x_i[23:12] : x_i[11:0]),
      .y_i     (slot_q ? y_i[23:12] : y_i[11:0]),
      .strip_i (shape[9:0]),
      .width_i (shape[21:10]),
      .height_i(shape[33:22]),
      .span_i  (shape[48:34]),
      .addr_o,
      .turn_o,
      .valid_o (inside_image)
  );
  assign we_o   = rows_q[2*Size+:Size] & inside_image & {Size{valid_q[2]}};
  assign data_o = data_q[2*16*Size+:16*Size];
endmodule
