"""Flip-flops that become registers of block RAM and multipliers: which do, and that the circuit stays the same."""

import json
import re

import numpy as np
import pytest
from block_models import MODELS, reduced

from bitwright.hardware import library as rtl
from bitwright.hardware.closure import flatten, write
from bitwright.tools import verilator, yosys
from bitwright.tools.bench import Bench, inner_input, inner_output

PORTS = """
    input logic clk_i, input logic [3:0] en_i, input logic rst_i, input logic we_i, input logic [9:0] wa_i,
    input logic [9:0] ra_i, input logic [35:0] wd_i, input logic signed [15:0] a_i, input logic signed [15:0] b_i,
    output logic [35:0] wide_o, output logic [17:0] narrow_o, output logic signed [31:0] p_o,
    output logic signed [31:0] s_o"""
NARROW = """
  ram_sdp #(.Width(18), .Depth({depth}), .Style(1), .Latency(2)) u_narrow (.clk_i, .we_i, .waddr_i({bits}'(wa_i)),
      .wdata_i(wd_i[17:0]), .re_i(en_i[0]), .raddr_i({bits}'(ra_i)), .oe_i({enable}), .rdata_o({to}));"""
WIDE = """
  ram_sdp #(.Width(36), .Depth(512), .Latency(2)) u_wide (.clk_i, .we_i, .waddr_i(wa_i[8:0]), .wdata_i(wd_i),
      .re_i(en_i[1]), .raddr_i(ra_i[8:0]), .oe_i(en_i[2]), .rdata_o(wide_o));"""
PRODUCTS = """
  logic signed [15:0] a_q, b_q;
  logic signed [31:0] m_q;
  always_ff @(posedge clk_i) begin
    if (en_i[1]) a_q <= a_i;
    if (en_i[1]) b_q <= b_i;
    if (en_i[2]) m_q <= 32'(a_q) * 32'(b_q);
    if (en_i[3]) p_o <= m_q;
    if (en_i[3]) s_o <= 32'(b_i) * 32'(a_i ^ 16'sd3);
  end"""


def narrow(depth=1024, enable="!en_i[1]", to="narrow_o"):
    """A memory of 18 bits a word with an output register."""
    return NARROW.format(depth=depth, bits=max(1, (depth - 1).bit_length()), enable=enable, to=to)


def synthesized(family, body, folder):
    """Cells of module `dut` with this body, whose files are left in the folder."""
    files = flatten(rtl.sources(["ram_sdp"]) | {"dut.sv": f"module dut ({PORTS});{body}\nendmodule\n"})
    yosys.run(yosys.find(), yosys.Synthesis(family, "dut", netlist=True), write(files, folder), folder, folder / "log")
    return yosys.count((folder / yosys.STAT).read_text())


def blocks(folder, kind):
    """Cells of a type in the netlist."""
    cells = json.loads((folder / yosys.NETLIST).read_text())["modules"]["dut"]["cells"]
    return [cell for cell in cells.values() if cell["type"] == kind]


PAIR = """module pair (
    input logic clk_i, input logic rst_i, input logic [79:0] s_data_i, input logic s_valid_i, output logic s_ready_o,
    output logic [117:0] rtl_data_o, output logic rtl_valid_o, input logic rtl_ready_i,
    output logic [117:0] packed_data_o, output logic packed_valid_o, input logic packed_ready_i);
  logic [3:0] en;
  logic we;
  logic [9:0] wa, ra;
  logic [117:0] q[2];
  assign en = s_valid_i ? s_data_i[3:0] : '0;
  assign we = s_valid_i && s_data_i[4];
  assign wa = {6'd0, s_data_i[7:5], s_data_i[8]};
  assign ra = {6'd0, s_data_i[11:9], !s_data_i[8]};  // never the word that is written
  gold u_rtl (.clk_i, .rst_i, .en_i(en), .we_i(we), .wa_i(wa), .ra_i(ra), .wd_i(s_data_i[47:12]),
      .a_i(s_data_i[63:48]), .b_i(s_data_i[79:64]), .wide_o(q[0][35:0]), .narrow_o(q[0][53:36]), .p_o(q[0][85:54]),
      .s_o(q[0][117:86]));
  gate u_packed (.clk_i, .rst_i, .en_i(en), .we_i(we), .wa_i(wa), .ra_i(ra), .wd_i(s_data_i[47:12]),
      .a_i(s_data_i[63:48]), .b_i(s_data_i[79:64]), .wide_o(q[1][35:0]), .narrow_o(q[1][53:36]), .p_o(q[1][85:54]),
      .s_o(q[1][117:86]));
  assign s_ready_o = rtl_ready_i && packed_ready_i;
  always_ff @(posedge clk_i) begin
    rtl_valid_o <= s_valid_i && !rst_i;
    packed_valid_o <= s_valid_i && !rst_i;
    rtl_data_o <= q[0];
    packed_data_o <= q[1];
  end
endmodule
"""
LIBRARIES = {"ecp5": "+/ecp5/cells_sim.v", "xc7": "+/xilinx/cells_sim.v", "xcup": "+/xilinx/cells_sim.v"}
WAIVED = '`verilator_config\nlint_off -file "*gate.sv"\n'
WORDS, FILLED = 4000, 1000  # until then a register or memory may hold what it held at first


