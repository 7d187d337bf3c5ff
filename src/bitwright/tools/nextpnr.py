# SPDX-License-Identifier: Apache-2.0
"""nextpnr and its packers: place, route, time and pack a netlist for a family that it knows."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitwright.errors import ToolError
from bitwright.hardware.family import PartName, Placing
from bitwright.tools import process

MINIMUM = (0, 7)
PLACERS, ROUTERS = ("heap", "static"), ("router1", "router2")
_PADS = re.compile(r"\$.*|_IBUF_.*")  # after the name of a port, in those of the nets behind it
REPORT, CONFIG, BITSTREAM = "report.json", "config.txt", "bitstream.bit"


@dataclass(frozen=True)
class Nextpnr:
    """Usable programs and the version of nextpnr, for one family."""

    program: Path
    packers: tuple[Path, ...]
    version: str
    placing: Placing

    @property
    def name(self) -> str:
        """For reports."""
        return f"{self.placing.program} {self.version}"


@dataclass(frozen=True)
class PlaceRoute:
    """Options: part, target clock, seed, placer and router.

    placer: one of PLACERS; static leaves large designs with shorter wires. router: one of ROUTERS; router2 is the
    faster one where a large design fills its part.
    """

    part: PartName
    clock_mhz: float = 200
    seed: int = 1
    placer: str = "heap"
    router: str = "router1"
    constraints: str = ""  # the file of the pins; all of them are free without one

    def arguments(self, placing: Placing, netlist: str) -> list[str]:
        """The command's, for a netlist in the working folder."""
        return [
            *placing.part(self.part),
            *("--freq", f"{self.clock_mhz:g}", "--seed", str(self.seed)),
            *("--placer", self.placer, "--router", self.router),
            *("--json", netlist, *placing.written(CONFIG), "--report", REPORT, *placing.options),
            *(placing.pinned(self.constraints) if self.constraints else placing.free or ()),
            "--timing-allow-fail",
        ]


@dataclass(frozen=True)
class Segment:
    """A piece of a routed path: its kind (clk-to-q, source, routing, logic, setup), ns, and the pin where it ends."""

    kind: str
    ns: float
    cell: str
    pin: str


@dataclass(frozen=True)
class Placed:
    """Routed result: maximum frequency by clock, cells in use and on the part by type.

    critical: the slowest path between registers. arrivals: ns from the clock to each cell's input that a clock samples.
    """

    fmax_mhz: dict[str, float]
    used: dict[str, int]
    available: dict[str, int]
    critical: tuple[Segment, ...] = ()
    arrivals: Mapping[tuple[str, str], float] = field(default_factory=dict)


def find(placing: Placing) -> Nextpnr:
    """New enough programs on the PATH, else those of the Python package."""
    names = (placing.program, *placing.packers)
    native = [path for name in names if (path := process.which(name))]
    if len(native) == len(names):
        match = re.search(r"\(Version (?:nextpnr-)?(\d+)\.(\d+)", process.run([native[0], "--version"], Path.cwd()))
        if match and (int(match[1]), int(match[2])) >= MINIMUM:
            return Nextpnr(native[0], tuple(native[1:]), f"{match[1]}.{match[2]}", placing)
    if not placing.package:
        raise ToolError(f"no {' and '.join(names)} 0.7 or newer on the PATH: install {placing.extra}")
    found = (process.beside_python(f"yowasp-{name}") or process.beside_python(name) for name in names)
    packaged = [path for path in found if path]
    if len(packaged) < len(names):
        how = f"install the Python package {placing.package} (bitwright[{placing.extra}])"
        raise ToolError(f"no {placing.program} 0.7 or newer on the PATH: {how}")
    return Nextpnr(packaged[0], tuple(packaged[1:]), importlib.metadata.version(placing.package), placing)


def check_files(tool: Nextpnr, part: PartName) -> None:
    """Raise `ToolError` where files of the part that the programs need are missing."""
    tool.placing.part(part)
    tool.placing.pack(part, CONFIG, BITSTREAM)


def run(tool: Nextpnr, options: PlaceRoute, netlist: str, folder: Path, log: Path) -> None:
    """Place, route and pack `netlist` of `folder`; it leaves report.json and bitstream.bit there."""
    process.run([tool.program, *options.arguments(tool.placing, netlist)], folder, log=log)
    for packer, pack in zip(tool.packers, tool.placing.pack(options.part, CONFIG, BITSTREAM), strict=True):
        process.run([packer, *pack], folder, log=log.with_suffix(f".{packer.name}.log"))


def read(report: str) -> Placed:
    """The figures of nextpnr's JSON report; a clock's name loses the suffixes of pads and global nets."""
    data = json.loads(report)
    clocks = {_PADS.sub("", name.removeprefix("$glbnet$")): c["achieved"] for name, c in data["fmax"].items()}
    use = data["utilization"]
    between = [p["path"] for p in data.get("critical_paths", ()) if not {"<async>"} & {p["from"], p["to"]}]
    critical: list[dict[str, Any]] = max(between, key=lambda path: sum(s["delay"] for s in path), default=[])
    ends = [(net, end) for net in data.get("detailed_net_timings", ()) for end in net["endpoints"]]
    return Placed(
        fmax_mhz=clocks,
        used={k: v["used"] for k, v in use.items()},
        available={k: v["available"] for k, v in use.items()},
        critical=tuple(Segment(s["type"], s["delay"], s["to"]["cell"], s["to"]["port"]) for s in critical),
        arrivals={(end["cell"], end["port"]): max(end["delay"]) for net, end in ends if net["event"] != "<async>"},
    )
