"""The operations of the integer network: what each computes, exactly, in integers.

Each operation is a frozen dataclass with `infer`, which checks the input types and gives the
output type, and `evaluate`, which computes it. Values have shape (H, W, C) or (C,); `evaluate`
takes and returns int64 arrays with a leading batch axis, [N, *shape]. Nothing here knows hardware.
Per-channel parameters have leading size C or 1 (the same for all channels).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import ClassVar

import numpy as np

from bitwright.errors import ModelError
from bitwright.network.lfsr import draws
from bitwright.network.types import IntType, TensorType


class Rounding(StrEnum):
    """How a fraction v / 2**s becomes an integer."""

    FLOOR = "floor"
    HALF_UP = "half_up"  # floor(v + 1/2)
    HALF_EVEN = "half_even"
    HALF_AWAY = "half_away"  # half away from zero
    STOCHASTIC = "stochastic"  # floor(v + r), r uniform in [0, 1) from `lfsr.draws`


class Op:
    """Base of all operations: array fields become read-only int64, equality compares contents."""

    arity: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if f.metadata.get("array") and value is not None:
                value = np.ascontiguousarray(np.asarray(value, dtype=np.int64))
                if value.flags.writeable:
                    value = value.copy()
                    value.flags.writeable = False
            elif isinstance(value, (list, tuple)):
                value = tuple(int(v) for v in value)
            elif f.type == "int":
                _require(
                    isinstance(value, (int, np.integer)), f"{f.name} is {str(value)[:40]!r}; legal is a whole number"
                )
                value = int(value)
            object.__setattr__(self, f.name, value)
        self.check()

    def check(self) -> None:
        """Raise `ModelError` where the parameters are illegal whatever the input."""

    def infer(self, *inputs: TensorType) -> TensorType:
        """Output type; raises `ModelError` where the inputs do not fit."""
        raise NotImplementedError

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        """Exact result, int64 [N, *shape]."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]


def array(default: object = None, *, required: bool = False):
    """A dataclass field that holds an int64 array."""
    if required:
        return field(metadata={"array": True})
    return field(default=default, metadata={"array": True})


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ModelError(message)


def _require_image(t: TensorType, what: str) -> tuple[int, int, int]:
    _require(len(t.shape) == 3, f"{what} takes a value of shape (H, W, C), not {t.shape}")
    return t.shape  # type: ignore[return-value]


def _require_channels(a: np.ndarray, channels: int, what: str) -> None:
    _require(
        a.shape[0] in (1, channels),
        f"{what} is given for {a.shape[0]} channels; legal are 1 (all alike) or {channels}",
    )


def window_output(size: int, kernel: int, stride: int, before: int, after: int, dilation: int = 1) -> int:
    """Output size along one axis: floor((size + pads - dilation*(kernel-1) - 1) / stride) + 1."""
    return (size + before + after - dilation * (kernel - 1) - 1) // stride + 1


def _check_window(kernel, stride, pads, dilation=(1, 1)) -> None:
    for name, v, n, low in (
        ("kernel", kernel, 2, 1),
        ("stride", stride, 2, 1),
        ("pads", pads, 4, 0),
        ("dilation", dilation, 2, 1),
    ):
        _require(len(v) == n and min(v) >= low, f"{name} must be {n} integers of at least {low}, not {v}")


def _window_shape(t: TensorType, kernel, stride, pads, dilation, what: str) -> tuple[int, int]:
    h, w, _ = _require_image(t, what)
    oh = window_output(h, kernel[0], stride[0], pads[0], pads[2], dilation[0])
    ow = window_output(w, kernel[1], stride[1], pads[1], pads[3], dilation[1])
    _require(
        oh >= 1 and ow >= 1,
        f"{what} window {tuple(kernel)} with dilation {tuple(dilation)} is larger than the padded input "
        f"({h + pads[0] + pads[2]}, {w + pads[1] + pads[3]})",
    )
    return oh, ow


