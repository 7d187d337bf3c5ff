// SPDX-License-Identifier: Apache-2.0
// Which sign correction inverts partial product (j, i) = bit j of operand b times bit i of operand a: an index
// into the decoder's `invert` word (bitsys_container_decode), 15 where the product is never inverted.
// The file is included inside the two versions of bitsys_container_pe.
function automatic int unsigned invert_index(input int unsigned j, input int unsigned i);
  case (8 * j + i)
    8 * 1 + 7: invert_index = 0;
    8 * 2 + 7: invert_index = 1;
    8 * 3 + 5: invert_index = 2;
    8 * 3 + 6: invert_index = 3;
    8 * 3 + 7: invert_index = 4;
    8 * 5 + 3: invert_index = 5;
    8 * 4 + 5: invert_index = 6;
    8 * 4 + 7, 8 * 5 + 7, 8 * 6 + 7: invert_index = 7;
    8 * 7 + 1: invert_index = 8;
    8 * 6 + 3: invert_index = 9;
    8 * 7 + 2: invert_index = 10;
    8 * 7 + 3: invert_index = 11;
    8 * 7 + 4, 8 * 7 + 5, 8 * 7 + 6: invert_index = 12;
    8 * 7 + 7: invert_index = 13;
    default: invert_index = 15;
  endcase
endfunction

// The narrowest mode that masks the product: 0 never (registered apart), 1 in 1-bit mode, 2 also in 2-bit, 3 also in 4-bit.
function automatic int unsigned mask_class(input int unsigned j, input int unsigned i);
  mask_class = 3;
  if (i / 4 + j / 4 == 1) mask_class = 2;
  if (i / 2 + j / 2 == 3) mask_class = 1;
  if (i + j == 7) mask_class = 0;
endfunction

// The antidiagonal product (j, 7 - j) takes the sign of operand b (1) or a (0), in the modes in which the product
// stands in the sign row of a channel: the result is the mask that holds them (3 always), see bitsys_container_decode.
function automatic int unsigned diagonal_signed_b(input int unsigned j);
  diagonal_signed_b = (j == 1 || j == 3 || j == 5 || j == 7) ? 1 : 0;
endfunction

function automatic int unsigned diagonal_mask(input int unsigned j);
  case (j)
    0, 7: diagonal_mask = 3;
    3, 4: diagonal_mask = 0;
    default: diagonal_mask = 1;
  endcase
endfunction
