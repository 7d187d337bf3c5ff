# SPDX-License-Identifier: Apache-2.0
"""Where training starts: the network of post-training quantization, or a model that is quantized already."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from bitwright.errors import ModelError, OptionError
from bitwright.models import lower
from bitwright.models.graph import FloatGraph, FloatNode, TypedNode, is_a
from bitwright.models.graph.ops import (
    Affine,
    HardSigmoid,
    HardSwish,
    Layer,
    Op,
    Product,
    Quant,
    Relu,
    Sigmoid,
    Sign,
    Silu,
)
from bitwright.network import Network
from bitwright.network.types import Array
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.ptq import Prepared, finish, prepare, resolve_widths
from bitwright.quantization.ranges.calibrate import Progress
from bitwright.quantization.report import QuantizationReport, make_report
from bitwright.training.export import as_computed
from bitwright.training.groups import is_of_input
from bitwright.training.options import MAX_TRAINED_BITS, start_options

GATES: dict[tuple[type[Op], ...], type[Op]] = {(Sigmoid,): Silu, (HardSigmoid,): HardSwish}


@dataclass(frozen=True, eq=False)
class Start:
    """teacher: the model as it was given; graph: the quantized one that is trained, with its network.

    prepared: what post-training quantization knows of the float model; None where the model was quantized already.
    """

    teacher: FloatGraph
    graph: FloatGraph
    network: Network
    prepared: Prepared | None = None

    def lowered(self, graph: FloatGraph) -> Network:
        """The integer network of the trained graph, whose biases and multipliers stay as trained (see `settle`)."""
        return lower(graph, multiplier_bits=self.prepared.options.multiplier_bits if self.prepared else None)

    def computed(self, graph: FloatGraph, network: Network) -> FloatGraph:
        """The trained graph as its integer network computes it; that of a quantized model is exact as it is."""
        return graph if self.prepared is None else as_computed(graph, network)

    def report(self, graph: FloatGraph, network: Network, seconds: float) -> QuantizationReport:
        """The report of quantization with the layers and grids of the trained graph."""
        if self.prepared is None:
            return make_report(self.teacher, graph, network, {}, QuantizeOptions(), 0, seconds)
        p = self.prepared
        return make_report(p.graph, graph, network, p.seen, p.options, len(p.x), seconds)


def has_grids(graph: FloatGraph) -> bool:
    """Whether any value or weight of a model is quantized already."""
    return bool(graph.of(Quant)) or any(node.op.quantized is not None for node in graph.layers)


def start_of(
    graph: FloatGraph, calibration: Array, options: QuantizeOptions, narrower: bool, progress: Progress
) -> Start:
    """Quantize a float model; take a quantized one as it is or, where `narrower`, with other widths."""
    if has_grids(graph):
        if not graph.layers or any(node.op.quantized is None for node in graph.layers):
            raise ModelError(f"{graph.source or graph.name} is quantized in part; legal are float and quantized models")
        if not narrower:
            _check_unused(graph, options)
            return Start(_with_codes(graph), graph, lower(graph))
    prepared = prepare(without_quantizers(graph), calibration, options, progress)
    made = finish(prepared, resolve_widths(prepared.graph, options), progress)
    start = Start(_with_codes(graph), made.graph, made.network, prepared)
    return replace(start, network=start.lowered(made.graph))


def _check_unused(graph: FloatGraph, options: QuantizeOptions) -> None:
    """`OptionError` for options of the quantizer, which a model that keeps its grids does not need."""
    usual = start_options({"seed": options.seed, "jobs": options.jobs})
    unused = [f.name for f in fields(options) if getattr(options, f.name) != getattr(usual, f.name)]
    if unused:
        raise OptionError(
            f"{graph.source or graph.name} is quantized already and keeps its grids; {', '.join(unused)} would do "
            "nothing without widths"
        )


def _with_codes(graph: FloatGraph) -> FloatGraph:
    """What a model computes, with the weights of its codes where it has some."""
    return graph.with_nodes(node.dequantized() for node in graph.nodes)


def is_power_of_two(graph: FloatGraph) -> bool:
    """Whether all scales of a quantized graph but those of its input are powers of two."""
    inner = [node.op.quantizer.scale for node in _inner_grids(graph)]
    scales = [*inner, *(node.op.quantized.scale for node in graph.layers if node.op.quantized is not None)]
    return bool(inner) and all(bool(np.all(np.frexp(s)[0] == 0.5)) for s in scales)


def narrowest(graph: FloatGraph) -> int:
    """Bits of the narrowest grid of weights or activations."""
    weights = [node.op.quantized.dtype.bits for node in graph.layers if node.op.quantized is not None]
    return min([*weights, *(node.op.quantizer.dtype.bits for node in _inner_grids(graph))], default=MAX_TRAINED_BITS)


def _inner_grids(graph: FloatGraph) -> list[TypedNode[Quant]]:
    return [node for node in graph.of(Quant) if not is_of_input(graph, node)]


def without_quantizers(graph: FloatGraph) -> FloatGraph:
    """The float model in a quantized one: layers with the float weights that their codes were made of.

    A grid that begins at 0 leaves a ReLU, a bipolar one the sign times its scale, any other nothing.
    """
    names: dict[str, str] = {}
    nodes: list[FloatNode] = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(names.get(value, value) for value in node.inputs))
        if is_a(node, Quant):
            made = _unquantized(node)
            nodes += made
            names[node.name] = node.name if made else node.inputs[0]
        elif is_a(node, Layer):
            nodes.append(node.having(quantized=None))
        elif is_a(node, Product):
            nodes.append(_gate(node))
        else:
            nodes.append(node)
    return graph.with_nodes(nodes) if names else graph


def _unquantized(node: TypedNode[Quant]) -> list[FloatNode]:
    q = node.op.quantizer
    if q.dtype.bipolar:
        sign = FloatNode(f"{node.name}/sign", Sign(), node.inputs)
        return [sign, FloatNode(node.name, Affine(q.scale, np.zeros(1)), (sign.name,))]
    return [FloatNode(node.name, Relu(), node.inputs)] if np.all(q.low == q.zero_point) else []


def _gate(node: TypedNode[Product]) -> FloatNode:
    """x * sigmoid(x) and the like without quantizers inside."""
    sides = [tuple(type(op) for op in side if not isinstance(op, Quant)) for side in (node.op.left, node.op.right)]
    gate = max(sides, key=len)
    if min(sides, key=len) or gate not in GATES:
        raise ModelError(f"node {node.name!r} is a product without a float form; legal widths are the model's own")
    return FloatNode(node.name, GATES[gate](), node.inputs)
