# SPDX-License-Identifier: Apache-2.0
"""The clock of a synthesized design: estimated, and for families that nextpnr knows after place and route."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from bitwright.devices import Device
from bitwright.hardware.family import Placing
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import CLOCK_PORTS, Port, instance, module, wire, wired
from bitwright.hardware.timing import Netlist, Timing, TimingPath, analyze, flatten, read_modules, routed_path
from bitwright.targets.contract import Design
from bitwright.tools import cache, nextpnr, yosys

TOP = "pin_top"
HARNESS = "pin_harness"


@dataclass(frozen=True)
class Placement:
    """total: the placed design without its harness. fmax_mhz: of clk_i, by static timing after routing.

    critical, arrivals: of the slowest path and of all ends, see `nextpnr.Placed`, pins called as in the netlist.
    """

    total: Resources
    fmax_mhz: float
    bitstream: bytes
    tool: str
    critical: tuple[nextpnr.Segment, ...]
    arrivals: Mapping[tuple[str, str], float]


def harness_files(design: Design) -> dict[str, str]:
    """Two files to add to the design: the harness, and module `pin_top` that wires it to the design's top."""
    return harness_of(design.top, design.ports, {})


def harness_of(top: str, ports: Sequence[Port], parameters: Mapping[str, object]) -> dict[str, str]:
    """As `harness_files`, for any module with these ports, its clock and reset among them where it has them."""
    harness = (resources.files("bitwright") / "hardware" / "modules" / f"{HARNESS}.sv").read_text()
    return {f"{HARNESS}.sv": harness, f"{TOP}.sv": _top(top, ports, parameters)}


def _top(top: str, own: Sequence[Port], parameters: Mapping[str, object]) -> str:
    inner = [port for port in own if port not in CLOCK_PORTS]
    inputs, outputs = ([port for port in inner if port.output == way] for way in (False, True))
    to_design, from_design = list(_slices("to_design", inputs)), list(_slices("from_design", outputs))
    bits = {"InBits": sum(port.bits for port in inputs), "OutBits": sum(port.bits for port in outputs)}
    clocks = {p.name: net for p, net in zip(CLOCK_PORTS, ("clk_i", "reset"), strict=True) if p in own}
    ports = [*CLOCK_PORTS, Port("d_i"), Port("load_i"), Port("q_o", True)]
    body = "  logic reset;\n" + wire("to_design", bits["InBits"]) + wire("from_design", bits["OutBits"])
    pins = wired(ports) | {"rst_o": "reset", "in_o": "to_design", "out_i": "from_design"}
    body += instance(HARNESS, "u_pins", bits, pins)
    body += instance(top, "u_design", parameters, clocks | dict(to_design + from_design))
    return module(TOP, ports, body, [f"{top} between shift registers, for place and route."])


def _slices(vector: str, ports: list[Port]) -> Iterator[tuple[str, str]]:
    """(port, its part of the vector), from bit 0 upwards."""
    bit = 0
    for port in ports:
        yield port.name, f"{vector}[{bit + port.bits - 1}:{bit}]"
        bit += port.bits


def place_and_route(netlist: Path, stat: str, placing: Placing, options: nextpnr.PlaceRoute, root: Path) -> Placement:
    """Place, route and pack a synthesized `pin_top`; `stat` is Yosys's report of it. Cached."""
    tool = nextpnr.find(placing)
    key = cache.digest([tool.version, *options.arguments(placing, "netlist.json"), netlist.read_bytes()])
    logs = root / "logs"

    def make(folder: Path) -> list[Path]:
        logs.mkdir(parents=True, exist_ok=True)
        (folder / "netlist.json").write_bytes(netlist.read_bytes())
        nextpnr.run(tool, options, "netlist.json", folder, logs / f"nextpnr-{key[:12]}.log")
        return [folder / nextpnr.REPORT, folder / nextpnr.BITSTREAM]

    folder, _ = cache.entry(root / "nextpnr", key, make, (nextpnr.REPORT, nextpnr.BITSTREAM))
    placed = nextpnr.read((folder / nextpnr.REPORT).read_text())
    return Placement(
        total=_without_harness(placed, placing, stat),
        fmax_mhz=placed.fmax_mhz["clk_i"],
        bitstream=(folder / nextpnr.BITSTREAM).read_bytes(),
        tool=tool.name,
        critical=placed.critical,
        arrivals={(cell, placing.pins.get(pin, pin)): ns for (cell, pin), ns in placed.arrivals.items()},
    )


def _without_harness(placed: nextpnr.Placed, placing: Placing, stat: str) -> Resources:
    """Cells in use, less those of the harness; its LUTs and registers stay one cell each."""
    harness = yosys.count(stat, HARNESS)
    return Resources(
        lut=sum(luts * placed.used.get(cell, 0) for cell, luts in placing.lut.items()) - harness.lut,
        ff=placed.used[placing.ff] - harness.ff,
        carry=yosys.count(stat).carry,
        bram36=placed.used[placing.bram18] / 2,
        dsp=placed.used[placing.dsp],
    )


def unit_timing(folder: Path, top: str, device: Device, name: str) -> Timing:
    """Of one unit alone; folder: of its synthesis, name: its layer."""
    netlist = flatten(read_modules(folder / yosys.WIRING), top)
    return analyze(netlist, device.traits, device.grade, {"": name})


def layers_of(design: Design) -> dict[str, str]:
    """Names of units by their modules; the design's own for what lies between them."""
    return {"": design.top} | {unit.top: unit.name for unit in design.units}


def linked_timing(design: Design, folders: Mapping[str, Path], device: Device) -> Timing:
    """Of the whole design; folders: of the syntheses of its top, with units as boxes, and of each unit, by module."""
    modules = {name: m for folder in folders.values() for name, m in read_modules(folder / yosys.WIRING).items()}
    return analyze(flatten(modules, design.top), device.traits, device.grade, layers_of(design))


def placed_timing(design: Design, netlist: Path, device: Device) -> tuple[Netlist, Timing]:
    """Of the whole design between shift registers, before placement; and its netlist."""
    flat = flatten(read_modules(netlist), TOP)
    return flat, analyze(flat, device.traits, device.grade, layers_of(design))


def median(placements: Sequence[Placement]) -> Placement:
    """The one with the median clock, of an even number the lower of the two."""
    middle = statistics.median_low(p.fmax_mhz for p in placements)
    return next(p for p in placements if p.fmax_mhz == middle)


def routed_paths(design: Design, netlist: Netlist, placed: Placement, device: Device) -> tuple[TimingPath, ...]:
    """The ends that are reached last after routing, the slowest path as the router tells it."""
    layers = layers_of(design)
    first = routed_path(netlist, placed.critical, device.traits, layers)
    others = analyze(netlist, device.traits, device.grade, layers, routed=placed.arrivals).paths
    if first is None:
        return others
    return (first, *(p for p in others if (p.end.name, p.end.pin) != (first.end.name, first.end.pin)))


def slowest(timings: Sequence[Timing]) -> Timing:
    """The units' timing as the design's, where it is too large to be linked."""
    slow = min((t for t in timings if t.fmax_mhz), key=lambda t: t.fmax_mhz.mid if t.fmax_mhz else 0.0)
    paths = sorted((path for t in timings for path in t.paths), key=lambda path: -path.ns)
    return replace(slow, paths=tuple(paths[: len(slow.paths)]))
