"""Transposed convolutions by phases: exact, without a product with the zeros between pixels, whatever the sizes."""

import itertools

import numpy as np
import pytest

from bitwright.models import FloatGraph, FloatNode, QuantizedWeight, Quantizer, lower
from bitwright.models.graph import ops
from bitwright.network import IntType
from bitwright.network import ops as integer_ops
from bitwright.network.passes import simplify

KERNELS, FACTORS = ((1, 1), (2, 3), (4, 4), (3, 2)), ((2, 1), (2, 2), (3, 4))
WINDOWS = list(itertools.product(KERNELS, FACTORS, ((1, 1), (2, 1)), (0, 1, 3)))


def transposed(kernel, factor, dilation, crop, *, groups=1, zero=0, bits=4, weight_bits=3, size=(4, 5), seed=0):
    """Codes -> zeros between pixels -> convolution, and its weights [O, KH, KW, C / groups] and pads."""
    rng = np.random.default_rng(seed)
    dtype = IntType(weight_bits, True)
    codes = rng.integers(dtype.min, dtype.max + 1, (4, *kernel, 4 // groups))
    reach = [d * (k - 1) - crop for d, k in zip(dilation, kernel, strict=True)]
    less = [f - 1 if crop < 3 else 0 for f in factor]  # of the zeros behind the last pixel
    pads = (*(max(r, 0) for r in reach), *(max(r - n, 0) for r, n in zip(reach, less, strict=True)))
    weight = QuantizedWeight(codes, dtype, np.full(1, 0.5))
    conv = ops.Conv(codes * 0.5, np.arange(4.0), pads=pads, dilation=dilation, groups=groups, quantized=weight)
    nodes = [
        FloatNode("q", ops.Quant(Quantizer(IntType(bits), np.full(1, 0.25), np.full(1, float(zero)))), ("input",)),
        FloatNode("stretched", ops.Stretch(factor), ("q",)),
        FloatNode("y", conv, ("stretched",)),
    ]
    return FloatGraph.build(nodes, input_shape=(*size, 4), input_layout="HWC"), conv


def wanted(graph, conv, factor, x):
    """By the definition, of the numbers that the codes stand for."""
    q = graph.node("q").op.quantizer
    real = (np.clip(np.rint(x / q.scale + q.zero_point), q.low, q.high) - q.zero_point) * q.scale
    n, h, w, c = x.shape
    spread = np.zeros((n, h * factor[0], w * factor[1], c))
    spread[:, :: factor[0], :: factor[1]] = real
    view = integer_ops.windows(spread, conv.kernel, (1, 1), conv.pads, conv.dilation)
    outputs, depth = len(conv.weight), conv.weight.shape[3]
    per = outputs // conv.groups
    parts = [
        np.einsum("nhwijc,oijc->nhwo", view[..., g * depth : (g + 1) * depth], conv.weight[g * per : (g + 1) * per])
        for g in range(conv.groups)
    ]
    return np.concatenate(parts, axis=3) + conv.bias


@pytest.mark.parametrize(("kernel", "factor", "dilation", "crop"), WINDOWS)
@pytest.mark.parametrize(("groups", "zero"), [(1, 0), (2, 3)])
def test_phases_equal_the_definition(kernel, factor, dilation, crop, groups, zero):
    graph, conv = transposed(kernel, factor, dilation, crop, groups=groups, zero=zero)
    network = lower(graph)
    x = np.random.default_rng(1).normal(size=(3, 4, 5, 4)).astype(np.float32) * 4
    assert np.array_equal(network.predict(x), wanted(graph, conv, factor, x).astype(np.float32))


def test_no_sums_are_cut_off_where_none_are_narrowed():
    """Of an odd number of rows and columns: the last ones are computed apart."""
    graph, _ = transposed((3, 3), (2, 2), (1, 1), 3)
    kinds = {n.name: n.op for n in lower(graph).nodes}
    assert not [name for name in kinds if name.endswith("cut")]
    assert [op for op in kinds.values() if isinstance(op, integer_ops.Weave)]


def test_every_product_is_with_a_pixel():
    """As many multiplications as pixels times taps: a fourth of those of the stretched image."""
    graph, _ = transposed((4, 4), (2, 2), (1, 1), 1)
    convs = [n.op for n in lower(graph).nodes if isinstance(n.op, integer_ops.Conv2d)]
    assert [op.kernel for op in convs] == [(2, 2)] * 4
    assert sum(np.count_nonzero(op.weight) for op in convs) == np.count_nonzero(graph.node("y").op.weight)


def test_sums_that_pass_32_bits():
    graph, conv = transposed((3, 3), (2, 2), (1, 1), 1, bits=16, weight_bits=16)
    notes = []
    network = lower(graph, notes=notes)
    x = np.random.default_rng(1).normal(size=(3, 4, 5, 4)).astype(np.float32) * 4000
    expected = wanted(graph, conv, (2, 2), x)
    assert np.abs(network.predict(x) - expected).max() < 1e-7 * np.abs(expected).max()
    assert notes == [n for n in notes if "its sums pass 32 bits" in n]


def test_steps_are_taken_before_the_turns():
    """What narrows the sums of all phases, narrows those of each, so that no wide value takes turns."""
    graph, _ = transposed((4, 4), (2, 2), (1, 1), 1)
    nodes = [*graph.nodes, FloatNode("r", ops.Relu(), ("y",)), FloatNode("z", graph.node("q").op, ("r",))]
    network = lower(graph.with_nodes(nodes))
    simple = simplify(network)
    turns = [n for n in simple.nodes if isinstance(n.op, integer_ops.Weave)]
    assert [simple.types[n.name].dtype for n in turns] == [IntType(4)] * 3
    x = np.random.default_rng(1).normal(size=(3, 4, 5, 4)).astype(np.float32) * 4
    assert np.array_equal(simple.predict(x), network.predict(x))


def test_steps_are_taken_before_pixels_are_cut_off():
    """Of an odd number of rows and columns."""
    graph, _ = transposed((3, 3), (2, 2), (1, 1), 3)
    nodes = [*graph.nodes, FloatNode("r", ops.Relu(), ("y",)), FloatNode("z", graph.node("q").op, ("r",))]
    network = lower(graph.with_nodes(nodes))
    simple = simplify(network)
    made = {n.name for n in simple.nodes if isinstance(n.op, integer_ops.Requantize | integer_ops.Threshold)}
    wide = [n for n in simple.nodes if simple.types[n.name].dtype.bits > 4]
    assert all({r.name for r in simple.consumers[n.name]} <= made for n in wide)
    x = np.random.default_rng(1).normal(size=(3, 4, 5, 4)).astype(np.float32) * 4
    assert np.array_equal(simple.predict(x), network.predict(x))


def test_what_else_reads_zeros_between_pixels_sees_them():
    """A function, a pool and a convolution in steps; zeros take turns with the pixels."""
    graph, conv = transposed((2, 2), (2, 3), (1, 1), 0, zero=3)
    x = np.random.default_rng(1).normal(size=(3, 4, 5, 4)).astype(np.float32) * 4
    spread = wanted(graph, ops.Conv(np.eye(4)[:, None, None], np.zeros(4)), (2, 3), x)
    for op, expected in (
        (ops.Affine(np.ones(1), np.ones(1)), spread + 1),
        (ops.MaxPool((2, 2)), integer_ops.windows(spread, (2, 2), (1, 1), (0, 0, 0, 0)).max(axis=(3, 4))),
        (ops.AveragePool((1, 3), stride=(1, 2)), None),
    ):
        nodes = [*graph.nodes[:2], FloatNode("r", op, ("stretched",))]
        network = lower(FloatGraph.build(nodes, input_shape=(4, 5, 4), input_layout="HWC"))
        if expected is None:
            expected = integer_ops.windows(spread, (1, 3), (1, 2), (0, 0, 0, 0)).mean(axis=(3, 4))
        assert np.allclose(network.predict(x), expected, rtol=1e-6, atol=0)
    steps = ops.Conv(conv.weight, conv.bias, stride=(2, 2), quantized=conv.quantized)
    nodes = [*graph.nodes[:2], FloatNode("y", steps, ("stretched",))]
    network = lower(FloatGraph.build(nodes, input_shape=(4, 5, 4), input_layout="HWC"))
    view = integer_ops.windows(spread, (2, 2), (2, 2), (0, 0, 0, 0))
    expected = np.einsum("nhwijc,oijc->nhwo", view, conv.weight) + conv.bias
    assert np.array_equal(network.predict(x), expected.astype(np.float32))
