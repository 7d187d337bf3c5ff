"""The float graph: a cleaned-up model between the ONNX file and the integer network.

The readers make it, the quantizer adds quantizers to it, and `lower` turns a fully quantized float
graph into the integer `Network`. Values have shape (H, W, C) or (C,), without a batch, as in the
integer network; shape arithmetic, constants, dropout and batch norms are folded away already, and
the weights behind a flattened image are in (H, W, C) order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bitwright.network.ops import Rounding
from bitwright.network.types import IntType

# Each kind with its attributes. Weight layouts are those of the integer operations; arrays are float64.
KINDS: dict[str, tuple[str, ...]] = {
    "Conv": ("weight", "bias", "stride", "pads", "dilation", "groups"),  # weight [O,KH,KW,C/groups], bias [O] or None
    "Dense": ("weight", "bias"),  # weight [O, I], bias [O] or None
    "Affine": ("scale", "shift"),  # x * scale + shift, each [C or 1]
    "Relu": (),
    "Clip": ("low", "high"),  # floats, may be infinite
    "LeakyRelu": ("slope",),  # [C or 1]; also PRelu
    "Sigmoid": (),
    "Tanh": (),
    "HardSigmoid": ("alpha", "beta"),
    "HardSwish": (),
    "Elu": ("alpha",),
    "Sign": (),
    "Add": (),  # two values
    "Concat": (),  # two values, channels
    "MaxPool": ("kernel", "stride", "pads"),
    "AveragePool": ("kernel", "stride", "pads", "count_include_pad"),  # global pooling: kernel = the whole image
    "Pad": ("pads", "value"),
    "Resize": ("factor",),
    "Flatten": (),
    "Softmax": (),
    "ArgMax": (),
    "Quant": ("quantizer",),  # a Quantizer: floats in, floats on its grid out
}


@dataclass(frozen=True, eq=False)
class Quantizer:
    """x -> (clamp(round(x / scale + zero_point), low..high) - zero_point) * scale.

    scale [C or 1] float64 positive; zero_point [C or 1] integer-valued; `low`, `high` the code limits
    (they express narrow range); `dtype` holds every code. For a bipolar dtype: x >= 0 -> +scale, else -scale.
    rounding is done after the clamp where both are given in QONNX order; results are the same.
    `seed` belongs to stochastic rounding.
    """

    dtype: IntType
    scale: np.ndarray
    zero_point: np.ndarray = field(default_factory=lambda: np.zeros(1))
    low: int | None = None
    high: int | None = None
    rounding: Rounding = Rounding.HALF_EVEN
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("scale", "zero_point"):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), np.float64)))
        object.__setattr__(self, "low", self.dtype.min if self.low is None else int(self.low))
        object.__setattr__(self, "high", self.dtype.max if self.high is None else int(self.high))


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """Integer weights: the float weight is values * scale[o]; a Conv or Dense node that has one is quantized.

    values: integers in the layout of the node's weight; scale [O or 1] float64.
    """

    values: np.ndarray
    dtype: IntType
    scale: np.ndarray


@dataclass(frozen=True, eq=False)
class FloatNode:
    """One operation of a kind in `KINDS`; `name` is also its value's name (the ONNX tensor name where there is one).

    `weight` of Conv and Dense is always the float weight; `quantized` its integer form where it has one.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    quantized: QuantizedWeight | None = None

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes[attribute]


@dataclass(frozen=True, eq=False)
class FloatGraph:
    """Nodes in topological order; the input value is called "input", the last node is the output.

    input_shape, input_layout: the model's own input without batch, e.g. (3, 32, 32) and "CHW" ("HWC", "C");
    output_shape, output_layout likewise. `shapes` gives every value's shape, (H, W, C) or (C,).
    """

    nodes: tuple[FloatNode, ...]
    shapes: Mapping[str, tuple[int, ...]]
    input_shape: tuple[int, ...]
    input_layout: str
    output_shape: tuple[int, ...]
    output_layout: str
    name: str = "model"
    source: str = ""
