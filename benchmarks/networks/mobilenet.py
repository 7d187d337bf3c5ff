"""MobileNetV2 at 224 x 224 with 8-bit weights and activations, as an integer network.

Standard topology of width 1; weights are seeded and Gaussian. Multipliers spread the activations over their range.
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np

from bitwright.network import InputSpec, IntType, Network, TensorType
from bitwright.network.ops import Add, Conv2d, Dense, Flatten, Requantize, SumPool

sys.path.append(str(Path(__file__).parents[1]))
from grower import Grower

# Channels of an expanded map for each of the block's, channels, blocks, stride of the first.
BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
POSITIVE, SIGNED = IntType(8), IntType(8, True)
SPREAD = 32  # standard deviation of weights, and of activations


def mobilenet_v2(size: int = 224, classes: int = 1000) -> Network:
    """The network for images of size x size."""
    grow = _Grower(TensorType((size, size, 3), POSITIVE))
    grow.conv("stem", 32, 3, 2, POSITIVE)
    for number, (factor, channels, count, stride) in enumerate(BLOCKS):
        for k in range(count):
            name, entry = f"b{number}.{k}", grow.tip
            inputs = grow.types[entry].channels
            if factor > 1:
                grow.conv(f"{name}.expand", factor * inputs, 1, 1, POSITIVE)
            grow.conv(f"{name}.dw", factor * inputs, 3, stride if k == 0 else 1, POSITIVE, factor * inputs)
            grow.conv(f"{name}.project", channels, 1, 1, SIGNED)
            if k:
                grow.put(f"{name}.add", Add(), entry)
                grow.put(f"{name}.out", Requantize(SIGNED, multiplier=np.array([3]), shift=np.array([2])))
    grow.conv("head", 1280, 1, 1, POSITIVE)
    last = grow.types[grow.tip].shape[0]
    grow.put("pool", SumPool((last, last)))
    grow.put("mean", Requantize(POSITIVE, multiplier=np.array([round(4096 / last**2)]), shift=np.array([12])))
    grow.put("flat", Flatten())
    grow.put("fc", Dense(_weights("fc", (classes, 1280)), SIGNED))
    return Network(InputSpec(grow.source), tuple(grow.nodes), name="mobilenet_v2")


def _weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return np.clip(np.rint(SPREAD * rng.standard_normal(shape)), -128, 127).astype(np.int64)


class _Grower(Grower):
    def conv(self, name: str, outputs: int, kernel: int, stride: int, result: IntType, groups: int = 1) -> None:
        """A convolution, and its result at 8 bits."""
        weight = _weights(name, (outputs, kernel, kernel, self.types[self.tip].channels // groups))
        pads = (kernel // 2,) * 4
        self.put(name, Conv2d(weight, SIGNED, (stride, stride), pads, (1, 1), groups))
        scale = 1 / (SPREAD * np.sqrt(weight[0].size))
        shift = 7 - int(np.floor(np.log2(scale)))
        multiplier = np.array([round(scale * 2**shift)])
        self.put(f"{name}.act", Requantize(result, multiplier=multiplier, shift=np.array([shift])))
