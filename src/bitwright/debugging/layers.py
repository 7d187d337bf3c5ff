# SPDX-License-Identifier: Apache-2.0
"""The layers of a design in simulation, compared with its network, up to the first that differs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bitwright import targets
from bitwright.errors import ModelError
from bitwright.fast.evaluator import Evaluator
from bitwright.hardware.closure import flatten
from bitwright.network import Network
from bitwright.network.bundles import parts as arrays
from bitwright.network.types import Array
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.simulation import inputs_of, outputs_of, record
from bitwright.targets.contract import Design, accepted, make_options
from bitwright.targets.observation import Layer, Observation, Values
from bitwright.text import Shown
from bitwright.tools.bench import MAX_STREAMS, Tap
from bitwright.tools.model import Run

SHOWN = 8  # differences of a layer that are listed
OUTPUT = "output"


@dataclass(frozen=True)
class Difference:
    """One value that differs: of which frame, at which index (y, x, channel) or (channel,)."""

    frame: int
    index: tuple[int, ...]
    expected: int
    found: int


@dataclass(frozen=True)
class LayerCheck:
    """How a layer's values compare. value: the node whose values they are; missing: those that never came."""

    layer: str
    value: str
    scope: str | None
    values: int
    mismatches: int
    missing: int

    @property
    def equal(self) -> bool:
        """Whether every value came and is the network's."""
        return not (self.mismatches or self.missing)


@dataclass(frozen=True, repr=False)
class DebugResult(Shown):
    """The layers in the order of computation up to the first that differs, and the first values that do.

    failure: how the simulation ended, where it did not reach the end of the frames.
    """

    layers: tuple[LayerCheck, ...]
    differences: tuple[Difference, ...]
    frames: int
    failure: str | None
    tool: str

    @property
    def first(self) -> LayerCheck | None:
        """The first layer that differs, if one does."""
        return next((layer for layer in self.layers if not layer.equal), None)

    def facts(self) -> dict[str, object]:
        """What was compared, and the layer that differs."""
        first = self.first
        return {"frames": self.frames, "layers": len(self.layers), "differs": first and first.layer}

    def as_dict(self) -> dict[str, object]:
        """All of it, for JSON."""
        return {
            "frames": self.frames,
            "layers": [vars(layer) for layer in self.layers],
            "first": self.first and self.first.layer,
            "differences": [vars(difference) for difference in self.differences],
            "failure": self.failure,
            "tool": self.tool,
        }


def observation(design: Design) -> Observation:
    """What simulation sees of a design's layers.

    `ModelError` where its top is not the one that its target writes today: another version has compiled it.
    """
    target = targets.get(design.target)
    plan = accepted(target, design.network, make_options(target, design.options))
    made, own, top = flatten(target.emit(plan).files), flatten(design.files), f"{design.top}.sv"
    if set(made) != set(own) or made[top] != own[top]:
        raise ModelError("the design was compiled by another version of bitwright; compile it again")
    return target.observe(plan)


def debug(
    design: Design,
    x: Array | Mapping[str, Array],
    *,
    seed: int = 0,
    jobs: int = 2,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress = quiet,
) -> DebugResult:
    """Simulate the frames x and compare the values of every layer with the network's, in the order of computation.

    x: as for `simulate`. It stops at the first layer with a value that differs or never comes; after the last layer
    it compares the outputs. A simulation that hangs or breaks the rules of streams is compared as far as it came.
    progress: called with "layers", how many are compared, of how many.
    """
    seen = observation(design)
    if seen.hidden:
        raise ModelError(seen.hidden)
    frames = inputs_of(design, x)
    checks: list[LayerCheck] = []
    run: Run | None = None
    for layers, taps in _groups(seen, MAX_STREAMS - 1):
        progress("layers", len(checks), len(seen.layers))
        run, tool = record(design, frames, taps, seed=seed, jobs=jobs, cache_dir=cache_dir)
        values = seen.read(run.records, len(frames))
        expected = _expected(seen.network, frames, [layer.node for layer in layers])
        for layer in layers:
            found = values[layer.value]
            wanted = expected[layer.node].reshape(len(frames), -1)
            checks.append(_check(layer, found, wanted))
            if not checks[-1].equal:
                listed = tuple(_differences(found, wanted, seen.network.types[layer.node].shape))
                return _result(checks, listed, len(frames), run, tool)
    progress("layers", len(checks), len(seen.layers))
    assert run is not None
    if run.failure is not None:
        return _result(checks, (), len(frames), run, tool)
    check, listed = _outputs(design, frames, run)
    return _result([*checks, check], listed, len(frames), run, tool)


def _result(
    checks: Sequence[LayerCheck], listed: tuple[Difference, ...], frames: int, run: Run, tool: str
) -> DebugResult:
    failure = None if run.failure is None else f"{type(run.failure).__name__}: {run.failure}"
    return DebugResult(tuple(checks), listed, frames, failure, tool)


def _groups(seen: Observation, most: int) -> Iterator[tuple[list[Layer], list[Tap]]]:
    """Layers in their order with the taps that they need, as many as one simulation records."""
    by_name = {tap.name: tap for tap in seen.taps}
    layers: list[Layer] = []
    names: dict[str, None] = {}
    for layer in seen.layers:
        more = names | dict.fromkeys(layer.taps)
        if len(more) > most:
            yield layers, [by_name[name] for name in names]
            layers, more = [], dict.fromkeys(layer.taps)
        layers, names = [*layers, layer], more
    yield layers, [by_name[name] for name in names]


def _expected(network: Network, frames: Array, names: Sequence[str]) -> dict[str, Array]:
    """The values of nodes and inputs by name."""
    sources = arrays(frames, network.input_names)
    nodes = [name for name in names if name not in sources]
    return {**sources, **(Evaluator(network).run(frames, nodes) if nodes else {})}


def _check(layer: Layer, found: Values, wanted: Array) -> LayerCheck:
    wrong = int(np.count_nonzero(found.known & (found.found != wanted)))
    return LayerCheck(layer.name, layer.node, layer.scope, wanted.size, wrong, int(np.count_nonzero(~found.known)))


def _differences(found: Values, wanted: Array, shape: tuple[int, ...]) -> Iterator[Difference]:
    """The first that differ, in the order of frames and elements."""
    for frame, at in np.argwhere(found.known & (found.found != wanted))[:SHOWN]:
        index = tuple(int(i) for i in np.unravel_index(at, shape))
        yield Difference(int(frame), index, int(wanted[frame, at]), int(found.found[frame, at]))


def _outputs(design: Design, frames: Array, run: Run) -> tuple[LayerCheck, tuple[Difference, ...]]:
    """The outputs, behind the last layer."""
    network: Network = design.network
    expected = arrays(Evaluator(network).run(frames), [spec.name for spec in network.outputs])
    wrong, total, listed = 0, 0, tuple[Difference, ...]()
    for name, found in arrays(outputs_of(design, run), [spec.name for spec in network.outputs]).items():
        wanted = expected[name]
        flat = Values(found.reshape(len(frames), -1), np.ones((len(frames), wanted[0].size), bool))
        wrong += int(np.count_nonzero(found != wanted))
        total += wanted.size
        listed += tuple(_differences(flat, wanted.reshape(len(frames), -1), wanted.shape[1:]))
    return LayerCheck(OUTPUT, OUTPUT, None, total, wrong, 0), listed[:SHOWN]
