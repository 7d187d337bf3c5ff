"""The network that every target must compute."""

import numpy as np

from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops


def image_network() -> Network:
    """Convolution with pads, step, pool, scale, dense layer: what any target for CNNs can compute."""
    rng = np.random.default_rng(7)
    int4 = IntType(4, True)
    nodes = [
        Node("conv", ops.Conv2d(rng.integers(-8, 8, (5, 3, 3, 3)), int4, pads=(1, 1, 1, 1)), ("input",)),
        Node("step", ops.Threshold(np.sort(rng.integers(-90, 90, (5, 15)), axis=1), IntType(4)), ("conv",)),
        Node("pool", ops.MaxPool((2, 2), (2, 2)), ("step",)),
        Node("mix", ops.Conv2d(rng.integers(-2, 2, (6, 1, 1, 5)), IntType(2, True)), ("pool",)),
        Node("scale", ops.Requantize(IntType(4), multiplier=[3], shift=[4], bias=[5]), ("mix",)),
        Node("flat", ops.Flatten(), ("scale",)),
        Node("fc", ops.Dense(rng.integers(-8, 8, (4, 54)), int4, bias=[3, 0, -3, 1]), ("flat",)),
    ]
    return Network(InputSpec(TensorType((6, 6, 3), IntType(4))), nodes, name="contract")