def plain(text):
    """Verilog without names that begin with a backslash."""
    return re.sub(r"\\(\S+) ", lambda name: "x_" + re.sub(r"\W", lambda c: f"_{ord(c[0])}_", name[1]) + " ", text)


@pytest.mark.parametrize("family", ["ecp5", "xc7", "xcup"])
def test_a_packed_netlist_computes_what_the_rtl_does(family, tmp_path):
    """Under random enables of every register: memories of two widths, products with one and two stages behind them."""
    cells = synthesized(family, narrow() + WIDE + PRODUCTS, tmp_path)
    assert (cells.ff, cells.dsp, cells.bram36) == (0, 2, 1)
    dut = json.loads((tmp_path / yosys.NETLIST).read_text())["modules"]["dut"]
    reduced(dut["cells"], MODELS[family])
    (tmp_path / "packed.json").write_text(json.dumps({"modules": {"dut": dut}}))
    (tmp_path / "models.sv").write_text(MODELS[family])
    script = (
        f"read_json packed.json; read_verilog -sv models.sv; read_verilog -nooverwrite {LIBRARIES[family]}; "
        "hierarchy -top dut; prep -flatten; rename dut gate; write_verilog -noattr gate.v"
    )
    yosys.execute(yosys.find(), ["-q", "-p", script], tmp_path, tmp_path / "models.log")
    files = rtl.sources(["ram_sdp"]) | {"gate.sv": plain((tmp_path / "gate.v").read_text()), "pair.sv": PAIR}
    files |= {"gold.sv": (tmp_path / "dut.sv").read_text().replace("module dut", "module gold"), "gate.vlt": WAIVED}
    bench = Bench("pair", [inner_input("s", 80)], [inner_output("rtl", 118), inner_output("packed", 118)])
    model = verilator.build(files, bench, cache_dir=tmp_path / "cache")
    words = np.random.default_rng(0).integers(0, 1 << 32, (WORDS, 3), dtype=np.uint32)
    words[:, 2] &= 0xFFFF
    found = model.run({"s": words}, {"rtl": WORDS, "packed": WORDS}).outputs
    assert len(np.unique(found["rtl"][FILLED:], axis=0)) > WORDS / 4
    np.testing.assert_array_equal(found["packed"][FILLED:], found["rtl"][FILLED:])


READ = """
  logic [17:0] word;
  ram_sdp #(.Width(18), .Depth(1024), .Style(1)) u_read (.clk_i, .we_i, .waddr_i(wa_i), .wdata_i(wd_i[17:0]),
      .re_i(en_i[0]), .raddr_i(ra_i), .oe_i(1'b1), .rdata_o(word));"""
