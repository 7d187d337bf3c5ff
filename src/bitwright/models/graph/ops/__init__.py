# SPDX-License-Identifier: Apache-2.0
"""The operations of the float graph: their parameters, and what the stages must know of them.

Each is a frozen dataclass with the shape of its value, and a role, which is the class it is derived from: `Layer`,
`Elementwise`, `Join`, `Move`, `Pool`. Whoever works on the graph asks for roles. Weight layouts are those of the
integer operations; arrays are float64.
"""

from bitwright.models.graph.ops.base import Op, Shape
from bitwright.models.graph.ops.elementwise import (
    Activation,
    Affine,
    Clip,
    Elementwise,
    Elu,
    Erf,
    Gelu,
    GeluTanh,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Mish,
    Pointwise,
    Product,
    Quant,
    Relu,
    Sigmoid,
    Sign,
    Silu,
    Softplus,
    Softsign,
    Tanh,
)
from bitwright.models.graph.ops.layers import AveragePool, Conv, Dense, Layer, MaxPool, Pool, QuantizedWeight
from bitwright.models.graph.ops.shapes import Add, ArgMax, Concat, Flatten, Join, Move, Mul, Pad, Resize, Softmax

__all__ = [
    "Activation",
    "Add",
    "Affine",
    "ArgMax",
    "AveragePool",
    "Clip",
    "Concat",
    "Conv",
    "Dense",
    "Elementwise",
    "Elu",
    "Erf",
    "Flatten",
    "Gelu",
    "GeluTanh",
    "HardSigmoid",
    "HardSwish",
    "Join",
    "Layer",
    "LeakyRelu",
    "MaxPool",
    "Mish",
    "Move",
    "Mul",
    "Op",
    "Pad",
    "Pointwise",
    "Pool",
    "Product",
    "Quant",
    "QuantizedWeight",
    "Relu",
    "Resize",
    "Shape",
    "Sigmoid",
    "Sign",
    "Silu",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
]
