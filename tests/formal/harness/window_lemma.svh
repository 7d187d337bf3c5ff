// Lemmas on window_reader's registers, which make its proof inductive: each is a function of `ghost_i`, the harness's loops
// {base, oy, ox, g, r, ky, kx, k} of the next word that leaves, and of how many words have been taken. Inside g_buffer.
localparam int B = `BITS;
localparam int Frame = Height * Row;
localparam logic [27:0] Ends = {
  4'(OutHeight - 1), 4'(OutWidth - 1), 4'(Groups - 1), 4'(Repeats - 1), 4'(KernelH - 1), 4'(KernelW - 1), 4'(GroupChunks - 1)
};
function automatic logic [2:0] level_of(input logic [B+27:0] s);
  level_of = 3'd7;
  for (int l = 6; l >= 0; l--) if (s[4*l+:4] != Ends[4*l+:4]) level_of = 3'(l);
endfunction
function automatic logic [B+27:0] next_of(input logic [B+27:0] s);
  next_of = s;
  for (int l = 0; l < 7; l++) begin
    if (l < 32'(level_of(s))) next_of[4*l+:4] = 4'd0;
    if (l == 32'(level_of(s))) next_of[4*l+:4] = s[4*l+:4] + 4'd1;
  end
  if (level_of(s) == 3'd7) next_of[B+27:28] = s[B+27:28] + B'(Frame);
endfunction
function automatic logic [B-1:0] column_of(input logic [B+27:0] s);
  column_of = B'(s[23:20]) * B'(StrideW) - B'(PadLeft) + B'(s[7:4]) * B'(DilationW);
endfunction
function automatic logic [B-1:0] row_of(input logic [B+27:0] s);
  row_of = B'(s[27:24]) * B'(StrideH) - B'(PadTop) + B'(s[11:8]) * B'(DilationH);
endfunction
function automatic logic pads(input logic [B+27:0] s);
  pads = column_of(s) >= B'(ImageWidth) || row_of(s) >= B'(Height);
endfunction
function automatic logic [B-1:0] oldest_of(input logic [B+27:0] s);
  oldest_of = s[B+27:28] + (B'(s[27:24]) * B'(StrideH) - B'(PadTop)) * B'(Row)
      + (B'(s[23:20]) * B'(StrideW) - B'(PadLeft)) * B'(Chunks);
endfunction
function automatic logic [B-1:0] place_of(input logic [B+27:0] s);
  place_of = oldest_of(s) + B'(s[11:8]) * B'(DilationH * Row) + B'(s[7:4]) * B'(DilationW * Chunks)
      + B'(s[19:16]) * B'(GroupChunks) + B'(s[3:0]);
endfunction

logic [B-1:0] taken;  // words taken
logic opens;  // the item is a frame's first one, and has the lead of the frame's first word
assign {taken, leaves} = ghost_i;
assign item = valid_q[0] ? next_of(leaves) : leaves;
assign later = prime_q ? item : next_of(item);
assign latest = next_of(later);
assign address = {29'(place_of(item) - B'(prime_q)), prime_q ? 3'd0 : level_of(item)};
assign opens = Origin != 0 && item[27:0] == 28'd0;
always_ff @(posedge clk_i) begin
  if (rst_i) begin
    there_q  <= '0;
    filled_q <= '0;
  end else if (arrive) begin
    there_q  <= there_q + 1'b1;
    filled_q <= 32'(filled_q) == Depth ? filled_q : filled_q + 1'b1;
  end
end
logic signed [B-1:0] lead, need, behind;
assign lead = there_q - (opens || prime_q ? item[B+27:28] : place_of(item)) - B'(!prime_q);
assign need = taken - oldest_of(item) - B'(Depth) + B'(Early * Chunks);
assign behind = there_q - item[B+27:28];
logic [LeadBits-1:0] moves;
always_comb begin
  case (level_of(item))
    3'd0: moves = LeadBits'(-1);
    3'd1: moves = LeadBits'(-ToTap);
    3'd2: moves = LeadBits'(-ToTapRow);
    3'd3: moves = LeadBits'(-ToRepeat);
    3'd4: moves = LeadBits'(-ToGroup);
    3'd5: moves = LeadBits'(-ToWindow);
    3'd6: moves = LeadBits'(-ToRow);
    default: moves = LeadBits'(Origin - ToFrame);
  endcase
  if (opens) moves = LeadBits'(ToSecond);
end
always_comb begin
  if (!rst_i) begin
    for (int l = 0; l < 7; l++) assert (leaves[4*l+:4] <= Ends[4*l+:4]);
    assert (taken == there_q + B'(arrive));
    assert (!arrive || arrival == Width'(there_q));
    assert (write_q == there_q[AddrBits-1:0]);
    if (prime_q) assert (!valid_q[0] && item == '0);
    assert (level_q == (prime_q ? 3'd0 : level_of(item)));
    assert (ahead == level_of(later));
    assert (move_q == (prime_q ? LeadBits'(-1) : moves));
    assert (drop_q == (prime_q || level_q < 3'd5 ? '0 :
        level_q == 3'd5 ? NeedBits'(-NextWindow) : level_q == 3'd6 ? NeedBits'(-NextRow) : NeedBits'(-NextFrame)));
    assert (B'($signed(lead_q)) == lead);
    assert (B'($signed(need_q)) == need);
    assert (need <= 0 && lead < $signed(B'(1 << (LeadBits - 1))) && lead >= -$signed(B'((1 << (LeadBits - 2)) + Forward)));
    if (!prime_q) assert (skip_q == (pads(item) && !opens));
    if (!prime_q) assert (first_q == (item[11:0] == 12'd0));
    if (prime_q) assert (!skip_q);
    if (!prime_q && item[27:0] != 28'd0) assert (behind > 0);
    assert (32'(filled_q) == Depth || (32'(filled_q) < Depth && there_q == B'(filled_q)));
    if (32'(filled_q) != Depth) assert (item[B+27:28] <= B'(filled_q) + B'(Frame));
    if (valid_q[0]) begin
      assert (firsts_q[0] == (leaves[11:0] == 12'd0));
      assert (lasts_q[0] == (level_of(leaves) >= 3'd3));
      assert (pads_q[0] == pads(leaves));
      if (!pads(leaves)) assert (data == Width'(place_of(leaves)));
    end
  end
end