def windows(x: np.ndarray, kernel, stride, pads, dilation=(1, 1), value: int = 0) -> np.ndarray:
    """View of all windows of x [N, H, W, C]: [N, OH, OW, KH, KW, C]; pads are (top, left, bottom, right)."""
    top, left, bottom, right = pads
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)
    span = [dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    view = np.lib.stride_tricks.sliding_window_view(x, span, axis=(1, 2))
    view = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return np.moveaxis(view, 3, 5)


def _dot_range(w: np.ndarray, low: int, high: int, bias: np.ndarray | None) -> tuple[int, int]:
    """Exact bounds of w @ x + bias over all x in [low, high]; w is [O, K]."""
    positive, negative = (part(w, 0).sum(1).astype(object) for part in (np.maximum, np.minimum))  # no overflow
    lo, hi = positive * low + negative * high, positive * high + negative * low
    if bias is not None:
        lo, hi = lo + bias.astype(object), hi + bias.astype(object)
    return int(lo.min()), int(hi.max())


def _check_weight(weight: np.ndarray, weight_type: IntType, bias: np.ndarray | None) -> None:
    _require(
        weight.size > 0 and weight_type.contains(weight),
        f"weights span [{weight.min() if weight.size else ''}, {weight.max() if weight.size else ''}], "
        f"outside {weight_type}",
    )
    _require(
        bias is None or bias.shape == (weight.shape[0],),
        f"bias has shape {None if bias is None else bias.shape}; legal is ({weight.shape[0]},)",
    )


@dataclass(frozen=True, eq=False)
class Conv2d(Op):
    """y[p, o] = bias[o] + sum over (i, j, c) of weight[o, i, j, c] * x[p*stride + (i, j)*dilation - pad, g(o), c].

    weight [O, KH, KW, C/groups]; output channel o reads the input channels of group o // (O/groups).
    pads are (top, left, bottom, right) and hold `pad_value`, which must belong to the input type.
    """

    weight: np.ndarray = array(required=True)
    weight_type: IntType = field(default=IntType(8, True))
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pad_value: int = 0
    bias: np.ndarray | None = array()

    @property
    def kernel(self) -> tuple[int, int]:
        return self.weight.shape[1:3]  # type: ignore[return-value]

    def check(self) -> None:
        _require(self.weight.ndim == 4, f"Conv2d weight must be [O, KH, KW, C/groups], not {self.weight.shape}")
        _check_weight(self.weight, self.weight_type, self.bias)
        _check_window(self.kernel, self.stride, self.pads, self.dilation)
        _require(
            self.groups >= 1 and self.weight.shape[0] % self.groups == 0,
            f"Conv2d has {self.weight.shape[0]} output channels, which {self.groups} groups do not divide",
        )

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        oh, ow = _window_shape(t, self.kernel, self.stride, self.pads, self.dilation, "Conv2d")
        expected = self.weight.shape[3] * self.groups
        _require(t.channels == expected, f"Conv2d takes {expected} input channels, not {t.channels}")
        _require(
            not any(self.pads) or t.dtype.contains(self.pad_value),
            f"Conv2d pad value {self.pad_value} is outside its input type {t.dtype}",
        )
        flat = self.weight.reshape(self.weight.shape[0], -1)
        low, high = _dot_range(flat, t.dtype.min, t.dtype.max, self.bias)
        return TensorType((oh, ow, self.weight.shape[0]), IntType.holding(low, high))

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        x = windows(inputs[0], self.kernel, self.stride, self.pads, self.dilation, self.pad_value)
        n, oh, ow, kh, kw, _ = x.shape
        x = x.reshape(n, oh, ow, kh, kw, self.groups, -1)
        w = self.weight.reshape(self.groups, -1, kh, kw, self.weight.shape[3])
        y = np.einsum("nyxijgc,goijc->nyxgo", x, w, optimize=True).reshape(n, oh, ow, -1)
        return y if self.bias is None else y + self.bias


@dataclass(frozen=True, eq=False)
class Dense(Op):
    """y[o] = bias[o] + sum over i of weight[o, i] * x[i]; weight [O, I], x (I,)."""

    weight: np.ndarray = array(required=True)
    weight_type: IntType = field(default=IntType(8, True))
    bias: np.ndarray | None = array()

    def check(self) -> None:
        _require(self.weight.ndim == 2, f"Dense weight must be [O, I], not {self.weight.shape}")
        _check_weight(self.weight, self.weight_type, self.bias)

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        expected = (self.weight.shape[1],)
        _require(t.shape == expected, f"Dense takes a value of shape {expected}, not {t.shape}")
        low, high = _dot_range(self.weight, t.dtype.min, t.dtype.max, self.bias)
        return TensorType((self.weight.shape[0],), IntType.holding(low, high))

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        y = inputs[0] @ self.weight.T
        return y if self.bias is None else y + self.bias


@dataclass(frozen=True, eq=False)
class Threshold(Op):
    """y = base[c] + step[c] * (number of k with x >= thresholds[c, k]).

    thresholds [C or 1, K], ascending along k; base, step [C or 1]. A threshold above the input's
    maximum never counts. step is +1 (rising), -1 (falling) or, for a bipolar output, +2 or -2.
    """

    thresholds: np.ndarray = array(required=True)
    dtype: IntType = field(default=IntType(1))
    base: np.ndarray = array(0)
    step: np.ndarray = array(1)

    def check(self) -> None:
        for name in ("base", "step"):
            object.__setattr__(self, name, np.atleast_1d(getattr(self, name)))
            _require(getattr(self, name).ndim == 1, f"Threshold {name} must have one axis")
        _require(self.thresholds.ndim == 2, f"thresholds must be [C or 1, K], not {self.thresholds.shape}")
        ascending = self.thresholds[:, 1:] >= self.thresholds[:, :-1]
        _require(bool(np.all(ascending)), "thresholds must ascend in each channel")
        _require(bool(np.all((self.step >= -2) & (self.step <= 2))), "Threshold steps lie in -2..2")
        last = self.base + self.step * self.thresholds.shape[1]
        reach = np.stack([np.broadcast_to(self.base, last.shape), last])
        _require(
            self.dtype.contains(reach),
            f"Threshold yields [{reach.min()}, {reach.max()}], outside its type {self.dtype}",
        )

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        for name in ("thresholds", "base", "step"):
            _require_channels(getattr(self, name), t.channels, f"Threshold {name}")
        return TensorType(t.shape, self.dtype)

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        (x,) = inputs
        per_channel = np.broadcast_to(self.thresholds, (x.shape[-1], self.thresholds.shape[1]))
        count = np.empty_like(x)
        for c, row in enumerate(per_channel):
            count[..., c] = np.searchsorted(row, x[..., c], side="right")
        return self.base + self.step * count


def _largest(a: np.ndarray) -> int:
    """Largest magnitude; int64 has none for its own minimum."""
    return max(-int(a.min()), int(a.max()))


def round_shift(v: np.ndarray, shift: np.ndarray, rounding: Rounding, seed: int = 1) -> np.ndarray:
    """v / 2**shift rounded to integers; int64 v [N, ..., C], shift [C or 1]."""
    half = (np.int64(1) << shift) >> 1
    if rounding is Rounding.FLOOR:
        return v >> shift
    if rounding is Rounding.HALF_UP:
        return (v + half) >> shift
    if rounding is Rounding.HALF_AWAY:
        return np.sign(v) * ((np.abs(v) + half) >> shift)
    if rounding is Rounding.HALF_EVEN:
        low = v >> shift
        rest = v - (low << shift)
        return low + ((rest > half) | ((rest == half) & (low & 1 == 1) & (shift > 0)))
    random = draws(seed, int(np.prod(v.shape[1:]))).reshape(v.shape[1:])
    return (v + (random & ((np.int64(1) << shift) - 1))) >> shift


@dataclass(frozen=True, eq=False)
class Requantize(Op):
    """y = clamp(round((x * multiplier[c] + bias[c]) / 2**shift[c]) + zero_point, dtype).

    multiplier, bias and shift are [C or 1], 0 <= shift <= 32, |x * multiplier + bias| < 2**62.
    Powers of two: multiplier 1. Stochastic rounding adds the low `shift` bits of the element's
    draw (see `lfsr.draws`) before the floor; `seed` starts the sequence.
    """

    dtype: IntType
    multiplier: np.ndarray = array(1)
    shift: np.ndarray = array(0)
    bias: np.ndarray = array(0)
    zero_point: int = 0
    rounding: Rounding = Rounding.HALF_EVEN
    seed: int = 1

    def check(self) -> None:
        for name in ("multiplier", "shift", "bias"):
            object.__setattr__(self, name, np.atleast_1d(getattr(self, name)))
            _require(getattr(self, name).ndim == 1, f"Requantize {name} must have one axis")
        object.__setattr__(self, "rounding", Rounding(self.rounding))
        low, high = int(self.shift.min()), int(self.shift.max())
        _require(low >= 0 and high <= 32, f"Requantize shifts lie in 0..32, not [{low}, {high}]")
        _require(1 <= self.seed < 1 << 32, f"Requantize seed lies in 1..2**32-1, not {self.seed}")
        _require(not self.dtype.bipolar, "Requantize cannot yield bipolar; use Threshold")

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        for name in ("multiplier", "shift", "bias"):
            _require_channels(getattr(self, name), t.channels, f"Requantize {name}")
        reach = max(-t.dtype.min, t.dtype.max) * _largest(self.multiplier) + _largest(self.bias)
        _require(reach < 1 << 62, f"Requantize product of {t.dtype} and its multiplier passes 62 bits")
        return TensorType(t.shape, self.dtype)

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        v = inputs[0] * self.multiplier + self.bias
        y = round_shift(v, self.shift, self.rounding, self.seed) + self.zero_point
        return np.clip(y, self.dtype.min, self.dtype.max)


@dataclass(frozen=True, eq=False)
class Lookup(Op):
    """y = table[c, index of x in `domain`]; table [C or 1, levels], entries in ascending order of x."""

    domain: IntType
    table: np.ndarray = array(required=True)
    dtype: IntType = field(default=IntType(8, True))

    def check(self) -> None:
        levels = self.domain.levels
        _require(
            self.table.ndim == 2 and self.table.shape[1] == levels,
            f"Lookup over {self.domain} needs a table [C or 1, {levels}], not {self.table.shape}",
        )
        _require(
            self.dtype.contains(self.table),
            f"Lookup table spans [{self.table.min()}, {self.table.max()}], outside its type {self.dtype}",
        )

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        _require_channels(self.table, t.channels, "Lookup table")
        _require(t.dtype == self.domain, f"Lookup is over {self.domain}, its input is {t.dtype}")
        return TensorType(t.shape, self.dtype)

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        (x,) = inputs
        table = np.broadcast_to(self.table, (x.shape[-1], self.table.shape[1]))
        return table[np.arange(x.shape[-1]), self.domain.index(x)]


def _same_shape(inputs: tuple[TensorType, ...], what: str) -> None:
    a, b = inputs
    _require(a.shape == b.shape, f"{what} takes two values of one shape, not {a.shape} and {b.shape}")


@dataclass(frozen=True, eq=False)
class Add(Op):
    """y = a + b, elementwise, in the narrowest type that holds every sum."""

    arity: ClassVar[int] = 2

    def infer(self, *inputs: TensorType) -> TensorType:
        _same_shape(inputs, "Add")
        a, b = (t.dtype for t in inputs)
        return TensorType(inputs[0].shape, IntType.holding(a.min + b.min, a.max + b.max))

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0] + inputs[1]


