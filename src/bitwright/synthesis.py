# SPDX-License-Identifier: Apache-2.0
"""Synthesis of a design: measured resources of each unit, and place, route and timing where its family allows."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib

from bitwright.devices import Device, find_device
from bitwright.errors import DeviceError, OptionError, ToolError
from bitwright.hardware.clock import DEFAULT_MHZ, Clock, assumed, reached
from bitwright.hardware.closure import closure, flatten
from bitwright.hardware.library import ROM_COLUMN, with_vendor, without_wide_roms
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing import Range, Timing, TimingPath
from bitwright.placement import (
    TOP,
    Placement,
    harness_files,
    linked_timing,
    median,
    place_and_route,
    placed_timing,
    routed_paths,
    slowest,
    unit_timing,
)
from bitwright.targets.contract import Design, LayerEstimate, SynthesisUnit
from bitwright.text import Shown
from bitwright.tools import cache, nextpnr, yosys

LARGE_LUTS = 60_000  # of a unit, estimated, from which its wide ROMs are synthesized apart from the rest
LINKED_CELLS = 400_000  # up to which paths from unit to unit are followed
MOST_SEEDS = 20
NOTHING_TIMED = Timing(None, None, {}, (), (), {})
Progress = Callable[[str, int, int], None]  # what is done, how many are, of how many


@dataclass(frozen=True)
class SynthesisOptions:
    """How the tools are run. dsp: whether multipliers may become DSP blocks.

    Of nextpnr, for parts that it places: so many `seeds` from `seed` on, of which the median clock counts; `placer`
    ("heap", or "static", with the shorter wires where a large design fills the part) and `router` ("router1", or
    "router2", the faster one there). Raises `OptionError` for what is not legal.
    """

    dsp: bool = True
    seed: int = 1
    seeds: int = 1
    placer: str = "heap"
    router: str = "router1"

    def __post_init__(self) -> None:
        for name, legal in (("placer", nextpnr.PLACERS), ("router", nextpnr.ROUTERS)):
            if getattr(self, name) not in legal:
                raise OptionError(f"{name} is {getattr(self, name)!r}; legal are {', '.join(legal)}")
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise OptionError(f"seeds is {self.seeds}; legal are 1 to {MOST_SEEDS}")

    def placements(self, part: Device, goal: Clock) -> list[nextpnr.PlaceRoute]:
        """One for each seed."""
        first = nextpnr.PlaceRoute(part.part_name, goal.mhz, self.seed, placer=self.placer, router=self.router)
        return [dataclasses.replace(first, seed=self.seed + i) for i in range(self.seeds)]


@dataclass(frozen=True)
class UnitResult:
    """One unit as synthesized, once; the design holds `copies` of it. lutram and srl are parts of resources.lut.

    row: the unit's place among the rows of the design's estimate, None where it has none. estimate: what is said
    there; None for devices without LUT6, too. fmax_estimated_mhz: of the paths between its own registers.
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
    fmax_estimated_mhz: Range | None = None


@dataclass(frozen=True, repr=False)
class SynthesisResult(Shown):
    """Measured resources, all from the tools named in `tools`.

    total: sum over units and copies of them, or of the placed design without its test harness.
    utilization: share of the device by resource. fmax_mhz, bitstream: where it is placed, of the design between
    shift registers, with the median clock of all seeds. fmax_estimated_mhz: before placement, for every device.
    paths: the slowest, see `TimingPath`; with routed times where the design is routed. notes: what they leave out.
    """

    device: Device
    units: tuple[UnitResult, ...]
    total: Resources
    tools: tuple[str, ...]
    seconds: float
    fmax_mhz: float | None = None
    fmax_by_seed: Mapping[int, float] = field(default_factory=dict)
    fmax_estimated_mhz: Range | None = None
    paths: tuple[TimingPath, ...] = ()
    notes: tuple[str, ...] = ()
    bitstream: bytes | None = None

    @property
    def clock(self) -> Clock | None:
        """What it reaches: routed where it is placed, else the middle estimate."""
        return reached(self.as_dict())

    def facts(self) -> dict[str, object]:
        """Part, cells and clock."""
        clock = None if self.clock is None else str(self.clock)
        return {"device": self.device.name, **dataclasses.asdict(self.total), "clock": clock, "fits": self.fits}

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
        found |= {name: [dataclasses.asdict(part) for part in found[name]] for name in ("units", "paths")}
        found["fmax_estimated_mhz"] = self.fmax_estimated_mhz and dataclasses.asdict(self.fmax_estimated_mhz)
        return {**found, "utilization": self.utilization, "fits": self.fits}


