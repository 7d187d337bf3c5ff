// Eight elements, packed and unpacked by bitsys, are what they were, in every stored width.
module proof (
    input logic clk_i, input logic reset_i, input logic [63:0] elements_i, input logic [3:0] stored_i, input logic signed_i
);
  `START
  logic [63:0] bytes, back;
  logic [3:0] count;
  logic legal, fits;
  assign legal = `PLANES ? stored_i >= 1 && stored_i <= 8 : stored_i == 1 || stored_i == 2 || stored_i == 4 || stored_i == 8;
  bitsys_pack #(.Planes(`PLANES)) u_pack (
      .elements_i, .stored_i, .wide_i(1'b0), .bytes_o(bytes), .count_o(count)
  );
  // Bytes that are not written are arbitrary: here what the elements were turned over.
  logic [63:0] stored;
  for (genvar b = 0; b < 8; b++) begin : g_byte
    assign stored[8*b+:8] = 4'(b) < count ? bytes[8*b+:8] : ~elements_i[8*b+:8];
  end
  bitsys_unpack #(.Planes(`PLANES)) u_unpack (.bytes_i(stored), .stored_i, .signed_i, .elements_o(back));
  logic [7:0] is_in;
  for (genvar k = 0; k < 8; k++) begin : g_element
    logic signed [15:0] x;
    assign x = signed_i ? 16'($signed(elements_i[8*k+:8])) : 16'(elements_i[8*k+:8]);
    assign is_in[k] = signed_i ? x >= -(16'sd1 <<< (stored_i - 1)) && x < (16'sd1 <<< (stored_i - 1))
        : x < (16'sd1 <<< stored_i);
  end
  assign fits = &is_in;
  always_comb if (!rst && legal && fits) assert (back == elements_i && count == stored_i);
  reached #(.Count(1)) u_reached (.clk_i, .rst_i(rst), .event_i(legal && fits && stored_i == 2));
endmodule
