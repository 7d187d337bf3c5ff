"""Small networks of rap by what they have in them."""

import numpy as np

from bitwright.network import INPUT, InputSpec, IntType, Network, Node, TensorType, ops

OPERATIONS = frozenset(["Conv2d", "Dense", "Threshold", "Requantize", "Add", "MaxPool", "SumPool", "Flatten"])


def image_network(node_ops, shape=(8, 8, 8), bits=4):
    nodes, name = [], INPUT
    for index, op in enumerate(node_ops):
        nodes.append(Node(f"n{index}", op, (name,)))
        name = f"n{index}"
    return Network(InputSpec(TensorType(shape, IntType(bits))), tuple(nodes))


def conv(rng, outputs, kernel, channels, **values):
    return ops.Conv2d(rng.integers(-8, 8, (outputs, kernel, kernel, channels)), IntType(4, True), **values)


CASES = {
    "systolic": lambda rng: [conv(rng, 8, 3, 8, pads=(1, 1, 1, 1))],
    "stride 2": lambda rng: [conv(rng, 8, 3, 8, stride=(2, 2), pads=(0, 0, 1, 1))],
    "stride 3": lambda rng: [conv(rng, 4, 4, 8, stride=(3, 3), pads=(2, 2, 2, 2))],
    "dilation": lambda rng: [conv(rng, 8, 3, 8, dilation=(2, 2), pads=(2, 2, 2, 2))],
    "pad value": lambda rng: [conv(rng, 8, 3, 8, pads=(1, 1, 1, 1), pad_value=5)],
    "groups on words": lambda rng: [conv(rng, 16, 3, 4, groups=2, pads=(1, 1, 1, 1))],
    "groups across words": lambda rng: [conv(rng, 8, 3, 2, groups=4)],
    "depthwise": lambda rng: [conv(rng, 8, 3, 1, groups=8, pads=(1, 1, 1, 1))],
    "odd sizes": lambda rng: [conv(rng, 5, 3, 8), ops.MaxPool((2, 2), (2, 2))],
    "pools": lambda rng: [ops.MaxPool((3, 3), (2, 2), (1, 1, 1, 1)), ops.SumPool((2, 2), (2, 2))],
    "dense on an image": lambda rng: [ops.Flatten(), ops.Dense(rng.integers(-8, 8, (10, 512)), IntType(4, True))],
    "pad": lambda rng: [ops.Pad((1, 2, 3, 9), 7), conv(rng, 4, 3, 8)],
    "padded threshold": lambda rng: [ops.Pad((0, 1, 2, 0), 3), ops.Threshold([[2, 5, 9]], IntType(2))],
    "resize": lambda rng: [ops.Resize((2, 3)), conv(rng, 4, 3, 8)],
    "resize of a column": lambda rng: [ops.MaxPool((1, 8)), ops.Resize((1, 6)), ops.SumPool((2, 2))],
    "resize behind stride": lambda rng: [
        conv(rng, 6, 3, 8, stride=(2, 2)),
        ops.Requantize(IntType(4), 3, 8),
        ops.Resize((3, 2)),
    ],
    "rising lookup": lambda rng: [
        ops.Lookup(IntType(4), np.sort(rng.integers(-9, 9, (8, 16)), axis=1), IntType(8, True))
    ],
    "falling lookup": lambda rng: [ops.Lookup(IntType(4), [range(60, -4, -4)], IntType(8)), conv(rng, 4, 3, 8)],
    "any lookup": lambda rng: [ops.Lookup(IntType(4), rng.integers(-8, 8, (8, 16)), IntType(4, True))],
    "threshold": lambda rng: [
        conv(rng, 8, 3, 8),
        ops.Threshold(np.sort(rng.integers(-300, 300, (8, 15)), axis=1), IntType(4)),
    ],
    **{
        f"{rounding} rounding": lambda rng, rounding=rounding: [
            conv(rng, 8, 3, 8, pads=(1, 1, 1, 1)),
            ops.Requantize(IntType(6, True), rng.integers(1, 99, 8), np.full(8, 9), rounding=rounding, seed=7),
        ]
        for rounding in ops.Rounding
    },
}


def depthwise(rng, channels, kernel, bits=8, **values):
    weight = rng.integers(-(1 << bits - 1), 1 << bits - 1, (channels, kernel, kernel, 1))
    return ops.Conv2d(weight, IntType(bits, True), groups=channels, **values)