@dataclass(frozen=True)
class _Run:
    """What all syntheses of a design share."""

    part: Device
    dsp: bool
    tool: yosys.Yosys
    root: Path
    jobs: int
    progress: Progress

    def options(self, top: str, **values: Any) -> yosys.Synthesis:
        """Of a module that is counted and timed."""
        contents = not self.part.traits.memory_step
        return yosys.Synthesis(self.part.family, top, self.dsp, wiring=True, contents=contents, **values)


def synthesize(
    design: Design,
    device: str,
    *,
    options: SynthesisOptions | None = None,
    clock_mhz: float = DEFAULT_MHZ,
    check_fit: bool = True,
    jobs: int = 2,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> SynthesisResult:
    """Synthesize the design for a device of `devices.py`, and say what clock it reaches.

    Each unit is synthesized on its own, several in parallel; the clock is estimated by static timing of the netlist.
    Where the family allows, the whole design is then placed and routed, with the target clock `clock_mhz`. Results are
    cached under the digest of the files that they need, options and tool versions. Raises `OptionError` for an illegal
    clock, `DeviceError` for an unknown device and, with `check_fit`, for a design that is larger than it.
    """
    part, goal, options = find_device(device), assumed(clock_mhz), options or SynthesisOptions()
    start = time.perf_counter()
    flat = with_vendor(flatten(design.files), part.primitives)
    run = _Run(part, options.dsp, yosys.find(), cache.folder(cache_dir), jobs, progress or (lambda *_: None))
    counted = _count(design, flat, run)
    known = design.estimate.rows if part.counts_estimated_luts else ()
    units = tuple(_result(unit, counted[unit.top], known) for unit in design.units)
    result = SynthesisResult(
        device=part,
        units=units,
        total=sum((unit.resources * unit.copies for unit in units), Resources()),
        tools=(f"Yosys {run.tool.version}",),
        seconds=time.perf_counter() - start,
    )
    if check_fit:
        _check_fit(result)
    if part.traits.alone is None:
        result = _with_timing(result, _estimated(design, flat, counted, run))
    else:
        result = _placed(design, flat, run, options.placements(part, goal), result)
    return dataclasses.replace(result, seconds=time.perf_counter() - start)


def _placed(
    design: Design, flat: dict[str, str], run: _Run, options: Sequence[nextpnr.PlaceRoute], result: SynthesisResult
) -> SynthesisResult:
    """With the clock and the cells after place and route, once with each of the options."""
    placing = run.part.traits.alone
    assert placing is not None
    wrapped = closure(flat | harness_files(design), TOP)
    synthesis = yosys.Synthesis(run.part.family, TOP, run.dsp, netlist=True)
    _, folder, _ = yosys.synthesize_module(wrapped, synthesis, run.tool, run.root)
    stat, steps = (folder / yosys.STAT).read_text(), len({unit.top for unit in design.units}) + 1
    task = joblib.delayed(place_and_route)
    tasks = [task(folder / yosys.NETLIST, stat, placing, own, run.root) for own in options]
    placements: list[Placement] = joblib.Parallel(n_jobs=run.jobs, prefer="threads")(tasks)
    run.progress("place and route", steps, steps)
    placed = median(placements)
    netlist, timing = placed_timing(design, folder / yosys.NETLIST, run.part)
    return dataclasses.replace(
        _with_timing(result, timing),
        total=placed.total,
        tools=(*result.tools, placed.tool),
        fmax_mhz=placed.fmax_mhz,
        fmax_by_seed={own.seed: p.fmax_mhz for own, p in zip(options, placements, strict=True)},
        paths=routed_paths(design, netlist, placed, run.part),
        bitstream=placed.bitstream,
    )


def _with_timing(result: SynthesisResult, timing: Timing) -> SynthesisResult:
    notes = [f"the paths of {len(timing.loops)} loops of logic are left out"] if timing.loops else []
    if timing.unknown:
        notes.append(f"cells without delays: {', '.join(f'{n} {kind}' for kind, n in timing.unknown.items())}")
    return dataclasses.replace(
        result, fmax_estimated_mhz=timing.fmax_mhz, paths=timing.paths, notes=(*result.notes, *notes)
    )


def _estimated(design: Design, flat: Mapping[str, str], counted: Mapping[str, Counted], run: _Run) -> Timing:
    """Of a design that is not placed: of its units and what lies between them."""
    if design.top in counted:
        return counted[design.top].timing
    cells = sum(unit.copies * sum(counted[unit.top].cells.cells.values()) for unit in design.units)
    if cells > LINKED_CELLS:
        return slowest([own.timing for own in counted.values()])
    boxes = tuple(sorted(counted))
    inner = {f"{box}.sv": flat[f"{box}.sv"] for box in boxes}
    rest = closure({name: text for name, text in flat.items() if name not in inner}, design.top)
    _, folder, _ = yosys.synthesize_module(rest | inner, run.options(design.top, boxes=boxes), run.tool, run.root)
    return linked_timing(design, {design.top: folder} | {top: own.folder for top, own in counted.items()}, run.part)


def _count(design: Design, flat: Mapping[str, str], run: _Run) -> dict[str, Counted]:
    """All units by module, each synthesized once."""
    tops = sorted({unit.top for unit in design.units})
    steps = len(tops) + (run.part.traits.alone is not None)
    rows = design.estimate.rows
    large = {u.top for u in design.units if u.row is not None and rows[u.row].resources.lut > LARGE_LUTS}
    names = {unit.top: unit.name for unit in design.units}

    def task(top: str) -> Counted:
        found = count_module(closure(flat, top), run.options(top), run.tool, run.root, top in large)
        return dataclasses.replace(found, timing=unit_timing(found.folder, top, run.part, names[top]))

    found = {}
    pool = joblib.Parallel(n_jobs=run.jobs, prefer="threads", return_as="generator_unordered")
    for own in pool(joblib.delayed(task)(top) for top in tops):
        found[own.top] = own
        run.progress(own.top, len(found), steps)
    return found


def _result(unit: SynthesisUnit, counted: Counted, rows: Sequence[LayerEstimate]) -> UnitResult:
    cells = counted.cells
    estimate = rows[unit.row].resources if rows and unit.row is not None else None
    counts = cells.resources, cells.lutram, cells.srl, cells.cells
    fmax = counted.timing.inside_mhz
    return UnitResult(unit.name, unit.top, unit.copies, *counts, unit.row, estimate, counted.cached, fmax)


@dataclass(frozen=True)
class Counted:
    """A module as synthesized: its cells, whether they were cached, the folder of the results, its timing alone."""

    top: str
    cells: yosys.Cells
    cached: bool
    folder: Path
    timing: Timing = NOTHING_TIMED


def count_module(
    files: Mapping[str, str], options: yosys.Synthesis, tool: yosys.Yosys, root: Path, large: bool = False
) -> Counted:
    """A module's cells.

    Of a `large` one, whose netlist would not fit the 4 GB of memory of the packaged Yosys, wide ROMs in LUTs are
    synthesized in runs of their own; they share no logic with the rest.
    """
    rest, boxes = without_wide_roms(files) if large else (files, [])
    runs = [yosys.synthesize_module(rest, options, tool, root)]
    used = yosys.instances((runs[0][1] / yosys.STAT).read_text(), ROM_COLUMN)
    if used not in (0, len(boxes)):
        raise ToolError(f"{options.top} has {used} columns of wide memories in LUTs, its memory files {len(boxes)}")
    column = dataclasses.replace(options, top=ROM_COLUMN)
    runs += [yosys.synthesize_module(box, column, tool, root) for box in boxes[:used]]
    cells = yosys.summed([yosys.count((folder / yosys.STAT).read_text()) for _, folder, _ in runs])
    return Counted(options.top, cells, all(hit for _, _, hit in runs), runs[0][1])


def _check_fit(result: SynthesisResult) -> None:
    over = [
        f"{getattr(result.total, name):g} {name} of {getattr(result.device, name):g}"
        for name, share in result.utilization.items()
        if share > 1
    ]
    if over:
        raise DeviceError(f"the design does not fit {result.device.name}: it needs {', '.join(over)}")
