# SPDX-License-Identifier: Apache-2.0
"""The command behind every `calibrate` module: synthesize some modules, fit the constants, write them down."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bitwright.devices import find_device
from bitwright.hardware import calibration
from bitwright.hardware.calibration import Sample
from bitwright.hardware.closure import closure, flatten
from bitwright.hardware.library import with_vendor
from bitwright.hardware.resources import Resources
from bitwright.tools import cache, yosys

DEVICE = "xczu3eg"  # a LUT6 part; the cost models count its cells


@dataclass(frozen=True)
class Point:
    """A module to synthesize out of context: module `top` of the files with these parameters.

    counts, known: as of `Sample`. dsp: whether multipliers may become DSP blocks.
    """

    name: str
    files: Mapping[str, str] = field(repr=False)
    top: str
    counts: Mapping[str, float]
    known: Resources = calibration.NOTHING
    parameters: Mapping[str, int] = field(default_factory=dict)
    dsp: bool = True


def measure(point: Point) -> Sample:
    """What the module takes; results are cached as those of every synthesis."""
    device, tool = find_device(DEVICE), yosys.find()
    files = closure(with_vendor(flatten(point.files), device.primitives), point.top)
    parameters = tuple(point.parameters.items())
    options = yosys.Synthesis(device.family, point.top, point.dsp, contents=False, parameters=parameters)
    _, folder, _ = yosys.synthesize_module(files, options, tool, cache.folder(None))
    cells = yosys.count((folder / yosys.STAT).read_text())
    return Sample(point.name, point.counts, point.known, cells.resources)


def main(points: Callable[[], Sequence[Point]], path: Path, command: str) -> None:
    """Measure all points and write the file, or, with --dry-run, show the constants and their errors.

    With --only, modules without one of the words in their name keep the figures that the file has of them.
    """
    parser = argparse.ArgumentParser(prog=command, description=f"Synthesize modules with Yosys and write {path.name}.")
    parser.add_argument("--dry-run", action="store_true", help="show the file, do not write it")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="measure the modules with such names")
    arguments = parser.parse_args()
    known = {sample.name: sample for sample in calibration.load_samples(path)} if arguments.only else {}
    samples = []
    for point in points():
        kept = known.get(point.name)
        if kept and not any(word in point.name for word in arguments.only):
            samples.append(Sample(point.name, point.counts, point.known, kept.measured))
            continue
        samples.append(measure(point))
        print(f"# {point.name}: {samples[-1].measured}", flush=True)
    found = calibration.text(samples, command, f"Yosys {yosys.find().version}", DEVICE)
    if arguments.dry_run:
        print(found, end="")
    else:
        path.write_text(found)
