# SPDX-License-Identifier: Apache-2.0
"""Synthesis of a design: measured resources of each unit, and place, route and timing where its family allows."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib

from bitwright.devices import Device, find_device
from bitwright.errors import DeviceError, OptionError, ToolError
from bitwright.hardware.closure import closure, flatten, write
from bitwright.hardware.library import ROM_COLUMN, with_vendor, without_wide_roms
from bitwright.hardware.resources import Resources
from bitwright.placement import TOP, harness_files, place_and_route
from bitwright.targets.contract import Design, LayerEstimate, SynthesisUnit
from bitwright.tools import cache, nextpnr, yosys

LARGE_LUTS = 60_000  # of a unit, estimated, from which its wide ROMs are synthesized apart from the rest
Progress = Callable[[str, int, int], None]  # what is done, how many are, of how many


@dataclass(frozen=True)
class UnitResult:
    """One unit as synthesized, once; the design holds `copies` of it. lutram and srl are parts of resources.lut.

    row: the unit's place among the rows of the design's estimate, None where it has none. estimate: what is said
    there; None for devices without LUT6, too.
    """

    name: str
    top: str
    copies: int
    resources: Resources
    lutram: int
    srl: int
    cells: Mapping[str, int]
    row: int | None
    estimate: Resources | None
    cached: bool


@dataclass(frozen=True)
class SynthesisResult:
    """Measured resources, all from the tools named in `tools`.

    total: sum over units and copies of them, or of the placed design without its test harness.
    utilization: share of the device by resource. fmax_mhz, bitstream: where it is placed, of the design between
    shift registers.
    """

    device: Device
    units: tuple[UnitResult, ...]
    total: Resources
    tools: tuple[str, ...]
    seconds: float
    fmax_mhz: float | None = None
    bitstream: bytes | None = None

    @property
    def lut(self) -> float:
        return self.total.lut

    @property
    def ff(self) -> float:
        return self.total.ff

    @property
    def carry(self) -> float:
        return self.total.carry

    @property
    def bram36(self) -> float:
        return self.total.bram36

    @property
    def dsp(self) -> float:
        return self.total.dsp

    @property
    def utilization(self) -> dict[str, float]:
        return self.device.utilization(self.total)

    @property
    def fits(self) -> bool:
        return all(share <= 1 for share in self.utilization.values())

    def as_dict(self) -> dict[str, object]:
        """The figures, without the bitstream, for reports."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "bitstream"}
        found |= {name: dataclasses.asdict(found[name]) for name in ("device", "total")}
        found["units"] = [dataclasses.asdict(unit) for unit in self.units]
        return {**found, "utilization": self.utilization, "fits": self.fits}


