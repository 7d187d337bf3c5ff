# SPDX-License-Identifier: Apache-2.0
"""Every unit of a design: its netlist against its RTL, and its RTL against the network's operation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import joblib
import numpy as np

from bitwright.debugging.layers import DebugResult, debug
from bitwright.devices import find_device
from bitwright.errors import OptionError
from bitwright.fast.evaluator import Evaluator
from bitwright.network import Network
from bitwright.network.bundles import parts
from bitwright.network.ops import Add
from bitwright.network.stages import Elementwise
from bitwright.network.types import Array
from bitwright.proving.deadlock import Certificate, certify
from bitwright.proving.equivalence import DIFFERS, PROVEN, TESTED, Equivalence, equivalence
from bitwright.simulation import inputs_of
from bitwright.targets.contract import Design, SynthesisUnit
from bitwright.text import Shown
from bitwright.tools import yosys

EXHAUSTIVE = "exhaustive"
MOST_CASES = 1 << 20  # of the operands of a unit, over all channels
MOST_CYCLES = 1 << 20


@dataclass(frozen=True)
class UnitProof:
    """What is shown of a unit.

    netlist: that the synthesized netlist is the RTL. operation: that the RTL is the network's operation: EXHAUSTIVE,
    all operands of all channels were simulated; TESTED, so many `values` were; empty for units that no layer is.
    """

    name: str
    top: str
    netlist: Equivalence
    operation: str
    values: int
    mismatches: int

    @property
    def good(self) -> bool:
        """Whether nothing differs."""
        return self.netlist.status != DIFFERS and not self.mismatches

    @property
    def shown(self) -> bool:
        """Whether both are shown for all inputs."""
        return self.good and self.netlist.status == PROVEN and self.operation in (EXHAUSTIVE, "")


@dataclass(frozen=True, repr=False)
class ProveResult(Shown):
    """The units in the design's order.

    failure: how the simulation ended, where it did not reach its end. deadlock: whether the streams can stop.
    """

    units: tuple[UnitProof, ...]
    device: str
    frames: int
    failure: str | None
    tools: tuple[str, ...]
    deadlock: Certificate

    @property
    def good(self) -> bool:
        """Whether nothing differs."""
        return self.failure is None and all(unit.good for unit in self.units)

    def facts(self) -> Mapping[str, object]:
        """How many units are proven."""
        proven = sum(unit.netlist.status == PROVEN for unit in self.units)
        return {
            "units": len(self.units),
            "netlists proven": proven,
            "deadlock": self.deadlock.status,
            "good": self.good,
        }

    def as_dict(self) -> dict[str, object]:
        """All of it, for JSON."""
        units = [{**vars(unit), "netlist": vars(unit.netlist)} for unit in self.units]
        rest = {"tools": list(self.tools), "deadlock": self.deadlock.as_dict(), "good": self.good}
        return {**vars(self), "units": units, **rest}


def prove(
    design: Design,
    x: Array | Mapping[str, Array],
    *,
    device: str = "xczu3eg",
    cycles: int = 2000,
    seconds: int = 60,
    seed: int = 0,
    jobs: int = 2,
    cache_dir: str | os.PathLike[str] | None = None,
) -> ProveResult:
    """Show for each unit that its netlist for the device is its RTL, and that this computes the network's operation.

    x: frames as for `simulate`, for the operations. cycles: of 64 random runs of each pair of RTL and netlist, before
    the proof; seconds: of the search for invariants that the proof may take beyond induction. Raises `OptionError` for
    illegal numbers, `DeviceError` for an unknown device, `ModelError` for a design of another version.
    """
    if not 64 <= cycles <= MOST_CYCLES or seconds < 1:
        raise OptionError(f"{cycles} cycles, {seconds} s; legal are 64 to {MOST_CYCLES:,} cycles and 1 s or more")
    part, tool = find_device(device), yosys.find()
    frames = inputs_of(design, x)
    seen = debug(design, frames, seed=seed, jobs=jobs, cache_dir=cache_dir)
    tops = list(dict.fromkeys(unit.top for unit in design.units))

    def task(top: str) -> tuple[str, Equivalence]:
        return top, equivalence(design.files, top, part, cycles, tool, seconds, cache_dir)

    netlists: dict[str, Equivalence] = dict(
        joblib.Parallel(n_jobs=jobs, prefer="threads")(joblib.delayed(task)(top) for top in tops)
    )
    values = _values(design.network, frames)
    units = [_unit(design, unit, netlists[unit.top], seen, values) for unit in design.units]
    tools = (f"Yosys {tool.version} with ABC", seen.tool)
    return ProveResult(tuple(units), part.name, len(frames), seen.failure, tools, certify(design))


def _values(network: Network, frames: Array) -> dict[str, Array]:
    """The operands of all operations on single elements, by name."""
    sources = parts(frames, network.input_names)
    names = {i for n in network.nodes if isinstance(n.op, Elementwise | Add) for i in n.inputs} - sources.keys()
    return {**sources, **(Evaluator(network).run(frames, sorted(names)) if names else {})}


def _unit(
    design: Design, unit: SynthesisUnit, netlist: Equivalence, seen: DebugResult, values: Mapping[str, Array]
) -> UnitProof:
    if unit.row is None:
        return UnitProof(unit.name, unit.top, netlist, "", 0, 0)
    row = design.estimate.rows[unit.row]
    checks = [check for check in seen.layers if check.layer == row.name]
    total = sum(check.values - check.missing for check in checks)
    wrong = sum(check.mismatches + check.missing for check in checks)
    operation = EXHAUSTIVE if exhaustive(design.network, row.nodes, values) else TESTED if checks else ""
    return UnitProof(unit.name, unit.top, netlist, operation, total, wrong)


def exhaustive(network: Network, nodes: Sequence[str], values: Mapping[str, Array]) -> bool:
    """Whether the values hold every combination of the operands of these nodes, in every channel.

    That can be said of operations on single elements alone; values: by name, int64 [frames, ..., channels].
    """
    chain = [network.node(name) for name in nodes]
    if not chain or not all(isinstance(node.op, Elementwise | Add) for node in chain):
        return False
    inside = set(nodes)
    operands = list(dict.fromkeys(i for node in chain for i in node.inputs if i not in inside))
    types = [network.types[name] for name in operands]
    channels, cases = types[0].channels, int(np.prod([t.dtype.levels for t in types], dtype=object))
    if any(t.shape != types[0].shape for t in types) or channels * cases > MOST_CASES:
        return False
    code = np.zeros(values[operands[0]].shape, np.int64)
    for name, t in zip(operands, types, strict=True):
        code = code * t.dtype.levels + np.searchsorted(t.dtype.values(), values[name])
    code = code.reshape(-1, channels) + cases * np.arange(channels)
    return len(np.unique(code)) == channels * cases
