"""Tabulation against plain rational arithmetic: every integer of the range, every rounding, every function."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from bitwright.errors import ModelError
from bitwright.models import FloatNode, Quantizer
from bitwright.models.exact.chain import Chain, rationals
from bitwright.models.graph import ExtraRounding, ops
from bitwright.models.lowering import steps
from bitwright.models.lowering.steps import tabulate
from bitwright.network import BIPOLAR, IntType, TensorType
from bitwright.network.ops import Add, Lookup, Requantize, Rounding, Threshold

ROUNDINGS = [r for r in Rounding if r != Rounding.STOCHASTIC] + list(ExtraRounding)
KINDS = ["Affine"] * 4 + [
    "Relu",
    "Clip",
    "LeakyRelu",
    "HardSigmoid",
    "HardSwish",
    "Sigmoid",
    "Tanh",
    "Silu",
    "Elu",
    "Sign",
    "Erf",
    "Gelu",
    "GeluTanh",
    "Mish",
    "Softplus",
    "Softsign",
]


class Maker:
    """A random chain, quantizer and input type; with `powers` exact ties are frequent."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.channels = int(self.rng.integers(1, 5))
        self.powers = bool(self.rng.integers(2))

    def numbers(self, signed=True):
        r = self.rng
        n = 1 if r.random() < 0.4 else self.channels
        values = 2.0 ** r.integers(-6, 3, n) * r.choice([1, 3, 1, 1], n) if self.powers else r.lognormal(-1, 1.5, n)
        return np.float32(values * (r.choice([1, 1, -1], n) if signed else 1)).astype(float)

    def node(self, kind, valleys):
        r = self.rng
        a = {}
        if kind == "Affine":
            scale = self.numbers()
            scale[0] *= r.random() > 0.1
            shift = np.round(r.normal(size=self.channels) * 8) / 2 if self.powers else r.normal(size=1)
            a = {"scale": scale, "shift": np.float32(shift).astype(float)}
        if kind == "Clip":
            a = {"low": float(r.choice([0, -1, -np.inf, -0.5])), "high": float(r.choice([1, 6, np.inf, 2.5]))}
        if kind == "LeakyRelu":
            a = {"slope": self.numbers(signed=not valleys)}
        if kind == "HardSigmoid":
            a = {"alpha": float(np.float32(0.2)), "beta": 0.5}
        if kind == "Elu":
            a = {"alpha": 0.5}
        return FloatNode("n", getattr(ops, kind)(**a), ("x",))

    def nodes(self):
        found = [FloatNode("n", ops.Affine(scale=self.numbers(signed=False), shift=np.zeros(1)), ("x",))]
        for kind in self.rng.choice(KINDS, self.rng.integers(1, 4)):
            node = self.node(kind, any(np.any(s.direction() == 0) for n in found for s in n.op.steps))
            found.append(node)
        return found

    def dtype(self):
        return (
            BIPOLAR if self.rng.random() < 0.1 else IntType(int(self.rng.integers(1, 10)), bool(self.rng.integers(2)))
        )

    def quantizer(self):
        r = self.rng
        bits, signed = int(r.integers(1, 9)), bool(r.integers(2))
        if bits == 1 and signed:
            return Quantizer(BIPOLAR, self.numbers(signed=False))
        dtype = IntType(bits, signed)
        narrow = bits > 1 and r.random() < 0.3
        zero = r.integers(dtype.min, dtype.max + 1, 1) if r.random() < 0.4 else np.zeros(1)
        rounding = ROUNDINGS[r.integers(len(ROUNDINGS))]
        limits = (dtype.min + (narrow and signed), dtype.max - (narrow and not signed))
        return Quantizer(dtype, self.numbers(signed=False), zero, *limits, rounding)


def apply(ops, dtype, channels):
    """The integers that the operations compute for all values of the type, [levels, C], checked against types."""
    x = np.repeat(dtype.values()[:, None], channels, 1)
    t = TensorType((channels,), dtype)
    if len(ops) == 1:
        out, y = ops[0].infer(t), ops[0].evaluate(x)
    else:
        first, second, last = ops
        both = Add().infer(first.infer(t), second.infer(t))
        out, y = last.infer(both), last.evaluate(first.evaluate(x) + second.evaluate(x))
    assert out.dtype.contains(y)
    return y


