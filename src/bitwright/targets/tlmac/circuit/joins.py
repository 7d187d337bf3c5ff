# SPDX-License-Identifier: Apache-2.0
"""How deep the FIFOs at joins must be, exactly, so that forks and joins never block each other.

A fork can only run ahead of its slower branch as far as the join's FIFOs allow. Feed the forked value pixel by
pixel and let every unit behind it compute what it can: after each pixel, what one branch has delivered to
the join and the other has not yet matched is in the FIFO. The greatest number, over all forks that reach
both inputs of the join, and some pixels on their way, is the depth. Units with windows hold all other
pixels in their own buffers. A schedule without overflow exists then, and since streams are determinate, no
other schedule of the same circuit can deadlock (Kahn). After a whole frame every FIFO is empty, so one
frame decides.
"""

from __future__ import annotations

import math
from collections.abc import Set

import numpy as np

from bitwright.network.ops import Weave
from bitwright.network.stages import image
from bitwright.targets.tlmac.circuit.units import TURNS, Circuit, Unit

JOINS = ("add", "mul", *TURNS)
# On the way: in the fork, in the pipeline of the other branch, in the last words of this pixel. More of it hides the
# latency of the modules between: on ResNet-8 at 3 bits the interval is 10 % longer with 3 pixels, for 1 % of the LUTs.
SLACK_PIXELS = 8


def needs(circuit: Circuit, fork: str, by_rows: Set[str] = frozenset()) -> dict[str, np.ndarray]:
    """For each value behind `fork` and each pixel of its stream, how many pixels of `fork` it needs; ascending.

    Values that do not depend on the fork are left out. by_rows: names of the units that take padding below the image
    row by row, behind its last pixel.
    """
    pixels = _pixels(circuit)
    found = {fork: np.arange(1, pixels[fork] + 1)}
    for unit in circuit.stages:
        if unit.value not in found and any(value in found for value in unit.inputs):
            sources = [found.get(value, np.zeros(pixels[value], np.int64)) for value in unit.inputs]
            found[unit.value] = np.maximum.accumulate(_unit_needs(unit, sources, unit.name in by_rows))
    return found


def _pixels(circuit: Circuit) -> dict[str, int]:
    """Pixels of each value's stream; a flattened value keeps those of its image."""
    found = {spec.name: spec.type.pixels for spec in circuit.network.inputs}
    for unit in circuit.stages:
        main = unit.main.pixels if unit.node else found[unit.inputs[0]]
        inputs = [found[value] for value in unit.inputs]
        aligned = unit.kind in JOINS and unit.kind != "weave" and not _in_turns(unit)
        if aligned and inputs[0] != inputs[1]:
            main = len(align(np.zeros(inputs[0]), np.zeros(inputs[1]), unit.input_types[0].size)[0])
        found[unit.value] = main
    return found


def _unit_needs(unit: Unit, sources: list[np.ndarray], by_rows: bool) -> np.ndarray:
    if unit.node is None or unit.kind == "argmax":
        return sources[0]
    if unit.kind in JOINS:
        joined = _joined(unit, *sources)
        if isinstance(unit.op, Weave):
            woven = np.empty(unit.main.pixels, np.int64)
            for place, (_, leaves) in zip(_places(unit), joined, strict=True):
                woven[place] = leaves
            return woven
        return joined[-1][1][-1:] if _in_turns(unit) else joined[-1][1]
    if unit.kind == "dense":
        return sources[0][-1:]
    (source,) = sources
    height, width, _ = image(unit.input_types[0]).shape
    source = source if len(source) == height * width else source[-1:]  # a vector is one pixel
    rows, columns = last_taps(unit, 0, height), last_taps(unit, 1, width)
    found: np.ndarray = source.reshape(height, width)[rows[:, None], columns[None, :]]
    if by_rows:
        w = unit.window
        ends = np.arange(len(rows)) * w.stride[0] - w.pads[0] + (w.kernel[0] - 1) * w.dilation[0]
        found[ends >= height] = source[-1]
    return found.reshape(-1)


