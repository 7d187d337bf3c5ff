// SPDX-License-Identifier: Apache-2.0
// Read-only memory with a registered output: module rom of prim/generic, which see, but a wide one in LUTs as black boxes
// of up to Columns bits each, which hold all registers of a deep one. bitwright.sources.without_wide_roms uses it for tools that cannot take all in one piece.
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
  localparam int unsigned Columns = 1024;
  localparam bit Block = Style == 1 || (Style == 0 && Depth > 64 && Depth > 4096 / Width);

  localparam bit Boxed = !Block && Width > Columns;
  localparam bit Banked = Boxed && Latency == 2 && Depth > 128;
  logic [Width-1:0] data_q;

  if (Latency == 2 && !Banked) begin : g_output
    logic [Width-1:0] output_q;
    always_ff @(posedge clk_i) if (oe_i) output_q <= data_q;
    assign data_o = output_q;
  end else begin : g_direct
    assign data_o = data_q;
  end

  if (Boxed) begin : g_columns
    for (genvar k = 0; k < (Width + Columns - 1) / Columns; k++) begin : g_column
      localparam int unsigned Bits = Width - k * Columns < Columns ? Width - k * Columns : Columns;
      rom_column #(
          .Width(Bits),
          .AddrBits(AddrBits)
      ) u_column (
          .clk_i,
          .re_i,
          .oe_i,
          .addr_i,
          .data_o(data_q[k*Columns+:Bits])
      );
    end
  end else begin : g_memory
    if (Block) begin : g_block
      (* rom_style = "block" *)
      logic [Width-1:0] mem[Depth];
      initial $readmemh(File, mem);
      always_ff @(posedge clk_i) if (re_i) data_q <= mem[addr_i];
    end else begin : g_lut
      (* rom_style = "logic" *)
      logic [Width-1:0] mem[Depth];
      initial $readmemh(File, mem);
      always_ff @(posedge clk_i) if (re_i) data_q <= mem[addr_i];
    end
  end
endmodule
