// SPDX-License-Identifier: Apache-2.0
// Leaves only the tlast of a batch's last frame, so that one DMA transfer takes a whole batch.
//
//   last_o = last_i in every frames_i-th frame, else 0
//
// Combinational beside a counter; frames_i >= 1 and held while frames are under way. No data pass through:
// valid_i, ready_i and last_i are those of the stream. Used by deploy/ between a design and a DMA engine.
module axis_batch (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic [31:0] frames_i,
    input  logic        valid_i,
    input  logic        ready_i,
    input  logic        last_i,
    output logic        last_o
);
  logic [31:0] count_q;
  logic batch_end;

  assign batch_end = count_q + 32'd1 >= frames_i;
  assign last_o = last_i && batch_end;

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_i && last_i) count_q <= batch_end ? '0 : count_q + 32'd1;
    if (rst_i) count_q <= '0;
  end
endmodule
