"""The library as a whole: lint, synthesis, dependencies, primitives, illegal parameters, catalogue."""

import re
from pathlib import Path

import numpy as np
import pytest

from bitwright.devices import find_device
from bitwright.errors import ToolError
from bitwright.hardware import library as rtl
from bitwright.hardware.closure import instantiated
from bitwright.hardware.text import memory_file
from bitwright.tools import verilator, yosys
from bitwright.tools.bench import Bench, inner_input, inner_output
from bitwright.tools.model import ProtocolError

CATALOGUE = Path(__file__).parents[2] / "docs" / "rtl.md"
ROMS = {  # memory files that default parameters name, for tools that read them at once
    "rom": {"File": '"ones.mem"'},
    "threshold": {"File": '"ones"'},
    "lookup": {"File": '"ones"'},
    "channel_add": {"File": '"ones"'},
    "channel_multiply": {"File": '"ones"'},
    "requantize_lut": {"File": '"ones"'},
}
MEMORIES = {f"ones{end}.mem": "1\n" for end in ("", "_l000", "_m_l000", "_s00_l000", "_s01_l000", "_b000")}


@pytest.mark.parametrize("module", rtl.modules())
def test_module_lints(module, tmp_path):
    verilator.lint(rtl.sources([module]) | {"waivers.vlt": rtl.WAIVERS.read_text()}, module, tmp_path)


def test_every_module_is_synthesized(tmp_path):
    """Yosys takes each with its default parameters down to gates; nothing is left undriven or driven twice."""
    for name, text in verilator.flatten(rtl.sources(rtl.modules()) | MEMORIES).items():
        (tmp_path / name).write_text(text)
    sources = [f"{name}.sv" for name in rtl.modules()]
    lines = [f"read_verilog -sv -defer {' '.join(sources)}"]
    for module in rtl.modules():
        sets = " ".join(f"-set {k} {v}" for k, v in ROMS.get(module, {}).items())
        lines += [f"chparam {sets} {module}"] if sets else []
    for module in rtl.modules():
        lines += [
            "design -save all",
            f"hierarchy -check -top {module}",
            "check -assert",
            "synth -noabc",
            "check -assert",
            "design -load all",
        ]
    (tmp_path / "check.ys").write_text("\n".join(lines) + "\n")
    yosys.execute(yosys.find(), ["-q", "-s", "check.ys"], tmp_path)


def test_a_shift_for_each_channel_is_synthesized(tmp_path):
    """The stages that exist only where the channels' scales are far apart."""
    parameters = {"Uniform": 0, "Tiles": 16, "MultBits": 9, "BiasBits": 20, "Lift": 7, "AccBits": 30}
    width = 9 + 20 + 3
    table = memory_file(np.random.default_rng(0).integers(0, 1 << width, 16), width)
    for name, text in verilator.flatten(rtl.sources(["requantize"])).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "requantize_l000.mem").write_text(table)
    sets = " ".join(f"-chparam {name} {value}" for name, value in parameters.items())
    lines = [
        f"read_verilog -sv -defer {' '.join(sorted(path.name for path in tmp_path.glob('*.sv')))}",
        f"hierarchy -check -top requantize {sets}",
        "synth -noabc",
        "check -assert",
    ]
    yosys.execute(yosys.find(), ["-q", "-p", "; ".join(lines)], tmp_path)


def test_dependencies_are_what_the_tools_find(tmp_path):
    """Each module elaborates from its listed sources alone, and needs every one of them."""
    texts = {module: rtl.path(module).read_text() for module in rtl.modules()}
    listed = {module: instantiated(text) & texts.keys() for module, text in texts.items()}
    assert listed["stream_fifo"] == {"loop_counter", "ram_sdp"}
    for module, needed in listed.items():
        instances = {m for m in rtl.modules() if re.search(rf"^\s+{m} (#\(|\w+ \()", texts[module], re.M)} - {module}
        assert needed == instances, module


