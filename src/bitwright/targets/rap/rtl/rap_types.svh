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
