// SPDX-License-Identifier: Apache-2.0
// Vector layers: maximum or sum over a window's groups, and the addition of two operands; eight channels wide.
//
// Halves of 8 bits come from the activation memory, low half first; items outside the image do not count. The group's
// result leaves one cycle after its last item. Python: MaxPool, SumPool, Add, and single operands as they are.
module bitsys_vector #(
    parameter bit Planes = 1'b0
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic             start_i,
    input  logic [32*28-1:0] layer_i,
    input  logic             valid_i,
    input  logic             inside_i,
    input  logic             first_i,
    input  logic             last_i,
    input  logic             is_b_i,
    input  logic             half_i,
    input  logic [     11:0] group_i,
    input  logic             pixel_last_i,
    input  logic [     63:0] bytes_i,
    output logic             valid_o,
    output logic [    255:0] value_o,
    output logic [     15:0] group_o,
    output logic [     15:0] pixel_o
);
  `include "bitsys_registers.svh"
  // fresh_q: the first item was only a low half, and the group is still fresh with its second.
  logic wide, is_signed, complete, fresh_q, valid_q;
  logic [63:0] elements, low_q;
  logic [255:0] total_q;
  assign wide = is_b_i ? layer_i[FWideB] : layer_i[FWideA];
  assign is_signed = is_b_i ? layer_i[FSignedB] : layer_i[FSignedA];
  assign complete = !wide || half_i;
  bitsys_unpack #(
      .Planes(Planes)
  ) u_unpack (
      .bytes_i(bytes_i),
      .stored_i(wide ? 4'd8 : is_b_i ? layer_i[FStoredB+:WStoredB] : layer_i[FStoredA+:WStoredA]),
      .signed_i(!wide && is_signed),
      .elements_o(elements)
  );

  for (genvar k = 0; k < 8; k++) begin : g_lane
    logic signed [31:0] value, base, total;
    logic sign;
    assign sign = is_signed && elements[8*k+7];
    assign value = wide ? {{16{sign}}, elements[8*k+:8], low_q[8*k+:8]} : {{24{sign}}, elements[8*k+:8]};
    // A group starts from 0, or from the least number for a maximum, with its first item, in or outside the image.
    assign base = first_i || fresh_q ? (layer_i[FMaximum] ? 32'sh8000_0000 : 32'sd0) : total_q[32*k+:32];
    assign total = !inside_i ? base : layer_i[FMaximum] ? (value > base ? value : base) : base + value;
    always_ff @(posedge clk_i) begin
      if (valid_i) low_q[8*k+:8] <= elements[8*k+:8];
      if (valid_i && complete) total_q[32*k+:32] <= total;
    end
  end

  logic [15:0] pixel_q, pixel_qq, group_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 1'b0;
    else valid_q <= valid_i && last_i;
    if (start_i) fresh_q <= 1'b0;
    else if (valid_i) fresh_q <= first_i && !complete;
    if (start_i) pixel_q <= layer_i[FOutBase+:WOutBase];
    else if (valid_i && last_i && pixel_last_i) pixel_q <= pixel_q + layer_i[FOutPitch+:WOutPitch];
    pixel_qq <= pixel_q;
    group_q <= 16'(group_i);
  end
  assign valid_o = valid_q;
  assign value_o = total_q;
  assign group_o = group_q;
  assign pixel_o = pixel_qq;
endmodule
