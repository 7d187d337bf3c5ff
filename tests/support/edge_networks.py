"""Networks of one node at the edges of what a network may be: every operation, one element, 32 bits, many channels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from bitwright.errors import ModelError
from bitwright.network import BIPOLAR, INPUT, InputSpec, IntType, Network, Node, TensorType, ops

SHAPES = ((1,), (7,), (1, 1, 1), (3, 2, 1), (2, 3, 5))
TYPES = (
    BIPOLAR,
    IntType(1),
    IntType(2, True),
    IntType(8),
    IntType(16, True),
    IntType(31, True),
    IntType(32),
    IntType(32, True),
)


def edge_networks(channels: int = 300) -> Iterator[Network]:
    """All legal networks of one node over SHAPES and TYPES, and those of `channels` channels over narrow types."""
    wide = itertools.product(((channels,), (1, 2, channels)), TYPES[:4])
    for shape, dtype in itertools.chain(itertools.product(SHAPES, TYPES), wide):
        source = TensorType(shape, dtype)
        for name, op, inputs in _operations(source):
            try:
                yield Network(
                    InputSpec(source), (Node("n", op, inputs),), name=f"{name}_{dtype}_{'x'.join(map(str, shape))}"
                )
            except ModelError:
                continue  # wider than 32 bits, or an image where a vector is meant


def _operations(t: TensorType) -> Iterator[tuple[str, ops.Op, tuple[str, ...]]]:
    """(name, operation, inputs), some of which do not take the type."""
    one, rng, dtype = (INPUT,), np.random.default_rng(t.size), t.dtype
    middle = (dtype.min + dtype.max + 1) // 2
    for bits in (BIPOLAR, IntType(1), IntType(8, True), IntType(16, True)):
        yield f"dense_{bits}", ops.Dense(_weights(rng, (3, t.channels), bits), bits), one
        yield f"conv_{bits}", ops.Conv2d(_weights(rng, (t.channels, 1, 1, t.channels), bits), bits), one
        depth = ops.Conv2d(
            _weights(rng, (t.channels, 2, 2, 1), bits), bits, pads=(1, 1, 0, 0), groups=t.channels, pad_value=dtype.max
        )
        yield f"depthwise_{bits}", depth, one
    yield "dense_zero", ops.Dense(np.zeros((1, t.channels), int), IntType(1)), one
    yield "steps", ops.Threshold(np.array([[dtype.min, middle, dtype.max]]), IntType(2)), one
    yield "no_steps", ops.Threshold(np.zeros((1, 0), int), IntType(2), base=1), one
    yield "sign", ops.Threshold(np.full((t.channels, 1), middle), BIPOLAR, -1, 2), one
    for rounding in ops.Rounding:
        yield f"scale_{rounding}", ops.Requantize(IntType(8, True), [3], [5], [-7], 1, rounding), one
    yield "scale_wide", ops.Requantize(IntType(32, True), [(1 << 29) - 1], [32], [1 << 60], -5), one
    if dtype.bits <= 8:
        table = rng.integers(-(1 << 31), 1 << 31, (t.channels, dtype.levels))
        yield "table", ops.Lookup(dtype, table, IntType(32, True)), one
    yield "add", ops.Add(), (INPUT, INPUT)
    yield "product", ops.Mul(), (INPUT, INPUT)
    yield "product_of_differences", ops.Mul((dtype.max, middle)), (INPUT, INPUT)
    yield "concat", ops.Concat(), (INPUT, INPUT)
    yield "max", ops.MaxPool((2, 2), (1, 1), (1, 1, 0, 0)), one
    yield "sum", ops.SumPool((3, 2), (2, 2)), one
    yield "pad", ops.Pad((1, 0, 2, 1), dtype.max), one
    yield "resize", ops.Resize((2, 3)), one
    yield "flatten", ops.Flatten(), one
    yield "argmax", ops.ArgMax(), one


def _weights(rng: np.random.Generator, shape: tuple[int, ...], bits: IntType) -> np.ndarray:
    return bits.values()[rng.integers(0, bits.levels, shape)]
