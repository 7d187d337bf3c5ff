# SPDX-License-Identifier: Apache-2.0
"""From the user's data to the network's integers, and from its last integers to the user's floats."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bitwright.errors import DataError, ModelError
from bitwright.network.nodes import INPUT, OUTPUT
from bitwright.network.types import Array, Floats, Ints, TensorType, derived

RULES = ("multiply", "divide", "divide_then_add")
MAX_NAME = 4096  # characters
AXES = {  # of [N, H, W, C], or [N, C], by name
    "": (-1,),
    "_height": (1,),
    "_width": (2,),
    "_pixels": (1, 2),
    "_all": (1, 2, 3),
}
SOFTMAX = {f"{kind}{name}": axes for kind in ("softmax", "log_softmax") for name, axes in AXES.items()}
FUNCTIONS = ("identity", *SOFTMAX, "sigmoid")
VECTOR_FUNCTIONS = ("identity", "softmax", "log_softmax", "sigmoid")


@dataclass(frozen=True, eq=False)
class InputSpec:
    """How the user's floats become the network's integers; no target reads it beyond `type`.

    q = clamp(r, low, high), computed in float32, rounding half to even; low and high are the limits of the type
    unless narrower ones are given. `rule` names r, and v, whose sign a bipolar q is (+1 where v >= 0, else -1):

        "multiply"          r = round(v), v = x * (1/scale) + offset
        "divide"            r = round(v), v = x / scale + offset            QONNX' Quant
        "divide_then_add"   r = round(x / scale) + offset, v = x / scale    QuantizeLinear; offset is whole

    scale and offset hold one value or one per channel. `shape` is the model's own input shape without
    the batch, `layout` its order: "HWC", "CHW" or "C". Raw data become x by
    x = (raw * data_scale - data_mean) / data_std; `data_layout` is the order of the raw data.
    """

    type: TensorType
    scale: Floats = field(default_factory=lambda: np.ones(1))
    offset: Floats = field(default_factory=lambda: np.zeros(1))
    shape: tuple[int, ...] = ()
    layout: str = ""
    data_layout: str = ""
    data_scale: float = 1.0
    data_mean: tuple[float, ...] = (0.0,)
    data_std: tuple[float, ...] = (1.0,)
    low: int = derived()
    high: int = derived()
    rule: str = "multiply"  # what files without a rule mean
    name: str = INPUT  # which is also that of its value

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.name if self.name == INPUT else f"input {self.name!r}"

    def __post_init__(self) -> None:
        dtype = self.type.dtype
        _check_name(self.name)
        object.__setattr__(self, "low", dtype.min if self.low is None else int(self.low))
        object.__setattr__(self, "high", dtype.max if self.high is None else int(self.high))
        if not dtype.min <= self.low <= self.high <= dtype.max:
            raise ModelError(f"input limits [{self.low}, {self.high}] do not lie within {dtype}")
        image = len(self.type.shape) == 3
        defaults = {"shape": self.type.shape, "layout": "HWC" if image else "C"}
        for name, value in defaults.items():
            object.__setattr__(self, name, getattr(self, name) or value)
        object.__setattr__(self, "data_layout", self.data_layout or self.layout)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        for name in ("scale", "offset"):
            factors = np.atleast_1d(np.asarray(getattr(self, name), np.float64))
            object.__setattr__(self, name, factors)
            if factors.shape not in ((1,), (self.type.channels,)) or not np.all(np.isfinite(factors)):
                raise ModelError(f"input {name} must be finite, one value or one per channel, not {factors}")
        if np.any(self.scale <= 0) or (self.rule != "multiply" and np.any(self.scale.astype(np.float32) == 0)):
            raise ModelError("input scales must be positive")
        if self.rule not in RULES:
            raise ModelError(f"input rule {self.rule!r} is unknown; legal are {', '.join(RULES)}")
        if self.rule == "divide_then_add" and np.any(self.offset != np.rint(self.offset)):
            raise ModelError("input offsets that are added after rounding must be whole numbers")
        if self.layout not in (("HWC", "CHW") if image else ("C",)):
            raise ModelError(f"input layout {self.layout!r} does not fit {self.type.shape}")
        if math.prod(self.shape) != self.type.size or min(self.shape) < 1:
            raise ModelError(f"input shape {self.shape} does not fit {self.type}")
        self._check_data()

    def _check_data(self) -> None:
        if self.data_layout not in ("HWC", "CHW", "C"):
            raise ModelError(f"data layout {self.data_layout!r} is unknown; legal are HWC, CHW and C")
        for name in ("data_mean", "data_std"):
            value = tuple(float(v) for v in np.atleast_1d(np.asarray(getattr(self, name), np.float64)))
            object.__setattr__(self, name, value)
            if not np.all(np.isfinite(value)):
                raise ModelError(f"{name} must be finite, not {value}")
        if not np.isfinite(self.data_scale) or 0 in self.data_std:
            raise ModelError(f"data scale {self.data_scale} must be finite and data std {self.data_std} not zero")

    def prepare(self, raw: Array, numbers: Array | None = None) -> Array:
        """Raw data [N, ...] as the model's float input; see the function `prepare`."""
        return prepare(self, raw, numbers)

    def quantize(self, x: Array) -> Array:
        """The model's float input [N, *shape] as integers, int64 [N, *type.shape]; see the function `quantize`."""
        return quantize(self, x)


