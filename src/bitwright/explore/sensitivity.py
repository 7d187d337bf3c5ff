# SPDX-License-Identifier: Apache-2.0
"""How much the network's output suffers from each layer's width: measured once per layer and candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitwright.explore.tasks import Pool, run_tasks
from bitwright.models.graph import FloatGraph, FloatNode, LayerNode
from bitwright.models.graph.ops import Layer, Op, Softmax
from bitwright.quantization import placement
from bitwright.quantization.digests import digest
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.measures import output_loss
from bitwright.quantization.placement import Widths
from bitwright.quantization.ptq import Prepared, layer_rule, place
from bitwright.quantization.ranges.calibrate import Progress
from bitwright.quantization.sweep import sweep
from bitwright.quantization.threads import one_blas_thread
from bitwright.quantization.weights.layer import quantize_layer
from bitwright.quantization.weights.second_order import Moments

Placed = tuple[str, Op | None, tuple[str, ...]]  # a node: name, operation and inputs; a layer's weights are the base's
Change = tuple[str, str, int]  # "weight" or "activation", the layer, its bits; first "base"


@dataclass(frozen=True)
class Sensitivities:
    """Loss that a width adds to that of the widest candidates: by layer, then bits; never negative."""

    weights: Mapping[str, Mapping[int, float]]
    activations: Mapping[str, Mapping[int, float]]


def _split(prepared: Prepared, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibration samples to round the layers on, and others, at most `samples`, to measure the losses on.

    On the samples that second-order rounding has fitted, a layer with more inputs than samples loses nothing
    at any width: only others tell what a width costs. They are the same where nothing is fitted or there is but one.
    """
    x = prepared.x
    if not layer_rule(prepared.options).needs_data or len(x) == 1:
        return x, x[:samples]
    count = min(samples, len(x) // 2)
    return x[:-count], x[-count:]


@one_blas_thread()
def _rounded_layers(
    prepared: Prepared, widths: Widths, x: np.ndarray, candidates: tuple[int, ...], progress: Progress
) -> tuple[FloatGraph, dict[str, dict[int, LayerNode]]]:
    """The network at `widths`, dequantized, and every layer at every candidate width, rounded on the samples x."""
    placed, rule, options = place(prepared, widths), layer_rule(prepared.options), prepared.options
    grid = placement.grids(placed)
    forms: dict[str, dict[int, LayerNode]] = {}

    def at_all_widths(node: LayerNode, moments: Moments | None = None) -> LayerNode:
        base = widths.layers[node.name][0]
        made = {
            bits: quantize_layer(node, bits, rule, grid[node.inputs[0]].dtype, moments) for bits in {*candidates, base}
        }
        forms[node.name] = {bits: form.dequantized() for bits, form in made.items()}
        return made[base]

    if rule.needs_data:
        x = x[: options.correction_samples]
        sweep(
            prepared.graph,
            placed,
            x,
            at_all_widths,
            second=rule.second_order,
            seed=options.seed,
            jobs=options.jobs,
            progress=progress,
        )
    else:
        for node in placed.layers:
            at_all_widths(node)
    nodes = [forms[n.name][widths.layers[n.name][0]] if n.name in forms else n for n in placed.nodes]
    return placed.with_nodes(nodes), forms


def candidate_loss(
    base: FloatGraph,
    x: np.ndarray,
    reference: np.ndarray,
    metric: str,
    rounded: tuple[LayerNode, ...],
    placed: tuple[Placed, ...],
) -> dict[str, float]:
    """Loss of the base network with some layers rounded otherwise, or with other quantizers around its layers.

    `placed` are all nodes of a graph with other quantizers; empty for the base's own.
    """
    new = {node.name: node for node in rounded}
    nodes = [FloatNode(name, op or base.node(name).op, inputs) for name, op, inputs in placed] or base.nodes
    graph = base.with_nodes(new.get(n.name, n) for n in nodes)
    outputs = FloatRunner(graph, jobs=1).outputs(x)
    probabilities = isinstance(graph.nodes[-1].op, Softmax)
    return {"loss": output_loss(reference, outputs, metric, probabilities=probabilities)}


def measure(
    prepared: Prepared,
    widths: Widths,
    names: Sequence[str],
    weight_candidates: tuple[int, ...],
    activation_candidates: tuple[int, ...],
    samples: int,
    metric: str,
    pool: Pool,
) -> Sensitivities:
    """Change the weights of one of the layers `names`, or its input's quantizer, at a time; all else stays at `widths`.

    Every measurement runs the network with the values of its codes on the same calibration samples, `samples`
    at most, which the rounding has not seen.
    """
    changes: list[Change] = [("base", "", 0)]
    for name in names:
        own_weight, own_activation = widths.layers[name]
        changes += [("weight", name, bits) for bits in weight_candidates if bits != own_weight]
        changes += [("activation", name, bits) for bits in activation_candidates if bits != own_activation]
    settings = replace(prepared.options, jobs=1)  # threads change no result
    fitted, x = _split(prepared, samples)
    key = digest(prepared.graph, settings, fitted, x, widths, weight_candidates, metric)
    keys = [digest(key, change) for change in changes]
    known = [result for result in map(pool.cache.get, keys) if result is not None]
    if len(known) < len(keys):
        base, forms = _rounded_layers(prepared, widths, fitted, weight_candidates, pool.progress)
        reference = FloatRunner(prepared.graph, jobs=prepared.options.jobs).outputs(x)
        tasks = [_task(prepared, widths, forms, change) for change in changes]
        known = run_tasks(candidate_loss, (base, x, reference, metric), tasks, keys, pool, "sensitivities")
    return _gather(widths, changes, [result["loss"] for result in known])


def _task(
    prepared: Prepared, widths: Widths, forms: Mapping[str, Mapping[int, LayerNode]], change: Change
) -> tuple[tuple[LayerNode, ...], tuple[Placed, ...]]:
    """What `candidate_loss` needs for one change: layers rounded otherwise, or nodes placed otherwise."""
    kind, name, bits = change
    if kind == "base":
        return (), ()
    return ((forms[name][bits],), ()) if kind == "weight" else ((), _other_quantizers(prepared, widths, name, bits))


def _other_quantizers(prepared: Prepared, widths: Widths, name: str, bits: int) -> tuple[Placed, ...]:
    """Nodes of the graph placed with another width for one layer's input."""
    # Where several layers read a value the widest one wins, so all of them change together.
    source = prepared.graph.node(name).inputs[0]
    together = [node.name for node in prepared.graph.consumers[source] if node.name in widths.layers]
    layers = {**widths.layers, **{n: (widths.layers[n][0], bits) for n in together}}
    placed = place(prepared, replace(widths, layers=layers))
    return tuple((n.name, None if isinstance(n.op, Layer) else n.op, n.inputs) for n in placed.nodes)


def _gather(widths: Widths, changes: Sequence[Change], losses: Sequence[float]) -> Sensitivities:
    weights = {name: {w: 0.0} for name, (w, _) in widths.layers.items()}
    activations = {name: {a: 0.0} for name, (_, a) in widths.layers.items()}
    for (kind, name, bits), loss in zip(changes[1:], losses[1:], strict=True):
        table = weights if kind == "weight" else activations
        table[name][bits] = max(loss - losses[0], 0.0)
    return Sensitivities(weights, activations)
