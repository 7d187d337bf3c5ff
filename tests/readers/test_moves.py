"""Moves and means that the integer network says by other operations: exact, and computed by every target."""

import time
from fractions import Fraction

import numpy as np
import pytest

from bitwright import targets
from bitwright.errors import ModelError
from bitwright.models import FloatGraph, FloatNode, Quantizer, lower
from bitwright.models.graph import ops
from bitwright.network import BIPOLAR, IntType, evaluate
from bitwright.network.inputs import quantize
from bitwright.network.passes import simplify
from bitwright.targets.contract import make_options

SHAPE = (5, 4, 6)
EDGE = (0, 0, 0, 1, 2, 3, 4, 4)
GRIDS = {
    "signed": Quantizer(IntType(4, True), [0.5]),
    "zero point": Quantizer(IntType(5), [0.25], [3]),
    "bipolar": Quantizer(BIPOLAR, [0.5]),
}
MOVES = {
    "edge": (ops.Pixels(EDGE, (0, 1, 2, 3, 3)), lambda x: x[list(EDGE)][:, [0, 1, 2, 3, 3]]),
    "reflect": (ops.Pixels((2, 1, 0, 1, 2, 3, 4, 3), (0, 1, 2, 3)), lambda x: x[[2, 1, 0, 1, 2, 3, 4, 3]]),
    "flipped": (ops.Pixels((4, 3, 2, 1, 0), (3, 1)), lambda x: x[::-1, [3, 1]]),
    "larger by half": (ops.Pixels((0, 0, 1, 2, 2, 3, 4), (0, 2)), lambda x: x[[0, 0, 1, 2, 2, 3, 4]][:, ::2]),
    "cropped": (ops.Pixels((1, 3), (0, 1, 2)), lambda x: x[1:4:2, :3]),
    "stretched": (ops.Stretch((2, 3)), lambda x: stretched(x, 2, 3)),
    "blocks": (ops.DepthToSpace((3, 2)), lambda x: blocks(x, 3, 2)),
    "between": (
        ops.Interpolation(ops.Line((0, 2, 4), (1, 2, 0), 3), ops.Line((0, 1, 2, 3), (0,) * 4, 1)),
        lambda x: np.stack([2 * x[0] + x[1], x[2] + 2 * x[3], 3 * x[4]]) * Fraction(1, 3),
    ),
    "blended": (ops.Blend((1, 2, 1), (1, 1)), lambda x: blended(x)),
    "mean": (ops.ChannelMean(), lambda x: x.sum(-1, keepdims=True) * Fraction(1, 6)),
    "maximum": (ops.ChannelMax(), lambda x: x.max(-1, keepdims=True)),
}  # fmt: skip


def stretched(x, high, wide):
    y = np.zeros((x.shape[0] * high, x.shape[1] * wide, x.shape[2]), object)
    y[::high, ::wide] = x
    return y


def blocks(x, high, wide):
    h, w, c = x.shape
    y = x.reshape(h, w, c // (high * wide), high, wide).transpose(0, 3, 1, 4, 2)
    return y.reshape(h * high, w * wide, -1)


def blended(x):
    rows = x[:-2] + 2 * x[1:-1] + x[2:]
    return (rows[:, :-1] + rows[:, 1:]) * Fraction(1, 8)


def graph_of(grid, *ops_behind):
    nodes = [FloatNode("q", ops.Quant(GRIDS[grid]), ("input",))]
    nodes += [FloatNode(f"m{k}", op, (nodes[-1].name,)) for k, op in enumerate(ops_behind)]
    return FloatGraph.build(nodes, input_shape=SHAPE, input_layout="HWC")


def samples(count=3):
    return (np.random.default_rng(1).normal(size=(count, *SHAPE)) * 2).astype(np.float32)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", MOVES)
def test_moves_are_exact(name, grid, rational):
    """Also what stands for 0 where pixels are added, and both evaluators."""
    op, wanted = MOVES[name]
    network, x = lower(graph_of(grid, op)), samples()
    codes = quantize(network.input, x)
    found = evaluate(network, codes)[network.output_name]
    assert np.array_equal(found, network.evaluator.run(codes))
    spec = network.output
    scale, offset = (np.broadcast_to(a, found.shape[-1]) for a in (spec.scale, spec.offset))
    for k in range(len(x)):
        expected = wanted(rational.run(graph_of(grid), x[k])["q"])
        assert expected.shape == found[k].shape
        numbers = np.array(expected.tolist(), dtype=float)
        assert np.allclose((found[k] - offset) * scale, numbers, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("second", [Quantizer(IntType(4, True), [0.5]), Quantizer(IntType(6), [0.25], [5])])
def test_stacks_of_one_scale_and_of_two(second, axis, rational):
    first = GRIDS["signed"]
    nodes = [
        FloatNode("q", ops.Quant(first), ("input",)),
        FloatNode("r", ops.Quant(first), ("input",)),
        FloatNode("n", ops.Affine([-1.0], [0.5]), ("r",)),
        FloatNode("s", ops.Quant(second), ("n",)),
        FloatNode("y", ops.Stack(axis), ("q", "s")),
    ]
    graph = FloatGraph.build(nodes, input_shape=SHAPE, input_layout="HWC")
    network, x = lower(graph), samples()
    found = network.predict(x)
    for k in range(len(x)):
        values = rational.run(graph.with_nodes(nodes[:-1]), x[k])
        wanted = np.concatenate([values["q"], values["s"]], axis).astype(float)
        assert np.array_equal(found[k], wanted.astype(np.float32))


@pytest.mark.parametrize(
    "places", [[0, 0, 1, 2, 3], [3, 2, 1, 0], [0, 2, 4, 6], [1, 0, 1, 2, 3, 4, 5, 6, 5], [2, 2, 2]]
)
def test_runs_are_few_and_whole(places):
    """Places are their runs, one after the other."""
    found = ops.runs(tuple(places), 7)
    again = [(r.first + k * r.step) // r.repeats for r in found for k in range(r.count)]
    assert again == places
    assert len(found) <= 4


def test_runs_that_are_too_many_are_not_looked_for():
    places = np.random.default_rng(0).integers(0, 1000, 200_000)
    start = time.process_time()
    with pytest.raises(ModelError, match=r"picks rows in \d+ runs of equal steps; legal are at most 33"):
        ops.Pixels(tuple(places.tolist()), (0,)).infer((1000, 1, 1))
    assert time.process_time() - start < 2


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_runs_of_resizes_are_one(factor):
    for size in (5, 8):
        places = np.arange(size * factor // 2) * 2 // factor
        assert len(ops.runs(tuple(places.tolist()), size)) == 1


@pytest.mark.parametrize("name", targets.names())
def test_every_target_takes_them(name):
    target = targets.get(name)
    for op, _ in MOVES.values():
        network = simplify(lower(graph_of("signed", op)))
        assert target.check(network, make_options(target, {})) == []
