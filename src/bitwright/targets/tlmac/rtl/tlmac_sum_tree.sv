// SPDX-License-Identifier: Apache-2.0
// Sum of Lanes unsigned numbers of Bits bits, a register after every Every levels:  sum = leaf[0] + ... + leaf[Lanes-1]
//
// Level l adds pairs of Bits + l bits; a number left over passes on. Levels may exceed ceil(log2(Lanes)): the rest
// are plain registers, so that trees of different size have one latency. The last level has a register. The sum must fit
// OutBits. Latency ceil(Levels / Every), II 1, moves only while en_i. Part of Conv2d and Dense.
module tlmac_sum_tree #(
    parameter int unsigned Lanes = 1,
    parameter int unsigned Bits = 1,
    parameter int unsigned Levels = 0,
    parameter int unsigned Every = 1,
    parameter int unsigned OutBits = 1
) (
    input  logic                  clk_i,
    input  logic                  en_i,
    input  logic [Lanes*Bits-1:0] leaf_i,
    output logic [OutBits-1:0]    sum_o
);
  localparam int unsigned Depth = $clog2(Lanes);
  localparam int unsigned Width = Bits + Depth;

  if (Levels < Depth || Every < 1) $error("tlmac_sum_tree: legal are Levels >= ceil(log2(Lanes)), Every >= 1");

  // Nodes of all levels; those of level l occupy entries 0 .. ceil(Lanes / 2^l) - 1, Bits + l bits each.
  logic [Lanes-1:0][Width-1:0] node[Levels+1];

  for (genvar i = 0; i < Lanes; i++) begin : gen_leaf
    assign node[0][i] = Width'(leaf_i[i*Bits+:Bits]);
  end
  for (genvar l = 0; l < Levels; l++) begin : gen_level
    localparam int unsigned Count = (Lanes + (1 << l) - 1) >> l;
    localparam int unsigned Half = Count / 2;
    localparam int unsigned InBits = Bits + ((l < Depth) ? l : Depth);
    localparam bit Registered = (l + 1) % Every == 0 || l == Levels - 1;
    for (genvar i = 0; i < Lanes; i++) begin : gen_node
      if (i < Half) begin : gen_add
        logic [InBits:0] sum, sum_q;
        assign sum = {1'b0, node[l][2*i][InBits-1:0]} + {1'b0, node[l][2*i+1][InBits-1:0]};
        if (Registered) begin : gen_register
          always_ff @(posedge clk_i) if (en_i) sum_q <= sum;
        end else begin : gen_wire
          assign sum_q = sum;
        end
        assign node[l+1][i] = Width'(sum_q);
      end else if (2 * i < Count) begin : gen_pass
        logic [InBits-1:0] pass_q;
        if (Registered) begin : gen_register
          always_ff @(posedge clk_i) if (en_i) pass_q <= node[l][2*i][InBits-1:0];
        end else begin : gen_wire
          assign pass_q = node[l][2*i][InBits-1:0];
        end
        assign node[l+1][i] = Width'(pass_q);
      end else begin : gen_none
        assign node[l+1][i] = '0;
      end
    end
  end
  assign sum_o = OutBits'(node[Levels][0]);
endmodule
