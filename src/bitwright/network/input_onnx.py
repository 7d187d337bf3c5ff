"""Input quantization as ONNX nodes, exactly equal to `inputs.quantize`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bitwright.network.inputs import affine, round_and_clip
from bitwright.network.onnx_builder import Builder

if TYPE_CHECKING:
    from bitwright.network.graph import InputSpec

EXACT_BITS = 24  # integers of up to so many bits are exact in float32
MAGIC = np.float32(1.5 * 2**23)  # float32 numbers close to it have no fraction: adding it rounds half to even
MAX_STEPS = 1 << 16


def quantizing(g: Builder, spec: InputSpec, x: str, wide: bool) -> str:
    """The float input [N, *shape] as integers in NCHW, float64 where `wide`."""
    shape, image = spec.type.shape, len(spec.type.shape) == 3
    own = (shape[2], *shape[:2]) if spec.layout == "CHW" else shape
    if spec.shape != own:
        x = g.reshape(x, 0, *own)
    if spec.layout == "HWC":
        x = g.transpose(x, 0, 3, 1, 2)
    inverse, offset = affine(spec)
    merged = not wide and merges(spec)
    form = (1, -1, 1, 1) if image else (1, -1)
    for kind, operand, neutral in (("Mul", inverse, 1), ("Add", offset + MAGIC if merged else offset, 0)):
        if np.any(operand != neutral):
            x = g.add(kind, x, g.operand(operand.reshape(form if operand.size > 1 else ())))
    if merged:
        x = _clip(g, x, MAGIC + np.float32(spec.low), MAGIC + np.float32(spec.high))
        return g.add("Add", x, g.operand(-MAGIC))
    if spec.type.dtype.bipolar:
        zero, one, minus = (np.array(v, np.float32) for v in (0, 1, -1))
        return g.add("Where", g.add("GreaterOrEqual", x, g.constant(zero)), g.constant(one), g.constant(minus))
    x = g.add("Round", x)
    double = wide or spec.type.dtype.bits > EXACT_BITS
    x = g.cast(x, "float64") if double else x
    dtype = np.float64 if double else np.float32
    return _clip(g, x, np.array(spec.low, dtype), np.array(spec.high, dtype))


def _clip(g: Builder, x: str, low: np.ndarray, high: np.ndarray) -> str:
    return g.add("Clip", x, g.constant(np.asarray(low)), g.constant(np.asarray(high)))


def merges(spec: InputSpec) -> bool:
    """Whether clip(x * (1/scale) + (offset + MAGIC)) - MAGIC equals the quantizer for every float32 x.

    Both are monotone in x, so they are equal if they agree at the two floats around every step of the quantizer;
    the steps are found by bisection over the ordered bit patterns of float32.
    """
    inverse, offset = affine(spec)
    levels = np.arange(spec.low + 1, spec.high + 1)
    if spec.type.dtype.bipolar or len(levels) * len(inverse + offset) > MAX_STEPS or np.any(np.abs(offset) >= 1 << 20):
        return False
    inverse, offset = (a[:, None] for a in np.broadcast_arrays(inverse, offset))

    def exact(x: np.ndarray) -> np.ndarray:
        return round_and_clip(x * inverse + offset, spec)

    def merged(x: np.ndarray) -> np.ndarray:
        low, high = MAGIC + np.float32(spec.low), MAGIC + np.float32(spec.high)
        return np.clip(x * inverse + (offset + MAGIC), low, high) - MAGIC

    limit = int(np.frombuffer(np.finfo(np.float32).max.tobytes(), np.int32)[0])
    below = np.full((len(inverse), len(levels)), -limit, np.int64)
    above = np.full_like(below, limit)
    with np.errstate(over="ignore"):
        while np.any(above - below > 1):
            middle = (below + above) >> 1
            reached = exact(_float(middle)) >= levels
            above, below = np.where(reached, middle, above), np.where(reached, below, middle)
        around = _float(np.concatenate([below, above], axis=1))
        return bool(np.array_equal(exact(around), merged(around)))


def _float(order: np.ndarray) -> np.ndarray:
    """The float32 number at a place of the ordered finite numbers; 0 is at 0."""
    bits = np.abs(order).astype(np.int32).view(np.float32)
    return np.where(order < 0, -bits, bits)
