"""The published method's figures, the weights behind them, and its cost model, for comparison on the same work.

TLMAC (Gerlinghoff et al., FPGA 2024), re-implemented by a third party and measured on the sixteen 3x3
convolutions of ResNet-18 with seeded Gaussian weights, quantized per output channel to odd codes
2q - (2**bits - 1). A step holds one input channel for 64 outputs: 192 accumulators, one a kernel row.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Published:
    """Figures of the re-implementation: arrays, routes, LUTs (arrays, multiplexers, accumulators), seconds, ROM."""

    arrays: int
    routes: int
    lut: int = 0
    seconds: float = 0
    rom_bits: int = 0


ALL_LAYERS_3BIT = Published(8_171, 853_945, 1_239_000, 1_268, 32_700_000)
FIRST_LAYER_4BIT = Published(2_228, 10_084)
STEP_OUTPUTS = 64


@dataclass(frozen=True)
class Layer:
    """One 3x3 convolution: output and input channels, height and width of its output."""

    name: str
    outputs: int
    inputs: int
    size: int


def layers() -> list[Layer]:
    """The sixteen 3x3 convolutions of ResNet-18 at 224 x 224."""
    found = [Layer(f"l1.{block}.c{conv}", 64, 64, 56) for block in range(2) for conv in (1, 2)]
    for stage, (narrow, wide, size) in enumerate(((64, 128, 28), (128, 256, 14), (256, 512, 7)), start=2):
        found.append(Layer(f"l{stage}.0.c1", wide, narrow, size))
        found += [Layer(f"l{stage}.{name}", wide, wide, size) for name in ("0.c2", "1.c1", "1.c2")]
    return found


def odd_weights(w: np.ndarray, bits: int) -> np.ndarray:
    """w [O, ...] as odd integers in [-(2**bits - 1), 2**bits - 1], scaled by each output's mean magnitude."""
    top = 2**bits - 1
    mean = np.abs(w).mean(axis=tuple(range(1, w.ndim)), keepdims=True)
    scaled = w / np.maximum(top / 2 ** (bits - 1) * mean, 1e-20)
    codes = np.rint((np.clip(scaled, -1, 1) + 1) * (top / 2)).astype(np.int64)
    return 2 * codes - top


def layer_weights(layer: Layer, bits: int) -> np.ndarray:
    """Seeded weights [O, I, 3, 3]."""
    rng = np.random.default_rng(zlib.crc32(layer.name.encode()))
    return odd_weights(rng.standard_normal((layer.outputs, layer.inputs, 3, 3), dtype=np.float32), bits)


def multiplexer(inputs: int) -> int:
    """LUTs a bit of a multiplexer built of 16:1 blocks (four LUT6 with MUXF7 and MUXF8)."""
    found = 0
    while inputs > 1:
        blocks, rest = divmod(inputs, 16)
        found += 4 * blocks + (math.ceil(rest / 4) if rest > 1 else 0)
        inputs = blocks + (rest > 0)
    return found


def luts(arrays: int, wires: np.ndarray, inputs: int, bits: int, group: int, sign_sharing: bool) -> int:
    """LUTs of arrays, multiplexers and accumulators; `wires`: arrays that each accumulator reads."""
    entry = bits + (math.ceil(math.log2(group)) if group > 1 else 0)
    accumulator = 1 + math.ceil(math.log2(inputs * group * (2**bits - 1) * 2 ** (bits - 1))) + sign_sharing
    return entry * arrays + entry * sum(multiplexer(int(k)) for k in wires) + accumulator * len(wires)