def test_sources_pick_the_vendor():
    assert "LUT6 #(" in rtl.sources(["lut6"], "xilinx")["rtl/lut6.sv"]
    assert "LUT6 #(" not in rtl.sources(["lut6"])["rtl/lut6.sv"]
    assert list(rtl.sources(["stream_fifo"], "xilinx")) == list(rtl.sources(["stream_fifo"]))
    with pytest.raises(ValueError, match="no module 'nothing'"):
        rtl.sources(["nothing"])
    with pytest.raises(ValueError, match="unknown vendor 'acme'"):
        rtl.sources(["rom"], "acme")


def test_vendor_primitives_have_the_generic_ports():
    ports = re.compile(r"\b(input|output)\s+logic\s*(\[[^\]]*\])?\s*(\w+)")
    for file in (rtl.ROOT / "prim").glob("xilinx*/*.sv"):
        generic = (rtl.ROOT / "prim" / "generic" / file.name).read_text()
        assert ports.findall(file.read_text()) == ports.findall(generic), file.name


def test_memory_file():
    assert memory_file([0, 5, -1, 31], 5) == "00\n05\n1f\n1f\n"
    assert memory_file(np.array([[1 << 40], [-1]], dtype=object), 64) == "0000010000000000\nffffffffffffffff\n"


LUT6 = """module LUT6 #(parameter logic [63:0] INIT = 0) (
    input logic I0, input logic I1, input logic I2, input logic I3, input logic I4, input logic I5, output logic O);
  assign O = INIT[{I5, I4, I3, I2, I1, I0}];
endmodule
module LUT6_2 #(parameter logic [63:0] INIT = 0) (
    input logic I0, input logic I1, input logic I2, input logic I3, input logic I4, input logic I5,
    output logic O6, output logic O5);
  assign O6 = INIT[{I5, I4, I3, I2, I1, I0}];
  assign O5 = INIT[{1'b0, I4, I3, I2, I1, I0}];
endmodule
"""
INIT = 0x8F3C_17A5_69D2_0BE4
LUTS = f"""module luts (
    input logic clk_i, input logic rst_i,
    input logic [5:0] s_data_i, input logic s_valid_i, output logic s_ready_o,
    output logic [2:0] m_data_o, output logic m_valid_o, input logic m_ready_i);
  lut6 #(.Init(64'h{INIT:x})) u_one (.addr_i(s_data_i), .data_o(m_data_o[0]));
  lut6_2 #(.Init(64'h{INIT:x})) u_two (.addr_i(s_data_i), .o6_o(m_data_o[1]), .o5_o(m_data_o[2]));
  assign m_valid_o = s_valid_i;
  assign s_ready_o = m_ready_i;
  logic unused;
  assign unused = clk_i ^ rst_i;
endmodule
"""


CARRY = """module CARRY{n} {parameters} (input logic CI, input logic {start}, input logic [{n}-1:0] S,
    input logic [{n}-1:0] DI, output logic [{n}-1:0] O, output logic [{n}-1:0] CO);
  logic [{n}:0] c;
  assign c[0] = CI | {start};
  for (genvar i = 0; i < {n}; i++) begin : g_bit
    assign c[i+1] = S[i] ? c[i] : DI[i];
  end
  assign O = S ^ c[{n}-1:0];
  assign CO = c[{n}:1];
endmodule
"""
CARRIES = {  # behavioral models of the cells, as the vendor describes them
    "generic": "// none\n",
    "xilinx": CARRY.format(n=8, parameters='#(parameter CARRY_TYPE = "")', start="CI_TOP"),
    "xilinx7": CARRY.format(n=4, parameters="", start="CYINIT"),
}
CHAIN = """module chain (
    input logic clk_i, input logic rst_i,
    input logic [26:0] s_data_i, input logic s_valid_i, output logic s_ready_o,
    output logic [12:0] m_data_o, output logic m_valid_o, input logic m_ready_i);
  carry_chain #(.Width(13)) u_chain (
      .ci_i(s_data_i[26]), .s_i(s_data_i[12:0]), .di_i(s_data_i[25:13]), .o_o(m_data_o));
  assign m_valid_o = s_valid_i;
  assign s_ready_o = m_ready_i;
  logic unused;
  assign unused = clk_i ^ rst_i;
endmodule
"""


