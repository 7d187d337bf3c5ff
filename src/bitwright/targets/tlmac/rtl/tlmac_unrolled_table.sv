// SPDX-License-Identifier: Apache-2.0
// Lookup table of few bits: data = Table[addr], bit b of entry n being Init[b*64 + n]; combinational.
//
// Up to five address bits, two result bits share one LUT pair; with six, each has a LUT. Part of Conv2d and Dense.
module tlmac_unrolled_table #(
    parameter int unsigned AddressBits = 6,
    parameter int unsigned Bits = 1,
    parameter logic [Bits*64-1:0] Init = '0
) (
    input  logic [AddressBits-1:0] addr_i,
    output logic [       Bits-1:0] data_o
);
  if (AddressBits < 1 || AddressBits > 6) $error("tlmac_unrolled_table: an address has 1 to 6 bits");
  if (AddressBits == 6) begin : g_single
    for (genvar b = 0; b < Bits; b++) begin : g_bit
      lut6 #(
          .Init(Init[b*64+:64])
      ) u_lut (
          .addr_i(addr_i),
          .data_o(data_o[b])
      );
    end
  end else begin : g_pairs
    for (genvar b = 0; b < Bits; b += 2) begin : g_pair
      localparam int unsigned Next = (b + 1 < Bits) ? b + 1 : b;
      logic next;
      lut6_2 #(
          .Init({Init[Next*64+:32], Init[b*64+:32]})
      ) u_lut (
          .addr_i(6'(addr_i) | 6'b100000),
          .o6_o  (next),
          .o5_o  (data_o[b])
      );
      if (b + 1 < Bits) begin : g_next
        assign data_o[b+1] = next;
      end else begin : g_last
        logic unused;
        assign unused = &{1'b0, next};
      end
    end
  end
endmodule
