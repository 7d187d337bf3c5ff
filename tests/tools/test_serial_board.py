"""Boards at a serial line: the link under noise, the top that goes into the bitstream, the shipped host program."""

import dataclasses
import importlib.util
import json
import os
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from bitwright.deployment import deploy
from bitwright.deployment.bitstream import Bitstream, board_sources, check_fits, clock_source
from bitwright.deployment.driver import SERIAL, write_driver
from bitwright.deployment.serial_top import check_serial, step_of, top_files
from bitwright.deployment.shipped.packets import Packet, Packets
from bitwright.deployment.shipped.serial_link import SerialLink
from bitwright.deployment.simulated_serial import Line, Noise, serial_model
from bitwright.deployment.throughput import serial_throughput
from bitwright.deployment.vivado import write_sources
from bitwright.devices import BOARDS, DEVICES
from bitwright.errors import DeviceError, OptionError, ToolError
from bitwright.hardware.closure import flatten
from bitwright.hardware.families import families
from bitwright.hardware.resources import Resources
from bitwright.targets.contract import WeightStream

MHZ, BAUD = 12, 3_000_000  # the fewest cycles a bit


def identity(design):
    return bytes.fromhex(design.digest)[:8]


@pytest.fixture(scope="module")
def line(doubler):
    """The doubler's board at a quick line."""
    model = serial_model(flatten(doubler.files) | top_files(doubler), MHZ, BAUD)
    yield Line(model, MHZ * 1e6)
    model.close()


def doubled(x):
    return ((x & 15).astype(np.uint16) * 2) | ((x >> 4).astype(np.uint16) * 2 << 5)


def test_packets_survive_garbage():
    rng, packets, found = random.Random(1), Packets(), []
    sent = [Packet(0x51, i & 255, i, 2 * i, 3, rng.randbytes(i % 40)) for i in range(300)]
    line = b"".join(packet.encoded + rng.randbytes(rng.randrange(4)) for packet in sent)
    for i in range(0, len(line), 7):
        found += packets.feed(line[i : i + 7])
    assert [p for p in found if p in sent] == found
    assert len(found) > 200
    assert list(Packets().feed(b"".join(p.encoded for p in sent))) == sent


def test_frames_and_registers_over_the_line(doubler, line):
    link = SerialLink(line, BAUD, identity(doubler), 1)
    link.reset(None)
    assert link.read(0) == 0
    link.write(np.array([[0, 0xFF]]))
    assert link.read(0) == 0xFF
    with pytest.raises(RuntimeError, match="register 0x80 answers 2"):
        link.write(np.array([[0x80, 1]]))
    link.write(np.array([[0, 0xFF]]))
    x = np.random.default_rng(0).integers(0, 256, (500, 2), np.uint8)
    start = line.cycles
    y = link.transfer(x, 4)
    np.testing.assert_array_equal(y.view("<u2"), doubled(x))
    measured = 500 * MHZ * 1e6 / (line.cycles - start)
    assert serial_throughput(doubler, MHZ, BAUD).link == pytest.approx(measured, rel=0.15)
    assert link.read(4) == 1000
    assert link.transfer(x[:0], 4).shape == (0, 4)
    link.reset(None)
    assert (link.read(0), link.read(4)) == (0, 0)


def test_noise_costs_time_and_nothing_else(doubler, line):
    """Every result right, none twice, and a clean line works as before."""
    noise = Noise(line, 0.004)
    link = SerialLink(noise, BAUD, identity(doubler), 1, timeout_s=60, retry_s=0.001)
    rng = np.random.default_rng(0)
    link.reset(None)
    link.write(np.array([[0, 0xFF]]))
    while noise.faults < 300:
        x = rng.integers(0, 256, (400, 2), np.uint8)
        np.testing.assert_array_equal(link.transfer(x, 4).view("<u2"), doubled(x))
    words = link.read(4)
    clean = SerialLink(line, BAUD, identity(doubler), 1)
    clean.port.write(bytes(rng.integers(0, 256, 500, np.uint8)))
    clean.reset(None)
    clean.write(np.array([[0, 0xFF]]))
    np.testing.assert_array_equal(clean.transfer(x, 4).view("<u2"), doubled(x))
    assert words % 800 == 0


