# SPDX-License-Identifier: Apache-2.0
"""The readers of operators, each with what it reads: what it does not is refused, never ignored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bitwright.errors import ModelError
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.tensors import Constant, Tensor

EVAL = "export the model for inference (in PyTorch after model.eval())"
RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial")
MANY = 1 << 30
Function = Callable[[Context, NodeView], Tensor | Constant | tuple[Tensor, ...]]


@dataclass(frozen=True)
class Reader:
    """The function that makes float nodes of an operator, and what of it is read, over all its versions.

    read: attributes that the function reads; only: attributes that must have one of these values;
    free: attributes that change nothing of what is computed here; inputs: how many of them are read; per_axis: whether
    they are numbers for every axis.
    """

    function: Function
    read: tuple[str, ...] = ()
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    inputs: int = 1
    per_axis: bool = False


Readers = dict[tuple[str, str], Reader]  # by domain and operator


def reads(function: Function, *operators: str, read: tuple[str, ...] = (), inputs: int = 1) -> Readers:
    """Of standard operators whose attributes are all read."""
    return {("", op): Reader(function, read, inputs=inputs) for op in operators}


STATISTICS = "normalizes by statistics of its input; legal is BatchNormalization, whose statistics are constants"
BEHIND = "picks from what a network yields; legal are outputs before it: choose one with `output` (--output-name)"
UNSUPPORTED: dict[str, str] = {  # what is said of operators that no reader knows
    **dict.fromkeys(
        ("GroupNormalization", "InstanceNormalization", "LayerNormalization", "LpNormalization", "LRN"), STATISTICS
    ),
    **dict.fromkeys(("MeanVarianceNormalization", "RMSNormalization"), STATISTICS),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), "is recurrent; legal are convolutions over time"),
    **dict.fromkeys(("NonMaxSuppression", "TopK", "NonZero", "RoiAlign"), BEHIND),
}


ADVICE = {
    "training_mode": f"is in training mode; {EVAL}",
    "spatial": "has statistics for every pixel (spatial 0); legal is one for each channel (spatial 1)",
    "block_size": "quantizes in blocks; legal are one scale, or one per channel",
}


def check(context: Context, node: NodeView, reader: Reader | None) -> None:
    """Raise `ModelError` for an attribute, input or output that is used and would not be read."""
    if node.domain in ("", "ai.onnx") and node.op in RANDOM:
        raise ModelError("computes random numbers; legal are constants: draw them before exporting")
    if reader is None or (node.op == "BatchNormalization" and node.all_constant):
        return  # standardized weights are constants
    for name in node.attribute_names:
        _check_attribute(node, reader, name)
    if any(node.given[reader.inputs :]):
        raise ModelError(f"has {len(node.given)} inputs; legal are at most {reader.inputs}")
    outputs = [name for name in node.proto.output[1:] if name]
    if node.op == "BatchNormalization" and outputs:
        raise ModelError(f"yields the statistics of training; {EVAL}")
    read = [name for name in outputs if name in context.read_names]
    if read and node.op == "Dropout":
        raise ModelError(f"yields its mask, {read[0]!r}, which is read; {EVAL}")
    if node.op == "Dropout" and node.has(2) and not _is_false(node.inputs[2]):
        raise ModelError(f"is in training mode; {EVAL}")


def _check_attribute(node: NodeView, reader: Reader, name: str) -> None:
    if name in reader.read or name in reader.free:
        return
    if name not in reader.only:
        legal = sorted({*reader.read, *reader.only, *reader.free})
        raise ModelError(f"has the attribute {name!r}; legal are {', '.join(legal) or 'none'}")
    value = node.attribute(name)
    if value not in reader.only[name]:
        allowed = " or ".join(map(str, reader.only[name]))
        raise ModelError(ADVICE.get(name, f"has {name} {value}; legal is {allowed}"))


def _is_false(value: object) -> bool:
    return isinstance(value, Constant) and not value.array.any()
