// SPDX-License-Identifier: Apache-2.0
// Types of package rap_pkg that are written by hand: what goes from unit to unit, and parameter words.

// What an instruction asks of the issue, decoded as it is loaded.
typedef enum logic [1:0] {
  StayOne,
  StayAlu,
  StayGet,
  StayConfig
} stay_e;
typedef struct packed {
  logic jump;
  logic loop;
  logic halt;
  logic idle;   // waits until no slot is at work
  logic free;   // waits until the last DRAIN has read its accumulators
  logic frame;  // stays until IN, OUT, STM or WAITM ends
  stay_e stay;
} needs_t;

// What an instruction does, for the cycle of its dispatch.
typedef struct packed {
  logic width;
  logic mask;
  logic pad;
  logic shape;
  logic stream;
  logic level;
  logic accumulate;  // MAC, MACL, MAXL
  logic a_bus;       // stream A brings words
  logic b_bus;
  logic given;       // LDA, LDB
  logic a_load;      // an A register is loaded
  logic b_load;
  logic a_write;     // an A register is written by the ALU
  logic b_write;
  logic get;
  logic post;
  logic limit;
  logic drain;
  logic st;
  logic receive;     // IN
  logic send;        // OUT
  logic ldm;
  logic stm;
  logic waitm;
} strobes_t;

// What an operation of the elements does in each stage.
typedef struct packed {
  logic a;
  logic [3:0] a_to;
  source_e from;
  logic [3:0] pass;  // A register that the neighbors see
  logic b;
  logic [2:0] b_to;
} load_t;
typedef struct packed {
  logic [3:0] a;
  logic [2:0] b;
} operands_t;
typedef struct packed {
  op_e op;
  logic [3:0] imm;    // shift; bits - 1 of SAT; bit 0 is the saturation of ADD and SUB
  logic lanes;        // of GET
  logic [4:0] shift;
} masking_t;          // stage load, decoded by rap_masks
typedef struct packed {
  logic a;
  logic b;
  logic get;
  logic [3:0] to;
} write_t;  // result of the ALU or GET; get: at the dispatch
typedef struct packed {
  logic valid;
  logic lanes;  // separate lanes
  logic first;
  logic max;
  logic [4:0] acc;
} update_t;
typedef struct packed {
  load_t load;
  operands_t operands;
  masking_t masking;
  write_t write;
  update_t update;
} control_t;

// The accumulators in stage sum. By lane: the value comes from the operation before, which is in stage update; and writes.
typedef struct packed {
  logic [3:0] same;
  logic [3:0] we;
  logic lanes;
  logic first;
  logic max;
  logic [4:0] acc;
} sum_t;

// Words for the buses: of stream A, each column its own where wide, of stream B, or of LDA and LDB.
typedef struct packed {
  logic a;
  logic b;
  logic given;
  logic wide;
  logic [15:0] word;
} fetching_t;

// Operations from register to register, decoded by rap_masks for stage execute and held.
typedef enum logic [2:0] {
  AluAdd,
  AluSelect,
  AluShift,
  AluLimit,
  AluPack,
  AluUnpack,
  AluMove
} alu_e;
typedef struct packed {
  alu_e kind;
  logic other;  // MIN, SHL, UNPH; 0: MAX, SHR, UNPL
  logic subtract;
  logic saturate;
  logic [3:0] rotate;
  logic [15:0] mask;
  logic get;
  logic get_lanes;
  logic [4:0] get_shift;
  logic [31:0] get_range;  // bits of an accumulator that must equal its sign so that it fits behind the shift
} alu_t;

// Parameter words of an element; a threshold element's further words hold four thresholds.
typedef struct packed {
  logic [63:0] bias;
  logic [25:0] unused;
  logic [5:0] shift;
  logic [31:0] multiplier;
} requantize_t;
typedef struct packed {
  logic [15:0] step;  // -2, -1, 1 or 2
  logic [15:0] base;
  logic [95:0] thresholds;
} threshold_t;

// Order of the elements of a DRAIN at the first stage of a slot.
typedef struct packed {
  logic valid;      // a word of an element
  logic slot;
  logic first;      // its first word
  logic last;       // its last word
  logic pixel_end;  // its last word, and the last element of the pixel
  logic seed;       // a word of seeds
  logic seed_word;  // which of them
} element_t;

function automatic logic [3:0] ones(input logic [7:0] bits);
  ones = '0;
  for (int i = 0; i < 8; i++) ones += 4'(bits[i]);
endfunction
