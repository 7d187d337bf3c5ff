// SPDX-License-Identifier: Apache-2.0
// What accompanies an operation of the elements from the issue to its last stage; 55 bits.
typedef struct packed {
  logic       load_a;        // stage 5
  logic [3:0] load_a_to;
  logic [2:0] from;
  logic [3:0] pass;
  logic       load_b;
  logic [2:0] load_b_to;
  logic [3:0] read_a;        // stage 6
  logic [2:0] read_b;
  logic [5:0] op;            // stage 7
  logic       result_a;
  logic       result_b;
  logic [3:0] result_to;
  logic [3:0] imm;
  logic       get;
  logic       get_lanes;
  logic [4:0] get_shift;
  logic       lanes;         // stages 8 and 9
  logic       update;
  logic       first;
  logic       max;
  logic [4:0] acc;
} op_t;
// Operations from register to register, decoded by rap_masks for the execute stage; 58 bits.
typedef struct packed {
  logic [2:0]  kind;
  logic        other;     // MIN, SHL, UNPH; 0: MAX, SHR, UNPL
  logic        subtract;
  logic        saturate;
  logic [3:0]  rotate;
  logic [15:0] mask;
  logic [31:0] range;
} exec_t;
localparam logic [2:0] KindAdd = 3'd0;
localparam logic [2:0] KindSelect = 3'd1;
localparam logic [2:0] KindShift = 3'd2;
localparam logic [2:0] KindLimit = 3'd3;
localparam logic [2:0] KindPack = 3'd4;
localparam logic [2:0] KindUnpack = 3'd5;
localparam logic [2:0] KindMove = 3'd6;
