"""Branches that are always zero on the calibration data leave the rest of the network as precise as it is alone."""

from functools import cache

import numpy as np
import pytest

from bitwright.models.graph import FloatGraph, FloatNode, ops
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ptq import quantize
from bitwright.quantization.weights.grids import WeightRule, quantize_weight

POOL = {"kernel": (3, 3), "stride": (1, 1), "pads": (1, 1, 1, 1)}
DEAD = ("relu", "weights", "gain", "tiny", "pooled", "averaged", "sum", "concat", "nested")


class Builder:
    """A chain of convolutions; at some positions a dead branch is joined in, or not."""

    def __init__(self, seed, dead):
        self.rng, self.dead, self.nodes, self.channels = np.random.default_rng(seed), dead, [], {"input": 3}

    def add(self, kind, *inputs, channels=None, **attributes):
        name = f"n{len(self.nodes)}_{kind.lower()}"
        self.nodes.append(FloatNode(name, getattr(ops, kind)(**attributes), inputs))
        self.channels[name] = channels or self.channels[inputs[0]]
        return name

    def conv(self, source, channels, gain=1.0, bias=0.1, size=3, channels_in=None):
        """Weights are drawn for `channels_in` inputs, so that they are the same with and without a dead branch."""
        inputs = channels_in or self.channels[source]
        weight = self.rng.normal(size=(channels, size, size, inputs)) / np.sqrt(size * size * inputs) * gain
        bias = self.rng.normal(size=channels) * 0.1 if bias == 0.1 else np.full(channels, bias)
        attributes = {"weight": weight[..., : self.channels[source]], "bias": bias, "pads": (size // 2,) * 4}
        return self.add("Conv", source, channels=channels, **attributes)

    def dead_branch(self, kind, source, channels):
        if kind == "relu":
            return self.add("Relu", self.conv(source, channels, bias=-1e3))
        if kind == "weights":
            return self.conv(source, channels, gain=0.0, bias=0.0)
        if kind == "tiny":
            return self.conv(source, channels, gain=1e-9, bias=0.0)
        if kind == "gain":
            branch = self.conv(source, channels)
            return self.add("Affine", branch, scale=np.zeros(channels), shift=np.zeros(1))
        if kind == "pooled":
            return self.add("MaxPool", self.dead_branch("relu", source, channels), **POOL)
        if kind == "averaged":
            return self.add("AveragePool", self.dead_branch("relu", source, channels), count_include_pad=True, **POOL)
        if kind == "sum":
            pair = (self.dead_branch(k, source, channels) for k in ("relu", "weights"))
            return self.add("Add", *pair)
        if kind == "concat":
            half = (self.dead_branch(k, source, channels // 2) for k in ("gain", "relu"))
            return self.add("Concat", *half, channels=channels)
        return self.conv(self.dead_branch("relu", source, channels), channels, bias=0.0)  # a layer reads the dead value

    def joined(self, value, kind, op, first):
        """value with a dead branch joined in; and the channels that a layer behind it reads."""
        state = self.rng.bit_generator.state
        if self.dead:
            channels = self.channels[value]
            source = "input" if first else value
            pair = (value, self.dead_branch(kind, source, channels))
            pair = pair if op != "swapped" else pair[::-1]
            total = 2 * channels if op == "Concat" else channels
            value = self.add("Concat" if op == "Concat" else "Add", *pair, channels=total)
        self.rng.bit_generator.state = state
        return value


def build(kind, op, position, dead, seed=3):
    """Three layers of 8 channels, a residual addition, a pool and a head; the dead branch at one of five positions."""
    b = Builder(seed, dead)
    value = residual = "input"
    for k in range(4):
        if k == position and value != "input":
            value = b.joined(value, kind, op, first=False)
        wide = 16 if op == "Concat" and k == position else None
        layer = b.conv(value, 8, channels_in=wide)
        if k + 10 == position:  # on the accumulator, before its ReLU
            layer = b.joined(layer, kind, "Add" if op == "Concat" else op, first=True)
        if k == 2:
            layer = b.add("Add", layer, residual)
        value = b.add("Relu", layer)
        residual = value if k == 1 else residual
    b.conv(value, 4, size=1)
    return FloatGraph.build(b.nodes, input_shape=(3, 8, 8), input_layout="CHW")


def data(count, seed=5):
    return np.random.default_rng(seed).normal(size=(count, 3, 8, 8)).astype(np.float32)


def decibels(graph, options, calibration=None):
    x = data(24, seed=6)
    wanted = FloatRunner(graph).outputs(x)
    got = quantize(graph, data(16) if calibration is None else calibration, jobs=1, **options).predict(x)
    return 10 * np.log10((wanted**2).mean() / ((wanted - got.reshape(wanted.shape)) ** 2).mean())


OPTIONS = ({}, {"scales": "power_of_two", "method": "minmax"}, {"zero_points": True}, {"channel_scales": True})


@cache
def without(position, options):
    """The same network without a dead branch; position: of a Concat, whose reader has other weights, or 0."""
    return decibels(build("relu", "Concat" if position else "Add", position, False), OPTIONS[options])


@pytest.mark.parametrize("kind", DEAD)
def test_a_dead_branch_at_any_position_costs_nothing(kind):
    lost = {}
    for number, (op, position) in enumerate(
        [("Add", 1), ("swapped", 2), ("Concat", 1), ("Concat", 3), ("Add", 11), ("swapped", 12), ("Add", 10)]
    ):
        apart = op == "Concat" or kind in ("gain", "concat")  # these keep their operands from scales for channels
        legal = OPTIONS[:-1] if apart else OPTIONS
        options = legal[(number + DEAD.index(kind)) % len(legal)]
        alone = without(position if op == "Concat" else 0, OPTIONS.index(options))
        lost[op, position, str(options)] = alone - decibels(build(kind, op, position, True), options)
    lost = {key: round(float(v), 2) for key, v in lost.items()}
    assert max(lost.values()) < 1.0, lost
    assert np.mean(list(lost.values())) < 0.4, lost


@pytest.mark.parametrize("op", ["Add", "Concat"])
def test_a_loud_operand_is_not_clipped_to_the_grid_of_a_quiet_one(op):
    """The quiet operand has a grid of its own, since a layer reads it too."""
    b = Builder(1, True)
    quiet = b.add("Relu", b.conv("input", 8, gain=1e-3, bias=0.0))
    loud = b.add("Relu", b.conv("input", 8))
    joined = b.add(op, quiet, loud, channels=8 if op == "Add" else 16)
    pair = b.conv(joined, 4), b.conv(quiet, 4)
    b.add("Add", *pair)
    graph = FloatGraph.build(b.nodes, input_shape=(3, 8, 8), input_layout="CHW")
    assert decibels(graph, {}) > 33


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_rows_of_zeros_stay_silent(bits):
    weight = np.random.default_rng(0).normal(size=(4, 9))
    weight[1] = 0
    made = quantize_weight(weight, bits, WeightRule())
    values = made.values * np.broadcast_to(made.scale, 4)[:, None]
    assert np.abs(values[1]).max() < 1e-15
    assert np.abs(values[[0, 2, 3]]).max() > 0.1


@pytest.mark.parametrize("bits", [1, 4])
def test_networks_of_zeros_alone_are_quantized(bits):
    b = Builder(1, True)
    dead = b.dead_branch("sum", "input", 8)
    b.add("Concat", b.add("Relu", b.conv(dead, 8, bias=0.0)), dead, channels=16)
    graph = FloatGraph.build(b.nodes, input_shape=(3, 8, 8), input_layout="CHW")
    for calibration in (data(4), np.zeros((2, 3, 8, 8), np.float32)):
        net = quantize(graph, calibration, weight_bits=bits, activation_bits=bits, refine_scales=True)
        assert np.abs(net.predict(data(4))).max() < 1e-6