@pytest.mark.parametrize("vendor", CARRIES)
def test_carry_chains(rtl_cache, vendor):
    """A sum of two numbers and a carry, through whole cells and a part of one."""
    files = rtl.sources(["carry_chain"], vendor) | {"chain.sv": CHAIN, "models.sv": CARRIES[vendor]}
    model = verilator.build(files, Bench("chain", [inner_input("s", 27)], [inner_output("m", 13)]), cache_dir=rtl_cache)
    rng = np.random.default_rng(0)
    a, b, carry = (rng.integers(0, high, 500) for high in (1 << 13, 1 << 13, 2))
    got = model.run({"s": (a ^ b) | a << 13 | carry << 26}, {"m": 500}).integers("m")
    np.testing.assert_array_equal(got, (a + b + carry) & 0x1FFF)


def test_every_device_has_the_cells_of_its_family():
    cells = {"xczu3eg": "CARRY8", "xc7z020": "CARRY4"}
    for name, cell in cells.items():
        (text,) = rtl.sources(["carry_chain"], find_device(name).primitives).values()
        assert f" {cell} " in text


@pytest.mark.parametrize("vendor", ["generic", "xilinx"])
def test_lut_primitives(rtl_cache, vendor):
    """Both versions compute the same truth tables."""
    files = rtl.sources(["lut6", "lut6_2"], vendor) | {"luts.sv": LUTS}
    files |= {"models.sv": LUT6} if vendor == "xilinx" else {}
    model = verilator.build(files, Bench("luts", [inner_input("s", 6)], [inner_output("m", 3)]), cache_dir=rtl_cache)
    got = model.run({"s": np.arange(64)}, {"m": 64}).integers("m")
    six = np.array([INIT >> a & 1 for a in range(64)])
    five = np.array([INIT >> (a & 31) & 1 for a in range(64)])
    np.testing.assert_array_equal(got, six | six << 1 | five << 2)


ILLEGAL = [
    ("ram_sdp", {"Style": 3}, "ram_sdp: Width, Depth >= 1"),
    ("stream_regroup", {"InLanes": 5, "OutLanes": 2}, "InLanes must divide OutLanes, or OutLanes InLanes"),
    ("stream_regroup", {"InLanes": 2, "OutLanes": 5}, "InLanes must divide OutLanes, or OutLanes InLanes"),
    ("window_reader", {"Chunks": 3, "Groups": 2}, "Groups divide Chunks"),
    ("window_reader", {"KernelH": 9}, "the window must fit the padded image"),
    ("threshold", {"CountBits": 17}, "1..16 count bits"),
    ("requantize", {"Shift": 33}, "requantize: illegal parameters"),
    ("stream_join", {"OutBits": 4}, "OutBits must be at least"),
    ("stream_multiply", {"AWide": 7}, "AWide >= ABits"),
    ("argmax", {"Channels": 17}, "OutBits must hold"),
    ("pool_reduce", {"Op": 2}, "Op 0 or 1"),
    ("multiply_pipe", {"ABits": 36}, "ABits and BBits of 1 to 35"),
]


@pytest.mark.parametrize(("module", "parameters", "message"), ILLEGAL)
def test_illegal_parameters_stop_elaboration(module, parameters, message, tmp_path):
    with pytest.raises(ToolError, match=re.escape(message)):
        verilator.lint(rtl.sources([module]), module, tmp_path, parameters)


