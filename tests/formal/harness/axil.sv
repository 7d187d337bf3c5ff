// AXI4-Lite of axil_bus: answers stay until they are taken, each request gets one answer and no answer comes unasked,
// and the device sees each write and read once, with its address and data. Masters may do what the standard allows.
module proof (
    input logic clk_i, input logic reset_i, input logic aw_i, input logic w_i, input logic ar_i, input logic bready_i,
    input logic rready_i, input logic [3:0] addr_i, input logic [31:0] data_i, input logic [3:0] strb_i,
    input logic rvalid_i, input logic [31:0] rdata_i, input logic writable_i, input logic readable_i
);
  `START
  // Master: valid, address and data stay until they are taken.
  logic awvalid_q, wvalid_q, arvalid_q, awready, wready, arready, bvalid, rvalid, we, re;
  logic [3:0] awaddr_q, araddr_q, strb_q, addr;
  logic [31:0] wdata_q, rdata, wdata;
  logic [1:0] bresp, rresp;
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {awvalid_q, wvalid_q, arvalid_q} <= '0;
    end else begin
      if (!awvalid_q || awready) awvalid_q <= aw_i;
      if (!wvalid_q || wready) wvalid_q <= w_i;
      if (!arvalid_q || arready) arvalid_q <= ar_i;
    end
    if (!awvalid_q || awready) awaddr_q <= addr_i;
    if (!arvalid_q || arready) araddr_q <= addr_i;
    if (!wvalid_q || wready) {strb_q, wdata_q} <= {strb_i, data_i};
  end
  // Device: may it be written and read at an address? The same answer while the address stays.
  logic writable, readable, waits_q;
  assign writable = addr[0] ? writable_q : addr[1];
  assign readable = addr[0] ? readable_q : addr[2];
  logic writable_q, readable_q;
  always_ff @(posedge clk_i) if (begins_q) {writable_q, readable_q} <= {writable_i, readable_i};
  logic answers;
  assign answers = rvalid_i && (re || waits_q);
  always_ff @(posedge clk_i) waits_q <= !rst && (re || waits_q) && !rvalid_i;
  axil_bus #(.AddrBits(4)) u_dut (
      .clk_i, .rst_i(rst),
      .s_axil_awaddr(awaddr_q), .s_axil_awprot(3'd0), .s_axil_awvalid(awvalid_q), .s_axil_awready(awready),
      .s_axil_wdata(wdata_q), .s_axil_wstrb(strb_q), .s_axil_wvalid(wvalid_q), .s_axil_wready(wready),
      .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready_i),
      .s_axil_araddr(araddr_q), .s_axil_arprot(3'd0), .s_axil_arvalid(arvalid_q), .s_axil_arready(arready),
      .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid), .s_axil_rready(rready_i),
      .addr_o(addr), .wdata_o(wdata), .we_o(we), .re_o(re), .rdata_i(rdata_i), .rvalid_i(rvalid_i),
      .writable_i(writable), .readable_i(readable)
  );
  stays #(.Width(2)) u_b (.clk_i, .rst_i(rst), .data_i(bresp), .valid_i(bvalid), .ready_i(bready_i));
  stays #(.Width(34)) u_r (.clk_i, .rst_i(rst), .data_i({rresp, rdata}), .valid_i(rvalid), .ready_i(rready_i));
  // Requests that wait for their answer, and what they asked.
  logic writing_q, reading_q, written_q, read_q, whole_q;
  logic [3:0] address_q;
  logic [31:0] asked_q, told_q;
  always_ff @(posedge clk_i) begin
    if (rst) begin
      {writing_q, reading_q, written_q, read_q} <= '0;
    end else begin
      if (awready) {writing_q, written_q} <= 2'b10;
      else if (bvalid && bready_i) writing_q <= 1'b0;
      if (arready) {reading_q, read_q} <= 2'b10;
      else if (rvalid && rready_i) reading_q <= 1'b0;
      if (we) written_q <= 1'b1;
      if (re) read_q <= 1'b1;
    end
    if (awready) {address_q, asked_q, whole_q} <= {awaddr_q, wdata_q, &strb_q};
    if (arready) address_q <= araddr_q;
    if (answers) told_q <= rdata_i;
  end
  always_comb begin
    if (!rst) begin
      assert (awready == wready);
      if (awready) assert (awvalid_q && wvalid_q && !writing_q && !reading_q);
      if (arready) assert (arvalid_q && !writing_q && !reading_q);
      if (we) assert (writing_q && !written_q && whole_q && addr == address_q && wdata == asked_q);
      if (re) assert (reading_q && !read_q && addr == address_q);
      if (bvalid) assert (writing_q && written_q == whole_q);
      if (bvalid) assert (bresp == (!writable ? 2'b11 : whole_q ? 2'b00 : 2'b10));
      if (rvalid) assert (reading_q && read_q && rdata == told_q && rresp == (readable ? 2'b00 : 2'b11));
    end
  end
  progress #(.Limit(4)) u_write (.clk_i, .rst_i(rst), .waits_i(writing_q && !bvalid));
  progress #(.Limit(4)) u_read (.clk_i, .rst_i(rst), .waits_i(reading_q && !rvalid && !waits_q));
  progress #(.Limit(4)) u_accept (
      .clk_i, .rst_i(rst), .waits_i(!writing_q && !reading_q && (arvalid_q || (awvalid_q && wvalid_q)))
  );
  reached u_reached (.clk_i, .rst_i(rst), .event_i((bvalid && bready_i) || (rvalid && rready_i)));
endmodule
