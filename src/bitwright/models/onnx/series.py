# SPDX-License-Identifier: Apache-2.0
"""Operators on series, [N, C, T]: they are read as those on images of one row, [N, C, 1, T].

Operators that take any axis may find the channels last, [N, T, C]: those series are images [N, 1, T, C].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bitwright.models.onnx.context import Context, NodeView, node_shapes
from bitwright.models.onnx.surface import Reader
from bitwright.models.onnx.tensors import Constant, ConstantQuant, Tensor
from bitwright.network.types import Array

WINDOWS = ("AveragePool", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool", "MaxPool")
REDUCED = ("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceSumSquare")
LIFTED = frozenset(
    (
        *(*WINDOWS, *REDUCED, "Pad", "BatchNormalization", "PRelu", "Concat"),
        *(
            "Add",
            "Sub",
            "Mul",
            "Div",
            "Max",
            "Min",
            "Softmax",
            "LogSoftmax",
            "ArgMax",
            "QuantizeLinear",
            "DequantizeLinear",
        ),
    )
)
CHANNELS_FIRST = frozenset((*WINDOWS, "BatchNormalization", "PRelu"))  # by their definition
PAIRS = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_padding": 0}  # what stands in the place of the row


def is_series(node: NodeView, reader: Reader) -> bool:
    """Whether the node is an operator on a series."""
    tensors = [i for i in node.inputs if isinstance(i, Tensor)]
    return (node.op in LIFTED or reader.per_axis) and bool(tensors) and all(len(t.shape) == 3 for t in tensors)


def read(context: Context, node: NodeView, reader: Reader) -> tuple[Tensor | Constant, ...]:
    """What the reader of the operator makes of the node on images, as series again."""
    made = reader.function(context, Lifted(context, node, reader.per_axis))
    shapes = node_shapes(node, context.opset)
    found = []
    for name, result in zip(node.proto.output, made if isinstance(made, tuple) else (made,), strict=False):
        if isinstance(result, Tensor):
            shape = (1, *shapes[name][1:]) if name in shapes else (*result.shape[:2], *result.shape[3:])
            result = context.view(result.value, result.index.reshape(shape), result.codes)
        found.append(result)
    return tuple(found)


class Lifted(NodeView):
    """The node with a row of one pixel in all that it reads."""

    def __init__(self, context: Context, node: NodeView, per_axis: bool) -> None:
        super().__init__(node.proto, context)
        self.per_axis = per_axis
        self.row = 1 if node.op not in CHANNELS_FIRST and _channels_last(context, node) else 2  # the axis of the row
        self.inputs = [self._input(context, k, given) for k, given in enumerate(node.inputs)]

    def attribute(self, name: str, default: Any = None) -> Any:
        value = super().attribute(name, None)
        if value is None:
            return default
        if name in PAIRS:
            return [PAIRS[name], *value]
        if name in ("pads", "scales"):
            return _with_row(value, 0 if name == "pads" else 1.0, self.row)
        if name == "axis":
            return _axis(value, self.row)
        return [_axis(a, self.row) for a in value] if name == "axes" else value

    def _input(self, context: Context, k: int, given: Tensor | Constant | None) -> Tensor | Constant | None:
        if isinstance(given, Tensor):
            return context.view(given.value, np.expand_dims(given.index, self.row), given.codes)
        if given is None or given.array.ndim == 0:
            return given
        if self.op in REDUCED or (self.op == "Pad" and k == 3):
            return Constant(np.array([_axis(int(a), self.row) for a in given.array]))
        if self.op == "Pad" and k == 1 and not self.has_input(3):
            return Constant(np.array(_with_row(given.array, 0, self.row)))
        if self.per_axis:
            return Constant(np.array(_with_row(given.array, 1, self.row))) if given.array.size == 3 else given
        if given.array.ndim < 2:
            return given
        quant = given.quant
        if quant is not None:
            quant = ConstantQuant(self._lifted(quant.codes), self._lifted(quant.scale), quant.dtype)
        return Constant(self._lifted(given.array), quant)

    def _lifted(self, array: Array) -> Array:
        """A constant of two or three axes with an axis for the row."""
        return np.expand_dims(array, self.row - 4)

    def has_input(self, k: int) -> bool:
        """Whether input k is given."""
        return k < len(self.given) and self.given[k]


def _channels_last(context: Context, node: NodeView) -> bool:
    """Whether all tensors that a node reads are series with the channels last, and not also with the channels first."""
    tensors = [given for given in node.inputs if isinstance(given, Tensor)]

    def layouts(axis: int) -> set[str]:
        return {context.view(t.value, np.expand_dims(t.index, axis)).layout for t in tensors}

    return layouts(1) == {"HWC"} and "CHW" not in layouts(2)


def _axis(axis: int, row: int) -> int:
    """The axis, beside that of the row, that is one of the series."""
    return axis + 1 if axis >= row else axis - 1 if axis < row - 3 else axis


def _with_row(values: Any, number: Any, row: int) -> list[Any]:
    """Numbers for the axes of a series, or for begin and end of each, with those of the row.

    Operators that leave out the axes of samples and channels have one number, that of the last axis.
    """
    values = list(np.asarray(values).tolist())
    halves = [values] if len(values) in (1, 3) else [values[: len(values) // 2], values[len(values) // 2 :]]
    return [n for half in halves for n in (*half[: row - 3], number, *half[row - 3 :])]
