"""Values of -1 and +1 on every way through the accelerator: streams, memory, padding, groups, sums, tables."""

from pathlib import Path

import numpy as np
import pytest

from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.simulation import simulate
from bitwright.targets import contract, get
from bitwright.tools.model import Stalls

TARGET = get("bitsys")
HARDWARE = Path(__file__).parent / "hardware"
IMAGE = TensorType((5, 4, 16), BIPOLAR)
INT3 = IntType(3, True)


def convolution(outputs, per_group, kernel, weight_type, **more):
    rng = np.random.default_rng(outputs)
    weight = rng.choice(weight_type.values(), (outputs, *kernel, per_group))
    return ops.Conv2d(weight, weight_type, bias=rng.integers(-9, 9, outputs), **more)


def step(channels, spread=4):
    """A bipolar Threshold that rises in some channels and falls in others."""
    rng = np.random.default_rng(channels)
    up = rng.choice([-2, 2], channels)
    return ops.Threshold(rng.integers(-spread, spread, (channels, 1)), BIPOLAR, -up // 2, up)


def chain(*operations):
    """(name, operation, inputs) one behind the other."""
    names = ["input", *(f"n{k}" for k in range(len(operations)))]
    return [(names[k + 1], op, (names[k],)) for k, op in enumerate(operations)]


def pads(value):
    return {"pads": (1, 2, 0, 1), "pad_value": value}


NETWORKS = {
    "grouped": chain(convolution(24, 8, (3, 2), BIPOLAR, groups=2), step(24)),
    "depthwise": chain(convolution(16, 1, (3, 3), BIPOLAR, groups=16, **pads(-1)), step(16)),
    "depthwise_then_all": chain(
        convolution(32, 1, (2, 2), BIPOLAR, groups=16), step(32), convolution(9, 32, (2, 2), BIPOLAR, **pads(1))
    ),
    "wider_weights": chain(
        convolution(12, 16, (2, 3), INT3, **pads(1)), step(12, 20), convolution(7, 12, (1, 2), INT3)
    ),
    "few_channels": chain(convolution(5, 16, (1, 1), BIPOLAR), step(5), convolution(6, 5, (3, 3), BIPOLAR, **pads(-1))),
    "out_of_a_table": chain(ops.Lookup(BIPOLAR, np.where(np.arange(32).reshape(16, 2) % 3, 1, -1), BIPOLAR)),
    "table_of_numbers": chain(ops.Lookup(BIPOLAR, np.arange(32).reshape(16, 2) - 9, IntType(8, True))),
    "table_after_a_sum": chain(
        ops.SumPool((2, 2)), ops.Lookup(IntType(4, True), np.arange(16)[None] * 3 % 7, IntType(3))
    ),
    "largest": chain(ops.MaxPool((2, 2), (1, 2), (1, 0, 1, 1))),
    "sums_with_pads": chain(ops.SumPool((3, 2), (1, 1), (2, 1, 3, 0))),
    "sums": chain(ops.SumPool((2, 3)), step(16), ops.MaxPool((2, 1))),
    "scaled": chain(ops.Requantize(IntType(5, True), [3, -5] * 8, [0], [2], 1)),
    "three_thresholds": chain(ops.Threshold([[-1, 0, 1]], IntType(2))),
    "twice": [("sum", ops.Add(), ("input", "input"))],
    "added": [
        ("c", convolution(16, 16, (1, 1), BIPOLAR), ("input",)),
        ("t", step(16), ("c",)),
        ("a", ops.Add(), ("t", "input")),
        ("s", ops.Add(), ("a", "t")),
        ("o", convolution(6, 16, (2, 2), INT3), ("s",)),
    ],
    "read_in_two_ways": [
        ("a", convolution(8, 16, (1, 1), BIPOLAR, pads=(1, 0, 0, 0), pad_value=-1), ("input",)),
        ("b", ops.SumPool((2, 1), (1, 1), (1, 0, 1, 0)), ("input",)),
        ("c", convolution(8, 16, (1, 1), INT3), ("b",)),
        ("t", step(8), ("a",)),
        ("u", step(8, 30), ("c",)),
        ("y", ops.Add(), ("t", "u")),
    ],
    "only_flattened": chain(ops.Flatten()),
    "flattened_at_the_end": chain(convolution(5, 16, (2, 2), BIPOLAR), step(5), ops.Flatten()),
    "only_compared": chain(ops.ArgMax()),
    "pooled_then_compared": chain(ops.SumPool((5, 4)), ops.Flatten(), ops.ArgMax()),
}


@pytest.mark.parametrize("unit", ["container", "bitplane", "fixed", "dsp"])
def test_every_way(unit, bitsys_cache):
    """One build; networks one after the other, under stalls, with batches that are not full."""
    options = TARGET.options(hardware=str(HARDWARE / f"{unit}.toml"), batch=2)
    x = np.random.default_rng(5).choice([-1, 1], (5, *IMAGE.shape))
    x[0], x[1] = -1, 1
    wrong = {}
    for name, nodes in NETWORKS.items():
        network = Network(InputSpec(IMAGE), [Node(*node) for node in nodes], name=name)
        design = TARGET.emit(contract.accepted(TARGET, network, options))
        result = simulate(design, x, jobs=1, cache_dir=bitsys_cache, stalls=Stalls(3, 0.3, 0.3))
        if not result.bit_exact:
            wrong[name] = result.first_mismatch()
        assert len(np.unique(result.outputs)) > 1
    assert wrong == {}


def test_what_one_word_cannot_pad():
    """Bit planes: a bipolar value that is also added lies as two planes, which +1 has not alike."""
    nodes = [
        Node("s", ops.Add(), ("input", "input")),
        Node("c", convolution(8, 16, (1, 1), BIPOLAR, pads=(1, 0, 1, 0), pad_value=1), ("input",)),
        Node("p", ops.SumPool((1, 1), (1, 1), (1, 0, 1, 0)), ("s",)),
        Node("d", convolution(8, 16, (1, 1), INT3), ("p",)),
        Node("y", ops.Add(), ("c", "d")),
    ]
    network = Network(InputSpec(IMAGE), nodes)
    refused = TARGET.check(network, TARGET.options(hardware=str(HARDWARE / "bitplane.toml")))
    assert [p.node for p in refused if "padding with 1" in p.rule] == ["c"]
    assert TARGET.check(network, TARGET.options(hardware=str(HARDWARE / "container.toml"))) == []