@dataclass(frozen=True, eq=False)
class Concat(Op):
    """y = the channels of a, then the channels of b; the type holds both."""

    arity: ClassVar[int] = 2

    def infer(self, *inputs: TensorType) -> TensorType:
        a, b = inputs
        _require(a.shape[:-1] == b.shape[:-1], f"Concat takes values of one size, not {a.shape} and {b.shape}")
        dtype = a.dtype
        if a.dtype != b.dtype:
            dtype = IntType.holding(min(a.dtype.min, b.dtype.min), max(a.dtype.max, b.dtype.max))
        return TensorType((*a.shape[:-1], a.channels + b.channels), dtype)

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        return np.concatenate(inputs, axis=-1)


@dataclass(frozen=True, eq=False)
class MaxPool(Op):
    """y = maximum over each window; padding never wins. pads are (top, left, bottom, right)."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    def check(self) -> None:
        _check_window(self.kernel, self.stride, self.pads)
        _require(
            all(p < k for p, k in zip(self.pads, self.kernel * 2, strict=True)),
            f"MaxPool pads {self.pads} must be smaller than the kernel {self.kernel}",
        )

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        shape = _window_shape(t, self.kernel, self.stride, self.pads, (1, 1), "MaxPool")
        return TensorType((*shape, t.channels), t.dtype)

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        low = int(np.iinfo(np.int64).min)
        return windows(inputs[0], self.kernel, self.stride, self.pads, value=low).max(axis=(3, 4))


@dataclass(frozen=True, eq=False)
class SumPool(Op):
    """y = sum over each window, padding counting as 0; an average pool is a SumPool and a Requantize."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    def check(self) -> None:
        _check_window(self.kernel, self.stride, self.pads)

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        shape = _window_shape(t, self.kernel, self.stride, self.pads, (1, 1), "SumPool")
        taps = self.kernel[0] * self.kernel[1]
        low = min(t.dtype.min, 0) if any(self.pads) else t.dtype.min
        return TensorType((*shape, t.channels), IntType.holding(taps * low, taps * t.dtype.max))

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        return windows(inputs[0], self.kernel, self.stride, self.pads).sum(axis=(3, 4))