def check(seed, rational):
    maker = Maker(seed)
    nodes, dtype, quantizer = maker.nodes(), maker.dtype(), maker.quantizer()
    chain = Chain(tuple(s for n in nodes for s in n.op.steps))
    try:
        table = tabulate(chain, quantizer, dtype, maker.channels)
    except ModelError as error:
        assert "several functions" in str(error)  # noqa: PT017 (it may also succeed)
        return "refused"
    found, ops = apply(table.ops, dtype, maker.channels), (*table.ops, *table.then)
    for op in table.then:
        found = op.evaluate(found)
    for c in range(maker.channels):
        for i, q in enumerate(dtype.values()):
            v = Fraction(int(q))
            for node in nodes:
                v = rational.elementwise(node, v, c)
            assert rational.code(v, quantizer, c) == found[i, c], (c, q)
    return "+".join(type(op).__name__ for op in ops)


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_every_integer_is_quantized_exactly(start, rational):
    for seed in range(start, start + 20):
        check(seed, rational)


@pytest.mark.parametrize("start", range(1000, 1200, 20))
def test_wide_inputs_are_quantized_exactly(start, rational, monkeypatch):
    """Without Lookup, as for inputs of many bits: valleys and peaks become sums of two Thresholds."""
    monkeypatch.setattr(steps, "LOOKUP_BITS", 0)
    monkeypatch.setattr(steps, "MAX_LOOKUP_BITS", 0)
    monkeypatch.setattr(steps, "FEW_STEPS", 3)
    kinds = Counter(check(seed, rational) for seed in range(start, start + 20))
    assert kinds["Threshold"] >= 2
    assert kinds["Threshold+Threshold+Requantize"] >= 1


def affine(scale, shift=0.0):
    return FloatNode("a", ops.Affine(scale=np.atleast_1d(scale), shift=np.atleast_1d(shift)), ("x",))


def chain_of(*nodes):
    return Chain(tuple(s for n in nodes for s in n.op.steps))


def test_half_even_ties_are_exact_on_a_wide_accumulator():
    """x / 4 to 2 bits: -1.5, -0.5 and 0.5 are ties; each goes to the even code."""
    (op,) = tabulate(chain_of(affine(0.25)), Quantizer(IntType(2, True), np.ones(1)), IntType(20, True), 1).ops
    assert isinstance(op, Threshold)
    assert op.thresholds.tolist() == [[-5, -2, 3]]


def test_powers_of_two_become_a_pure_shift():
    (op,) = tabulate(chain_of(affine(2.0**-9)), Quantizer(IntType(8, True), np.ones(1)), IntType(24, True), 1).ops
    assert isinstance(op, Requantize)
    assert (op.multiplier[0], op.shift[0], op.rounding) == (1, 9, Rounding.HALF_EVEN)


def test_clip_at_a_code_narrows_the_type():
    nodes = (affine(2.0**-9), FloatNode("r", ops.Relu(), ("x",)))
    (op,) = tabulate(chain_of(*nodes), Quantizer(IntType(8, True), np.ones(1)), IntType(24, True), 1).ops
    assert isinstance(op, Requantize)
    assert op.dtype == IntType(7)


def test_searched_requantize_is_exact_on_the_whole_range():
    rng = np.random.default_rng(3)
    node = affine(rng.uniform(0.02, 0.05, 4), rng.normal(size=4))
    dtype, quantizer = IntType(12, True), Quantizer(IntType(8, True), np.full(1, 0.7))
    (op,) = tabulate(chain_of(node), quantizer, dtype, 4).ops
    assert isinstance(op, Requantize)
    x = np.repeat(dtype.values()[:, None], 4, 1)
    expected = np.clip(np.rint((x * node.op.scale + node.op.shift) / 0.7), -128, 127)
    assert np.array_equal(op.evaluate(x), expected)


