"""`axi_gate` between a master that always has something under way and a memory that watches the bus."""

import numpy as np
import pytest

from bitwright.hardware import library as rtl
from bitwright.hardware.shell import memory_master
from bitwright.hardware.text import wired
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, inner_output
from bitwright.tools.model import ExternalMemory, ProtocolError

BASE, SIZE, RESETS = 0x12_3450_0000, 1 << 17, 400
PORTS = memory_master(64)
GATED = [f"m_axi_{c}{end}" for c in ("ar", "aw", "w") for end in ("valid", "ready")] + ["m_axi_rready", "m_axi_bready"]


def traffic() -> str:
    """Random reads and writes of a master that is reset again and again; a word of `ends` for every reset.

    Addresses of writes come late, so that their data may come before them.
    """
    pins = wired(PORTS) | {name: name.replace("m_axi_", "own_") for name in GATED}
    pins |= {"m_axi_awvalid": "early", "m_axi_awready": "own_awready && late_q"}
    joined = ", ".join(f".{name}({net})" for name, net in pins.items())
    channels = ", ".join(
        f".s_{c}valid_i(own_{c}valid), .s_{c}ready_o(own_{c}ready), "
        f".m_{c}valid_o(m_axi_{c}valid), .m_{c}ready_i(m_axi_{c}ready)"
        for c in ("ar", "aw", "w")
    )
    return f"""module traffic (input logic clk_i, input logic rst_i, output logic ends_data_o,
    output logic ends_valid_o, input logic ends_ready_i, {", ".join(port.declaration for port in PORTS)});
  logic {", ".join(name.replace("m_axi_", "own_") for name in GATED)};
  logic reset, drain, busy, stop_q;
  logic [31:0] draw;
  logic [9:0] left_q;
  lfsr32 u_draw (.clk_i, .load_i(rst_i), .seed_i(32'h1234567), .step_i(1'b1), .draw_o(draw));
  assign {{ends_data_o, ends_valid_o}} = {{1'b0, stop_q && !busy}};
  always_ff @(posedge clk_i) begin
    left_q <= left_q == 0 ? {{1'b0, draw[8:0]}} + 10'd40 : left_q - 10'd1;
    if (rst_i) stop_q <= 1'b0;
    else if (stop_q) stop_q <= busy || !ends_ready_i;
    else stop_q <= left_q == 0;
  end
  logic early, late_q;
  assign own_awvalid = early && late_q;
  always_ff @(posedge clk_i) begin
    late_q <= !rst_i && !reset && early && !(own_awvalid && own_awready) && (late_q || draw[6]);
  end
  assign m_axi_rready = own_rready || drain;
  assign m_axi_bready = own_bready || drain;
  axi_gate u_gate (.clk_i, .rst_i, .stop_i(stop_q), .reset_o(reset), .drain_o(drain), .busy_o(busy), {channels},
      .m_wlast_i(m_axi_wlast), .r_end_i(m_axi_rvalid && m_axi_rready && m_axi_rlast),
      .b_end_i(m_axi_bvalid && m_axi_bready));
  // verilator lint_off WIDTH
  // verilator lint_off PINCONNECTEMPTY
  axi_master u_master (.clk_i, .rst_i(rst_i || reset), .run_i(1'b1),
      .read_beat_i({{37'd{BASE // 8} + {{27'd0, draw[9:0]}}, 37'd{BASE // 8} + {{27'd0, draw[25:16]}}}}),
      .read_beats_i({{24'd1 + 24'(draw[13:10]), 24'd1 + 24'(draw[30:26])}}), .read_valid_i(draw[15:14]),
      .read_ready_o(),
      .m_data_o(), .m_valid_o(), .m_ready_i({{draw[3], draw[7]}}),
      .write_beat_i(37'd{BASE // 8 + 4096} + {{27'd0, draw[12:3]}}), .write_beats_i(24'd1 + 24'(draw[20:16])),
      .write_end_i(draw[1]), .write_valid_i(1'b1), .write_ready_o(),
      .s_data_i({{draw, draw}}), .s_valid_i(!draw[5]), .s_ready_o(),
      .written_o(), .error_o(), .error_kind_o(), .error_address_o(), {joined});
endmodule
"""


def run(cache, seed, files=None):
    made = rtl.sources(["axi_master", "axi_gate", "lfsr32"]) | {"traffic.sv": traffic()} | (files or {})
    model = verilator.build(made, Bench("traffic", [], [inner_output("ends", 1)], memory=64), cache_dir=cache)
    memory = ExternalMemory(np.zeros(SIZE // 4, np.uint32), SIZE, BASE, latency=20, gap=2, seed=seed)
    return model.with_memory(memory).run({}, {"ends": RESETS}, idle_cycles=20_000)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_nothing_is_cut_off(seed, rtl_cache):
    found = run(rtl_cache, seed)
    read, written = found.traffic
    assert min(read, written) > 8 * 20 * RESETS, "there is much under way"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("ar_open = open || ar_waits_q;", "ar_open = open;"),
        ("aw_open = open || aw_waits_q || lead_q < 0;", "aw_open = open || lead_q < 0;"),
        ("aw_open = open || aw_waits_q || lead_q < 0;", "aw_open = open || aw_waits_q;"),
        ("w_open = open || inside_q || lead_q > 0;", "w_open = open || lead_q > 0;"),
        ("w_open = open || inside_q || lead_q > 0;", "w_open = open || inside_q;"),
        ("quiet = reads_q == '0 && writes_q == '0 &&", "quiet = writes_q == '0 &&"),
        ("quiet = reads_q == '0 && writes_q == '0 &&", "quiet = reads_q == '0 &&"),
        ("Drain: if (quiet)", "Drain: if (1'b1)"),
    ],
)
def test_every_part_of_the_gate_is_needed(good, bad, rtl_cache):
    """Without it the bus or the master breaks a rule, or the reset never comes."""
    source = rtl.sources(["axi_gate"])
    path = next(iter(source))
    assert good in source[path]
    with pytest.raises((ProtocolError, RuntimeError)):
        run(rtl_cache, 1, {path: source[path].replace(good, bad)})
