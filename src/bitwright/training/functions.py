# SPDX-License-Identifier: Apache-2.0
"""The nodes of a float graph without trained parameters as functions of torch tensors, [N, C, H, W] or [N, C]."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bitwright.errors import ModelError
from bitwright.models.graph import FloatNode
from bitwright.training.fake import Grid, fake_quantize

Function = Callable[..., Tensor]


def function_of(node: FloatNode) -> Function:
    """The node as a function of its inputs; `ModelError` for a kind that has none."""
    make = MAKERS.get(node.kind)
    if make is None:
        raise ModelError(f"node {node.name!r} ({node.kind}) cannot be trained through")
    return make(node)


def _per_channel(values: Any) -> Callable[[Tensor], Tensor]:
    """Constants [C or 1] in the shape and place of a tensor."""
    constant = torch.as_tensor(values, dtype=torch.float32).reshape(-1)
    return lambda x: constant.to(x.device).view(1, -1, *[1] * (x.ndim - 2))


def _affine(node: FloatNode) -> Function:
    scale, shift = _per_channel(node["scale"]), _per_channel(node["shift"])
    return lambda x: (x * scale(x) + shift(x)).to(x.dtype)


def _leaky(node: FloatNode) -> Function:
    slope = _per_channel(node["slope"])
    return lambda x: torch.where(x >= 0, x, x * slope(x)).to(x.dtype)


def _sign(x: Tensor) -> Tensor:
    """The sign, with the gradient of a clip to [-1, 1]."""
    inside = torch.clamp(x, -1, 1)
    return inside + (torch.sign(x) - inside).detach()


def _quantizer(node: FloatNode) -> Function:
    """A quantizer whose scale is not trained."""
    quantizer = node["quantizer"]
    scale, grid = torch.as_tensor(quantizer.scale, dtype=torch.float32), Grid.of(quantizer)
    return lambda x: fake_quantize(x, scale.to(x.device), grid)


def _product(node: FloatNode) -> Function:
    sides = [[function_of(n) for n in node[side]] for side in ("left", "right")]

    def product(x: Tensor) -> Tensor:
        factors = []
        for side in sides:
            y = x
            for step in side:
                y = step(y)
            factors.append(y)
        return factors[0] * factors[1]

    return product


def pad(x: Tensor, pads: tuple[int, int, int, int], value: float = 0.0) -> Tensor:
    """With pixels (top, left, bottom, right) around it."""
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=value) if any(pads) else x


def _max_pool(node: FloatNode) -> Function:
    kernel, stride, pads = tuple(node["kernel"]), tuple(node["stride"]), node["pads"]
    return lambda x: F.max_pool2d(pad(x, pads, -math.inf), kernel, stride)


def _average_pool(node: FloatNode) -> Function:
    """In float32: means of many values have more bits than bfloat16."""
    kernel, stride, pads = tuple(node["kernel"]), tuple(node["stride"]), node["pads"]
    counts_pads = node["count_include_pad"] or not any(pads)

    def pool(x: Tensor) -> Tensor:
        y = F.avg_pool2d(pad(x.float(), pads), kernel, stride)
        if counts_pads:
            return y
        inside = pad(torch.ones_like(x[:1, :1], dtype=torch.float32), pads)
        return y / F.avg_pool2d(inside, kernel, stride)

    return pool


def _resize(node: FloatNode) -> Function:
    high, wide = node["factor"]
    return lambda x: x.repeat_interleave(high, 2).repeat_interleave(wide, 3)


def _flatten(x: Tensor) -> Tensor:
    """In (H, W, C) order."""
    return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x


def _same(x: Tensor) -> Tensor:
    return x


def _plain(function: Function) -> Callable[[FloatNode], Function]:
    return lambda node: function


# Softmax and ArgMax stand at the end: training compares what they read.
MAKERS: Mapping[str, Callable[[FloatNode], Function]] = {
    "Affine": _affine,
    "Relu": _plain(F.relu),
    "Clip": lambda n: lambda x: torch.clamp(x, n["low"], n["high"]),
    "LeakyRelu": _leaky,
    "Sigmoid": _plain(torch.sigmoid),
    "Tanh": _plain(torch.tanh),
    "HardSigmoid": lambda n: lambda x: torch.clamp(x * n["alpha"] + n["beta"], 0, 1),
    "HardSwish": _plain(F.hardswish),
    "Silu": _plain(F.silu),
    "Elu": lambda n: lambda x: F.elu(x, n["alpha"]),
    "Sign": _plain(_sign),
    "Product": _product,
    "Add": _plain(torch.add),
    "Concat": _plain(lambda a, b: torch.cat((a.to(b.dtype), b) if a.dtype != b.dtype else (a, b), 1)),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "Pad": lambda n: lambda x: pad(x, n["pads"], n["value"]),
    "Resize": _resize,
    "Flatten": _plain(_flatten),
    "Softmax": _plain(_same),
    "ArgMax": _plain(_same),
    "Quant": _quantizer,
}
