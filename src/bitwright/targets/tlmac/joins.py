"""How deep the FIFOs at joins must be, exactly, so that forks and joins never block each other.

Feed the network's input pixel by pixel and let every unit compute what it can. After each pixel the words
that one branch has delivered to a join and the other has not yet matched are in the FIFO: their greatest
number, and one pixel on its way, is the depth. Units with windows hold all other pixels in their own
buffers. A schedule without overflow exists then, and since streams are determinate, no other schedule of the
same circuit can deadlock (Kahn). After a whole frame every FIFO is empty, so one frame decides.
"""

from __future__ import annotations

import math

import numpy as np

from bitwright.network import INPUT
from bitwright.network.ops import Resize
from bitwright.targets.tlmac.units import Circuit, Unit

SLACK_PIXELS = 3  # on the way: in the fork, in the other branch's pipeline, in this pixel's last words


def needs(circuit: Circuit) -> dict[str, np.ndarray]:
    """For each value and each pixel of its stream, how many input pixels must have arrived; ascending."""
    found = {INPUT: np.arange(1, circuit.network.input.type.pixels + 1)}
    for unit in circuit.units:
        sources = [found[value] for value in unit.inputs]
        found[unit.value] = np.maximum.accumulate(_unit_needs(unit, sources))
    return found


def _unit_needs(unit: Unit, sources: list[np.ndarray]) -> np.ndarray:
    if unit.node is None or unit.kind == "argmax":
        return sources[0]
    if unit.kind in ("add", "concat"):
        return np.maximum(*align(*sources, unit.input_types[0].size))
    if unit.kind == "dense":
        return sources[0][-1:]
    (source,) = sources
    height, width, _ = unit.input_types[0].shape
    rows, columns = last_rows(unit, 0, height), last_rows(unit, 1, width)
    return source.reshape(height, width)[rows[:, None], columns[None, :]].reshape(-1)


def align(a: np.ndarray, b: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sequences at one granularity; they differ only behind a Flatten."""
    if len(a) == len(b):
        return a, b
    common = math.lcm(len(a), len(b))
    common = common if size % common == 0 else size
    return a[np.arange(common) * len(a) // common], b[np.arange(common) * len(b) // common]


def last_rows(unit: Unit, axis: int, size: int) -> np.ndarray:
    """Along one axis, the last input row (or column) that each output row needs."""
    op = unit.node.op
    if isinstance(op, Resize):
        return np.arange(size * op.factor[axis]) // op.factor[axis]
    kernel, stride, dilation = (getattr(op, name, (1, 1))[axis] for name in ("kernel", "stride", "dilation"))
    before, after = op.pads[axis], op.pads[axis + 2]
    count = (size + before + after - dilation * (kernel - 1) - 1) // stride + 1
    last = np.arange(count) * stride - before + dilation * (kernel - 1)
    return np.clip(last, 0, size - 1)


def fifo_pixels(circuit: Circuit) -> dict[str, tuple[tuple[int, int], ...]]:
    """For each join's two inputs (pixels in the FIFO, pixels of the stream), by unit name."""
    found, need = {}, needs(circuit)
    for unit in circuit.units:
        if unit.kind not in ("add", "concat"):
            continue
        branches = align(*(need[value] for value in unit.inputs), unit.input_types[0].size)
        joined = np.maximum(*branches)
        # When pixel m of a branch has arrived, all pixels whose joint need is met have left.
        depths = []
        for branch in branches:
            left = np.searchsorted(joined, branch, side="right")
            waiting = int((np.arange(1, len(branch) + 1) - left).max())
            depths.append((max(0, waiting) + SLACK_PIXELS, len(branch)))
        found[unit.name] = tuple(depths)
    return found
