# SPDX-License-Identifier: Apache-2.0
"""A float graph, with quantizers or without, as a torch module whose parameters have no scale of their own.

A weight is rms[o] * u, a bias rms[o] * sqrt(K) * v - w m, the scale of a grid s0 * exp(t), so that one learning rate of
Adam serves every layer of every network, and scales stay positive. m is what the layer reads on average: a code that
changes does not move the mean of what the layer computes, as a batch norm would see to. Parameters are parts of one
vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitwright.models.graph import INPUT, FloatGraph, FloatNode, TypedNode, is_a
from bitwright.models.graph.ops import Conv, Distribution, Layer, Quant, Relu
from bitwright.network.types import Array
from bitwright.training.fake import Grid, fake_quantize, fake_quantize_rows
from bitwright.training.functions import Function, function_of, pad
from bitwright.training.groups import scale_groups, source_of

LOG2 = math.log(2)


@dataclass(frozen=True)
class Rules:
    """How a graph is trained.

    power_of_two: scales stay powers of two; narrow: codes of weights that spare the least one of their type keep
    sparing it; half: convolutions in bfloat16.
    """

    power_of_two: bool = False
    narrow: bool = False
    half: bool = False


class Steps(nn.Module):
    """Scales s0 * exp(t), or with powers of two s0 * 2**round(t / log 2): t [1] or [O], s0 float64 of any length."""

    def __init__(self, count: int, power_of_two: bool) -> None:
        super().__init__()
        self.t = nn.Parameter(torch.zeros(count))
        self.power_of_two = power_of_two

    def factor(self) -> Tensor:
        """What the first scales are multiplied with; the gradient of rounding an exponent is 1."""
        if not self.power_of_two:
            return torch.exp(self.t)
        exponent = self.t / LOG2
        return torch.exp2(exponent + (torch.round(exponent) - exponent).detach())

    def exact(self) -> Array:
        """The factor in float64."""
        if self.power_of_two:
            return np.asarray(np.exp2(torch.round(self.t.detach() / LOG2).cpu().double().numpy()))
        return np.asarray(np.exp(self.t.detach().cpu().double().numpy()))


class TrainedLayer(nn.Module):
    """A convolution or dense layer; its weights [O, KH, KW, C/groups] or [O, I] as rows of a matrix."""

    def __init__(self, op: Layer, rules: Rules) -> None:
        super().__init__()
        self.op, self.half = op, rules.half
        weight, quantized = op.weight.reshape(len(op.weight), -1), op.quantized
        if quantized is not None:
            dtype, codes = quantized.dtype, quantized.values.reshape(weight.shape)
            weight = near_codes(weight, codes, quantized.scale, dtype.bipolar)
            spared = rules.narrow and dtype.bits > 1 and quantized.values.min() > dtype.min
            self.grid = Grid(dtype.min + spared, dtype.max, bipolar=dtype.bipolar)
            self.scale0 = np.asarray(quantized.scale, np.float64)
            self.steps = Steps(len(self.scale0), rules.power_of_two)
            self.register_buffer("s0", _tensor(self.scale0))
        rms = np.sqrt((weight**2).mean(1))
        rms[rms == 0] = 1.0
        self.register_buffer("rms", _tensor(rms[:, None]))
        self.u = nn.Parameter(_tensor(weight / rms[:, None]))
        self.register_buffer("unit", _tensor(rms * math.sqrt(weight.shape[1])))
        self.input_step: Callable[[], Tensor] | None = None  # where biases are whole numbers of accumulator units
        self.v = None if op.bias is None else nn.Parameter(_tensor(op.bias) / self.unit)
        self.register_buffer("center", torch.zeros(1, weight.shape[1]))

    def scale(self) -> Tensor:
        return (self.s0 * self.steps.factor()).expand(len(self.u))

    def weight(self) -> Tensor:
        """[O, K]."""
        weight = self.u * self.rms
        return weight if self.op.quantized is None else fake_quantize_rows(weight, self.scale(), self.grid)

    @torch.no_grad()
    def reads(self, x: Tensor) -> None:
        """Take the means of an input [N, C, ...] for those that biases allow for, and its spread for their unit."""
        if self.v is None:
            return
        x = x.float().transpose(0, 1).flatten(1)
        weight = self.weight()
        bias, shape = self._free_bias(weight), self.op.weight.shape
        groups = len(x) // shape[-1]
        means = x.mean(1).view(groups, 1, -1).expand(groups, math.prod(shape[1:-1]), -1).flatten(1)
        self.center = means.repeat_interleave(shape[0] // groups, 0) if groups > 1 else means
        self.unit *= float(x.var(1).mean().sqrt()) or 1.0
        self.v.copy_((bias + (weight * self.center).sum(1)) / self.unit)

    def bias(self, weight: Tensor) -> Tensor | None:
        """[O]; with powers of two on the grid of the accumulators, as shifts without multipliers need it."""
        if self.v is None:
            return None
        bias = self._free_bias(weight)
        if self.input_step is None:
            return bias
        unit = (self.input_step() * self.scale()).detach()
        return bias + (torch.round(bias / unit) * unit - bias).detach()

    def _free_bias(self, weight: Tensor) -> Tensor:
        return self.v * self.unit - (weight * self.center).sum(1)

    def forward(self, x: Tensor) -> Tensor:
        op, weight = self.op, self.weight()
        bias = self.bias(weight)
        if not isinstance(op, Conv):
            return F.linear(x.float(), weight, bias)
        weight = weight.view(op.weight.shape).permute(0, 3, 1, 2)
        top, left, bottom, right = op.pads
        even = (top, left) == (bottom, right)
        if not even:
            x = pad(x, op.pads)
        if self.half:
            x, weight, bias = x.bfloat16(), weight.bfloat16(), None if bias is None else bias.bfloat16()
        padding = (top, left) if even else 0
        return F.conv2d(x, weight, bias, tuple(op.stride), padding, tuple(op.dilation), op.groups)


def near_codes(weight: Array, codes: Array, scale: Array, bipolar: bool) -> Array:
    """Float weights [O, K] near the given ones that have these codes: where training starts.

    None lies close to the end of its code's interval, where the first steps would change many codes at once.
    """
    step = np.broadcast_to(scale, len(weight))[:, None]
    if bipolar:
        return codes * np.maximum(np.abs(weight), 0.25 * step)
    return (codes + np.clip((weight / step - codes) / 2, -0.25, 0.25)) * step


def _tensor(values: Array) -> Tensor:
    return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)


class GraphModule(nn.Module):
    """A float graph; `forward` gives what a softmax or an arg-max at the end reads, else the output."""

    def __init__(self, graph: FloatGraph, rules: Rules | None = None) -> None:
        super().__init__()
        self.graph, self.rules = graph, rules or Rules()
        self.groups = scale_groups(graph)
        self.layers, self.steps = nn.ModuleDict(), nn.ModuleDict()
        self.keys = {name: str(i) for i, name in enumerate([INPUT, *(n.name for n in graph.nodes)])}
        self.work: list[tuple[FloatNode, Function]] = []
        for node in graph.nodes:
            self.work.append((node, self._function(node)))
        self.flat = self._flattened()

    def _function(self, node: FloatNode) -> Function:
        key = self.keys[node.name]
        if is_a(node, Layer):
            layer = self.layers[key] = TrainedLayer(node.op, self.rules)
            if self.rules.power_of_two and node.op.quantized is not None and node.name not in self.graph.output_values:
                layer.input_step = self._step_of(node.inputs[0])
            return layer
        if is_a(node, Quant) and node.name in self.groups:
            grid, scale = Grid.of(node.op.quantizer), self._scale_of(node)
            return lambda x: fake_quantize(x, scale().to(x.device), grid)
        if self._is_softmax_grid(node) or self._is_clipped_anyway(node):
            return lambda x: x
        return function_of(node.op)

    def _scale_of(self, node: TypedNode[Quant]) -> Callable[[], Tensor]:
        """The scale of a quantizer as training has it."""
        scale = torch.as_tensor(node.op.quantizer.scale, dtype=torch.float32)
        if node.name not in self.groups:
            return lambda: scale
        root = self.keys[self.groups[node.name]]
        if root not in self.steps:
            self.steps[root] = Steps(1, self.rules.power_of_two)
        steps: Any = self.steps[root]
        return lambda: scale.to(steps.t.device) * steps.factor()

    def _step_of(self, value: str) -> Callable[[], Tensor] | None:
        """The scale of the grid that a value is on, where it has one."""
        source = source_of(self.graph, value)
        node = None if source is None else self.graph.node(source)
        if node is None or not is_a(node, Quant) or node.op.quantizer.scale.size > 1:
            return None
        return self._scale_of(node)

    def _is_softmax_grid(self, node: FloatNode) -> bool:
        source = node.inputs[0]
        return isinstance(node.op, Quant) and source != INPUT and isinstance(self.graph.node(source).op, Distribution)

    def _is_clipped_anyway(self, node: FloatNode) -> bool:
        """Whether all readers of a ReLU are grids that begin at 0."""
        readers = self.graph.consumers[node.name]
        return isinstance(node.op, Relu) and bool(readers) and all(map(_begins_at_zero, readers))

    def _flattened(self) -> Tensor:
        """One vector with all parameters, which become views of it, as their gradients of another one."""
        parameters = list(self.parameters())
        flat = torch.cat([p.detach().reshape(-1) for p in parameters] or [torch.zeros(0)])
        self.gradient = torch.zeros_like(flat)
        start = 0
        for p in parameters:
            end = start + p.numel()
            p.data, p.grad = flat[start:end].view_as(p), self.gradient[start:end].view_as(p)
            start = end
        return flat

    @torch.no_grad()
    def center(self, x: Tensor) -> None:
        """Tell every layer what it reads, of samples as `forward` takes them; the function stays the same."""
        self.forward(x, lambda function, value: function.reads(value) if isinstance(function, TrainedLayer) else None)

    def on(self, device: str) -> GraphModule:
        """Itself, moved to a device."""
        self.to(device)
        self.flat = self._flattened()
        return self

    def forward(
        self,
        x: Tensor,
        seen: Callable[[Function, Tensor], None] | None = None,
        features: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """[N, C, H, W] or [N, C], float32, to logits of the same kind.

        seen(function, input) comes before each node. features: takes what each layer but the last computes.
        """
        values = {INPUT: x}
        y = x
        for node, function in self.work:
            if seen is not None:
                seen(function, values[node.inputs[0]])
            y = function(*(values[name] for name in node.inputs))
            values[node.name] = y
        if features is not None:
            features.update((node.name, values[node.name].float()) for node in self.graph.layers[:-1])
        return y.float()


def _begins_at_zero(node: FloatNode) -> bool:
    grid = Grid.of(node.op.quantizer) if isinstance(node.op, Quant) else None
    return grid is not None and grid.nearest and not grid.bipolar and grid.low == 0 and grid.zero == (0.0,)