def synthesize(
    design: Design,
    device: str,
    *,
    dsp: bool = True,
    check_fit: bool = True,
    clock_mhz: float = 200,
    seed: int = 1,
    placer: str = "heap",
    router: str = "router1",
    jobs: int = 2,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> SynthesisResult:
    """Synthesize the design for a device of `devices.py`.

    Each unit is synthesized on its own, several in parallel. Where the family allows, the whole design
    is then placed and routed, with the target clock `clock_mhz`, the placement `seed` and nextpnr's `placer` ("heap",
    or "static", with the shorter wires where a large design fills the part) and `router` ("router1", or "router2", the
    faster one there). dsp: whether multipliers may become DSP blocks. Results are cached under the digest of the files
    that they need, options and tool versions. Raises `OptionError` for an unknown placer or router, `DeviceError` for
    an unknown device and, with `check_fit`, for a design that is larger than it.
    """
    part = find_device(device)
    for name, value, legal in (("placer", placer, nextpnr.PLACERS), ("router", router, nextpnr.ROUTERS)):
        if value not in legal:
            raise OptionError(f"{name} is {value!r}; legal are {', '.join(legal)}")
    start = time.perf_counter()
    flat = with_vendor(flatten(design.files), part.primitives)
    root = cache.folder(cache_dir)
    tool = yosys.find()
    units = _units(design, flat, part, dsp, tool, root, jobs, progress)
    result = SynthesisResult(
        device=part,
        units=units,
        total=sum((unit.resources * unit.copies for unit in units), Resources()),
        tools=(f"Yosys {tool.version}",),
        seconds=time.perf_counter() - start,
    )
    if check_fit:
        _check_fit(result)
    placing = part.traits.placing
    if placing is None:
        return result
    wrapped = closure(flat | harness_files(design), TOP)
    _, folder, _ = synthesize_module(wrapped, yosys.Synthesis(part.family, TOP, dsp, netlist=True), tool, root)
    stat = (folder / yosys.STAT).read_text()
    options = nextpnr.PlaceRoute(part.size, part.package, clock_mhz=clock_mhz, seed=seed, placer=placer, router=router)
    placed = place_and_route(folder / yosys.NETLIST, stat, placing, options, root)
    if progress:
        progress("place and route", len(units) + 1, len(units) + 1)
    return dataclasses.replace(
        result,
        total=placed.total,
        tools=(*result.tools, placed.tool),
        seconds=time.perf_counter() - start,
        fmax_mhz=placed.fmax_mhz,
        bitstream=placed.bitstream,
    )


def _units(
    design: Design,
    flat: Mapping[str, str],
    part: Device,
    dsp: bool,
    tool: yosys.Yosys,
    root: Path,
    jobs: int,
    progress: Progress | None,
) -> tuple[UnitResult, ...]:
    """All units, each module synthesized once."""
    tops = sorted({unit.top for unit in design.units})
    steps = len(tops) + (part.traits.placing is not None)
    rows = design.estimate.rows
    large = {u.top for u in design.units if u.row is not None and rows[u.row].resources.lut > LARGE_LUTS}
    options = (yosys.Synthesis(part.family, top, dsp, contents=not part.traits.memory_step) for top in tops)
    tasks = (joblib.delayed(count_module)(closure(flat, o.top), o, tool, root, o.top in large) for o in options)
    found = {}
    for top, cells, hit in joblib.Parallel(n_jobs=jobs, prefer="threads", return_as="generator_unordered")(tasks):
        found[top] = cells, hit
        if progress:
            progress(top, len(found), steps)
    known = rows if part.counts_estimated_luts else ()
    return tuple(_result(unit, *found[unit.top], known) for unit in design.units)


def _result(unit: SynthesisUnit, cells: yosys.Cells, hit: bool, rows: Sequence[LayerEstimate]) -> UnitResult:
    resources = Resources(cells.lut, cells.ff, cells.carry, cells.bram36, cells.dsp)
    estimate = rows[unit.row].resources if rows and unit.row is not None else None
    counts = cells.lutram, cells.srl, cells.cells
    return UnitResult(unit.name, unit.top, unit.copies, resources, *counts, unit.row, estimate, hit)


def count_module(
    files: Mapping[str, str], options: yosys.Synthesis, tool: yosys.Yosys, root: Path, large: bool = False
) -> tuple[str, yosys.Cells, bool]:
    """A module's name, its cells, and whether they were cached.

    Of a `large` one, whose netlist would not fit the 4 GB of memory of the packaged Yosys, wide ROMs in LUTs are
    synthesized in runs of their own; they share no logic with the rest.
    """
    rest, boxes = without_wide_roms(files) if large else (files, [])
    runs = [synthesize_module(rest, options, tool, root)]
    used = yosys.instances((runs[0][1] / yosys.STAT).read_text(), ROM_COLUMN)
    if used not in (0, len(boxes)):
        raise ToolError(f"{options.top} has {used} columns of wide memories in LUTs, its memory files {len(boxes)}")
    column = dataclasses.replace(options, top=ROM_COLUMN)
    runs += [synthesize_module(box, column, tool, root) for box in boxes[:used]]
    cells = yosys.summed([yosys.count((folder / yosys.STAT).read_text()) for _, folder, _ in runs])
    return options.top, cells, all(hit for _, _, hit in runs)


def synthesize_module(
    files: Mapping[str, str], options: yosys.Synthesis, tool: yosys.Yosys, root: Path
) -> tuple[str, Path, bool]:
    """Synthesize one module from its files: its name, the folder of the results, and whether it was cached."""
    identity = [tool.version, options.script(sorted(files))]
    for name in sorted(files):
        identity += [name, files[name]]
    key = cache.digest(identity)
    logs = root / "logs"

    def make(folder: Path) -> list[Path]:
        logs.mkdir(parents=True, exist_ok=True)
        yosys.run(tool, options, write(files, folder), folder, logs / f"{options.top}-{key[:12]}.log")
        return [folder / name for name in kept]

    kept = (yosys.STAT, *([yosys.NETLIST] if options.netlist else []))
    folder, hit = cache.entry(root / "yosys", key, make, kept)
    return options.top, folder, hit


def _check_fit(result: SynthesisResult) -> None:
    over = [
        f"{getattr(result.total, name):g} {name} of {getattr(result.device, name):g}"
        for name, share in result.utilization.items()
        if share > 1
    ]
    if over:
        raise DeviceError(f"the design does not fit {result.device.name}: it needs {', '.join(over)}")
