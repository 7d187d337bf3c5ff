// Of window_step: what the next step adds, by its level ghost_i[2:0], and the address ghost_i[31:3].
localparam logic [31:0] Places = Depth;
logic [31:0] step, upward;
always_comb begin
  step = '0;
  for (int l = 0; l < 8; l++) if (ghost_i[2:0] == 3'(l)) step = Steps[32*l+:32];
end
assign upward = step & (Places - 1);
always_comb begin
  if (!rst_i) begin
    assert (up_q == upward[AddrBits-1:0] && down_q == upward[AddrBits-1:0]);
    assert (address_o == ghost_i[3+:AddrBits]);
  end
end