@dataclass(frozen=True, eq=False)
class OutputSpec:
    """How the network's last integers become the model's floats: y = function((q - offset) * scale).

    scale and offset hold one value or one per channel; `shape` and `layout` as in `InputSpec`, but that shape () with
    a layout is one number for each sample.
    function is one of `FUNCTIONS`; softmax and log_softmax are over the channels, softmax_height and the like along
    other axes, softmax_all over all elements of an image. Where `step` is not 0 the floats are quantized at last, as
    QuantizeLinear does: (clamp(round(y / step) + zero_point, low, high) - zero_point) * step.
    """

    scale: Floats = field(default_factory=lambda: np.ones(1))
    offset: Floats = field(default_factory=lambda: np.zeros(1))
    shape: tuple[int, ...] = ()
    layout: str = ""
    function: str = "identity"
    step: float = 0.0
    zero_point: int = 0
    low: int = 0
    high: int = 255
    value: str = ""  # which of the network's values it is; the last one's where it is empty
    name: str = OUTPUT

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.name if self.name == OUTPUT else f"output {self.name!r}"

    def __post_init__(self) -> None:
        _check_name(self.name)
        for name in ("scale", "offset"):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), np.float64)))
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if self.function not in FUNCTIONS:
            raise ModelError(f"output function {self.function!r} is unknown; legal are {', '.join(FUNCTIONS)}")
        if not (np.isfinite(self.step) and self.step >= 0 and self.low <= self.high):
            raise ModelError(f"output codes [{self.low}, {self.high}] of step {self.step} are no quantizer")

    def dequantize(self, q: Array) -> Array:
        """The network's last integers [N, ...] as floats, float32 [N, *shape]; see the function `dequantize`."""
        return dequantize(self, q)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise ModelError(f"an input's or output's name is {str(name)[:40]!r}; legal are texts of 1 to {MAX_NAME}")


def prepare(spec: InputSpec, raw: Array, numbers: Array | None = None) -> Array:
    """Raw data [N, ...] as the model's own float input [N, *shape]: (raw * data_scale - data_mean) / data_std.

    Computed in float32, mean and std by channel. Raw images are in `data_layout`, or of the model's own shape where
    that is its order, too; an axis of size 1 may be missing. Raises `DataError` where the shape, the type or a value
    does not fit; numbers [N] are those by which it names samples.
    """
    raw = np.asarray(raw)
    check_raw(spec, raw.dtype, raw.shape)
    layout, shape = _model_layout(spec), data_shape(spec)
    check_finite(raw, numbers)
    x: Array = raw.astype(np.float32).reshape(len(raw), *shape)
    mean, std = (_along_channels(v, spec.data_layout, len(shape)) for v in (spec.data_mean, spec.data_std))
    x = (x * np.float32(spec.data_scale) - mean) / std
    if spec.data_layout != layout:
        x = x.transpose((0, 3, 1, 2) if layout == "CHW" else (0, 2, 3, 1))
    return np.ascontiguousarray(x.reshape(len(x), *spec.shape))


