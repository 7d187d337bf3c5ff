"""ResNet-18 at 224 x 224 with 3-bit weights and activations, as an integer network.

Standard topology; weights are seeded and Gaussian, quantized to odd codes, since no trained 3-bit file is at
hand. The first convolution takes 8-bit pixels. Thresholds spread the activations over their range.
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np
from reference import layer_weights, layers, odd_weights

from bitwright.network import InputSpec, IntType, Network, TensorType
from bitwright.network.ops import Add, Conv2d, Dense, Flatten, MaxPool, Requantize, SumPool, Threshold

sys.path.append(str(Path(__file__).parents[1]))
from grower import Grower

BITS = 3


def resnet18(size: int = 224, classes: int = 1000) -> Network:
    """The network for images of size x size; its 3x3 weights are those of the reference figures."""
    grow = _Grower(TensorType((size, size, 3), IntType(8)))
    grow.conv("conv1", _weights("conv1", 64, 3, 7), 2, 3)
    grow.put("pool1", MaxPool((3, 3), (2, 2), (1, 1, 1, 1)))
    blocks = {layer.name: layer for layer in layers()}
    for name in sorted({name.rsplit(".", 1)[0] for name in blocks}):
        first, second = blocks[f"{name}.c1"], blocks[f"{name}.c2"]
        stride = 2 if first.inputs != first.outputs else 1
        entry = grow.tip
        if stride == 2:
            grow.conv(f"{name}.skip", _weights(f"{name}.skip", first.outputs, first.inputs, 1), 2, 0)
        skip, grow.tip = grow.tip, entry
        grow.conv(f"{name}.c1", layer_weights(first, BITS), stride, 1)
        grow.conv(f"{name}.c2", layer_weights(second, BITS), 1, 1)
        grow.put(f"{name}.add", Add(), skip)
        grow.put(f"{name}.out", Threshold(np.arange(1, 2 * 7, 2)[None], IntType(BITS)))
    last = grow.types[grow.tip].shape[0]
    grow.put("pool", SumPool((last, last)))
    grow.put("mean", Requantize(IntType(8), multiplier=np.array([4]), shift=np.array([6])))
    grow.put("flat", Flatten())
    grow.put("fc", Dense(_weights("fc", classes, 512, 1).reshape(classes, 512), IntType(BITS + 1, True)))
    return Network(InputSpec(grow.source), tuple(grow.nodes), name="resnet18")


def _weights(name: str, outputs: int, inputs: int, kernel: int) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return odd_weights(rng.standard_normal((outputs, inputs, kernel, kernel), dtype=np.float32), BITS)


class _Grower(Grower):
    def conv(self, name: str, weight: np.ndarray, stride: int, pad: int) -> None:
        """A convolution [O, I, KH, KW] and its 3-bit activation."""
        weight = np.ascontiguousarray(weight.transpose(0, 2, 3, 1))
        self.put(name, Conv2d(weight, IntType(BITS + 1, True), (stride,) * 2, (pad,) * 4))
        spread = np.sqrt((weight.reshape(len(weight), -1) ** 2).sum(1)) * 4
        steps = np.rint(np.linspace(-1, 1, 7)[None] * spread[:, None]).astype(np.int64)
        self.put(f"{name}.act", Threshold(steps, IntType(BITS)))
