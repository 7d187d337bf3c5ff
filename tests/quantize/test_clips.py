"""Networks with clips of any kind: codes and single additions, no tables of steps, in every layer."""

import numpy as np
import pytest

from bitwright import targets
from bitwright.models.graph import FloatGraph, FloatNode, ops
from bitwright.network.ops import Lookup, Threshold
from bitwright.network.passes import simplify
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ptq import quantize


def clipped(kind, add=False, **attributes):
    """Four convolutions, each with its activation, and a classifier of 1x1."""
    rng, nodes, value, channels = np.random.default_rng(0), [], "input", 3
    for k in range(4):
        weight = rng.normal(size=(8, 3, 3, channels)) / np.sqrt(9 * channels) * 1.5
        layer = ops.Conv(weight, rng.normal(size=8) * 0.1, pads=(1, 1, 1, 1))
        nodes += [
            FloatNode(f"c{k}", layer, (value,)),
            FloatNode(f"a{k}", getattr(ops, kind)(**attributes), (f"c{k}",)),
        ]
        if add and k:
            nodes.append(FloatNode(f"s{k}", ops.Add(), (f"a{k}", value)))
        value, channels = nodes[-1].name, 8
    nodes.append(FloatNode("head", ops.Conv(rng.normal(size=(4, 1, 1, 8))), (value,)))
    return FloatGraph.build(nodes, input_shape=(3, 8, 8), input_layout="CHW")


def data(count=32, seed=5):
    return np.random.default_rng(seed).normal(size=(count, 3, 8, 8)).astype(np.float32)


def most_cycles(network):
    """Of the targets that take the network, the most sequential one's cycles a frame, by estimate."""
    found = []
    for name in targets.names():
        target, simple = targets.get(name), simplify(network)
        options = target.options()
        if not target.check(simple, options):
            found.append(target.plan(simple, options).estimate.interval_cycles)
    return max(found)


CASES = [
    ("Clip", {"low": -1.0, "high": 1.0}, {}),
    ("Clip", {"low": -1.0, "high": 3.0}, {}),
    ("Clip", {"low": 0.0, "high": 6.0}, {}),
    ("Clip", {"low": 0.0, "high": 1.0}, {"scales": "power_of_two"}),
    ("Clip", {"low": -1.0, "high": 3.0}, {"scales": "power_of_two"}),
    ("Clip", {"low": -np.inf, "high": 1.0}, {}),
    ("Clip", {"low": -1.0, "high": 1.0}, {"zero_points": True}),
    ("Clip", {"low": 0.0, "high": 1.0}, {"equalize": True}),
    ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}, {}),
]


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize(("kind", "attributes", "options"), CASES)
def test_clips_take_no_steps(kind, attributes, options, add):
    graph = clipped(kind, add, **attributes)
    net = quantize(graph, data(), jobs=1, **options)
    assert not [node.name for node in net.nodes if isinstance(node.op, (Threshold, Lookup))]
    x = data(24, seed=6)
    wanted = FloatRunner(graph).outputs(x)
    error = net.predict(x).reshape(wanted.shape) - wanted
    assert 10 * np.log10((wanted**2).mean() / (error**2).mean()) > (25 if "scales" in options else 28)


def test_a_clip_costs_about_what_a_relu_costs():
    relu = most_cycles(quantize(clipped("Relu"), data(), jobs=1))
    assert most_cycles(quantize(clipped("Clip", low=-1.0, high=1.0), data(), jobs=1)) <= 1.02 * relu
    assert most_cycles(quantize(clipped("Clip", low=-1.0, high=3.0), data(), jobs=1)) <= 1.2 * relu
