// SPDX-License-Identifier: Apache-2.0
// CRC-32 of IEEE 802.3 (reflected, polynomial 0xEDB88320) after one byte more. Combinational.
module link_crc (
    input  logic [31:0] crc_i,
    input  logic [ 7:0] byte_i,
    output logic [31:0] crc_o
);
  always_comb begin
    crc_o = crc_i ^ {24'd0, byte_i};
    for (int i = 0; i < 8; i++) crc_o = {1'b0, crc_o[31:1]} ^ (crc_o[0] ? 32'hEDB88320 : 32'd0);
  end
endmodule
