# SPDX-License-Identifier: Apache-2.0
"""Which attributes, inputs and outputs of each operator are read. What is not read is refused, never ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bitwright.errors import ModelError
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.tensors import Constant

EVAL = "export the model for inference (in PyTorch after model.eval())"
RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial")
MANY = 1 << 30


@dataclass(frozen=True)
class Surface:
    """What of an operator is read, over all its versions.

    read: attributes that its function reads; only: attributes that must have one of these values;
    free: attributes that change nothing of what is computed here; inputs: how many of them are read.
    """

    read: tuple[str, ...] = ()
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    inputs: int = 1


Surfaces = dict[tuple[str, str], Surface]  # by domain and operator


def plain(*operators: str, inputs: int = 1, read: tuple[str, ...] = ()) -> Surfaces:
    """Standard operators whose attributes are all read."""
    return {("", op): Surface(read, inputs=inputs) for op in operators}


ADVICE = {
    "training_mode": f"is in training mode; {EVAL}",
    "spatial": "has statistics for every pixel (spatial 0); legal is one for each channel (spatial 1)",
    "block_size": "quantizes in blocks; legal are one scale, or one per channel",
}


def check(context: Context, node: NodeView, surfaces: Surfaces) -> None:
    """Raise `ModelError` for an attribute, input or output that is used and would not be read."""
    if node.domain in ("", "ai.onnx") and node.op in RANDOM:
        raise ModelError("computes random numbers; legal are constants: draw them before exporting")
    surface = surfaces.get((node.domain, node.op))
    if surface is None:
        return
    for name in node.attribute_names:
        _check_attribute(node, surface, name)
    if any(node.given[surface.inputs :]):
        raise ModelError(f"has {len(node.given)} inputs; legal are at most {surface.inputs}")
    outputs = [name for name in node.proto.output[1:] if name]
    if node.op == "BatchNormalization" and outputs:
        raise ModelError(f"yields the statistics of training; {EVAL}")
    read = [name for name in outputs if name in context.read_names]
    if read and node.op == "Dropout":
        raise ModelError(f"yields its mask, {read[0]!r}, which is read; {EVAL}")
    if node.op == "Dropout" and node.has(2) and not _is_false(node.inputs[2]):
        raise ModelError(f"is in training mode; {EVAL}")


def _check_attribute(node: NodeView, surface: Surface, name: str) -> None:
    if name in surface.read or name in surface.free:
        return
    if name not in surface.only:
        legal = sorted({*surface.read, *surface.only, *surface.free})
        raise ModelError(f"has the attribute {name!r}; legal are {', '.join(legal) or 'none'}")
    value = node.attribute(name)
    if value not in surface.only[name]:
        allowed = " or ".join(map(str, surface.only[name]))
        raise ModelError(ADVICE.get(name, f"has {name} {value}; legal is {allowed}"))


def _is_false(value: object) -> bool:
    return isinstance(value, Constant) and not value.array.any()
