"""From the user's data to the network's integers, and from its last integers to the user's floats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bitwright.errors import DataError

if TYPE_CHECKING:
    from bitwright.network.graph import InputSpec, OutputSpec


RULES = ("multiply", "divide", "divide_then_add")


def prepare(spec: InputSpec, raw: np.ndarray) -> np.ndarray:
    """Raw data [N, ...] as the model's own float input [N, *shape]: (raw * data_scale - data_mean) / data_std.

    Computed in float32, mean and std by channel. Raw images are in `data_layout`, or of the model's own shape where
    that is its order, too; an axis of size 1 may be missing. Raises `DataError` where the shape, the type or a value
    does not fit.
    """
    raw = np.asarray(raw)
    if raw.dtype.kind not in "iufb":
        raise DataError(f"data are {raw.dtype}; legal are integers and floats")
    layout = "CHW" if spec.layout == "C" and spec.data_layout != "C" else spec.layout
    shape = _data_shape(spec, layout)
    given = spec.shape if spec.data_layout == layout else shape
    if raw.ndim < 1 or _squeezed(raw.shape[1:]) not in (_squeezed(given), _squeezed(shape)):
        raise DataError(
            f"data have shape {raw.shape}; legal is (N, {', '.join(map(str, given))}) in {spec.data_layout}"
        )
    check_finite(raw)
    x = raw.astype(np.float32).reshape(len(raw), *shape)
    mean, std = (_along_channels(v, spec.data_layout, len(shape)) for v in (spec.data_mean, spec.data_std))
    x = (x * np.float32(spec.data_scale) - mean) / std
    if spec.data_layout != layout:
        x = x.transpose((0, 3, 1, 2) if layout == "CHW" else (0, 2, 3, 1))
    return np.ascontiguousarray(x.reshape(len(x), *spec.shape))


def _data_shape(spec: InputSpec, layout: str) -> tuple[int, ...]:
    """Shape of one item of raw data, in the order of `data_layout`; with all three axes where the input is an image."""
    shape = spec.shape
    if len(spec.type.shape) == 3:
        height, width, channels = spec.type.shape
        shape = (channels, height, width) if layout == "CHW" else (height, width, channels)
    if spec.data_layout == layout:
        return shape
    if len(shape) != 3:
        raise DataError(f"data layout {spec.data_layout} does not fit a model input of shape {shape}")
    return (*shape[1:], shape[0]) if layout == "CHW" else (shape[2], *shape[:2])


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _along_channels(values: tuple[float, ...], layout: str, axes: int) -> np.ndarray:
    """One value or one per channel, shaped to broadcast over [N, *data]."""
    a = np.asarray(values, np.float32)
    if a.size == 1:
        return a.reshape(())
    channel_axis = 1 if layout == "CHW" else axes
    return a.reshape([-1 if axis == channel_axis else 1 for axis in range(axes + 1)])


def check_finite(x: np.ndarray) -> None:
    """Raise `DataError` at the first NaN or infinity."""
    if x.dtype.kind != "f":
        return
    flat = x.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.dot(flat, flat)):  # one quick pass; what overflows it is looked at below
            return
    finite = np.isfinite(x)
    if not finite.all():
        index = np.unravel_index(int(np.argmin(finite)), x.shape)
        raise DataError(f"data hold {x[index]} at index ({', '.join(map(str, index))}); legal are finite numbers")


def check_floats(spec: InputSpec, x: np.ndarray) -> np.ndarray:
    """x as float32 [N, *shape] if it is a float input of the model, else `DataError`."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        raise DataError(f"the model's input is float, not {x.dtype}; raw data become floats by InputSpec.prepare")
    if x.ndim != len(spec.shape) + 1 or x.shape[1:] != spec.shape:
        raise DataError(f"input has shape {x.shape}; legal is (N, {', '.join(map(str, spec.shape))})")
    check_finite(x)
    return np.ascontiguousarray(x, dtype=np.float32)


def quantize(spec: InputSpec, x: np.ndarray) -> np.ndarray:
    """Float inputs [N, *shape] of the model as the network's integers, int64 [N, *type.shape].

    The formula of the specification's rule in float32, each operation rounded by itself.
    """
    x = _in_hwc(spec, check_floats(spec, x))
    factor, before, after = affine(spec)
    with np.errstate(over="ignore"):
        v = (x * factor if spec.rule == "multiply" else x / factor) + before
    if spec.type.dtype.bipolar:
        return np.where(v >= 0, np.int64(1), np.int64(-1))
    return np.clip(np.rint(v).astype(np.float64) + after, spec.low, spec.high).astype(np.int64)


def _in_hwc(spec: InputSpec, x: np.ndarray) -> np.ndarray:
    shape = spec.type.shape
    if spec.layout == "CHW":
        return x.reshape(len(x), shape[2], *shape[:2]).transpose(0, 2, 3, 1)
    return x.reshape(len(x), *shape)


def affine(spec: InputSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What x is multiplied with (rule "multiply") or divided by, what is added then, and what after rounding.

    The first two are float32, the last is of whole float64 numbers; each has one entry or one per channel.
    """
    factor = (1 / spec.scale if spec.rule == "multiply" else spec.scale).astype(np.float32)
    if spec.rule == "divide_then_add":
        return factor, np.zeros(1, np.float32), spec.offset
    return factor, spec.offset.astype(np.float32), np.zeros(1)


def dequantize(spec: OutputSpec, q: np.ndarray) -> np.ndarray:
    """The network's last integers [N, H, W, C] or [N, C] as the model's floats, float32 [N, *shape].

    y = function((q - offset) * scale), computed in float64; softmax is over the channels. Then, in float32, the
    output's own quantizer, where it has one.
    """
    y = (np.asarray(q, np.float64) - spec.offset) * spec.scale
    if spec.function == "softmax":
        y = np.exp(y - y.max(axis=-1, keepdims=True))
        y = y / y.sum(axis=-1, keepdims=True)
    elif spec.function == "sigmoid":
        with np.errstate(over="ignore"):
            y = 1 / (1 + np.exp(-y))
    y = y.astype(np.float32)
    if spec.step:
        step = np.float32(spec.step)
        y = np.clip(np.rint(y / step) + np.float32(spec.zero_point), spec.low, spec.high)
        y = ((y - np.float32(spec.zero_point)) * step).astype(np.float32)
    if spec.layout == "CHW" and y.ndim == 4:
        y = y.transpose(0, 3, 1, 2)
    return y.reshape(len(y), *spec.shape)
