# SPDX-License-Identifier: Apache-2.0
"""Waveforms of single layers: the instance of a layer, or the shared hardware while it works on a layer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from bitwright.debugging.layers import observation
from bitwright.errors import OptionError
from bitwright.network.types import Array
from bitwright.simulation import inputs_of, record
from bitwright.targets.contract import Design
from bitwright.targets.observation import Observation, Turns
from bitwright.text import printable
from bitwright.tools.model import SimulationError, Stalls, Waveform

MARGIN = 8  # cycles before and behind the work of a layer
BATCHES = 3  # of frames, of which the first is looked at: later ones change nothing about it


def waveform(
    design: Design,
    x: Array | Mapping[str, Array],
    path: str | os.PathLike[str],
    layers: Sequence[str],
    *,
    stalls: Stalls | None = None,
    seed: int = 0,
    jobs: int = 2,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Waveform:
    """The waveform of some layers in a simulation of the frames x with these stalls, for `simulate`.

    layers: as in estimates and reports, by a node, or by the instance. One with an instance of its own is shown up to
    the first result. Where layers share hardware, that is shown in the cycles in which it works on them in the first
    batch of frames, which a simulation finds. `OptionError` names the layers that exist.
    """
    seen = observation(design)
    if seen.turns is None:
        return Waveform(path, 0, design.output.words, _scopes(design, seen, layers))
    names = _named(design, layers, {name: (name,) for name in seen.turns.layers})
    frames = inputs_of(design, x)[: BATCHES * design.batch]
    run, _ = record(design, frames, seen.taps, stalls=stalls, seed=seed, jobs=jobs, cache_dir=cache_dir)
    return _window(design, seen.turns, names, seen.turns.read(run.records), path)


def _window(
    design: Design,
    turns: Turns,
    names: Sequence[str],
    found: Mapping[str, tuple[int, int | None]],
    path: str | os.PathLike[str],
) -> Waveform:
    """From the first cycle of the layers to the last; to the first result where nothing follows."""
    begun = [found[name] for name in names if name in found]
    if not begun:
        raise SimulationError(f"the simulation ended before layer {printable(names[0])} began")
    start = max(0, min(first for first, _ in begun) - MARGIN)
    ends = [last for _, last in begun if last is not None]
    if len(ends) == len(begun):
        return Waveform(path, max(ends) + MARGIN + 1 - start, 0, (turns.scope,), start)
    return Waveform(path, 0, design.output.words, (turns.scope,), start)


def _scopes(design: Design, seen: Observation, names: Sequence[str]) -> tuple[str, ...]:
    """The instances of layers."""
    own = {s.name: tuple(n for n in (s.node, s.scope, (s.scope or "").removeprefix("i_")) if n) for s in seen.layers}
    found = _named(design, names, own)
    return tuple(dict.fromkeys(s.scope for name in found for s in seen.layers if s.name == name and s.scope))


def _named(design: Design, names: Sequence[str], layers: Mapping[str, Sequence[str]]) -> list[str]:
    """The layers with these names, among their own, those of their nodes, and further ones."""
    nodes = {row.name: row.nodes for row in design.estimate.rows}
    found: dict[str, None] = {}
    for name in names:
        own = [s for s, more in layers.items() if name in (s, *more)]
        own = own or [s for s in layers if name in nodes.get(s, ()) or s in nodes.get(name, ())]
        if not own:
            legal = ", ".join(map(printable, layers))
            raise OptionError(f"no layer is called {printable(name)}; legal are {legal}")
        found |= dict.fromkeys(own)
    return list(found)
