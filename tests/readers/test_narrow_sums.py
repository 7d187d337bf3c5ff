"""Sums of quantized values whose scales have no common measure: exact for every pair of codes, in 16 bits."""

from fractions import Fraction

import numpy as np
import pytest

from bitwright import targets
from bitwright.errors import OptionError
from bitwright.models import lower
from bitwright.models.exact.boundaries import Steps
from bitwright.models.graph import FloatGraph, FloatNode, QuantizedWeight, Quantizer, ops
from bitwright.network import evaluate
from bitwright.network.ops import Add, Dense
from bitwright.network.passes import simplify
from bitwright.network.types import BIPOLAR, IntType


def quant(name, source, dtype, scale, zero=0, **more):
    return FloatNode(name, ops.Quant(quantizer=Quantizer(dtype, [scale], [zero], **more)), (source,))


def pick(name, column):
    weight = np.eye(2)[column : column + 1]
    made = QuantizedWeight(weight.astype(np.int64), IntType(2, True), np.ones(1))
    return FloatNode(name, ops.Dense(weight=weight, bias=None, quantized=made), ("x",))


def sum_graph(seed, bits, out, kind):
    """x [2] -> codes of both, with scales of float32 that have nothing in common -> sum -> function -> codes."""
    rng = np.random.default_rng(seed)
    first, second, last = (float(np.float32(2.0 ** rng.uniform(-1.2, 0.2))) for _ in range(3))
    unit = 2.0 ** (bits - out)
    nodes = [
        quant("x", "input", IntType(bits, True), 1.0),
        pick("p", 0),
        FloatNode("ps", ops.Affine(scale=np.array([first]), shift=np.array([0.0])), ("p",)),
        pick("q", 1),
        FloatNode("qs", ops.Affine(scale=np.array([second]), shift=np.array([0.37])), ("q",)),
        quant("a", "ps", IntType(bits, True), first),
        quant("b", "qs", IntType(bits), second, 1 << (bits - 1)),
        FloatNode("s", ops.Add(), ("a", "b")),
    ]
    if kind == "relu":
        nodes.append(FloatNode("r", ops.Relu(), ("s",)))
    elif kind == "falling":
        nodes.append(FloatNode("r", ops.Affine(scale=np.array([-0.7]), shift=np.array([1.3])), ("s",)))
    elif kind == "clip":
        bound = 0.3 * last * unit * 2**out
        nodes.append(FloatNode("r", ops.Clip(low=-bound, high=bound), ("s",)))
    dtype = BIPOLAR if out == 1 else IntType(out, kind != "relu")
    nodes.append(quant("y", nodes[-1].name, dtype, last * unit * 1.3))
    return FloatGraph.build(nodes, input_shape=(2,), input_layout="C"), (first, second)


def exact_codes(graph, scales, pairs):
    """The file's own arithmetic, in rationals."""
    nodes = {node.name: node for node in graph.nodes}
    zero = nodes["b"].op.quantizer.zero_point[0]
    steps = Steps.of(nodes["y"].op.quantizer)
    found = []
    for p, q in pairs:
        b = Steps.of(nodes["b"].op.quantizer).code(Fraction(int(q)) * Fraction(scales[1]) + Fraction(0.37), 0)
        value = Fraction(int(p)) * Fraction(scales[0]) + Fraction(b - int(zero)) * Fraction(scales[1])
        node = nodes.get("r")
        if node is not None and node.kind == "Relu":
            value = max(value, Fraction(0))
        elif node is not None and node.kind == "Clip":
            value = min(max(value, Fraction(node.op.low)), Fraction(node.op.high))
        elif node is not None:
            value = value * Fraction(-0.7) + Fraction(1.3)
        found.append(steps.code(value, 0))
    return np.array(found)


CASES = [(8, 8), (8, 4), (6, 6), (5, 8), (4, 4), (4, 2), (3, 1)]


@pytest.mark.parametrize("kind", ["plain", "relu", "falling", "clip"])
@pytest.mark.parametrize(("bits", "out"), CASES)
def test_sums_are_exact_in_16_bits(bits, out, kind):
    graph, scales = sum_graph(bits * 10 + out, bits, out, "plain" if out == 1 else kind)
    notes = []
    network = lower(graph, notes=notes)
    assert notes == []
    assert max(network.types[v].dtype.bits for n in network.nodes if isinstance(n.op, Add) for v in n.inputs) <= 16
    values = IntType(bits, True).values()
    pairs = np.stack(np.meshgrid(values, values, indexing="ij"), -1).reshape(-1, 2)
    if len(pairs) > 1024:
        pairs = pairs[np.random.default_rng(1).choice(len(pairs), 1024, replace=False)]
    assert np.array_equal(evaluate(network, pairs)[network.output_name][:, 0], exact_codes(graph, scales, pairs))


@pytest.mark.parametrize("bits", [3, 4])
def test_every_target_takes_aligned_sums_of_few_bits(bits):
    graph, _ = sum_graph(5, bits, bits, "relu")
    network = simplify(lower(graph))
    assert any(isinstance(node.op, Dense) for node in network.nodes)
    for name in targets.names():
        target = targets.get(name)
        assert target.check(network, target.options()) == [], name


def test_alignment_can_be_rounded_and_says_what_that_costs():
    graph, scales = sum_graph(88, 8, 8, "relu")
    notes = []
    network = lower(graph, align_bits=16, notes=notes)
    assert max(network.types[v].dtype.bits for n in network.nodes if isinstance(n.op, Add) for v in n.inputs) <= 15
    (cost,) = [note for note in notes if "codes are off by" in note]
    pairs = np.random.default_rng(2).integers(-128, 128, (2000, 2))
    off = np.abs(evaluate(network, pairs)[network.output_name][:, 0] - exact_codes(graph, scales, pairs))
    assert 0 < off.mean() < 0.05
    assert off.max() == 1
    assert "and 1 at most" in cost
    for name in targets.names():
        assert targets.get(name).check(simplify(network), targets.get(name).options()) == [], name
    with pytest.raises(OptionError, match="align_bits is 4; legal are 8 to 30"):
        lower(graph, align_bits=4)
