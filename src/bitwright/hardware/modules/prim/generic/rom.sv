// SPDX-License-Identifier: Apache-2.0
// Read-only memory with a registered output, filled from a $readmemh file.
//
//   read <= mem[addr_i] where re_i, else it holds.
//
// data_o is `read` (Latency 1) or, with Latency 2, a register behind it that takes `read` where oe_i: in block RAM its
// own output register, as of ram_sdp, which see. In LUTs every 128 words have a register `read` of their own then, and the
// one behind chooses among them. One read a cycle. File holds Depth words of Width bits in hexadecimal, word 0 first.
// Style: 0 by size (block RAM where Depth > 64 and Width * Depth > 4096 bits), 1 block RAM, 2 LUTs.
module rom #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 32,
    parameter File = "",
    parameter int unsigned Style = 0,
    parameter int unsigned Latency = 1,
    localparam int unsigned AddrBits = Depth > 1 ? $clog2(Depth) : 1
) (
    input  logic                clk_i,
    input  logic                re_i,
    input  logic [AddrBits-1:0] addr_i,
    // verilator lint_off UNUSEDSIGNAL
    input  logic                oe_i = 1'b1,  // of Latency 2
    // verilator lint_on UNUSEDSIGNAL
    output logic [   Width-1:0] data_o
);
  if (Width < 1 || Depth < 1 || Style > 2 || Latency < 1 || Latency > 2) begin : g_illegal
    $error("rom: Width, Depth >= 1, Style 0..2 and Latency 1..2 are legal");
  end

  localparam bit Block = Style == 1 || (Style == 0 && Depth > 64 && Depth > 4096 / Width);

  localparam int unsigned Bank = 128;  // words
  localparam int unsigned Banks = Latency == 2 && !Block ? (Depth + Bank - 1) / Bank : 1;

  logic [Banks-1:0][Width-1:0] data_q;
  logic [Width-1:0] choice;

  if (Latency == 2) begin : g_output
    logic [Width-1:0] output_q;
    always_ff @(posedge clk_i) if (oe_i) output_q <= choice;
    assign data_o = output_q;
  end else begin : g_direct
    assign data_o = choice;
  end

  if (Banks > 1) begin : g_choice
    logic [AddrBits-8:0] bank_q;
    always_ff @(posedge clk_i) if (re_i) bank_q <= addr_i[AddrBits-1:7];
    assign choice = data_q[bank_q];
  end else begin : g_only
    assign choice = data_q[0];
  end

  if (Block) begin : g_block
    (* rom_style = "block" *)
    logic [Width-1:0] mem[Depth];
    initial $readmemh(File, mem);
    always_ff @(posedge clk_i) if (re_i) data_q[0] <= mem[addr_i];
  end else begin : g_lut
`ifdef YOSYS
    (* rom_style = "logic" *)  // what Vivado calls distributed; Yosys has no mapping of that name
`else
    (* rom_style = "distributed" *)
`endif
    logic [Width-1:0] mem[Depth];
    initial $readmemh(File, mem);
    if (Banks > 1) begin : g_banks
      for (genvar b = 0; b < Banks; b++) begin : g_bank
        always_ff @(posedge clk_i) if (re_i) data_q[b] <= mem[AddrBits'(b*Bank)|AddrBits'(addr_i[6:0])];
      end
    end else begin : g_bank
      always_ff @(posedge clk_i) if (re_i) data_q[0] <= mem[addr_i];
    end
  end
endmodule
