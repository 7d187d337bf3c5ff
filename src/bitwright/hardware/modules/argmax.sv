// SPDX-License-Identifier: Apache-2.0
// Index of the first maximum over the channels of each pixel (Python op ArgMax).
//
// A pixel is ceil(Channels/Lanes) words; lanes behind the last channel are ignored. A tree of one register stage a
// level finds each word's maximum, one more stage the maximum over the words. Latency clog2(Lanes) + 2 after the
// last word, one word a cycle. A later element wins only where it is strictly larger.
module argmax #(
    parameter int unsigned Lanes    = 1,
    parameter int unsigned InBits   = 8,
    parameter bit          InSigned = 1,
    parameter int unsigned Channels = 10,
    parameter int unsigned OutBits  = 4
) (
    input  logic                    clk_i,
    input  logic                    rst_i,
    input  logic [Lanes*InBits-1:0] s_data_i,
    input  logic                    s_valid_i,
    output logic                    s_ready_o,
    output logic [     OutBits-1:0] m_data_o,
    output logic                    m_valid_o,
    input  logic                    m_ready_i
);
  localparam int unsigned Tiles = (Channels + Lanes - 1) / Lanes;
  localparam int unsigned Levels = $clog2(Lanes);
  localparam int unsigned Width = 1 << Levels;  // lanes, filled up to a power of two
  localparam int unsigned Valid = Channels - (Tiles - 1) * Lanes;  // lanes with a channel in the last word

  if (Lanes < 1 || InBits < 1 || Channels < 1 || OutBits < 1 || OutBits > 31 || Channels > 1 << OutBits)
  begin : g_illegal
    $error("argmax: OutBits must hold Channels - 1");
  end

  // Stages 0..Levels find the word's maximum; `best` below folds the words.
  logic [Levels:0] en, enter;
  logic [Levels:0] unused_tile;
  logic word_valid, word_ready;
  pipe_control #(
      .Stages(Levels + 1)
  ) u_pipe (
      .m_valid_o(word_valid),
      .m_ready_i(word_ready),
      .en_o(en),
      .enter_o(enter),
      .tile_o(unused_tile),
      .*
  );

  logic last_in;
  logic [(Tiles > 1 ? $clog2(Tiles) : 1)-1:0] unused_in;
  logic unused_in_first;
  loop_counter #(
      .Count(Tiles)
  ) u_in (
      .clk_i,
      .rst_i,
      .step_i (enter[0]),
      .count_o(unused_in),
      .first_o(unused_in_first),
      .last_o (last_in)
  );

  // Values compare as unsigned numbers after the sign bit is turned over; 0 is then the smallest.
  localparam logic [InBits-1:0] Flip = InSigned ? InBits'(1) << (InBits - 1) : '0;
  localparam int unsigned LaneBits = Levels > 0 ? Levels : 1;
  logic [Levels:0][Width-1:0][InBits-1:0] value_q;
  logic [Levels:0][Width-1:0][LaneBits-1:0] lane_q;

  for (genvar i = 0; i < Width; i++) begin : g_input
    assign lane_q[0][i] = LaneBits'(i);
    if (i >= Lanes) begin : g_none
      assign value_q[0][i] = '0;
    end else begin : g_lane
      logic [InBits-1:0] x;
      assign x = s_data_i[i*InBits+:InBits] ^ Flip;
      always_ff @(posedge clk_i) if (en[0]) value_q[0][i] <= (i >= Valid && last_in) ? '0 : x;
    end
  end
  for (genvar s = 1; s <= Levels; s++) begin : g_level
    for (genvar i = 0; i < Width; i++) begin : g_pair
      if (i < Width >> s) begin : g_node
        logic right;
        assign right = value_q[s-1][2*i+1] > value_q[s-1][2*i];
        always_ff @(posedge clk_i) begin
          if (en[s]) begin
            value_q[s][i] <= right ? value_q[s-1][2*i+1] : value_q[s-1][2*i];
            lane_q[s][i]  <= right ? lane_q[s-1][2*i+1] : lane_q[s-1][2*i];
          end
        end
      end else begin : g_empty
        assign value_q[s][i] = '0;
        assign lane_q[s][i]  = '0;
      end
    end
  end

  logic [(Tiles > 1 ? $clog2(Tiles) : 1)-1:0] tile;
  logic first, last, valid_q;
  logic [InBits-1:0] best_q;
  logic [OutBits-1:0] index_q;
  assign word_ready = m_ready_i || !valid_q;
  loop_counter #(
      .Count(Tiles)
  ) u_tile (
      .clk_i,
      .rst_i,
      .step_i (word_valid && word_ready),
      .count_o(tile),
      .first_o(first),
      .last_o (last)
  );
  always_ff @(posedge clk_i) begin
    if (rst_i) valid_q <= 1'b0;
    else if (word_ready) valid_q <= word_valid && last;
  end
  always_ff @(posedge clk_i) begin
    if (word_valid && word_ready && (first || value_q[Levels][0] > best_q)) begin
      best_q  <= value_q[Levels][0];
      index_q <= OutBits'(tile) * OutBits'(Lanes) + (Lanes > 1 ? OutBits'(lane_q[Levels][0]) : '0);
    end
  end
  assign m_data_o  = index_q;
  assign m_valid_o = valid_q;
  logic unused;
  assign unused = &{1'b0, enter, unused_tile};
endmodule
