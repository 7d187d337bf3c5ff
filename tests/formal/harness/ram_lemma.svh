// Of ram_sdp: every place that has been written, ghost_i[AddrBits:0] of them, holds the last number that went there;
// ghost_i[AddrBits+1 +: BITS] is the next number.
for (genvar j = 0; j < Depth; j++) begin : g_lemma
  logic [`BITS-1:0] latest, number;
  logic [AddrBits-1:0] age;
  assign latest = ghost_i[AddrBits+1+:`BITS] - 1'b1;
  assign age = latest[AddrBits-1:0] - AddrBits'(j);
  assign number = latest - `BITS'(age);
  always_comb if ({1'b0, age} < ghost_i[AddrBits:0]) assert (mem[j] == Width'(number));
end
