# SPDX-License-Identifier: Apache-2.0
"""From a fully quantized float graph to the integer network.

Every float value is an integer value and a chain: real = chain(integer), per channel, with exact
constants. Elementwise nodes only lengthen the chain. A quantizer turns the chain into one operation
(`steps.tabulate`); layers, sums and pools need a chain that is affine and act on the integers. What is left
of the chain at the end is the scale and offset of the output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from bitwright import limits
from bitwright.errors import ModelError, OptionError
from bitwright.models.exact.chain import ZERO, Affine, Chain, rationals, spread
from bitwright.models.graph import FloatGraph, FloatNode, Output, Port, Quantizer, TypedNode, is_a, ops
from bitwright.models.lowering import layers as lower_layers
from bitwright.models.lowering import moves as lower_moves
from bitwright.models.lowering import quant as lower_quant
from bitwright.models.lowering import sums as lower_sums
from bitwright.models.lowering.completion import integer_weights
from bitwright.models.lowering.grids import realize
from bitwright.models.lowering.reorder import inputs_quantized, quantizers_first
from bitwright.models.lowering.values import Builder, Value
from bitwright.models.problems import Breach, refusal
from bitwright.network.graph import Network
from bitwright.network.inputs import InputSpec, OutputSpec
from bitwright.network.nodes import needed
from bitwright.network.ops import ArgMax, Rounding
from bitwright.network.types import IntType, TensorType

TINY = 2.0**-200
INSIDE = "stands inside the model; legal is the end, or one quantizer at the end behind it"


def is_quantized(graph: FloatGraph) -> bool:
    """Whether the graph is to be lowered: it has integer weights, or quantizers that do not just read an input."""
    inner = (n for n in graph.of(ops.Quant) if not graph.layers or n.inputs[0] not in graph.input_names)
    return any(n.op.quantized for n in graph.layers) or any(True for _ in inner)


def lower(
    graph: FloatGraph,
    *,
    input_type: IntType | str | None = None,
    input_scale: float | None = None,
    multiplier_bits: int | None = None,
    align_bits: int | None = None,
    notes: list[str] | None = None,
) -> Network:
    """The integer network of a graph whose weights and activations are quantized.

    The first quantizer becomes the `InputSpec`. With `input_type` the network takes integers of that type,
    x = q * input_scale (1 unless given), and the first quantizer is tabulated like all others.

    Layers with float weights among quantized ones get weights of 8 bits, and functions of few bits that no quantizer
    follows a grid of 12 bits; `notes` says where.

    Quantizers are tabulated exactly. With `multiplier_bits` those of affine chains become a Requantize with
    the quantizer's own rounding and multipliers below 2**multiplier_bits, a pure shift (multiplier 1)
    where the ratio of the scales is a power of two; stochastic rounding is always of that kind, and functions
    that are not affine are tabulated all the same. Where something can only be approximated, such as the
    sum of two values whose scales have no common measure, a line is added to `notes`.

    `align_bits`, 8 to 30, rounds the alignment of sums whose scales have no common measure of so few bits, where
    without it they are exact or as close as 30 bits allow; `notes` says how far the codes are off.

    Raises `ModelError`, with every node that cannot be lowered, one line for each kind and rule.
    """
    if align_bits is not None and not 8 <= align_bits <= 30:
        raise OptionError(f"align_bits is {align_bits!r}; legal are 8 to 30, and None for exact sums")
    check_weights(graph)
    notes = [] if notes is None else notes
    graph = quantizers_first(inputs_quantized(integer_weights(graph, notes), notes))
    b = Builder(graph, multiplier_bits, notes, align_bits)
    values: dict[str, Value | None] = {p.value: _input(b, p, input_type, input_scale) for p in graph.inputs}
    problems: list[Breach] = []
    deadline = limits.Deadline()
    for node in graph.nodes:
        deadline.check("making integers of the model")
        inputs = [values[name] for name in node.inputs]
        values[node.name] = None
        if any(v is None for v in inputs):
            continue
        try:
            values[node.name] = _lower_node(b, node, [v for v in inputs if v is not None])
        except ModelError as error:
            problems.append(Breach(node.kind, node.name, str(error)))
    if problems:
        raise refusal(graph.source or graph.name, problems)
    outputs = _outputs(b, values)
    b.notes.extend(note for note, proofs in b.inexact.values() if not proofs or not all(proofs))
    idle = [name for name in graph.input_names if name not in b.inputs]
    if idle:
        raise ModelError(f"{graph.source or graph.name}: input {idle[0]!r} has no quantizer; legal is one for each")
    nodes = needed(b.nodes, [spec.value for spec in outputs])
    return Network(tuple(b.inputs[name] for name in graph.input_names), nodes, tuple(outputs), graph.name, graph.source)


def node_problems(graph: FloatGraph) -> list[str]:
    """The nodes of a float graph that `lower` refuses whatever their types, each with its rule."""
    inside = [n for n in graph.of(ops.Distribution) if not _is_at_end(graph, n)]
    return [f"{n.kind} {n.name!r}: {INSIDE}" for n in inside]


def _is_at_end(graph: FloatGraph, node: TypedNode[ops.Distribution]) -> bool:
    """Whether nothing, or one quantizer, stands behind the function of an output."""
    behind = graph.consumers[node.name]
    if len(behind) == 1 and isinstance(behind[0].op, ops.Quant):
        behind = graph.consumers[behind[0].name]
    return all(isinstance(reader.op, Output) for reader in behind)


def check_weights(graph: FloatGraph) -> None:
    """Raise `ModelError` where layers have float weights in a model that is not quantized."""
    floats = [n.name for n in graph.layers if not n.op.quantized]
    if floats and not is_quantized(graph):
        shown = ", ".join(floats[:3]) + (", ..." if len(floats) > 3 else "")
        raise ModelError(
            f"{graph.source or graph.name}: {len(floats)} of {len(graph.layers)} layers have float weights ({shown}); "
            "quantize the model first (`bitwright quantize`, or `bitwright.quantize`)"
        )


def _input(b: Builder, port: Port, input_type: IntType | str | None, input_scale: float | None) -> Value:
    shape = b.graph.shapes[port.value]
    if input_type is None:
        if input_scale is not None:
            raise ModelError("an input scale needs an input type, for instance input_type='uint8'")
        return Value("", TensorType(shape, IntType(1)), Chain(), source=port.value)
    dtype = IntType.parse(input_type) if isinstance(input_type, str) else input_type
    scale = 1.0 if input_scale is None else float(input_scale)
    t = TensorType(shape, dtype)
    spec = InputSpec(t, scale=np.array([scale]), shape=port.shape, layout=port.layout, rule="divide", name=port.value)
    b.start(spec)
    chain = Chain() if scale == 1 else Chain((Affine(rationals(scale), (ZERO,)),))
    return Value(port.value, spec.type, chain)


def _takes_steps(node: FloatNode) -> bool:
    """Whether the node computes what zeros between pixels make of it without them."""
    return isinstance(node.op, ops.Conv) and node.op.stride == (1, 1)


def _lower_node(b: Builder, node: FloatNode, inputs: list[Value]) -> Value:
    if not _takes_steps(node):
        inputs = [lower_moves.stretched(b, name, v) for name, v in zip(node.inputs, inputs, strict=True)]
    v, op = inputs[0], node.op
    if isinstance(op, ops.Elementwise):
        return v.then(*op.steps)
    if isinstance(op, ops.Quant) and v.end is not None:  # whose only reader it is
        return replace(v, end={**v.end, **_output_quantizer(op.quantizer)})
    if isinstance(op, ops.Quant):
        return lower_quant.quantize(b, node, v, op.quantizer)
    for i in inputs:
        if i.alignment is not None and i.alignment.name in b.inexact:  # only a quantizer can make up for an inexact sum
            b.inexact[i.alignment.name][1].append(False)
    if any(not i.name for i in inputs) and not isinstance(op, ops.Flatten):
        raise ModelError(
            "reads the model's input before any quantizer; quantize the input (`bitwright quantize` completes a model "
            "with --data), or give bitwright.load its integer type (input_type='uint8', input_scale=1/255)"
        )
    if is_a(node, ops.Distribution):
        if not _is_at_end(b.graph, node):
            raise ModelError(INSIDE)
        return replace(v, end={"function": node.op.function})
    return HANDLERS.get(type(op), lower_layers.move)(b, node, *inputs)


def _output_quantizer(q: Quantizer) -> dict[str, Any]:
    """The fields of `OutputSpec` for a quantizer behind its function."""
    plain = q.zero_after or (q.rounding == Rounding.HALF_EVEN and not q.zero_point.any())
    if not plain or q.dtype.bipolar or q.scale.size > 1 or q.zero_point.size > 1:
        raise ModelError("quantizes a softmax; legal is one scale, one zero point, and rounding as QuantizeLinear does")
    return {"step": float(q.scale[0]), "zero_point": int(q.zero_point[0]), "low": q.low, "high": q.high}


def _arg_max(b: Builder, node: FloatNode, v: Value) -> Value:
    """The first maximum of the real values; strictly rising functions of all channels alike do not matter."""
    steps = list(v.chain.steps)
    while steps and isinstance(steps[-1], (ops.Sigmoid, ops.Tanh)):
        steps.pop()
    v = realize(b, node, Value(v.name, v.type, Chain(tuple(steps))))
    line = v.line()
    scale, shift = (spread(a, v.type.channels) for a in (line.scale, line.shift))
    if len(set(scale)) > 1 or len(set(shift)) > 1 or scale[0] <= 0:
        v = lower_sums.common_grid(b, node, v, line)
    return b.value(node.name, ArgMax(), [v], Chain())


HANDLERS: dict[type[ops.Op], Callable[..., Value]] = {
    **lower_layers.HANDLERS,
    **lower_moves.HANDLERS,
    **lower_sums.HANDLERS,
    ops.ArgMax: _arg_max,
}


def _outputs(b: Builder, values: Mapping[str, Value | None]) -> list[OutputSpec]:
    found = []
    for port in b.graph.outputs:
        last = values[port.value]
        assert last is not None
        if last.alignment is not None and last.alignment.name in b.inexact:
            b.inexact[last.alignment.name][1].append(False)
        found.append(_output(b, port, last))
    return found


def _output(b: Builder, port: Port, last: Value) -> OutputSpec:
    """The value that leaves, and the scale and offset that make it real."""
    graph, end, last = b.graph, last.end or {}, lower_moves.stretched(b, port.value, last)
    steps = list(last.chain.steps)
    if steps and isinstance(steps[-1], ops.Sigmoid) and not end:
        end = {"function": "sigmoid"}
        last = Value(last.name, last.type, Chain(tuple(steps[:-1])))
    if last.name:
        last = realize(b, graph.node(port.value), last)
    if not last.name or last.name in b.inputs:
        raise ModelError(f"{graph.source or graph.name}: nothing is computed behind the quantizer of the input")
    line = last.line()
    channels = max(len(line.scale), len(line.shift))
    scale, shift = spread(line.scale, channels), spread(line.shift, channels)
    pairs = [_of_code(*pair) for pair in zip(scale, shift, strict=True)]
    return OutputSpec(
        scale=np.array([p[0] for p in pairs]),
        offset=np.array([p[1] for p in pairs]),
        shape=port.shape,
        layout=port.layout,
        value=last.name,
        name=port.name,
        **end,
    )


def _of_code(scale: Fraction, shift: Fraction) -> tuple[float, float]:
    """Scale and offset of (q - offset) * scale; a constant channel gets a scale too small to be seen."""
    if scale == 0:
        return TINY, -float(shift) / TINY
    return float(scale), float(-shift / scale)
