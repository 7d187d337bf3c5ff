// pipe_control with a register for the data of each stage: a stream, and the place of each word in its pixel.
module proof (
    input logic clk_i, input logic reset_i, input logic go_i, input logic ready_i, input logic [`BITS-1:0] junk_i
);
  `START
  localparam int Bits = `TILES > 1 ? $clog2(`TILES) : 1;
  logic [`BITS-1:0] s_data, offered, next, inside;
  logic s_valid, s_ready, m_valid;
  logic [`STAGES-1:0] en, enter;
  logic [`STAGES-1:0][Bits-1:0] tile;
  numbers #(.Bits(`BITS)) u_in (
      .clk_i, .rst_i(rst), .go_i, .junk_i, .data_o(s_data), .valid_o(s_valid), .ready_i(s_ready), .offered_o(offered)
  );
  pipe_control #(.Stages(`STAGES), .Tiles(`TILES)) u_dut (
      .clk_i, .rst_i(rst), .s_valid_i(s_valid), .s_ready_o(s_ready), .m_valid_o(m_valid), .m_ready_i(ready_i),
      .en_o(en), .enter_o(enter), .tile_o(tile)
  );
  logic [`STAGES:0][`BITS-1:0] data;
  logic [`STAGES:0][Bits-1:0] place;  // of the word in its pixel, which goes with it
  logic [Bits-1:0] place_q;
  assign data[0]  = s_data;
  assign place[0] = place_q;
  always_ff @(posedge clk_i) begin
    if (rst) place_q <= '0;
    else if (s_valid && s_ready) place_q <= place_q == Bits'(`TILES - 1) ? '0 : place_q + 1'b1;
  end
  for (genvar s = 0; s < `STAGES; s++) begin : g_stage
    always_ff @(posedge clk_i) begin
      if (en[s]) begin
        data[s+1]  <= data[s];
        place[s+1] <= place[s];
      end
    end
    always_comb if (!rst && enter[s]) assert (tile[s] == place[s]);
  end
  expects #(.Bits(`BITS)) u_out (
      .clk_i, .rst_i(rst), .data_i(data[`STAGES]), .valid_i(m_valid), .ready_i, .next_o(next)
  );
  stays #(.Width(`BITS)) u_stays (.clk_i, .rst_i(rst), .data_i(data[`STAGES]), .valid_i(m_valid), .ready_i);
  assign inside = offered - next;
  always_comb if (!rst) assert (inside <= `STAGES + 1 && (!m_valid || inside != 0));
  progress #(.Limit(`STAGES+1)) u_leaves (.clk_i, .rst_i(rst), .waits_i(ready_i && inside != 0 && !m_valid));
  progress #(.Limit(2)) u_enters (.clk_i, .rst_i(rst), .waits_i(ready_i && s_valid && !s_ready));
  // Bubbles close: where a stage is free, the input moves though the output waits.
  progress #(.Limit(`STAGES+1)) u_closes (
      .clk_i, .rst_i(rst), .waits_i(s_valid && !s_ready && inside != `STAGES + 1)
  );
  reached u_reached (.clk_i, .rst_i(rst), .event_i(m_valid && ready_i));
endmodule
