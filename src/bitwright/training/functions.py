# SPDX-License-Identifier: Apache-2.0
"""The nodes of a float graph without trained parameters as functions of torch tensors, [N, C, H, W] or [N, C]."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bitwright.errors import ModelError
from bitwright.models.exact.formula import computed
from bitwright.models.graph import ops
from bitwright.training.fake import Grid, fake_quantize

Function = Callable[..., Tensor]


def function_of(op: ops.Op) -> Function:
    """The operation as a function of its inputs; `ModelError` for one that has none."""
    make = MAKERS.get(type(op))
    if make is None:
        raise ModelError(f"{type(op).__name__} cannot be trained through")
    return make(op)


def _per_channel(values: Any) -> Callable[[Tensor], Tensor]:
    """Constants [C or 1] in the shape and place of a tensor."""
    constant = torch.as_tensor(values, dtype=torch.float32).reshape(-1)
    return lambda x: constant.to(x.device).view(1, -1, *[1] * (x.ndim - 2))


def _affine(op: ops.Affine) -> Function:
    scale, shift = _per_channel(op.scale), _per_channel(op.shift)
    return lambda x: (x * scale(x) + shift(x)).to(x.dtype)


def _leaky(op: ops.LeakyRelu) -> Function:
    slope = _per_channel(op.slope)
    return lambda x: torch.where(x >= 0, x, x * slope(x)).to(x.dtype)


def _sign(x: Tensor) -> Tensor:
    """The sign, with the gradient of a clip to [-1, 1]."""
    inside = torch.clamp(x, -1, 1)
    return inside + (torch.sign(x) - inside).detach()


def _quantizer(op: ops.Quant) -> Function:
    """A quantizer whose scale is not trained."""
    quantizer = op.quantizer
    scale, grid = torch.as_tensor(quantizer.scale, dtype=torch.float32), Grid.of(quantizer)
    return lambda x: fake_quantize(x, scale.to(x.device), grid)


def _product(op: ops.Product) -> Function:
    sides = [[function_of(step) for step in side] for side in (op.left, op.right)]

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


def _max_pool(op: ops.MaxPool) -> Function:
    window = tuple(op.kernel), tuple(op.stride), 0, tuple(op.dilation)
    return lambda x: F.max_pool2d(pad(x, op.pads, -math.inf), *window)


def _average_pool(op: ops.AveragePool) -> Function:
    """In float32: means of many values have more bits than bfloat16."""
    kernel, stride, pads = tuple(op.kernel), tuple(op.stride), op.pads
    counts_pads = op.count_include_pad or not any(pads)

    def mean(x: Tensor) -> Tensor:
        if tuple(op.dilation) == (1, 1):
            return F.avg_pool2d(x, kernel, stride)
        weight = torch.full((x.shape[1], 1, *kernel), 1 / math.prod(kernel), dtype=x.dtype, device=x.device)
        return F.conv2d(x, weight, None, stride, 0, tuple(op.dilation), x.shape[1])

    def pool(x: Tensor) -> Tensor:
        y = mean(pad(x.float(), pads))
        if counts_pads:
            return y
        return y / mean(pad(torch.ones_like(x[:1, :1], dtype=torch.float32), pads))

    return pool


def _resize(op: ops.Resize) -> Function:
    high, wide = op.factor

    def resize(x: Tensor) -> Tensor:
        x = x[..., None, None] if x.ndim == 2 else x
        return x.repeat_interleave(high, 2).repeat_interleave(wide, 3)

    return resize


def _pixels(op: ops.Pixels) -> Function:
    rows, columns = list(op.rows), list(op.columns)
    return lambda x: x[:, :, rows][:, :, :, columns]


def _stretch(op: ops.Stretch) -> Function:
    high, wide = op.factor

    def stretch(x: Tensor) -> Tensor:
        y = x.new_zeros((*x.shape[:2], x.shape[2] * high, x.shape[3] * wide))
        y[:, :, ::high, ::wide] = x
        return y

    return stretch


def _interpolation(op: ops.Interpolation) -> Function:
    def interpolate(x: Tensor) -> Tensor:
        for axis, line in ((2, op.rows), (3, op.columns)):
            part = torch.as_tensor(line.weights, dtype=torch.float32, device=x.device) / line.whole
            part = part.view(-1, *[1] * (3 - axis))
            places = torch.as_tensor(line.places, device=x.device)
            after = torch.clamp(places + 1, max=x.shape[axis] - 1)
            x = x.index_select(axis, places) * (1 - part) + x.index_select(axis, after) * part
        return x

    return interpolate


def _depth_to_space(op: ops.DepthToSpace) -> Function:
    high, wide = op.factor

    def blocks(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = x.reshape(n, c // (high * wide), high, wide, h, w).permute(0, 1, 4, 2, 5, 3)
        return y.reshape(n, -1, h * high, w * wide)

    return blocks


def _blend(op: ops.Blend) -> Function:
    window = torch.as_tensor(op.window / op.window.sum(), dtype=torch.float32)

    def blend(x: Tensor) -> Tensor:
        weight = window.to(x.device).expand(x.shape[1], 1, *window.shape)
        return F.conv2d(x.float(), weight, groups=x.shape[1])

    return blend


def _flatten(x: Tensor) -> Tensor:
    """In (H, W, C) order."""
    return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x


def _same(x: Tensor) -> Tensor:
    return x


def _plain(function: Function) -> Callable[[ops.Op], Function]:
    return lambda op: function


OPERATIONS: Mapping[str, Callable[..., Any]] = {  # as torch computes them
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Div": torch.div,
    "Pow": torch.pow,
    "Neg": torch.neg,
    "Max": torch.maximum,
    "Min": torch.minimum,
    "Where": torch.where,
    "Reciprocal": torch.reciprocal,
    "Round": torch.round,
    "Softplus": F.softplus,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Equal": torch.eq,
    "Not": torch.logical_not,
    "And": torch.logical_and,
    "Or": torch.logical_or,
    **{
        name: getattr(torch, name.lower())
        for name in (
            *("Abs", "Sign", "Relu", "Exp", "Log", "Sqrt", "Erf", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan"),
            *("Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Floor", "Ceil", "Sigmoid"),
        )
    },
}


def _function(op: ops.Function) -> Function:
    def tensors(kind: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: kind(*(a if isinstance(a, Tensor) else torch.tensor(a) for a in given))

    operations = {name: tensors(kind) for name, kind in OPERATIONS.items()}
    return lambda x: torch.as_tensor(computed(op.formula, x, operations))


# Distributions and ArgMax stand at the end: training compares what they read.
MAKERS: Mapping[type[ops.Op], Callable[[Any], Function]] = {
    ops.Affine: _affine,
    ops.Relu: _plain(F.relu),
    ops.Clip: lambda op: lambda x: torch.clamp(x, op.low, op.high),
    ops.LeakyRelu: _leaky,
    ops.Sigmoid: _plain(torch.sigmoid),
    ops.Tanh: _plain(torch.tanh),
    ops.HardSigmoid: lambda op: lambda x: torch.clamp(x * op.alpha + op.beta, 0, 1),
    ops.HardSwish: _plain(F.hardswish),
    ops.Silu: _plain(F.silu),
    ops.Gelu: _plain(F.gelu),
    ops.GeluTanh: _plain(functools.partial(F.gelu, approximate="tanh")),
    ops.Mish: _plain(F.mish),
    ops.Erf: _plain(torch.erf),
    ops.Softplus: _plain(F.softplus),
    ops.Softsign: _plain(F.softsign),
    ops.Elu: lambda op: lambda x: F.elu(x, op.alpha),
    ops.Sign: _plain(_sign),
    ops.Function: _function,
    ops.Product: _product,
    ops.Add: _plain(torch.add),
    ops.Mul: _plain(torch.mul),
    ops.Concat: _plain(lambda a, b: torch.cat((a.to(b.dtype), b), 1)),
    ops.MaxPool: _max_pool,
    ops.AveragePool: _average_pool,
    ops.Pad: lambda op: lambda x: pad(x, op.pads, op.value),
    ops.Resize: _resize,
    ops.Channels: lambda op: lambda x: x[:, list(op.picked)],
    ops.Pixels: _pixels,
    ops.Stretch: _stretch,
    ops.DepthToSpace: _depth_to_space,
    ops.Stack: lambda op: lambda a, b: torch.cat((a.to(b.dtype), b), 2 + op.axis),
    ops.Blend: _blend,
    ops.Interpolation: _interpolation,
    ops.ChannelMean: _plain(lambda x: x.float().mean(1, keepdim=True)),
    ops.ChannelMax: _plain(lambda x: x.amax(1, keepdim=True)),
    ops.Flatten: _plain(_flatten),
    ops.Softmax: _plain(_same),
    ops.LogSoftmax: _plain(_same),
    ops.ArgMax: _plain(_same),
    ops.Quant: _quantizer,
}