def test_catalogue_lists_every_module():
    listed = re.findall(r"^\| `(\w+)` \| ", CATALOGUE.read_text(), re.M)
    signals = {"m_first_o", "m_last_o"}
    assert sorted(set(listed) - signals) == sorted(rtl.modules())


@pytest.mark.parametrize("module", rtl.modules())
def test_file_holds_its_module_and_says_what_it_is(module):
    text = rtl.path(module).read_text()
    assert text.startswith("// ")
    assert re.findall(r"^module (\w+)", text, re.M) == [module]


AXIL = """module registers (
    input logic clk_i, input logic rst_i,
    input logic [7:0] s_data_i, input logic s_valid_i, output logic s_ready_o,
    output logic [7:0] m_data_o, output logic m_valid_o, input logic m_ready_i,
    input logic [7:0] s_axil_awaddr, input logic [2:0] s_axil_awprot, input logic s_axil_awvalid,
    output logic s_axil_awready,
    input logic [31:0] s_axil_wdata, input logic [3:0] s_axil_wstrb, input logic s_axil_wvalid,
    output logic s_axil_wready, output logic [1:0] s_axil_bresp, output logic s_axil_bvalid,
    input logic s_axil_bready, input logic [7:0] s_axil_araddr, input logic [2:0] s_axil_arprot,
    input logic s_axil_arvalid,
    output logic s_axil_arready, output logic [31:0] s_axil_rdata, output logic [1:0] s_axil_rresp,
    output logic s_axil_rvalid, input logic s_axil_rready);
  logic [7:0] addr;
  logic [31:0] wdata, rdata_q;
  logic we, re;
  logic [3:0] delay_q;  // registers from 16 on answer after 4 cycles
  logic [31:0] mem[64];
  axil_bus #(.AddrBits(8)) u_bus (.*, .addr_o(addr), .wdata_o(wdata), .we_o(we), .re_o(re),
      .rdata_i(addr[6] ? rdata_q : mem[addr[7:2]]), .rvalid_i(addr[6] ? delay_q[3] : re),
      .writable_i(!addr[7]), .readable_i(addr < 8'hC0));
  always_ff @(posedge clk_i) begin
    if (we) mem[addr[7:2]] <= wdata;
    rdata_q <= mem[addr[7:2]];
    delay_q <= {delay_q[2:0], re && addr[6]};
  end
  assign m_data_o = s_data_i;
  assign m_valid_o = s_valid_i;
  assign s_ready_o = m_ready_i;
endmodule
"""


def test_axil_bus(rtl_cache):
    """Writes reach their addresses; reads return them, at once or late; others are answered by DECERR."""
    files = rtl.sources(["axil_bus"]) | {"registers.sv": AXIL}
    streams = [inner_input("s", 8)], [inner_output("m", 8)]
    model = verilator.build(files, Bench("registers", *streams, axil=True), cache_dir=rtl_cache)
    values = np.random.default_rng(0).integers(0, 1 << 32, 32)
    program = [(4 * i, int(v)) for i, v in enumerate(values)]
    addresses = [4 * i for i in range(32)]
    run = model.run({"s": np.arange(5)}, {"m": 5}, program=program, counters=addresses)
    assert [run.counters[a] for a in addresses] == values.tolist()
    for wrong in ({"program": [(0x80, 1)]}, {"counters": [0xC0]}):
        with pytest.raises(ProtocolError, match=r"s_axil answers 3 at address 0x000000[8c]0"):
            model.run({"s": np.arange(5)}, {"m": 5}, **wrong)


