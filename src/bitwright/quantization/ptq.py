# SPDX-License-Identifier: Apache-2.0
"""Post-training quantization: a float network and calibration data in, an integer network out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bitwright.errors import ModelError
from bitwright.models import lower, read
from bitwright.models.graph import FloatGraph, LayerNode, Quantizer, is_a
from bitwright.models.graph.ops import Elementwise, Layer, Quant
from bitwright.network import Network
from bitwright.network.bundles import parts
from bitwright.network.ops import Rounding
from bitwright.quantization import completion, placement
from bitwright.quantization.equalize import equalize
from bitwright.quantization.floatrun import check_data
from bitwright.quantization.options import QuantizeOptions, make_options
from bitwright.quantization.ranges.calibrate import Progress, calibrate, exact_input, quiet
from bitwright.quantization.ranges.channel_scales import channel_scales, scaled
from bitwright.quantization.ranges.histogram import Distribution
from bitwright.quantization.ranges.silent import silent_values, with_partners
from bitwright.quantization.ranges.thresholds import RangeRule, choose_quantizer, within_clip
from bitwright.quantization.refine import refine
from bitwright.quantization.report import QuantizationReport, evaluated, make_report
from bitwright.quantization.settle import settled
from bitwright.quantization.sweep import sweep
from bitwright.quantization.threads import one_blas_thread
from bitwright.quantization.weights.grids import WeightRule
from bitwright.quantization.weights.layer import LayerRule, quantize_layer
from bitwright.quantization.weights.second_order import Moments


@dataclass(frozen=True, eq=False)
class Quantized:
    """The result: the integer network, its report, and the quantized float graph that it was lowered from.

    channel_scales: {value: s, [C]} of the values that are those of the model divided by s, channel by channel.
    """

    network: Network
    report: QuantizationReport
    graph: FloatGraph
    channel_scales: Mapping[str, np.ndarray] = field(default_factory=dict)


def quantize(
    model: str | Path | FloatGraph,
    calibration: np.ndarray,
    *,
    output: str | None = None,
    progress: Progress = quiet,
    **options: Any,
) -> Network:
    """The integer network of a float model; options as in `QuantizeOptions`.

    calibration: samples [N, *input shape] as the model takes them. output: which one, where an ONNX model has
    several. See `quantize_model` for the report.
    """
    graph = model if isinstance(model, FloatGraph) else read(model, output)
    return quantize_model(graph, calibration, make_options(options), progress).network


@dataclass(frozen=True, eq=False)
class Prepared:
    """A calibrated float model, from which networks of any widths can be made: what one pass over the data yields.

    channel_scales: as in `Quantized`; steps: {value: (bits, step)} of the grids that were chosen with them.
    """

    graph: FloatGraph
    x: np.ndarray
    seen: Mapping[str, Distribution]
    options: QuantizeOptions
    channel_scales: Mapping[str, np.ndarray] = field(default_factory=dict)
    steps: Mapping[str, tuple[int, float]] = field(default_factory=dict)


def quantize_model(
    model: str | Path | FloatGraph,
    calibration: np.ndarray,
    options: QuantizeOptions | None = None,
    progress: Progress = quiet,
    evaluation: tuple[np.ndarray, np.ndarray | None] | None = None,
) -> Quantized:
    """Calibrate, place quantizers, round weights, correct biases and lower.

    Of a model that is quantized in part (`is_open`) what is left in floats alone; its own grids stay.
    evaluation: samples as the model takes them, and their labels or None, for the report: accuracy of the
    float and of the integer network, and how often their answers agree.
    Raises `DataError` for unfit calibration data, `OptionError` for options, `ModelError` for the model.
    """
    start = time.perf_counter()
    options = options or QuantizeOptions()
    graph = model if isinstance(model, FloatGraph) else read(model)
    if is_open(graph, options):
        prepared, made = _completed(graph, calibration, options, progress)
    else:
        prepared = prepare(graph, calibration, options, progress)
        made = finish(prepared, resolve_widths(prepared.graph, options), progress)
    report = replace(made.report, seconds=time.perf_counter() - start)
    if evaluation is not None:
        report = evaluated(report, prepared.graph, made.network, *evaluation)
    return replace(made, report=report)


def is_open(graph: FloatGraph, options: QuantizeOptions | None = None) -> bool:
    """Whether the model is quantized in part, and data can complete it."""
    if not completion.is_begun(graph):
        return False
    widths = resolve_widths(graph, options or QuantizeOptions())
    return bool(completion.open_values(graph, widths)) or any(n.op.quantized is None for n in graph.layers)


@one_blas_thread()
def _completed(
    graph: FloatGraph, calibration: np.ndarray, options: QuantizeOptions, progress: Progress
) -> tuple[Prepared, Quantized]:
    """A model that is quantized in part, with grids and integer weights where it has none."""
    start = time.perf_counter()
    _check_finite(graph)
    x = check_data(graph, calibration, "calibration data")[: options.samples]
    widths, notes = resolve_widths(graph, options), list[str]()
    values = completion.open_values(graph, widths)
    prepared = Prepared(graph, x, calibrate(graph, list(values), x, options.jobs, progress), options)
    placed = completion.insert(graph, values, chooser(prepared, frozenset()))
    quantized = round_weights(prepared, placed, widths, progress)
    network = lower(quantized, notes=notes)
    seconds = time.perf_counter() - start
    report = make_report(graph, quantized, network, prepared.seen, options, len(x), seconds)
    return prepared, Quantized(network, report, quantized)


@one_blas_thread()
def prepare(
    model: str | Path | FloatGraph, calibration: np.ndarray, options: QuantizeOptions, progress: Progress = quiet
) -> Prepared:
    """Read, equalize and calibrate."""
    graph = model if isinstance(model, FloatGraph) else read(model)
    _check_float(graph)
    x = check_data(graph, calibration, "calibration data")[: options.samples]
    graph = equalize(graph) if options.equalize else graph
    widths = resolve_widths(graph, options)
    scales, steps = channel_scales(graph, x, widths, options.jobs) if options.channel_scales else ({}, {})
    graph = scaled(graph, scales)
    values = placement.calibrated_values(graph, widths)
    return Prepared(graph, x, calibrate(graph, values, x, options.jobs, progress), options, scales, steps)


def _check_float(graph: FloatGraph) -> None:
    """`ModelError` where the model holds integers or quantizers already, or parameters that are not finite."""
    found = [n.name for n in (*graph.of(Quant), *(n for n in graph.layers if n.op.quantized is not None))]
    if found:
        raise ModelError(
            f"{graph.source or graph.name} is quantized already (node {found[0]!r}); legal are float models, "
            "and bitwright.load makes an integer network of a quantized one"
        )
    _check_finite(graph)


def _check_finite(graph: FloatGraph) -> None:
    for node in graph.nodes:
        for name, value in node.op.arrays().items():
            if not np.all(np.isfinite(value)):
                raise ModelError(f"{name} of {node.name!r} holds NaN or infinity; legal are finite parameters")


@one_blas_thread()
def finish(prepared: Prepared, widths: placement.Widths, progress: Progress = quiet) -> Quantized:
    """The network of those widths."""
    start = time.perf_counter()
    graph, options = prepared.graph, prepared.options
    quantized = round_weights(prepared, place(prepared, widths, progress), widths, progress)
    network = settled(lower(quantized, multiplier_bits=options.multiplier_bits))
    samples, seconds = len(prepared.x), time.perf_counter() - start
    report = make_report(graph, quantized, network, prepared.seen, options, samples, seconds)
    return Quantized(network, report, quantized, prepared.channel_scales)


def place(prepared: Prepared, widths: placement.Widths, progress: Progress = quiet) -> FloatGraph:
    """The float graph with quantizers of those widths inserted."""
    graph, options = prepared.graph, prepared.options
    silent = silent_values(graph, prepared.seen)
    choose = chooser(prepared, silent)
    own = placement.own_widths(graph, widths)
    chosen = {value: choose(value, bits) for value, bits in own.items()}
    if options.refine_scales:
        how: dict[str, Any] = {"correct_bias": options.bias_correction, "seed": options.seed, "jobs": options.jobs}
        chosen = refine(graph, chosen, prepared.x, options.scales, progress=progress, **how)

    def choose_refined(value: str, bits: int) -> Quantizer:
        quantizer = chosen[value] if own.get(value) == bits else choose(value, bits)
        made = None if value in graph.input_names else graph.node(value).op
        if not isinstance(made, Elementwise) or made.limits is None:
            return quantizer
        return within_clip(prepared.seen[value], quantizer, *made.limits, options.scales)

    return placement.insert_quantizers(graph, widths, choose_refined, silent)


def resolve_widths(graph: FloatGraph, options: QuantizeOptions) -> placement.Widths:
    """Widths of every layer: its own, else those of the first or last layer, else the uniform ones.

    A layer that reads the network's input has `input_bits` there, unless its own widths say otherwise.
    Inputs are narrowed where 32-bit accumulators could not hold a product sum of full precision.
    """
    placement.check_layer_names(graph, list(options.layer_bits))
    wide = max(8, options.activation_bits)
    bits: dict[str, tuple[int, int]] = {}
    for node in graph.layers:
        activation = (options.input_bits or wide) if node.inputs[0] in graph.input_names else options.activation_bits
        bits[node.name] = (options.weight_bits, activation)
    names = list(bits)
    for name, own in ((names[:1], options.first_bits), (names[-1:], options.last_bits)):
        if own is not None:
            bits.update(dict.fromkeys(name, own))
    bits.update(options.layer_bits)
    return placement.Widths(
        {n.name: (bits[n.name][0], narrowed(n.op.weight, *bits[n.name])) for n in graph.layers},
        options.activation_bits,
        options.input_bits or wide,
        options.output_bits or wide,
        options.add_extra_bits,
    )


def narrowed(weight: np.ndarray, weight_bits: int, activation_bits: int) -> int:
    """Activation bits that leave weights as much precision as activations within 32-bit accumulators.

    A layer needs weight_bits - 1 + activation_bits + log2(sum|w| / max|w|) + 1 bits (the last for the bias).
    What passes 31 is taken from activations and weights in equal parts; `fit_accumulator` takes the
    weights' part by their scales. Only widths of about 12 bits and more are concerned.
    """
    rows = np.abs(weight).reshape(len(weight), -1)
    growth = float((rows.sum(1) / np.maximum(rows.max(1), 1e-300)).max())
    excess = weight_bits - 1 + activation_bits + np.log2(max(growth, 1.0)) + 1 - 31
    return activation_bits - max(0, math.ceil(float(excess) / 2))


def range_rule(options: QuantizeOptions, position: int = 0) -> RangeRule:
    """The rule for the value at a position; each has its own stochastic sequence."""
    seed = (options.seed + 2654435761 * position) % ((1 << 32) - 1) + 1
    return RangeRule(
        options.method,
        options.scales,
        options.zero_points,
        options.percentile,
        Rounding(options.activation_rounding),
        seed,
    )


def chooser(prepared: Prepared, silent: frozenset[str]) -> Callable[[str, int], Quantizer]:
    """`choose(value, bits)` for `insert_quantizers`."""
    graph, x, options = prepared.graph, prepared.x, prepared.options
    seen = with_partners(graph, prepared.seen, silent)
    joint = prepared.steps if options.method == "mse" and options.scales == "free" else {}
    positions = {name: i for i, name in enumerate(seen)}

    def choose(value: str, bits: int) -> Quantizer:
        rule = range_rule(options, positions[value])
        if value in graph.input_names:  # the user's side quantizes inputs, always to the nearest code
            rule = replace(rule, rounding=Rounding.HALF_EVEN)
            exact = exact_input(parts(x, graph.input_names)[value], bits)
            if exact is not None and (options.scales == "free" or np.log2(exact.scale[0]).is_integer()):
                return exact
        if bits == 1 and (value in silent or _is_padded(graph, value)):  # -1 and +1 leave no code for a zero
            rule = replace(rule, zero_point=True)
        chosen = choose_quantizer(seen[value], bits, rule)
        if (
            value in joint
            and value not in silent
            and joint[value][0] == bits
            and not chosen.zero_point.any()
            and not chosen.dtype.bipolar
        ):
            return replace(chosen, scale=np.array([joint[value][1]]))
        return chosen

    return choose


def _is_padded(graph: FloatGraph, value: str) -> bool:
    return any(node.op.is_padded for node in graph.consumers[value])


def layer_rule(options: QuantizeOptions) -> LayerRule:
    """How all layers are rounded and corrected."""
    plain = {"nearest": "half_even", "second_order": "half_even"}
    rounding = Rounding(plain.get(options.weight_rounding, options.weight_rounding))
    weights = WeightRule(options.weight_method, options.per_channel, options.scales, rounding, options.seed)
    return LayerRule(weights, options.weight_rounding == "second_order", options.bias_correction, options.compensate)


def round_weights(
    prepared: Prepared, placed: FloatGraph, widths: placement.Widths, progress: Progress = quiet
) -> FloatGraph:
    """The placed graph with integer weights, and corrected biases where the options say so."""
    options, grid = prepared.options, placement.grids(placed)
    rule = layer_rule(options)

    def to_integers(node: LayerNode, moments: Moments | None = None) -> LayerNode:
        if node.op.quantized is not None:
            return node
        return quantize_layer(node, widths.layers[node.name][0], rule, grid[node.inputs[0]].dtype, moments)

    if not rule.needs_data:
        return placed.with_nodes(to_integers(n) if is_a(n, Layer) else n for n in placed.nodes)
    return sweep(
        prepared.graph,
        placed,
        prepared.x[: options.correction_samples],
        to_integers,
        second=rule.second_order,
        seed=options.seed,
        jobs=options.jobs,
        progress=progress,
    )
