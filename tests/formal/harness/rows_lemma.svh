// Of bitsys_container_pe: what the pairs of rows add up to before the constants, of the word ghost_i where it is valid (bit 21).
function automatic logic signed [9:0] rows(input int unsigned k, input logic [20:0] w);
  logic signed [9:0] a, high;
  a = w[18] ? 10'($signed(w[7:0])) : 10'(w[7:0]);
  high = w[8+2*k+1] ? a : '0;
  rows = (w[8+2*k] ? a : '0) + ((k == 3 && w[19] ? -high : high) << 1);
  if (w[18]) rows = rows + (k == 3 && w[19] ? 10'd128 : 10'd384);
  if (k == 0 && w[18] && w[19]) rows = rows + 10'd256;
  if (k == 3 && w[19]) rows = rows + (w[18] ? 10'd254 : 10'd510);
  if (k == 3 && (w[18] ^ w[19])) rows = rows + 10'd2;
endfunction
always_comb begin
  if (ghost_i[21] && ghost_i[17:16] == 2'd3) begin
    for (int unsigned k = 0; k < 4; k++) assert (sum_q[k] == rows(k, ghost_i[20:0]));
  end
end