MEMORY_TOP = """module memories (
    input logic clk_i, input logic we_i, input logic [9:0] waddr_i, input logic [9:0] raddr_i,
    input logic [15:0] wdata_i, output logic [15:0] small_o, output logic [15:0] large_o, output logic [15:0] rom_o);
  ram_sdp #(.Width(16), .Depth(32)) u_small (.clk_i, .we_i, .waddr_i(waddr_i[4:0]), .wdata_i, .re_i(!we_i),
      .raddr_i(raddr_i[4:0]), .rdata_o(small_o));
  ram_sdp #(.Width(16), .Depth(1024)) u_large (.clk_i, .we_i, .waddr_i, .wdata_i, .re_i(!we_i), .raddr_i,
      .rdata_o(large_o));
  rom #(.Width(16), .Depth(1024), .File("table.mem")) u_rom (.clk_i, .re_i(!we_i), .addr_i(raddr_i), .data_o(rom_o));
endmodule
"""


@pytest.mark.parametrize("family", ["xcup", "ecp5"])
def test_memories_map_to_what_their_size_asks_for(family, tmp_path):
    """A small RAM becomes LUT RAM, large ones block RAM with the read register inside."""
    table = memory_file(np.random.default_rng(0).integers(0, 1 << 16, 1024), 16)
    files = rtl.sources(["ram_sdp", "rom"]) | {"memories.sv": MEMORY_TOP, "table.mem": table}
    for name, text in verilator.flatten(files).items():
        (tmp_path / name).write_text(text)
    options = yosys.Synthesis(family, "memories")
    yosys.run(yosys.find(), options, ["memories.sv", "ram_sdp.sv", "rom.sv"], tmp_path, tmp_path / "log")
    cells = yosys.count((tmp_path / yosys.STAT).read_text())
    assert cells.lutram > 0
    assert cells.bram36 == 1  # two memories of 16 Kbit
    assert cells.ff == 16  # the small RAM's output register alone


CONTENTS_TOP = """module contents (
    input logic clk_i, input logic we_i, input logic [9:0] addr_i, input logic [15:0] wdata_i,
    output logic [23:0] block_o, output logic [15:0] other_o, output logic [15:0] ram_o, output logic [7:0] logic_o);
  rom #(.Width(24), .Depth(1024), .File("block.mem")) u_block (.clk_i, .re_i(we_i), .addr_i, .data_o(block_o));
  rom #(.Width(16), .Depth(1024), .File("other.mem")) u_other (.clk_i, .re_i(we_i), .addr_i, .data_o(other_o));
  rom #(.Width(8), .Depth(256), .Style(2), .File("logic.mem")) u_logic (.clk_i, .re_i(we_i), .addr_i(addr_i[7:0]),
      .data_o(logic_o));
  ram_sdp #(.Width(16), .Depth(1024)) u_ram (.clk_i, .we_i, .waddr_i(addr_i), .wdata_i, .re_i(!we_i), .raddr_i(addr_i),
      .rdata_o(ram_o));
endmodule
"""


@pytest.mark.parametrize("family", ["xcup", "xc7"])
def test_cells_do_not_depend_on_what_block_memories_hold(family, tmp_path):
    """Counting alone, block memories forget their contents once constant bits are found; those of LUTs stay."""
    rng = np.random.default_rng(0)
    words = {
        "block.mem": (rng.integers(0, 1 << 23, 1024) & ~255 | 0x55, 24),  # eight constant bits
        "other.mem": (rng.integers(0, 1 << 16, 1024), 16),
        "logic.mem": (rng.integers(0, 1 << 8, 256), 8),
    }
    files = rtl.sources(["ram_sdp", "rom"]) | {"contents.sv": CONTENTS_TOP}
    files |= {name: memory_file(*table) for name, table in words.items()}
    for name, text in verilator.flatten(files).items():
        (tmp_path / name).write_text(text)
    found = []
    for contents in (True, False):
        options = yosys.Synthesis(family, "contents", contents=contents)
        yosys.run(yosys.find(), options, ["contents.sv", "ram_sdp.sv", "rom.sv"], tmp_path, tmp_path / "log")
        found.append(yosys.count((tmp_path / yosys.STAT).read_text()))
    assert found[0] == found[1]
    assert found[0].lut > 30
    assert found[0].bram36 == 1.5