CASES = {  # what stands behind the memory, then flip-flops and blocks with a register, of the ECP5 and of UltraScale+
    "always": ("always_ff @(posedge clk_i) narrow_o <= word;", (0, 1), (0, 1)),
    "some": ("always_ff @(posedge clk_i) narrow_o[8:0] <= word[8:0];", (0, 1), (0, 1)),
    "two readers": ("always_ff @(posedge clk_i) narrow_o <= word; assign wide_o[0] = word[0];", (18, 0), (18, 0)),
    "two enables": (
        "always_ff @(posedge clk_i) begin narrow_o[17] <= word[17]; if (en_i[1]) narrow_o[16:0] <= word[16:0]; end",
        (18, 0),
        (18, 0),
    ),
    "one bit straight": (
        "always_ff @(posedge clk_i) narrow_o[16:0] <= word[16:0]; assign narrow_o[17] = word[17];",
        (17, 0),
        (17, 0),
    ),
    "reset to 0": (
        "always_ff @(posedge clk_i) if (rst_i) narrow_o <= '0; else if (en_i[1]) narrow_o <= word;",
        (18, 0),
        (0, 1),
    ),
    "reset to 1": (
        "always_ff @(posedge clk_i) if (rst_i) narrow_o <= '1; else if (en_i[1]) narrow_o <= word;",
        (18, 0),
        (18, 0),
    ),
    "another clock": ("always_ff @(posedge we_i) narrow_o <= word;", (18, 0), (18, 0)),
}


@pytest.mark.parametrize("family", ["ecp5", "xcup"])
@pytest.mark.parametrize("case", CASES)
def test_a_register_behind_a_memory_goes_into_it_where_it_fits(family, case, tmp_path):
    body, *expected = CASES[case]
    cells = synthesized(family, READ + body, tmp_path)
    kind, settings = {"ecp5": ("DP16KD", "REGMODE_[AB]"), "xcup": ("RAMB18E2", "DO[AB]_REG")}[family]
    used = [
        cell
        for cell in blocks(tmp_path, kind)
        if any(re.fullmatch(settings, n) and v in ("OUTREG", f"{1:032b}") for n, v in cell["parameters"].items())
    ]
    assert (cells.ff, len(used)) == expected[family == "xcup"]


@pytest.mark.parametrize("family", ["ecp5", "xcup"])
def test_a_register_behind_stacked_blocks_stays(family, tmp_path):
    """Behind the multiplexer stands the register; in front of it no block has one."""
    bits = {"ecp5": 15, "xcup": 16}[family]
    body = f"""
  ram_sdp #(.Width(4), .Depth({1 << bits}), .Style(1), .Latency(2)) u_deep (.clk_i, .we_i,
      .waddr_i({{wd_i[{bits - 11}:0], wa_i}}), .wdata_i(a_i[3:0]), .re_i(en_i[0]),
      .raddr_i({{b_i[{bits - 11}:0], ra_i}}), .oe_i(en_i[1]), .rdata_o(narrow_o[3:0]));"""
    cells = synthesized(family, body, tmp_path)
    assert cells.ff == 4 + 1  # the word, and the address bit that selects
    assert cells.bram36 > 1


def test_multipliers_of_the_ecp5_have_four_enables_and_one_for_their_outputs(tmp_path):
    """Neighbours share them: of two enables of outputs, the one of two products goes into blocks."""
    lines = "".join(f"if (en_i[{e}]) p_{i} <= 32'(a_i) * 32'(b_i ^ 16'd{i}); " for i, e in enumerate((1, 1, 2)))
    names = ", ".join(f"p_{i}" for i in range(3))
    body = f"logic signed [31:0] {names}; always_ff @(posedge clk_i) begin {lines} end assign p_o = p_0 ^ p_1 ^ p_2;"
    cells = synthesized("ecp5", body, tmp_path)
    assert (cells.ff, cells.dsp) == (32, 3)
    enables = [cell["connections"]["CE0"] for cell in blocks(tmp_path, "MULT18X18D") if "CE0" in cell["connections"]]
    assert len(enables) == 2
    assert enables[0] == enables[1]


def test_an_operand_that_something_else_reads_keeps_its_flip_flops(tmp_path):
    """Both operands go into an ECP5 multiplier or none does; one that two multipliers read goes into both."""
    body = """
  logic signed [15:0] a_q, b_q, c_q;
  always_ff @(posedge clk_i) begin a_q <= a_i; b_q <= b_i; c_q <= wd_i[15:0]; end
  assign p_o = 32'(a_q) * 32'(b_q);
  assign s_o = 32'(a_q) * 32'(c_q);"""
    assert synthesized("ecp5", body, tmp_path).ff == 0
    assert synthesized("ecp5", f"{body} assign narrow_o[15:0] = b_q;", tmp_path).ff == 48
