// SPDX-License-Identifier: Apache-2.0
// Resets a design with an AXI4 master when nothing of it is under way on the bus, which a reset must not cut off.
//
//   reset_o = 1 from the end of the last burst on, until stop_i falls; at least for ResetCycles
//
// Address and data channels go through the gate, combinationally. From stop_i on it lets out only what was offered
// before: an address that waits, the data of bursts whose address is out, the address of a burst whose data have begun.
// Meanwhile answers are taken from the bus whether the design takes them or not: drain_o. The design must deliver the
// data of every burst that it has announced. busy_o: stop_i is 1 and the design is not yet in reset. At most 2^CountBits - 1
// reads, and as many writes, may be under way. Used by deploy/ between a design and a board's memory.
module axi_gate #(
    parameter int unsigned CountBits   = 8,
    parameter int unsigned ResetCycles = 16
) (
    input  logic clk_i,
    input  logic rst_i,
    input  logic stop_i,
    output logic reset_o,
    output logic drain_o,
    output logic busy_o,
    // The design's addresses and data
    input  logic s_arvalid_i,
    output logic s_arready_o,
    input  logic s_awvalid_i,
    output logic s_awready_o,
    input  logic s_wvalid_i,
    output logic s_wready_o,
    // The bus
    output logic m_arvalid_o,
    input  logic m_arready_i,
    output logic m_awvalid_o,
    input  logic m_awready_i,
    output logic m_wvalid_o,
    input  logic m_wready_i,
    input  logic m_wlast_i,
    // Ends of bursts on the bus
    input  logic r_end_i,
    input  logic b_end_i
);
  localparam int unsigned ResetBits = $clog2(ResetCycles + 1);
  typedef enum logic [1:0] {Run, Drain, Reset, Held} state_e;
  state_e state_q;
  logic open, ar_waits_q, aw_waits_q, inside_q, begun, ar_taken, aw_taken, quiet;
  logic [CountBits-1:0] reads_q, writes_q;
  logic signed [CountBits:0] lead_q;  // bursts whose address is out, less those whose data have begun
  logic [ResetBits-1:0] count_q;
  assign open = state_q == Run;

  logic ar_open, aw_open, w_open;
  assign ar_open = open || ar_waits_q;
  assign aw_open = open || aw_waits_q || lead_q < 0;
  assign w_open = open || inside_q || lead_q > 0;
  assign m_arvalid_o = s_arvalid_i && ar_open;
  assign s_arready_o = m_arready_i && ar_open;
  assign m_awvalid_o = s_awvalid_i && aw_open;
  assign s_awready_o = m_awready_i && aw_open;
  assign m_wvalid_o = s_wvalid_i && w_open;
  assign s_wready_o = m_wready_i && w_open;
  assign ar_taken = m_arvalid_o && m_arready_i;
  assign aw_taken = m_awvalid_o && m_awready_i;
  assign begun = m_wvalid_o && !inside_q;
  assign quiet = reads_q == '0 && writes_q == '0 && lead_q == 0 && !inside_q && !ar_waits_q && !aw_waits_q;

  always_ff @(posedge clk_i) begin
    ar_waits_q <= m_arvalid_o && !m_arready_i;
    aw_waits_q <= m_awvalid_o && !m_awready_i;
    if (m_wvalid_o) inside_q <= !(m_wready_i && m_wlast_i);
    reads_q <= reads_q + CountBits'(ar_taken) - CountBits'(r_end_i);
    writes_q <= writes_q + CountBits'(aw_taken) - CountBits'(b_end_i);
    lead_q <= lead_q + $signed({{CountBits{1'b0}}, aw_taken}) - $signed({{CountBits{1'b0}}, begun});
    count_q <= state_q == Reset ? count_q + ResetBits'(1) : '0;
    case (state_q)
      Run: if (stop_i) state_q <= Drain;
      Drain: if (quiet) state_q <= Reset;
      Reset: if (count_q == ResetBits'(ResetCycles - 1)) state_q <= Held;
      default: if (!stop_i) state_q <= Run;
    endcase
    if (rst_i) begin
      state_q <= Run;
      {ar_waits_q, aw_waits_q, inside_q} <= 3'd0;
      {reads_q, writes_q} <= '0;
      lead_q <= '0;
    end
  end
  assign reset_o = state_q == Reset || state_q == Held;
  assign drain_o = state_q == Drain;
  assign busy_o = state_q == Drain || state_q == Reset || (open && stop_i);
endmodule
