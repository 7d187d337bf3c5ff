// Of window_reader's padding: where the next item stands.
always_comb begin
  if (!rst_i) begin
    assert (ix_q == XBits'(column_of(later)) && iy_q == YBits'(row_of(later)));
    if (!prime_q) assert (pad_q == pads(item));
  end
end
