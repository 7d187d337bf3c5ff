# SPDX-License-Identifier: Apache-2.0
"""A bitstream for a board with a serial line: synthesized, placed and routed with tools that install from PyPI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitwright.deployment.serial_top import CLOCK, CLOCK_PORTS, TOP, check_serial, step_of, top_files
from bitwright.devices import DEVICES, Board, Device
from bitwright.errors import DeviceError
from bitwright.hardware.closure import closure, flatten
from bitwright.hardware.family import BoardClock, Boards
from bitwright.hardware.library import with_vendor
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import module
from bitwright.targets.contract import Design
from bitwright.tools import cache, nextpnr, process, yosys

TRIES = 4
MARGIN = 0.97  # of the clock that one try reached, for the next
FIRST_MHZ = 80.0  # where nothing is known of the design's clock
LEAST_MHZ = 12.0


@dataclass(frozen=True)
class Bitstream:
    """What was built: clock of the design, and the clock that routing allows, in MHz; cells in use and on the part.

    clock_source: the module of the clock.
    """

    content: bytes
    clock_source: str
    clock_mhz: float
    fmax_mhz: float
    used: Mapping[str, int]
    available: Mapping[str, int]
    tool: str

    def as_dict(self) -> dict[str, Any]:
        """The figures, for reports."""
        names = ("clock_mhz", "fmax_mhz", "used", "available", "tool")
        return {name: getattr(self, name) for name in names}


def makes_bitstream(board: Board) -> bool:
    """Whether a board gets a bitstream: it has a serial line, and its tools a package, or they are on the PATH."""
    placing = DEVICES[board.device].traits.placing
    return (
        board.serial is not None
        and placing is not None
        and (bool(placing.package) or process.which(placing.program) is not None)
    )


def board_sources(design: Design, board: Board) -> dict[str, str]:
    """All sources of the bitstream but its clock, with the part's primitives; `OptionError` for a streamed design."""
    assert board.serial is not None
    check_serial(design)
    high = tuple(pin.port for pin in board.serial.pins if pin.port.startswith("high_"))
    part = DEVICES[board.device]
    return with_vendor(flatten(design.files) | top_files(design, high), part.primitives)


def clock_source(clock: BoardClock, baud: int) -> str:
    """The module of a board's clock: the PLL, a reset of 16 cycles after it has locked, and the UARTs' step."""
    body = f"  wire locked;\n{clock.body}  reg [3:0] wait_q = 4'd0;\n"
    body += "  always @(posedge clk_o) wait_q <= !locked ? 4'd0 : wait_q == 4'd15 ? wait_q : wait_q + 4'd1;\n"
    body += f"  assign rst_o = wait_q != 4'd15;\n  assign step_o = 16'd{step_of(baud, clock.mhz)};\n"
    return module(CLOCK, CLOCK_PORTS, body, [f"{clock.mhz:.4g} MHz, {baud} baud"], net="wire")


def build(design: Design, board: Board, sources: Mapping[str, str], most_mhz: float, baud: int) -> Bitstream:
    """Synthesize once, then place and route until the clock that a PLL makes is one that routing allows.

    most_mhz: the fastest clock to try. Raises `DeviceError` where the design does not fit, which is known before
    routing, or no clock is slow enough, and `ToolError` where a tool or its files are missing.
    """
    part = DEVICES[board.device]
    family = part.traits
    assert family.boards is not None
    assert family.placing is not None
    tool = nextpnr.find(family.placing)
    nextpnr.check_files(tool, part.part_name)
    root = cache.folder(None)
    estimated = design.estimate.clock
    goal = min(most_mhz, estimated.mhz if estimated else FIRST_MHZ)
    base, cells = _netlist(
        closure({**sources, f"{CLOCK}.sv": module(CLOCK, CLOCK_PORTS, "", net="wire")}, TOP), TOP, part, root
    )
    check_fits(cells.resources, board)
    reached = 0.0
    for _ in range(TRIES):
        clock = family.boards.clock(board.serial.oscillator_mhz, goal) if board.serial else None
        if clock is None or goal < LEAST_MHZ:
            break
        text = clock_source(clock, baud)
        own, _ = _netlist({f"{CLOCK}.sv": text}, CLOCK, part, root)
        own["modules"][CLOCK]["attributes"].pop("top", None)
        merged = {**base, "modules": {**base["modules"], CLOCK: own["modules"][CLOCK]}}
        placed, content = _route(json.dumps(merged), board, part, tool, family.boards, clock.mhz, root)
        reached = max(placed.fmax_mhz.values(), default=0.0) if len(placed.fmax_mhz) == 1 else _slowest(placed)
        if reached >= clock.mhz:
            return Bitstream(content, text, clock.mhz, reached, placed.used, placed.available, tool.name)
        goal = MARGIN * reached
    raise DeviceError(f"no clock for {board.name}: routing reached {reached:.4g} MHz, legal is a smaller design")


def _slowest(placed: nextpnr.Placed) -> float:
    """The clock of the design, which the PLL makes; that of the oscillator itself only enters the PLL."""
    return min(mhz for name, mhz in placed.fmax_mhz.items() if name != "clk_i")


def check_fits(used: Resources, board: Board) -> None:
    """Raise `DeviceError`, with what is short, for more cells than the board's part has: no placer would end."""
    part = DEVICES[board.device]
    names = {"lut": part.lut_cell, "ff": "flip-flops", "bram36": "block RAMs of 36 Kbit", "dsp": "multipliers"}
    short = [
        f"{getattr(used, kind):,g} {names[kind]} of {getattr(part, kind):,g}"
        for kind, share in part.utilization(used).items()
        if share > 1
    ]
    if short:
        rule = "legal is a smaller design, by a larger interval or more block RAM, say"
        raise DeviceError(f"the design and its link do not fit {board.name}: {', '.join(short)}; {rule}")


def _netlist(files: Mapping[str, str], top: str, part: Device, root: Path) -> tuple[dict[str, Any], yosys.Cells]:
    options = yosys.Synthesis(part.family, top, netlist=True, pads=top == TOP, boxes=() if top == CLOCK else (CLOCK,))
    _, folder, _ = yosys.synthesize_module(files, options, yosys.find(), root)
    found: dict[str, Any] = json.loads((folder / yosys.NETLIST).read_text())
    return found, yosys.count((folder / yosys.STAT).read_text())


def _route(
    netlist: str, board: Board, part: Device, tool: nextpnr.Nextpnr, boards: Boards, mhz: float, root: Path
) -> tuple[nextpnr.Placed, bytes]:
    """Place, route and pack; figures and bitstream. Cached."""
    assert board.serial is not None
    options = nextpnr.PlaceRoute(part.part_name, mhz, constraints=boards.constraints_file)
    constraints = boards.constraints(board.serial.pins, board.serial.oscillator_mhz)
    key = cache.digest([tool.version, *options.arguments(tool.placing, "netlist.json"), constraints, netlist])
    logs = root / "logs"

    def make(folder: Path) -> list[Path]:
        logs.mkdir(parents=True, exist_ok=True)
        (folder / "netlist.json").write_text(netlist)
        (folder / boards.constraints_file).write_text(constraints)
        nextpnr.run(tool, options, "netlist.json", folder, logs / f"board-{key[:12]}.log")
        return [folder / nextpnr.REPORT, folder / nextpnr.BITSTREAM]

    folder, _ = cache.entry(root / "nextpnr", "board-" + key, make, (nextpnr.REPORT, nextpnr.BITSTREAM))
    placed = nextpnr.read((folder / nextpnr.REPORT).read_text())
    return placed, (folder / nextpnr.BITSTREAM).read_bytes()