def check_raw(spec: InputSpec, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Raise `DataError` unless raw data [N, ...] of this type and shape are what `prepare` takes."""
    if dtype.kind not in "iufb":
        raise DataError(f"data are {dtype}; legal are integers and floats")
    if not shape or not accepts(spec, shape[1:]):
        given = spec.shape if spec.data_layout == _model_layout(spec) else data_shape(spec)
        legal = ", ".join(map(str, given))
        raise DataError(f"data have shape {shape}; legal is (N, {legal}) in {spec.data_layout}")


def accepts(spec: InputSpec, shape: tuple[int, ...]) -> bool:
    """Whether raw samples of this shape are what `prepare` takes; an axis of size 1 may be missing."""
    own = spec.shape if spec.data_layout == _model_layout(spec) else data_shape(spec)
    return _squeezed(shape) in (_squeezed(own), _squeezed(data_shape(spec)))


def _model_layout(spec: InputSpec) -> str:
    """The order of the model's input; of one without axes of an image, what raw images are brought to."""
    return "CHW" if spec.layout == "C" and spec.data_layout != "C" else spec.layout


def data_shape(spec: InputSpec) -> tuple[int, ...]:
    """Shape of one item of raw data, in the order of `data_layout`; with all three axes where the input is an image."""
    shape, layout = spec.shape, _model_layout(spec)
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


def _along_channels(values: tuple[float, ...], layout: str, axes: int) -> Array:
    """One value or one per channel, shaped to broadcast over [N, *data]."""
    a = np.asarray(values, np.float32)
    if a.size == 1:
        return a.reshape(())
    channel_axis = 1 if layout == "CHW" else axes
    return a.reshape([-1 if axis == channel_axis else 1 for axis in range(axes + 1)])


def check_finite(x: Array, numbers: Array | None = None) -> None:
    """Raise `DataError` at the first NaN or infinity; numbers [N] are those of the samples, 0 to N - 1 if None."""
    if x.dtype.kind != "f":
        return
    flat = x.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.dot(flat, flat)):  # one quick pass; what overflows it is looked at below
            return
    finite = np.isfinite(x)
    if not finite.all():
        index = np.unravel_index(int(np.argmin(finite)), x.shape)
        named = index if numbers is None else (numbers[index[0]], *index[1:])
        raise DataError(f"data hold {x[index]} at index ({', '.join(map(str, named))}); legal are finite numbers")


def check_floats(spec: InputSpec, x: Array) -> Array:
    """x as float32 [N, *shape] if it is a float input of the model, else `DataError`."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        raise DataError(f"the model's input is float, not {x.dtype}; raw data become floats by InputSpec.prepare")
    if x.ndim != len(spec.shape) + 1 or x.shape[1:] != spec.shape:
        raise DataError(f"input has shape {x.shape}; legal is (N, {', '.join(map(str, spec.shape))})")
    check_finite(x)
    return np.ascontiguousarray(x, dtype=np.float32)


def quantize(spec: InputSpec, x: Array) -> Ints:
    """Float inputs [N, *shape] of the model as the network's integers, int64 [N, *type.shape].

    The formula of the specification's rule in float32, each operation rounded by itself.
    """
    x = in_hwc(spec, check_floats(spec, x))
    factor, before, after = affine(spec)
    with np.errstate(over="ignore"):
        v = (x * factor if spec.rule == "multiply" else x / factor) + before
    if spec.type.dtype.bipolar:
        return np.where(v >= 0, np.int64(1), np.int64(-1))
    return np.clip(np.rint(v).astype(np.float64) + after, spec.low, spec.high).astype(np.int64)


def in_hwc(spec: InputSpec, x: Array) -> Array:
    """The model's float input [N, *shape] in the order of the network's integers, [N, H, W, C] or [N, C]."""
    shape = spec.type.shape
    if spec.layout == "CHW":
        return x.reshape(len(x), shape[2], *shape[:2]).transpose(0, 2, 3, 1)
    return x.reshape(len(x), *shape)


def affine(spec: InputSpec) -> tuple[Array, Array, Floats]:
    """What x is multiplied with (rule "multiply") or divided by, what is added then, and what after rounding.

    The first two are float32, the last is of whole float64 numbers; each has one entry or one per channel.
    """
    factor = (1 / spec.scale if spec.rule == "multiply" else spec.scale).astype(np.float32)
    if spec.rule == "divide_then_add":
        return factor, np.zeros(1, np.float32), spec.offset
    return factor, spec.offset.astype(np.float32), np.zeros(1)


def dequantize(spec: OutputSpec, q: Array) -> Array:
    """The network's last integers [N, H, W, C] or [N, C] as the model's floats, float32 [N, *shape].

    y = function((q - offset) * scale), computed in float64; `SOFTMAX` has the axes. Then, in float32, the output's own
    quantizer, where it has one.
    """
    y: Floats = (np.asarray(q, np.float64) - spec.offset) * spec.scale
    if spec.function in SOFTMAX:
        axis = SOFTMAX[spec.function]
        y = y - y.max(axis=axis, keepdims=True)
        total = np.exp(y).sum(axis=axis, keepdims=True)
        y = y - np.log(total) if spec.function.startswith("log") else np.exp(y) / total
    elif spec.function == "sigmoid":
        with np.errstate(over="ignore"):
            y = 1 / (1 + np.exp(-y))
    floats: Array = y.astype(np.float32)
    if spec.step:
        step = np.float32(spec.step)
        codes = np.clip(np.rint(floats / step) + np.float32(spec.zero_point), spec.low, spec.high)
        floats = ((codes - np.float32(spec.zero_point)) * step).astype(np.float32)
    if spec.layout == "CHW" and floats.ndim == 4:
        floats = floats.transpose(0, 3, 1, 2)
    return floats.reshape(len(floats), *spec.shape)
