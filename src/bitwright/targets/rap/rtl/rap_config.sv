// SPDX-License-Identifier: Apache-2.0
// Registers that instructions configure: WIDTH, MASK, PAD, SHAPE; which half of the accumulators is in use (DRAIN).
//
// SHAPE waits for nothing: its image takes a register on its way, so that the operation before it, which is placed two
// cycles behind its dispatch, still has the old one.
module rap_config #(
    parameter int unsigned Size = 4
) (
    input  logic                                        clk_i,
    input  logic                                        rst_i,
    input  logic                                        running_i,
    input  rap_pkg::strobes_t                           strobes_i,
    input  logic               [rap_pkg::BitsShape-1:0] operands_i,
    output rap_pkg::width_t                             lanes_o,
    output logic                             [Size-1:0] rows_o,
    output logic                             [Size-1:0] cols_o,
    output rap_pkg::pad_t                               pad_o,       // cut: links end at the edges of the grid
    output logic                                        half_o,
    output logic            [rap_pkg::Accumulators-1:0] fresh_o,     // whose next operation overwrites
    output rap_pkg::image_t                             image_a_o,
    output rap_pkg::image_t                             image_o0_o,
    output rap_pkg::image_t                             image_o1_o
);
  rap_pkg::shape_t shape;
  rap_pkg::mask_t mask;
  rap_pkg::drain_t drain;
  rap_pkg::mac_t mac;
  rap_pkg::image_t image_q;
  logic shape_q;
  logic [1:0] stream_q;
  assign shape = operands_i;
  assign mask  = operands_i[rap_pkg::BitsMask-1:0];
  assign drain = operands_i[rap_pkg::BitsDrain-1:0];
  assign mac = operands_i[rap_pkg::BitsMac-1:0];
  always_ff @(posedge clk_i) begin
    shape_q  <= strobes_i.shape && running_i && !rst_i;
    stream_q <= shape.stream;
    image_q  <= {shape.span, shape.height, shape.width, shape.strip};
  end

  rap_pkg::width_t lanes_q;
  rap_pkg::pad_t pad_q;
  rap_pkg::image_t image_a_q, image_o0_q, image_o1_q;
  logic half_q;
  logic [Size-1:0] rows_q, cols_q;
  logic [rap_pkg::Accumulators-1:0] fresh_q;
  always_ff @(posedge clk_i) begin
    if (rst_i || !running_i) begin
      lanes_q <= '0;
      rows_q <= '1;
      cols_q <= '1;
      pad_q <= '0;
      half_q <= 1'b0;
      fresh_q <= '1;
      image_a_q <= '0;
      image_o0_q <= '0;
      image_o1_q <= '0;
    end else begin
      if (strobes_i.width) lanes_q <= operands_i[rap_pkg::BitsWidth-1:0];
      if (strobes_i.mask) rows_q <= mask.rows[Size-1:0];
      if (strobes_i.mask) cols_q <= mask.cols[Size-1:0];
      if (strobes_i.pad) pad_q <= operands_i[rap_pkg::BitsPad-1:0];
      if (shape_q && 3'(stream_q) == rap_pkg::StreamA) image_a_q <= image_q;
      if (shape_q && 3'(stream_q) == rap_pkg::StreamO0) image_o0_q <= image_q;
      if (shape_q && 3'(stream_q) == rap_pkg::StreamO1) image_o1_q <= image_q;
      for (int i = 0; i < rap_pkg::Accumulators; i++) if (strobes_i.accumulate && mac.acc == 4'(i)) fresh_q[i] <= 1'b0;
      if (strobes_i.drain && !drain.keep) begin
        half_q  <= !half_q;
        fresh_q <= '1;
      end
    end
  end
  assign lanes_o = lanes_q;
  assign rows_o = rows_q;
  assign cols_o = cols_q;
  assign pad_o = pad_q;
  assign half_o = half_q;
  assign fresh_o = fresh_q;
  assign image_a_o = image_a_q;
  assign image_o0_o = image_o0_q;
  assign image_o1_o = image_o1_q;
  logic unused;
  assign unused = ^{mask, drain, mac, strobes_i};
endmodule
