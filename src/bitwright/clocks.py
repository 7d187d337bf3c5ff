# SPDX-License-Identifier: Apache-2.0
"""The clock of a synthesized design: estimated for every part, and after routing where it is placed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bitwright.devices import Device
from bitwright.hardware.timing import Netlist, Timing, TimingPath, analyze, flatten, read_modules, routed_path
from bitwright.placement import TOP, Placement
from bitwright.targets.contract import Design
from bitwright.tools import yosys


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