def test_another_design_and_a_dead_line_are_told(doubler, line):
    with pytest.raises(RuntimeError, match="the board runs another design"):
        SerialLink(line, BAUD, bytes(8), 1).reset(None)

    class Dead:
        def write(self, data):
            pass

        def read(self, seconds):
            return b""

    with pytest.raises(TimeoutError, match="the board has not answered within"):
        SerialLink(Dead(), BAUD, bytes(8), 1, timeout_s=0.02, retry_s=0.01).reset(None)
    link = SerialLink(line, BAUD, identity(doubler), 1, timeout_s=0.02, retry_s=0.001)
    link.reset(None)
    with pytest.raises(TimeoutError, match=r"no progress within 0.02 s: .* 4 of 4 to come"):
        link.transfer(np.zeros((1, 2), np.uint8), 4)  # the doubler waits for its register


def test_the_host_program_runs_the_top_of_the_bitstream(doubler, tmp_path):
    """As `deploy` ships it, behind a pseudo-terminal."""
    board = BOARDS["ulx3s-85f"]
    clock = families()["ecp5"].boards.clock(25, 50)
    sources = board_sources(doubler, board) | {"board_clock.sv": clock_source(clock, BAUD)}
    write_sources(sources, tmp_path)
    write_driver({"net": doubler}, tmp_path, SERIAL, clock_mhz=clock.mhz, extra={"baud": BAUD})
    spec = importlib.util.spec_from_file_location("shipped_host", tmp_path / "host.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["shipped_host"] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    x = np.random.default_rng(0).integers(0, 16, (50, 3))
    with module.Board(simulate=True) as host:
        np.testing.assert_array_equal(host.execute_integers(x), 2 * x)
        assert host.counters() == {"words": 100}
        host.load("net")
        assert host.counters() == {"words": 0}


def test_clocks_of_an_rpll_are_legal():
    for oscillator in (27, 50):
        for most in (12.5, 20, 33.3, 54, 77, 100, 181.5, 390):
            clock = families()["gowin"].boards.clock(oscillator, most)
            facts = dict(part.strip(" .,)").split("(") for part in clock.body.splitlines() if "DIV_SEL(" in part)
            ref, feedback, out = (int(facts[name]) for name in ("IDIV_SEL", "FBDIV_SEL", "ODIV_SEL"))
            assert clock.mhz == pytest.approx(oscillator / (ref + 1) * (feedback + 1))
            assert oscillator / (ref + 1) >= 3
            assert 0.93 * most < clock.mhz <= most
            assert 500 <= clock.mhz * out <= 1200
    assert families()["gowin"].boards.clock(27, 3) is None


def test_clocks_of_a_plle2_are_legal():
    for oscillator in (100, 125):
        for most in (12.5, 20, 33.3, 54, 77, 100, 181.5, 390):
            clock = families()["xc7"].boards.clock(oscillator, most)
            names = ("DIVCLK_DIVIDE", "CLKFBOUT_MULT", "CLKOUT0_DIVIDE")
            reference, feedback, divider = (int(re.search(rf"{name}\((\d+)\)", clock.body)[1]) for name in names)
            assert clock.mhz == pytest.approx(oscillator / reference * feedback / divider)
            assert oscillator / reference >= 19
            assert 800 <= oscillator / reference * feedback <= 1600
            assert 0.93 * most < clock.mhz <= most
    assert families()["xc7"].boards.clock(100, 5) is None


def test_clocks_of_the_pll_are_legal():
    for oscillator in (12, 25, 48):
        for most in (20, 33.3, 77, 100, 181.5, 390):
            clock = families()["ecp5"].boards.clock(oscillator, most)
            facts = dict(part.strip(" .,)").split("(") for part in clock.body.splitlines() if "_DIV(" in part)
            ref, feedback, out = (int(facts[name]) for name in ("CLKI_DIV", "CLKFB_DIV", "CLKOP_DIV"))
            assert clock.mhz == pytest.approx(oscillator / ref * feedback)
            assert 0.93 * most < clock.mhz <= most
            assert 400 <= clock.mhz * out <= 800
    assert families()["ecp5"].boards.clock(25, 5) is None


def test_what_a_serial_line_cannot_do_is_refused(doubler):
    with pytest.raises(OptionError, match="come by a stream, which a serial link lacks"):
        check_serial(dataclasses.replace(doubler, weights=WeightStream(np.zeros((2, 2)), 1)))
    check_serial(dataclasses.replace(doubler, weights=WeightStream(np.zeros((0, 2)), 1)))
    with pytest.raises(OptionError, match="3000000 baud need a clock of 12 to 384 MHz, not 10"):
        step_of(BAUD, 10)
    with pytest.raises(OptionError, match="baud is 9601; legal are 115200"):
        step_of(9601, 100)


LINES = {
    "ecp5": ('LOCATE COMP "{port}" SITE "{place}";', 'IOBUF PORT "{port}" IO_TYPE={standard};'),
    "xc7": ("set_property LOC {place} [get_ports {port}]", "set_property IOSTANDARD {standard} [get_ports {port}]"),
    "gowin": ('IO_LOC "{port}" {place};', 'IO_PORT "{port}" IO_TYPE={standard};'),
}


@pytest.mark.parametrize("name", [name for name, board in BOARDS.items() if board.serial])
def test_constraints_name_every_pin(doubler, name):
    board, family = BOARDS[name], DEVICES[BOARDS[name].device].traits
    pins = {pin.port: pin for pin in board.serial.pins}
    text = family.boards.constraints(board.serial.pins, board.serial.oscillator_mhz).splitlines()
    top = board_sources(doubler, board)["board_top.sv"]
    ports = [line.split()[-1].strip(",") for line in top.splitlines() if line.startswith("    ") and "put " in line]
    assert len(ports) >= 4
    assert set(ports) == set(pins)
    for port in ports:
        for line in LINES[family.name]:
            assert line.format(port=port, place=pins[port].place, standard=pins[port].standard) in text
    assert str(board.serial.oscillator_mhz) in text[0]
    assert Path(board.serial.loader.split()[0]).name == "openFPGALoader"


@pytest.mark.parametrize("name", [name for name, board in BOARDS.items() if board.serial])
def test_every_board_is_written(doubler, name, tmp_path, monkeypatch):
    """All but the routing, which other tests do: no text of a board is refused by a template."""
    board = BOARDS[name]
    clock = clock_source(DEVICES[board.device].traits.boards.clock(board.serial.oscillator_mhz, 50), board.serial.baud)
    built = Bitstream(b"bits", clock, 50.0, 60.0, {}, {}, "a tool")
    monkeypatch.setattr("bitwright.deployment.folder.build", lambda *_: built)
    monkeypatch.setattr("bitwright.deployment.folder.makes_bitstream", lambda _: True)
    found = deploy(doubler, tmp_path / "board", name)
    readme = (tmp_path / "board" / "README.md").read_text()
    assert board.serial.note in readme
    assert f"`{board.serial.loader} {found['load'].rpartition(' ')[2]}`" in readme
    assert sorted(path.name for path in (tmp_path / "board").glob("board.*")) == sorted(
        path for path in found["files"] if path.startswith("board.")
    )


def test_what_does_not_fit_is_told_before_routing():
    board = BOARDS["tang-nano-9k"]
    check_fits(Resources(lut=8640, ff=6480, bram36=13, dsp=20), board)
    with pytest.raises(DeviceError, match=r"do not fit tang-nano-9k: 9,089 LUT4 of 8,640, 13.5 block RAMs .* of 13; "):
        check_fits(Resources(lut=9089, bram36=13.5), board)


@pytest.mark.slow
def test_a_design_that_does_not_fit_is_not_placed(doubler, tmp_path, monkeypatch):
    part = dataclasses.replace(DEVICES["gw1nr-9c"], lut=50)
    monkeypatch.setitem(DEVICES, "gw1nr-9c", part)
    monkeypatch.setattr("bitwright.tools.nextpnr.run", lambda *_: pytest.fail("it was placed"))
    with pytest.raises(DeviceError, match=r"do not fit tang-nano-9k: 1,\d+ LUT4 of 50; legal is"):
        deploy(doubler, tmp_path / "board", "tang-nano-9k")
    assert not (tmp_path / "board").exists()


PROGRAM = """#!{python}
import json, pathlib, sys
name, arguments = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
if "--version" in arguments:
    print('"nextpnr-xilinx" -- Next Generation Place and Route (Version 0.8.2-71-gabc)')
    sys.exit()
with open({calls!r}, "a") as file:
    print(json.dumps([name, *arguments]), file=file)
options = dict(zip(arguments[::2], arguments[1::2]))
if name == "nextpnr-xilinx":
    pathlib.Path({netlist!r}).write_text(pathlib.Path(options["--json"]).read_text())
    pathlib.Path(options["--fasm"]).write_text("fasm")
    found = dict(fmax=dict(clk=dict(achieved={mhz})), utilization=dict(SLICE_LUTX=dict(used=7, available=20800)))
    pathlib.Path(options["--report"]).write_text(json.dumps(found))
elif name == "fasm2frames":
    assert pathlib.Path(arguments[-2]).read_text() == "fasm"
    pathlib.Path(arguments[-1]).write_text("frames")
else:
    assert pathlib.Path(options["--frm_file"]).read_text() == "frames"
    pathlib.Path(options["--output_file"]).write_bytes(b"bits")
"""


@pytest.fixture
def openxc7(tmp_path, monkeypatch):
    """Programs with the names and arguments of openXC7, which record how they are called, and its folders."""
    calls, netlist, programs = tmp_path / "calls", tmp_path / "netlist.json", tmp_path / "bin"
    programs.mkdir()
    for name in ("nextpnr-xilinx", "fasm2frames", "xc7frames2bit"):
        text = PROGRAM.format(python=sys.executable, calls=str(calls), netlist=str(netlist), mhz=123.5)
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "xc7a35tcsg324.bin").touch()
    (tmp_path / "database" / "artix7").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CHIPDB", str(tmp_path / "chips"))
    monkeypatch.setenv("PRJXRAY_DB_DIR", str(tmp_path / "database"))
    monkeypatch.setattr("bitwright.deployment.bitstream.cache.folder", lambda _: tmp_path / "cache")
    return calls, netlist


