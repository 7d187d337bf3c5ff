# SPDX-License-Identifier: Apache-2.0
"""Which attributes, inputs and outputs of each operator are read. What is not read is refused, never ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bitwright.errors import ModelError
from bitwright.readers.onnx.context import Context, NodeView
from bitwright.readers.onnx.file import QUANT_DOMAIN
from bitwright.readers.onnx.tensors import Constant

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


def _plain(*operators: str, inputs: int = 1, read: tuple[str, ...] = ()) -> dict[tuple[str, str], Surface]:
    return {("", op): Surface(read, inputs=inputs) for op in operators}


WINDOW = ("auto_pad", "dilations", "kernel_shape", "pads", "strides")
REDUCED = ("axes", "keepdims", "noop_with_empty_axes")
SURFACES: dict[tuple[str, str], Surface] = {
    **_plain("Abs", "GlobalAveragePool", "GlobalMaxPool", "HardSwish", "Identity", "Neg", "Relu", "Sigmoid", "Sign"),
    **_plain("Size", "Tanh"),
    **_plain("Add", "Div", "Expand", "MatMul", "Mul", "PRelu", "Pow", "Sub", inputs=2),
    **_plain("Max", "Min", "Sum", inputs=MANY),
    **_plain("Concat", inputs=MANY, read=("axis",)),
    **_plain("Celu", "Elu", "LeakyRelu", read=("alpha",)),
    **_plain("HardSigmoid", read=("alpha", "beta")),
    **_plain("Selu", read=("alpha", "gamma")),
    **_plain("ArgMax", read=("axis", "keepdims", "select_last_index")),
    **_plain("ReduceMax", "ReduceMean", "ReduceSum", inputs=2, read=REDUCED),
    **_plain("Softmax", "Flatten", read=("axis",)),
    **_plain("Gather", inputs=2, read=("axis",)),
    **_plain("Slice", inputs=5, read=("axes", "ends", "starts")),
    **_plain("Squeeze", "Unsqueeze", inputs=2, read=("axes",)),
    **_plain("Reshape", inputs=2, read=("allowzero",)),
    **_plain("Transpose", read=("perm",)),
    **_plain("Shape", read=("end", "start")),
    **_plain("Clip", inputs=3, read=("max", "min")),
    **_plain("Pad", inputs=4, read=("mode", "pads", "value")),
    **_plain("Upsample", inputs=2, read=("mode", "scales")),
    **_plain("Conv", inputs=3, read=(*WINDOW, "group")),
    **_plain("AveragePool", read=(*WINDOW, "ceil_mode", "count_include_pad")),
    ("", "MaxPool"): Surface((*WINDOW, "ceil_mode"), free=("storage_order",)),  # an order of the indices
    **_plain("Gemm", inputs=3, read=("alpha", "beta", "transA", "transB")),
    ("", "BatchNormalization"): Surface(("epsilon",), {"training_mode": (0,), "spatial": (1,)}, ("momentum",), 5),
    ("", "Cast"): Surface(("to",), free=("saturate", "round_mode")),  # of 8-bit floats, which are refused
    ("", "Dropout"): Surface(free=("ratio", "seed"), inputs=3),
    ("", "Resize"): Surface(
        ("axes", "coordinate_transformation_mode", "mode", "nearest_mode"),
        {"keep_aspect_ratio_policy": ("stretch",)},
        ("antialias", "cubic_coeff_a", "exclude_outside", "extrapolation_value"),  # of other modes than nearest
        4,
    ),
    ("ai.onnx.ml", "Scaler"): Surface(("offset", "scale")),
    ("ai.onnx.ml", "ZipMap"): Surface(free=("classlabels_int64s", "classlabels_strings")),
    (QUANT_DOMAIN, "Quant"): Surface(("narrow", "rounding_mode", "signed"), inputs=4),
    (QUANT_DOMAIN, "IntQuant"): Surface(("narrow", "rounding_mode", "signed"), inputs=4),
    (QUANT_DOMAIN, "BipolarQuant"): Surface(inputs=2),
    (QUANT_DOMAIN, "Trunc"): Surface(("narrow", "rounding_mode", "signed"), inputs=6),
    **{
        (domain, "QuantizeLinear"): Surface(
            ("axis", "output_dtype"), {"block_size": (0,), "precision": (0, 1)}, ("saturate",), 3
        )
        for domain in ("", "com.microsoft")
    },
    **{
        (domain, "DequantizeLinear"): Surface(("axis",), {"block_size": (0,), "output_dtype": (0, 1)}, inputs=3)
        for domain in ("", "com.microsoft")
    },
}
ADVICE = {
    "training_mode": f"is in training mode; {EVAL}",
    "spatial": "has statistics for every pixel (spatial 0); legal is one for each channel (spatial 1)",
    "block_size": "quantizes in blocks; legal are one scale, or one per channel",
}


def check(context: Context, node: NodeView) -> None:
    """Raise `ModelError` for an attribute, input or output that is used and would not be read."""
    if node.domain in ("", "ai.onnx") and node.op in RANDOM:
        raise ModelError("computes random numbers; legal are constants: draw them before exporting")
    surface = SURFACES.get((node.domain, node.op))
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
