"""Clips that end inside the output's type: shifts to the type's limits, exact for every integer."""

from fractions import Fraction

import numpy as np
import pytest

from bitwright.models.exact.boundaries import Steps
from bitwright.models.exact.chain import Affine, Chain, Clip
from bitwright.models.graph import Quantizer
from bitwright.models.lowering.steps import tabulate
from bitwright.network.ops import Requantize, Rounding, Threshold
from bitwright.network.types import IntType

CHANNELS = 3


def rational(value):
    return Fraction(float(value))


def random_case(seed):
    """A clipped affine function on 10-bit integers, and a quantizer of 5 to 9 bits whose range passes the clip."""
    rng = np.random.default_rng(seed)
    channels = CHANNELS if rng.random() < 0.5 else 1
    signed = bool(rng.random() < 0.6)
    dtype = IntType(int(rng.integers(5, 10)), signed)
    scale = 2.0 ** rng.uniform(-6, -4)
    scale = 2.0 ** np.rint(np.log2(scale)) if rng.random() < 0.3 else scale
    sign = rng.choice([-1, 1], channels)
    gain = scale * 2.0 ** rng.uniform(-2, 0.5, channels) * sign
    low = None if rng.random() < 0.3 else rational(-rng.uniform(0, 0.9) * scale * -dtype.min) if signed else Fraction(0)
    high = rational(rng.uniform(0.3, 0.95) * scale * dtype.max)
    steps = [
        Affine(tuple(map(rational, gain)), tuple(map(rational, rng.normal(size=channels) * scale * 8))),
        Clip(low, high),
    ]
    if rng.random() < 0.3:  # clips per channel
        wider = tuple(map(rational, 2.0 ** rng.uniform(-0.5, 0.0, channels)))
        steps.append(Affine(wider, (Fraction(0),)))
    narrow = {"low": dtype.min + 1} if signed and rng.random() < 0.4 else {}
    rounding = [Rounding.HALF_EVEN, Rounding.FLOOR, Rounding.HALF_UP][rng.integers(3)]
    return Chain(tuple(steps)), Quantizer(dtype, np.full(1, scale), rounding=rounding, **narrow)


@pytest.mark.parametrize("seed", range(60))
def test_clips_inside_the_type_are_exact(seed):
    chain, quantizer = random_case(seed)
    dtype = IntType(10, signed=True)
    table = tabulate(chain, quantizer, dtype, CHANNELS)
    assert len(table.ops) == 1
    steps, values = Steps.of(quantizer), dtype.values()
    wanted = np.array([[steps.code(chain.exact(int(q), c), c) for c in range(CHANNELS)] for q in values])
    found = np.repeat(values[:, None], CHANNELS, axis=1)
    for op in (*table.ops, *table.then):
        found = op.evaluate(found)
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("seed", range(60))
def test_clips_with_fixed_point_multipliers_clamp_the_codes_of_the_line(seed):
    chain, quantizer = random_case(seed)
    dtype, steps = IntType(14, signed=True), Steps.of(quantizer)
    ops = tabulate(chain, quantizer, dtype, CHANNELS, multiplier_bits=12)
    if isinstance(ops.ops[0], Threshold):
        assert ops.ops[0].thresholds.shape[1] <= 15
        return
    assert all(isinstance(op, Requantize) for op in (*ops.ops, *ops.then))
    x = np.repeat(dtype.values()[:, None], CHANNELS, axis=1)
    found = x
    for op in (*ops.ops, *ops.then):
        found = op.evaluate(found)
    for c in range(CHANNELS):
        exact = np.array([steps.code(chain.exact(int(q), c), c) for q in dtype.values()[::16]])
        assert (found[:, c].min(), found[:, c].max()) == (exact.min(), exact.max())
        assert np.abs(found[::16, c] - exact).max() <= 1


def test_one_end_takes_one_more_requantize_and_two_ends_two():
    def count(low, high, dtype):
        chain = Chain((Affine((Fraction(1, 300),), (Fraction(0),)), Clip(low, high)))
        table = tabulate(chain, Quantizer(dtype, np.full(1, 1 / 32)), IntType(16, True), 1, multiplier_bits=16)
        return len(table.ops) + len(table.then)

    assert count(Fraction(0), Fraction(8), IntType(8)) == 1
    assert count(Fraction(0), Fraction(6), IntType(8)) == 2
    assert count(Fraction(-1), None, IntType(8, True)) == 2
    assert count(Fraction(-1), Fraction(3), IntType(8, True)) == 3