@dataclass(frozen=True, eq=False)
class Pad(Op):
    """Rows and columns of `value` around the image; pads are (top, left, bottom, right)."""

    pads: tuple[int, int, int, int]
    value: int = 0

    def check(self) -> None:
        _require(len(self.pads) == 4 and min(self.pads) >= 0, f"pads must be 4 integers of at least 0, not {self.pads}")

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        h, w, c = _require_image(t, "Pad")
        _require(t.dtype.contains(self.value), f"Pad value {self.value} is outside its input type {t.dtype}")
        top, left, bottom, right = self.pads
        return TensorType((h + top + bottom, w + left + right, c), t.dtype)

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        top, left, bottom, right = self.pads
        return np.pad(inputs[0], ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=self.value)


@dataclass(frozen=True, eq=False)
class Resize(Op):
    """Nearest-neighbour enlargement by whole factors: y[i, j] = x[i // factor_h, j // factor_w]."""

    factor: tuple[int, int]

    def check(self) -> None:
        legal = len(self.factor) == 2 and min(self.factor) >= 1
        _require(legal, f"factor must be 2 integers of at least 1, not {self.factor}")

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        h, w, c = _require_image(t, "Resize")
        return TensorType((h * self.factor[0], w * self.factor[1], c), t.dtype)

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0].repeat(self.factor[0], axis=1).repeat(self.factor[1], axis=2)


@dataclass(frozen=True, eq=False)
class Flatten(Op):
    """(H, W, C) to (H*W*C,), row-major: the order of a stream of pixels."""

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType((inputs[0].size,), inputs[0].dtype)

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0].reshape(len(inputs[0]), -1)


@dataclass(frozen=True, eq=False)
class ArgMax(Op):
    """Index of the first maximum over the channels; (C,) to (1,), (H, W, C) to (H, W, 1)."""

    def infer(self, *inputs: TensorType) -> TensorType:
        (t,) = inputs
        return TensorType((*t.shape[:-1], 1), IntType.holding(0, max(1, t.channels - 1)))

    def evaluate(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0].argmax(axis=-1)[..., None].astype(np.int64)


OPS: dict[str, type[Op]] = {
    op.__name__: op
    for op in (
        Conv2d,
        Dense,
        Threshold,
        Requantize,
        Lookup,
        Add,
        Concat,
        MaxPool,
        SumPool,
        Pad,
        Resize,
        Flatten,
        ArgMax,
    )
}