@pytest.mark.slow
def test_openxc7_on_the_path_makes_the_bitstream(doubler, tmp_path, openxc7):
    """Its command lines, and the netlist that Yosys makes for it; the tools themselves are fakes."""
    found = deploy(doubler, tmp_path / "board", "arty-a7-35", clock_mhz=100)
    assert (tmp_path / "board" / "board.bit").read_bytes() == b"bits"
    assert (found["clock_mhz"], found["fmax_mhz"]) == (80, 123.5)
    assert found["load"] == "openFPGALoader -b arty_a7_35t board.bit"
    (router, *routed), *packers = map(json.loads, openxc7[0].read_text().splitlines())
    options = dict(zip(routed[::2], routed[1::2], strict=False))
    assert router == "nextpnr-xilinx"
    assert options["--chipdb"] == f"{tmp_path}/chips/xc7a35tcsg324.bin"
    assert (options["--xdc"], options["--freq"], options["--fasm"]) == ("board.xdc", "80", "config.txt")
    assert "--detailed-timing-report" not in routed
    root = f"{tmp_path}/database/artix7"
    assert packers[1][-4:] == ["--frm_file", "frames.txt", "--output_file", "bitstream.bit"]
    assert [packers[0], packers[1][:-4]] == [
        ["fasm2frames", "--part", "xc7a35tcsg324-1", "--db-root", root, "config.txt", "frames.txt"],
        ["xc7frames2bit", "--part_file", f"{root}/xc7a35tcsg324-1/part.yaml", "--part_name", "xc7a35tcsg324-1"],
    ]
    modules = json.loads(openxc7[1].read_text())["modules"]
    cells = [cell["type"] for name in ("board_top", "board_clock") for cell in modules[name]["cells"].values()]
    assert [cells.count(name) for name in ("IBUF", "OBUF", "BUFG", "PLLE2_ADV", "board_clock")] == [2, 2, 1, 1, 1]


