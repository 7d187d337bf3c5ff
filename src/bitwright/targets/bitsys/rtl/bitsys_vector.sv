// SPDX-License-Identifier: Apache-2.0
// Vector layers: maximum or sum over a window's groups, and the addition of two operands; eight channels wide.
//
// Halves of 8 bits come from the activation memory, low half first, or both at once with several PortWords; items outside the image do not count. The group's
// result leaves three cycles after its last item, group_o a cycle before. Python: MaxPool, SumPool, Add, and single operands as they are.
module bitsys_vector #(
    parameter bit Planes = 1'b0,
    parameter int unsigned PortWords = 1
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
    input  logic [64*PortWords-1:0] bytes_i,
    output logic             busy_o,
    output logic             valid_o,
    output logic [    255:0] value_o,
    output logic [     15:0] group_o,
    output logic [     15:0] pixel_o
);
  `include "bitsys_registers.svh"
  // Unpack, then the value of an item or what stands for none, then the group's total.
  // Of the layer, whose first item comes long after its start: how a and b are stored, extended, wide and signed.
  logic [6:0] kind_a_q, kind_b_q;
  logic [3:0] stored;
  logic extend, wide, is_signed;
  logic [63:0] elements, high;  // high halves that come with the low ones
  assign {stored, extend, wide, is_signed} = is_b_i ? kind_b_q : kind_a_q;
  always_ff @(posedge clk_i) begin
    kind_a_q <= {layer_i[FWideA] ? 4'd8 : layer_i[FStoredA+:WStoredA], layer_i[FSignedA] && !layer_i[FWideA],
      layer_i[FWideA], layer_i[FSignedA]};
    kind_b_q <= {layer_i[FWideB] ? 4'd8 : layer_i[FStoredB+:WStoredB], layer_i[FSignedB] && !layer_i[FWideB],
      layer_i[FWideB], layer_i[FSignedB]};
  end
  bitsys_unpack #(
      .Planes(Planes)
  ) u_unpack (
      .bytes_i(bytes_i[63:0]),
      .stored_i(stored),
      .signed_i(extend),
      .elements_o(elements)
  );

  if (PortWords > 1) begin : g_halves
    assign high = bytes_i[127:64];
    logic unused;
    assign unused = ^bytes_i;
  end else begin : g_half
    assign high = '0;
  end

  // fresh_q: the first item was only a low half, and the group is still fresh with its second.
  logic item_q, complete_q, wide_q, signed_q, inside_q, first_q, last_q, end_q, fresh_q;
  logic value_valid_q, value_last_q, value_end_q, valid_q;
  // What a value does, decided a cycle ahead: it is the total, or added to it (always_q), or the total if it is greater.
  logic maximum_q, fresh, load_q, always_q, greater_q;
  logic [11:0] item_group_q, group_q;
  logic [63:0] elements_q, low_q;
  logic [15:0] pixel_q, pixel_qq;
  assign fresh = first_q || fresh_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      item_q <= 1'b0;
      value_valid_q <= 1'b0;
      valid_q <= 1'b0;
    end else begin
      item_q <= valid_i;
      value_valid_q <= item_q && complete_q;
      valid_q <= value_valid_q && value_last_q;
    end
  end
  always_ff @(posedge clk_i) begin
    elements_q <= PortWords > 1 && wide ? high : elements;
    complete_q <= !wide || half_i || PortWords > 1;
    wide_q <= wide;
    signed_q <= is_signed;
    inside_q <= inside_i;
    first_q <= first_i;
    last_q <= last_i;
    end_q <= pixel_last_i;
    item_group_q <= group_i;
    if (PortWords > 1) low_q <= elements;
    else if (item_q) low_q <= elements_q;
    if (start_i) fresh_q <= 1'b0;
    else if (item_q) fresh_q <= first_q && !complete_q;
    maximum_q <= layer_i[FMaximum];
    load_q <= fresh || maximum_q;
    always_q <= item_q && complete_q && (fresh || !maximum_q);
    greater_q <= item_q && complete_q && !fresh && maximum_q;
    value_last_q <= last_q;
    value_end_q <= end_q;
    group_q <= item_group_q;
    if (start_i) pixel_q <= layer_i[FOutBase+:WOutBase];
    else if (value_valid_q && value_last_q && value_end_q) pixel_q <= pixel_q + layer_i[FOutPitch+:WOutPitch];
    pixel_qq <= pixel_q;
  end

  // An item outside the image is 0, or for a maximum the least number, which lies below all others in bits 31, 30, 15..0.
  logic [255:0] total_q;
  for (genvar k = 0; k < 8; k++) begin : g_lane
    logic [16:0] code;
    logic [17:0] code_q;
    logic [31:0] value, total;
    logic sign;
    assign sign = signed_q && elements_q[8*k+7];
    assign code = wide_q ? {sign, elements_q[8*k+:8], low_q[8*k+:8]} : {{9{sign}}, elements_q[8*k+:8]};
    assign value = {code_q[17], {15{code_q[16]}}, code_q[15:0]};
    assign total = total_q[32*k+:32];
    always_ff @(posedge clk_i) begin
      code_q <= inside_q ? {code[16], code} : {maximum_q, 17'd0};
      if (always_q || (greater_q && $signed(code_q) > $signed({total[31:30], total[15:0]})))
        total_q[32*k+:32] <= load_q ? value : total + value;
    end
  end
  assign busy_o = item_q || value_valid_q || valid_q;
  assign valid_o = valid_q;
  assign value_o = total_q;
  assign group_o = 16'(group_q);
  assign pixel_o = pixel_qq;
endmodule