def test_wide_outputs_without_an_exact_multiplier_are_thresholds():
    rng = np.random.default_rng(3)
    node = affine(rng.uniform(0.5e-4, 1e-4, 3))
    dtype, quantizer = IntType(20, True), Quantizer(IntType(6, True), np.full(1, 0.7))
    (op,) = tabulate(chain_of(node), quantizer, dtype, 3).ops
    assert isinstance(op, (Threshold, Requantize))
    x = np.repeat(np.arange(dtype.min, dtype.max + 1, 7)[:, None], 3, 1)
    assert np.array_equal(op.evaluate(x), np.clip(np.rint(x * node.op.scale / 0.7), -32, 31))


def test_dead_channel_with_a_variance_of_nearly_nothing():
    """The mean is an integer that the accumulator always has: exactly beta comes out, whatever 1e22 does around it."""
    gamma, beta, mean = (
        np.float32([3.7, -3.7]).astype(float),
        np.float32([1.5, 2.5]).astype(float),
        np.array([7.0, -5.0]),
    )
    scale = gamma / np.sqrt(float(np.float32(1e-45)))
    nodes = (affine(np.ones(2), -mean), affine(scale, beta))
    quantizer = Quantizer(IntType(4, True), np.ones(1))
    (op,) = tabulate(chain_of(*nodes), quantizer, IntType(16, True), 2).ops
    x = np.array([[6, -6], [7, -5], [8, -4]])
    assert op.evaluate(x).tolist() == [[-8, 7], [2, 2], [7, -8]]


def test_large_functions_of_few_bits_are_tables():
    nodes = (affine(1.0), FloatNode("s", ops.Sigmoid(), ("x",)))
    (op,) = tabulate(chain_of(*nodes), Quantizer(IntType(8), np.full(1, 1 / 255)), IntType(3, True), 1).ops
    assert isinstance(op, Lookup)
    assert op.table.tolist() == [np.rint(255 / (1 + np.exp(-np.arange(-4.0, 4)))).astype(int).tolist()]


@pytest.mark.parametrize("bits", [8, 16])
def test_fixed_point_multipliers(bits):
    rng = np.random.default_rng(1)
    node = affine(rng.uniform(0.01, 0.05, 5), rng.normal(size=5))
    quantizer = Quantizer(IntType(8), np.full(1, 0.3), rounding=Rounding.HALF_UP)
    (op,) = tabulate(chain_of(node), quantizer, IntType(14, True), 5, multiplier_bits=bits).ops
    assert isinstance(op, Requantize)
    assert op.rounding is Rounding.HALF_UP
    assert 1 << (bits - 1) <= np.abs(op.multiplier).max() < 1 << bits
    assert np.allclose(op.multiplier / 2.0**op.shift, node.op.scale / 0.3, rtol=2.0**-bits)


def test_stochastic_rounding_is_a_requantize_with_its_seed():
    quantizer = Quantizer(IntType(8), np.ones(1), rounding=Rounding.STOCHASTIC, seed=99)
    (op,) = tabulate(chain_of(affine(2.0**-6)), quantizer, IntType(14, True), 5).ops
    assert (op.rounding, op.seed, op.multiplier[0], op.shift[0]) == (Rounding.STOCHASTIC, 99, 1, 6)


def test_several_valleys_on_wide_inputs_are_refused():
    nodes = (FloatNode("s", ops.HardSwish(), ("x",)), FloatNode("s", ops.HardSwish(), ("x",)))
    with pytest.raises(ModelError, match="several functions that are not monotone"):
        tabulate(chain_of(*nodes), Quantizer(IntType(4), np.ones(1)), IntType(20, True), 1)


def test_division_is_meant_exactly():
    assert rationals(np.array([1 / 6, 1 / 255, 0.3])) == (Fraction(1, 6), Fraction(1, 255), Fraction(0.3))
    single = float(np.float32(0.1))
    assert rationals(single) == (Fraction(single),)
