# SPDX-License-Identifier: Apache-2.0
"""Constants of a cost model: fitted to modules that were synthesized, kept in a TOML file with their origin.

A module takes  known + sum(count * constant)  of each kind of cells: `known` are memories, which hardware/memory.py
counts, and the counts come from the module's parameters (elements, rows, one for what is always there).
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np

from bitwright.hardware.resources import Resources
from bitwright.hardware.text import SPDX

KINDS = tuple(f.name for f in fields(Resources))
DIGITS = 2  # of a constant behind the point
NOTHING = Resources()


@dataclass(frozen=True)
class Sample:
    """A module that was synthesized: how often each constant counts in it, its memories, and all that it took."""

    name: str
    counts: Mapping[str, float]
    known: Resources
    measured: Resources


@dataclass(frozen=True)
class Constants:
    """Resources by the name of the constant."""

    values: Mapping[str, Resources]

    def cost(self, counts: Mapping[str, float]) -> Resources:
        """What so many of each take; constants that count 0 times need not be there."""
        return sum((self.values[name] * count for name, count in counts.items() if count), NOTHING)

    def error(self, sample: Sample) -> dict[str, float]:
        """Estimate over measurement, minus 1, of each kind of cells that the module has."""
        pairs = zip(KINDS, astuple(self.cost(sample.counts) + sample.known), astuple(sample.measured), strict=True)
        return {kind: found / true - 1 for kind, found, true in pairs if true}


def fit(samples: Sequence[Sample]) -> Constants:
    """The constants with the least squared errors, each relative to the module's LUTs.

    Raises `ValueError` where the samples leave a constant open.
    """
    names = list(dict.fromkeys(name for sample in samples for name in sample.counts))
    counts = np.array([[sample.counts.get(name, 0.0) for name in names] for sample in samples])
    rest = np.array([astuple(sample.measured - sample.known) for sample in samples])
    weights = 1 / np.array([[sample.measured.lut] for sample in samples])
    found, _, rank, _ = np.linalg.lstsq(counts * weights, rest * weights, rcond=None)
    if rank < len(names):
        raise ValueError(f"{len(samples)} modules do not settle {len(names)} constants: {', '.join(names)}")
    rounded = np.round(found, DIGITS) + 0.0  # no -0.0
    return Constants({name: Resources(*map(float, row)) for name, row in zip(names, rounded, strict=True)})


def text(samples: Sequence[Sample], command: str, tool: str, device: str) -> str:
    """The TOML file: origin, constants, and the modules that they come from with the error of the fit."""
    constants = fit(samples)
    lines = [
        "#" + SPDX.removeprefix("//"),
        f"# Written by `{command}`. What its modules took, and the constants of the cost model that fit them.",
        f'tool = "{tool}"',
        f'device = "{device}"',
        f"date = {datetime.date.today().isoformat()}",
        "",
    ]
    lines += ["[constants]", *(f'"{name}" = {_table(_cells(v))}' for name, v in constants.values.items()), ""]
    for sample in samples:
        errors = {kind: round(error, 4) + 0.0 for kind, error in constants.error(sample).items()}
        lines += [f'[modules."{sample.name}"]', f"counts = {_table(sample.counts)}"]
        lines += [f"known = {_table(_cells(sample.known))}", f"measured = {_table(_cells(sample.measured))}"]
        lines += [f"error = {_table(errors)}", ""]
    return "\n".join(lines[:-1]) + "\n"


def _cells(resources: Resources) -> dict[str, float]:
    return {kind: value for kind, value in zip(KINDS, astuple(resources), strict=True) if value}


def _table(values: Mapping[str, float]) -> str:
    return "{ " + ", ".join(f'"{name}" = {value:.10g}' for name, value in values.items()) + " }" if values else "{}"


@cache
def load(path: Path) -> Constants:
    """The constants of a file."""
    found = tomllib.loads(path.read_text())["constants"]
    return Constants({name: Resources(**cells) for name, cells in found.items()})


def load_samples(path: Path) -> tuple[Sample, ...]:
    """The modules of a file."""
    found = tomllib.loads(path.read_text())["modules"]
    return tuple(
        Sample(name, row["counts"], Resources(**row["known"]), Resources(**row["measured"]))
        for name, row in found.items()
    )
