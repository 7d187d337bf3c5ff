// SPDX-License-Identifier: Apache-2.0
// Buffer between the array and the post stage: sums of `Slots` tiles.
//
// done_i comes with the last word of a dot product. Element (r, c)'s sum then stands in acc_i Latency + r + c cycles
// later; each column takes its rows one a cycle into its memory. written_o: the tile's last sum is in.
// Reads: all columns of row rrow_i in slot rslot_i, latency 2.
module bitsys_results #(
    parameter int unsigned Rows    = 4,
    parameter int unsigned Columns = 4,
    parameter int unsigned Slots   = 4,
    parameter int unsigned Latency = 5,
    localparam int unsigned RowBits = $clog2(Rows),
    localparam int unsigned SlotBits = $clog2(Slots)
) (
    input  logic                       clk_i,
    input  logic                       rst_i,
    input  logic                       done_i,
    input  logic [32*Rows*Columns-1:0] acc_i,
    output logic                       written_o,
    input  logic [       SlotBits-1:0] rslot_i,
    input  logic [        RowBits-1:0] rrow_i,
    output logic [     32*Columns-1:0] rdata_o
);
  // Row counter of column 0, then one cycle later for each column.
  localparam int unsigned AddrBits = SlotBits + RowBits;
  logic [Latency-1:0] done_q;
  logic active_q;
  logic [SlotBits-1:0] slot_q;
  logic [RowBits-1:0] row_q;
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      done_q <= '0;
      active_q <= 1'b0;
      slot_q <= '1;
      row_q <= '0;
    end else begin
      done_q <= {done_q[Latency-2:0], done_i};
      if (done_q[Latency-2]) begin
        active_q <= 1'b1;
        row_q <= '0;
        slot_q <= slot_q + 1'b1;
      end else if (row_q == RowBits'(Rows - 1)) begin
        active_q <= 1'b0;
      end else begin
        row_q <= row_q + 1'b1;
      end
    end
  end

  logic [Columns:0] active;
  logic [(Columns+1)*AddrBits-1:0] address;
  assign active[0] = active_q;
  assign address[AddrBits-1:0] = {slot_q, row_q};
  for (genvar c = 0; c < Columns; c++) begin : g_column
    logic delayed_q;
    logic [AddrBits-1:0] address_q;
    logic [AddrBits-1:0] raddr_q;
    logic [31:0] sum_q;
    logic [RowBits-1:0] row;
    // keep: every column has an address of its own, near its memory.
    (* keep *)
    always_ff @(posedge clk_i) raddr_q <= {rslot_i, rrow_i};
    assign row = address[AddrBits*c+:RowBits];
    always_ff @(posedge clk_i) begin
      delayed_q <= active[c] && !rst_i;
      address_q <= address[AddrBits*c+:AddrBits];
      sum_q <= acc_i[32*(Columns*row+c)+:32];
    end
    assign active[c+1] = delayed_q;
    assign address[AddrBits*(c+1)+:AddrBits] = address_q;
    ram_sdp #(
        .Width(32),
        .Depth(Slots << RowBits),
        .Style(2)
    ) u_ram (
        .clk_i  (clk_i),
        .we_i   (delayed_q),
        .waddr_i(address_q),
        .wdata_i(sum_q),
        .re_i   (1'b1),
        .raddr_i(raddr_q),
        .rdata_o(rdata_o[32*c+:32])
    );
  end
  assign written_o = active[Columns] && address[AddrBits*Columns+:RowBits] == RowBits'(Rows - 1);
endmodule