def _places(unit: Unit) -> list[np.ndarray]:
    """Of each input of a Weave, which pixels of the result are its own."""
    op, places = unit.op, np.arange(unit.main.pixels).reshape(unit.main.shape[:2])
    assert isinstance(op, Weave)
    lines = places if op.axis == 0 else places.T
    turns = lines.reshape(-1, sum(op.counts), lines.shape[1])
    parts = turns[:, : op.counts[0]], turns[:, op.counts[0] :]
    flat = [part.reshape(-1, lines.shape[1]) for part in parts]
    return [(part if op.axis == 0 else part.T).reshape(-1) for part in flat]


def _in_turns(unit: Unit) -> bool:
    """Whether all of one input leaves, and then all of the other, whatever pixels they have."""
    return unit.kind == "concat" and len(unit.main.shape) == 1


def _joined(unit: Unit, a: np.ndarray, b: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each input of a join, what its pixels need to arrive, and to leave."""
    if isinstance(unit.op, Weave):
        order, places = np.empty(unit.main.pixels, np.int64), _places(unit)
        order[places[0]], order[places[1]] = a, b
        order = np.maximum.accumulate(order)
        return [(x, order[own]) for x, own in zip((a, b), places, strict=True)]
    if _in_turns(unit):
        return [(a, a), (b, np.maximum(b, a[-1]))]
    if unit.kind == "mul" and unit.input_types[1].pixels < unit.input_types[0].pixels:
        b = np.full(len(a), b[-1])  # one pixel for all
    a, b = align(a, b, unit.input_types[0].size)
    later: np.ndarray = np.maximum(a, b)
    return [(a, later), (b, later)]


def align(a: np.ndarray, b: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sequences at one granularity; they differ only behind a Flatten."""
    if len(a) == len(b):
        return a, b
    common = math.lcm(len(a), len(b))
    common = common if size % common == 0 else size
    return a[np.arange(common) * len(a) // common], b[np.arange(common) * len(b) // common]


def last_taps(unit: Unit, axis: int, size: int) -> np.ndarray:
    """Along one axis, the last row (or column) inside the image that each output row needs."""
    op, w = unit.op, unit.window
    if op is not None and op.repeats:
        return np.arange(size * op.repeats[axis]) // op.repeats[axis]
    kernel, stride, dilation = w.kernel[axis], w.stride[axis], w.dilation[axis]
    before, after = w.pads[axis], w.pads[axis + 2]
    count = (size + before + after - dilation * (kernel - 1) - 1) // stride + 1
    first = np.arange(count) * stride - before
    taps = np.clip((size - 1 - first) // dilation, 0, kernel - 1)
    last: np.ndarray = np.clip(first + taps * dilation, 0, size - 1)
    return last


def fifo_pixels(circuit: Circuit, by_rows: Set[str] = frozenset()) -> dict[str, tuple[tuple[int, int], ...]]:
    """For each join's two inputs (pixels in the FIFO, pixels of the stream), by unit name; `by_rows` as in `needs`."""
    joins = [unit for unit in circuit.stages if unit.kind in JOINS]
    pixels = _pixels(circuit)
    forks = [value for value in pixels if len(circuit.readers(value)) > 1] if joins else []
    waiting = {unit.name: [0, 0] for unit in joins}
    for fork in forks:
        need = needs(circuit, fork, by_rows)
        for unit in joins:
            if all(value in need for value in unit.inputs):
                for k, (branch, leaves) in enumerate(_joined(unit, *(need[value] for value in unit.inputs))):
                    # When pixel m of a branch has arrived, all pixels whose need to leave is met have left.
                    left = np.searchsorted(leaves, branch, side="right")
                    depth = int((np.arange(1, len(branch) + 1) - left).max())
                    scaled = -(-depth * pixels[unit.inputs[k]] // len(branch))
                    waiting[unit.name][k] = max(waiting[unit.name][k], scaled)
    return {
        unit.name: tuple(
            (depth + SLACK_PIXELS, pixels[value]) for depth, value in zip(waiting[unit.name], unit.inputs, strict=True)
        )
        for unit in joins
    }
