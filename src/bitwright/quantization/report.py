# SPDX-License-Identifier: Apache-2.0
"""The quantization report: per layer and value what was chosen and what it loses; sizes and accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from bitwright.data.raw import classes
from bitwright.data.samples import check_labels
from bitwright.models.graph import FloatGraph, LayerNode, Quantizer
from bitwright.models.graph.ops import Quant
from bitwright.network import Network
from bitwright.quantization.floatrun import FloatRunner, check_data
from bitwright.quantization.measures import output_sqnr, sqnr_db
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.placement import grids
from bitwright.quantization.ranges.criteria import clipped_fraction, signal_power, squared_error
from bitwright.quantization.ranges.histogram import Distribution
from bitwright.quantization.size import FLOAT_BITS, graph_bits, network_bits
from bitwright.text import percent, printable

NAME_COLUMN = 40  # characters


@dataclass(frozen=True)
class LayerReport:
    """One layer with weights. Scales are the least and the largest of its channels; SQNR in dB, None where exact."""

    name: str
    kind: str
    weight_bits: int
    activation_bits: int
    weights: int
    scale_min: float
    scale_max: float
    clipped: float
    sqnr_db: float | None
    float_bytes: int
    bytes: int


@dataclass(frozen=True)
class ValueReport:
    """One quantizer of activations: its codes, and what it clips and loses on the calibration data."""

    name: str
    type: str
    scale: float
    zero_point: int
    low: float
    high: float
    clipped: float
    sqnr_db: float | None


@dataclass(frozen=True)
class QuantizationReport:
    """The whole: sizes in bytes of all parameters; accuracies, 0 to 1, where they were measured.

    agreement: share of the `evaluated_samples` on which both networks have the same answer. output_sqnr_db: for a
    model of several outputs, in place of all that, how near each comes on them; None where it is equal.
    """

    options: Mapping[str, object]
    layers: tuple[LayerReport, ...]
    values: tuple[ValueReport, ...]
    float_bytes: int
    bytes: int
    calibration_samples: int
    seconds: float
    accuracy_float: float | None = None
    accuracy: float | None = None
    agreement: float | None = None
    evaluated_samples: int = 0
    output_sqnr_db: Mapping[str, float | None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """JSON-able form with stable names."""
        return asdict(self)

    def table(self) -> str:
        """What people read: one line a layer, then one a value, then the totals."""
        lines = [f"{'layer':{NAME_COLUMN}} {'W':>2} {'A':>2} {'weights':>9} {'bytes':>9} {'clipped':>9} {'SQNR dB':>8}"]
        for layer in self.layers:
            lines.append(
                f"{_tail(layer.name):{NAME_COLUMN}} {layer.weight_bits:2} {layer.activation_bits:2} {layer.weights:9} "
                f"{layer.bytes:9} {percent(layer.clipped, 3):>9} {_decibel(layer.sqnr_db):>8}"
            )
        lines += ["", f"{'value':{NAME_COLUMN}} {'type':>7} {'scale':>12} {'zero':>5} {'clipped':>9} {'SQNR dB':>8}"]
        for v in self.values:
            lines.append(
                f"{_tail(v.name):{NAME_COLUMN}} {v.type:>7} {v.scale:12.6g} {v.zero_point:5} "
                f"{percent(v.clipped, 3):>9} {_decibel(v.sqnr_db):>8}"
            )
        return "\n".join([*lines, "", self.summary()])

    def summary(self) -> str:
        """The totals: size and, where they were measured, accuracy before and after, and agreement."""
        share = f" ({percent(self.bytes / self.float_bytes)})" if self.float_bytes else ""
        lines = [f"size: {self.float_bytes:,} bytes in float, {self.bytes:,} bytes in integers{share}"]
        if self.accuracy is not None and self.accuracy_float is not None:
            lines.append(
                f"accuracy: {percent(self.accuracy_float, 2)} in float, {percent(self.accuracy, 2)} in integers"
            )
        if self.agreement is not None:
            lines.append(
                f"agreement: the same answer on {percent(self.agreement, 2)} of {self.evaluated_samples:,} samples"
            )
        lines += [f"{printable(name)}: SQNR {_decibel(ratio)} dB" for name, ratio in self.output_sqnr_db.items()]
        return "\n".join(lines)


def _tail(name: str) -> str:
    """The end of a name, as wide as its column at most."""
    return printable(name)[-NAME_COLUMN:]


def _decibel(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f}"


def layer_report(node: LayerNode, activation_bits: int) -> LayerReport:
    """Of a layer with integer weights, against its float weights."""
    q, weight = node.op.quantized, node.op.weight
    assert q is not None
    position = weight / node.op.rows(q.scale)
    clipped = float(np.mean((position < q.dtype.min - 0.5) | (position > q.dtype.max + 0.5)))
    noise = float(np.mean((node.op.dequantized().weight - weight) ** 2))
    return LayerReport(
        node.name,
        node.kind,
        q.dtype.bits,
        activation_bits,
        weight.size,
        float(q.scale.min()),
        float(q.scale.max()),
        clipped,
        sqnr_db(float(np.mean(weight**2)), noise),
        weight.size * FLOAT_BITS // 8,
        math.ceil(weight.size * q.dtype.bits / 8),
    )


def value_report(name: str, q: Quantizer, seen: Distribution) -> ValueReport:
    """Of one quantizer, on the distribution that it was chosen for."""
    scale, zero = float(q.scale[0]), float(q.zero_point[0])
    low, high = (q.low - zero) * scale, (q.high - zero) * scale
    if q.dtype.bipolar:
        error = float((seen.count * (np.where(seen.center >= 0, scale, -scale) - seen.center) ** 2).sum() / seen.total)
        clipped = 0.0
    else:
        error = squared_error(seen, scale, zero, q.low, q.high)
        clipped = clipped_fraction(seen, scale, zero, q.low, q.high)
    noise = sqnr_db(signal_power(seen), error)
    return ValueReport(name, str(q.dtype), scale, int(zero), low, high, clipped, noise)


def make_report(
    graph: FloatGraph,
    quantized: FloatGraph,
    network: Network,
    seen: Mapping[str, Distribution],
    options: QuantizeOptions,
    samples: int,
    seconds: float,
) -> QuantizationReport:
    """Report of a quantized graph and the network lowered from it, on what the quantizer made of it."""
    grid = grids(quantized)
    floats = {node.name for node in graph.layers if node.op.quantized is None}
    layers = [node for node in quantized.layers if node.name in floats]
    quants = [node for node in quantized.of(Quant) if node.inputs[0] in seen]
    return QuantizationReport(
        {**vars(options), "layer_bits": dict(options.layer_bits)},
        tuple(layer_report(node, grid[node.inputs[0]].dtype.bits) for node in layers),
        tuple(value_report(node.name, node.op.quantizer, seen[node.inputs[0]]) for node in quants),
        graph_bits(graph) // 8,
        math.ceil(network_bits(network) / 8),
        samples,
        seconds,
    )


def evaluated(
    report: QuantizationReport, graph: FloatGraph, network: Network, x: np.ndarray, labels: np.ndarray | None
) -> QuantizationReport:
    """The report with the agreement of both networks on samples x and, with labels [N], their accuracies."""
    x = check_data(graph, x, "evaluation data")
    pair = FloatRunner(graph).outputs(x), network.predict(x)
    if len(graph.outputs) > 1:
        return replace(report, evaluated_samples=len(x), output_sqnr_db=output_sqnr(*pair))
    before, after = map(classes, pair)
    found: dict[str, Any] = {"agreement": float(np.mean(before == after))}
    if labels is not None:
        labels = check_labels(labels, len(x))
        for name, answers in (("accuracy_float", before), ("accuracy", after)):
            found[name] = float(np.mean(answers == labels))
    return replace(report, evaluated_samples=len(x), **found)
