# SPDX-License-Identifier: Apache-2.0
"""What all operations have in common: fields, equality, checks, and the windows of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from bitwright.errors import ModelError
from bitwright.network.types import Array, Interval, Ints, TensorType


@dataclass(frozen=True, eq=False)
class Op:
    """Base of all operations: array fields become read-only int64, equality compares contents."""

    arity: ClassVar[int] = 1

    @property
    def repeats(self) -> tuple[int, int] | None:
        """How often each row and each column of the input comes in the result; None where that is not all it does."""
        return None

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
                require(
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

    def evaluate(self, *inputs: Ints) -> Ints:
        """Exact result, int64 [N, *shape]."""
        raise NotImplementedError

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        """Bounds of every channel of the result and of its partial sums; `shape` is that of the first input."""
        raise NotImplementedError

    def is_trivial(self, t: TensorType) -> bool:
        """Whether it hands on an input of type t as it is."""
        return False

    def work(self, result: TensorType) -> int:
        """Operations on numbers that one sample takes."""
        return result.size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Op) or type(self) is not type(other):
            return NotImplemented
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]  # equal contents, which may be large: no use as a key


def array(default: object = None, *, required: bool = False) -> Any:
    """A dataclass field that holds an int64 array."""
    if required:
        return field(metadata={"array": True})
    return field(default=default, metadata={"array": True})


def require(condition: bool | np.bool_, message: str) -> None:
    """`ModelError` with the message unless the condition holds."""
    if not condition:
        raise ModelError(message)


def require_image(t: TensorType, what: str) -> tuple[int, int, int]:
    """The shape (H, W, C), which `what` needs."""
    require(len(t.shape) == 3, f"{what} takes a value of shape (H, W, C), not {t.shape}")
    h, w, c = t.shape
    return h, w, c


def require_channels(a: Ints, channels: int, what: str) -> None:
    """`ModelError` unless the parameter has one entry or one per channel."""
    require(
        a.shape[0] in (1, channels),
        f"{what} is given for {a.shape[0]} channels; legal are 1 (all alike) or {channels}",
    )


def window_output(size: int, kernel: int, stride: int, before: int, after: int, dilation: int = 1) -> int:
    """Output size along one axis: floor((size + pads - dilation*(kernel-1) - 1) / stride) + 1."""
    return (size + before + after - dilation * (kernel - 1) - 1) // stride + 1


def all_see_pixels(size: int, kernel: int, stride: int, before: int, dilation: int, count: int) -> bool:
    """Whether all of the windows along one axis have a tap inside the image."""
    places = np.arange(count)[:, None] * stride - before + np.arange(kernel) * dilation
    return bool(((places >= 0) & (places < size)).any(axis=1).all())


def check_window(
    kernel: Sequence[int], stride: Sequence[int], pads: Sequence[int], dilation: Sequence[int] = (1, 1)
) -> None:
    """`ModelError` where a window has too few numbers or too small ones."""
    for name, v, n, low in (
        ("kernel", kernel, 2, 1),
        ("stride", stride, 2, 1),
        ("pads", pads, 4, 0),
        ("dilation", dilation, 2, 1),
    ):
        require(len(v) == n and min(v) >= low, f"{name} must be {n} integers of at least {low}, not {v}")


def window_shape(
    t: TensorType,
    kernel: Sequence[int],
    stride: Sequence[int],
    pads: Sequence[int],
    dilation: Sequence[int],
    what: str,
) -> tuple[int, int]:
    """(OH, OW) of windows over an image of type t; `ModelError` where no window fits."""
    h, w, _ = require_image(t, what)
    oh = window_output(h, kernel[0], stride[0], pads[0], pads[2], dilation[0])
    ow = window_output(w, kernel[1], stride[1], pads[1], pads[3], dilation[1])
    require(
        oh >= 1 and ow >= 1,
        f"{what} window {tuple(kernel)} with dilation {tuple(dilation)} is larger than the padded input "
        f"({h + pads[0] + pads[2]}, {w + pads[1] + pads[3]})",
    )
    return oh, ow


def windows(
    x: Array,
    kernel: Sequence[int],
    stride: Sequence[int],
    pads: Sequence[int],
    dilation: Sequence[int] = (1, 1),
    value: Any = 0,
) -> Array:
    """View of all windows of x [N, H, W, C]: [N, OH, OW, KH, KW, C]; pads are (top, left, bottom, right)."""
    top, left, bottom, right = pads
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)
    span = [dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    view = np.lib.stride_tricks.sliding_window_view(x, span, axis=(1, 2))
    view = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return np.moveaxis(view, 3, 5)