def test_openxc7_that_is_not_whole_is_told(doubler, tmp_path, openxc7, monkeypatch):
    monkeypatch.setenv("PRJXRAY_DB_DIR", "")
    with pytest.raises(ToolError, match="PRJXRAY_DB_DIR is '', without artix7; legal is the folder of openXC7"):
        deploy(doubler, tmp_path / "board", "arty-a7-35")
    with pytest.raises(ToolError, match=r"CHIPDB is '.*chips', without xc7z020clg400.bin"):
        deploy(doubler, tmp_path / "board", "arty-z7-20")
    (tmp_path / "bin" / "fasm2frames").unlink()
    with pytest.raises(ToolError, match=r"no nextpnr-xilinx and fasm2frames and xc7frames2bit 0\.7 or newer"):
        deploy(doubler, tmp_path / "board", "arty-a7-35")
    (tmp_path / "bin" / "nextpnr-xilinx").unlink()
    found = deploy(doubler, tmp_path / "board", "arty-a7-35")
    assert found["note"] == "no bitstream: nextpnr-xilinx is not on the PATH (openXC7)"
    assert "reports.tcl" in found["files"]
    with pytest.raises(OptionError, match="baud is of a bitstream with a serial line, which arty-a7-35 does not get"):
        deploy(doubler, tmp_path / "other", "arty-a7-35", baud=115200)
    assert not openxc7[0].exists()
