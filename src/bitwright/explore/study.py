# SPDX-License-Identifier: Apache-2.0
"""What all measurements of one model's widths share, and which widths are worth measuring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bitwright.data.samples import check_labels
from bitwright.errors import OptionError
from bitwright.explore import sensitivity
from bitwright.explore.costs import Cost, LayerCosts, Pair
from bitwright.explore.finalists import FIGURES, Judge, kept_figures
from bitwright.explore.program import choose
from bitwright.explore.tasks import Pool, Result, run_tasks
from bitwright.models import read
from bitwright.models.graph import INPUT, FloatGraph
from bitwright.models.graph.ops import Softmax
from bitwright.quantization import measures
from bitwright.quantization.digests import digest
from bitwright.quantization.floatrun import FloatRunner, check_data
from bitwright.quantization.options import MAX_QUANTIZED_BITS, QuantizeOptions
from bitwright.quantization.placement import Widths
from bitwright.quantization.ptq import Prepared, finish, prepare, resolve_widths
from bitwright.training import need_torch
from bitwright.training.options import MAX_TRAINED_BITS

BISECTIONS = 7
Layers = Mapping[str, Pair]
P = TypeVar("P")


@dataclass(frozen=True)
class Candidates:
    """Widths that layers may have, and how many samples by which metric tell what a width costs."""

    weight_bits: tuple[int, ...]
    activation_bits: tuple[int, ...]
    samples: int
    metric: str

    @property
    def widest(self) -> dict[str, Any]:
        """Options of the quantizer for all values whose widths are not searched."""
        return {"weight_bits": max(self.weight_bits), "activation_bits": max(self.activation_bits)}


def check_candidates(options: Any) -> None:
    """Sort the candidates of frozen options of a search; `OptionError` where they, metric or steps are not legal."""
    for name in ("weight_candidates", "activation_candidates"):
        bits = tuple(sorted(set(getattr(options, name))))
        object.__setattr__(options, name, bits)
        if not bits or any(not 1 <= b <= MAX_QUANTIZED_BITS for b in bits):
            raise OptionError(f"{name} is {bits}; legal are widths of 1 to {MAX_QUANTIZED_BITS}")
    if options.metric not in measures.METRICS:
        raise OptionError(f"metric is {options.metric!r}; legal are {', '.join(measures.METRICS)}")
    if options.finetune_steps < 0:
        raise OptionError(f"finetune_steps is {options.finetune_steps}; legal is at least 0")
    if options.finetune_steps:
        need_torch()
        widest = max(*options.weight_candidates, *options.activation_candidates)
        if widest > MAX_TRAINED_BITS:
            raise OptionError(f"candidates have up to {widest} bits; fine-tuning trains 1 to {MAX_TRAINED_BITS}")


@dataclass(frozen=True, eq=False)
class Study:
    """A calibrated float model, the pairs of widths of each layer, what they lose, and how networks are measured."""

    graph: FloatGraph
    prepared: Prepared
    widths: Widths
    pairs: Mapping[str, tuple[Pair, ...]]
    losses: sensitivity.Sensitivities
    judge: Judge
    pool: Pool

    def predicted_loss(self, layers: Layers) -> float:
        """Sum of what all widths lose alone."""
        return sum(self.losses.weights[n][w] + self.losses.activations[n][a] for n, (w, a) in layers.items())

    def extremes(self, costs: LayerCosts) -> tuple[float, float]:
        """Least and largest predicted cost."""
        return extremes(costs, self.pairs)

    def solve(self, costs: LayerCosts, budget: float) -> dict[str, Pair]:
        """The widths of least predicted loss whose predicted cost is at most the budget."""
        losses = self.losses
        rest = 0.0 if costs.bottleneck else costs.fixed
        table = [np.array([costs.table[n][p] for p in legal]) for n, legal in self.pairs.items()]
        loss = [
            np.array([losses.weights[n][w] + losses.activations[n][a] for w, a in legal])
            for n, legal in self.pairs.items()
        ]
        slack = 1e-9 * abs(budget)  # the cheapest network's own cost is a legal budget
        picked = choose(loss, table, budget - rest + slack, bottleneck=costs.bottleneck)
        return {name: legal[i] for (name, legal), i in zip(self.pairs.items(), picked, strict=True)}

    def measure(self, networks: Sequence[Layers], price: Cost | None = None, keep: bool = False) -> list[Result]:
        """Figures of the integer networks of these widths, their cost by `price`, and with `keep` the networks."""
        alone = replace(self.prepared, options=replace(self.prepared.options, jobs=1))  # the tasks are parallel already
        key = digest(FIGURES, alone.graph, alone.options, alone.x, self.widths, self.judge, price, keep)
        return run_tasks(
            measure_point,
            (alone, self.widths, self.judge, price, keep),
            [(layers,) for layers in networks],
            [digest(key, "point", layers) for layers in networks],
            self.pool,
            "networks",
        )


def extremes(costs: LayerCosts, pairs: Mapping[str, tuple[Pair, ...]]) -> tuple[float, float]:
    """Least and largest predicted cost."""
    least = {name: min(legal, key=costs.table[name].__getitem__) for name, legal in pairs.items()}
    most = {name: max(legal, key=costs.table[name].__getitem__) for name, legal in pairs.items()}
    return costs.total(least), costs.total(most)


@dataclass(frozen=True, eq=False)
class Start:
    """The first half of a study: the calibrated model and the pairs of widths, before anything is measured."""

    graph: FloatGraph
    prepared: Prepared
    widths: Widths
    pairs: Mapping[str, tuple[Pair, ...]]
    candidates: Candidates

    def study(self, x: np.ndarray, labels: np.ndarray | None, pool: Pool) -> Study:
        """Measure what each width loses, and get ready to measure networks on samples x."""
        some, options = self.candidates, self.prepared.options
        free = [name for name, legal in self.pairs.items() if len(legal) > 1]
        losses = sensitivity.measure(
            self.prepared,
            self.widths,
            free,
            some.weight_bits,
            some.activation_bits,
            some.samples,
            some.metric,
            pool,
        )
        reference = FloatRunner(self.prepared.graph, jobs=options.jobs).outputs(x)
        judge = Judge(x, labels, reference, some.metric, isinstance(self.graph.nodes[-1].op, Softmax))
        return Study(self.graph, self.prepared, self.widths, self.pairs, losses, judge, pool)


def begin(
    model: str | Path | FloatGraph,
    calibration: np.ndarray,
    quantize: QuantizeOptions,
    candidates: Candidates,
    progress: Any,
) -> Start:
    """Read and calibrate the model. Layers whose widths `quantize` sets keep them."""
    graph = model if isinstance(model, FloatGraph) else read(model)
    prepared = prepare(graph, calibration, replace(quantize, **candidates.widest), progress)
    widths = resolve_widths(prepared.graph, prepared.options)
    return Start(graph, prepared, widths, _pairs(prepared, widths, candidates), candidates)


def samples_for(
    start: Start, evaluation: np.ndarray | None, labels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """What networks are measured on: the evaluation data, else the calibration data; `DataError` for unfit ones."""
    x = start.prepared.x if evaluation is None else check_data(start.prepared.graph, evaluation, "evaluation data")
    return x, None if labels is None else np.asarray(check_labels(labels, len(x)))


def _pairs(prepared: Prepared, widths: Widths, candidates: Candidates) -> dict[str, tuple[Pair, ...]]:
    """Legal (weight, activation) widths of every layer; one where the user has set them.

    A layer that reads the network's input takes it as it is.
    """
    nodes, made = prepared.graph.layers, prepared.options
    fixed = {*made.layer_bits}
    fixed.update(node.name for node in nodes[:1] if made.first_bits)
    fixed.update(node.name for node in nodes[-1:] if made.last_bits)
    pairs: dict[str, tuple[Pair, ...]] = {}
    for node in nodes:
        own = widths.layers[node.name]
        inputs = (own[1],) if node.inputs[0] == INPUT else candidates.activation_bits
        every = tuple((w, a) for w in candidates.weight_bits for a in inputs)
        pairs[node.name] = (own,) if node.name in fixed else every
    return pairs


def measure_point(
    prepared: Prepared, widths: Widths, judge: Judge, price: Cost | None, keep: bool, layer_widths: Layers
) -> Result:
    """Quantize at some widths and measure the integer network; one task of a search."""
    return kept_figures(judge, finish(prepared, replace(widths, layers=dict(layer_widths))).network, price, keep)


def close_in(
    points: Sequence[P],
    bound: float,
    lost: Callable[[P], float],
    predicted: Callable[[P], float],
    find: Callable[[float, Sequence[P]], tuple[P, bool]],
) -> list[P]:
    """More points at budgets below the cheapest measured one that loses at most `bound`.

    find(budget, points): the point of that budget, and whether it is a new one.
    """
    points = list(points)
    high = min((predicted(p) for p in points if lost(p) <= bound), default=0.0)
    low = max((predicted(p) for p in points if predicted(p) < high), default=high)
    for _ in range(BISECTIONS):
        if low >= high * 0.99:
            break
        budget = (low + high) / 2
        found, new = find(budget, points)
        points += [found] if new else []
        if lost(found) <= bound:
            high = predicted(found)
        else:
            low = budget
    return points
