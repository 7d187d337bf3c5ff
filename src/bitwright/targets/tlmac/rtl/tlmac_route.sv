// SPDX-License-Identifier: Apache-2.0
// One wire bundle out of several table arrays, optionally complemented:  leaf = data[select] xor {Bits{sign}}
//
// The complement of an entry is (2^Bits - 1) minus it; the constants are folded into the layer's bias.
// Latency 1, II 1, moves only while en_i. Part of Conv2d and Dense (shared tables).
module tlmac_route #(
    parameter int unsigned Inputs = 1,
    parameter int unsigned Bits = 1,
    parameter bit Signed = 1'b0,
    localparam int unsigned SelectBits = (Inputs > 1) ? $clog2(Inputs) : 1
) (
    input  logic                   clk_i,
    input  logic                   en_i,
    input  logic [Inputs*Bits-1:0] data_i,
    input  logic [SelectBits-1:0]  select_i,
    input  logic                   sign_i,
    output logic [Bits-1:0]        leaf_o
);
  logic [Inputs-1:0][Bits-1:0] data;  // Yosys wants it outside the block
  logic [Bits-1:0] choice;
  assign data = data_i;
  if (Inputs > 1) begin : gen_mux
    assign choice = data[select_i];
  end else begin : gen_wire
    assign choice = data_i;
  end
  always_ff @(posedge clk_i) if (en_i) leaf_o <= choice ^ {Bits{Signed && sign_i}};
endmodule
