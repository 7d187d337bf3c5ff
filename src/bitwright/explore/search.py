# SPDX-License-Identifier: Apache-2.0
"""Mixed precision: the Pareto front of loss and cost over the widths of every layer.

Sensitivities are measured once per layer and width; an integer program picks the widths for each budget;
what it picks is made into an integer network and measured again, as are the uniform networks beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from bitwright.data.samples import check_labels
from bitwright.errors import OptionError
from bitwright.explore import sensitivity
from bitwright.explore.cache import ResultCache
from bitwright.explore.costs import Cost, LayerCosts, Pair, alike, layer_costs
from bitwright.explore.finalists import Judge, Lesson, fine_tuned_points
from bitwright.explore.front import Point, SearchResult, mark_front
from bitwright.explore.program import choose
from bitwright.explore.tasks import Pool, run_tasks
from bitwright.models import read
from bitwright.models.graph import INPUT, FloatGraph
from bitwright.models.graph.ops import Softmax
from bitwright.network import Network
from bitwright.options import check_types
from bitwright.quantization import measures
from bitwright.quantization.digests import digest
from bitwright.quantization.floatrun import FloatRunner, check_data
from bitwright.quantization.options import MAX_QUANTIZED_BITS, QuantizeOptions
from bitwright.quantization.placement import Widths
from bitwright.quantization.ptq import Prepared, finish, prepare, resolve_widths
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.training import need_torch
from bitwright.training.options import MAX_TRAINED_BITS

BISECTIONS = 7


def _doc(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class SearchOptions:
    """What to search; every field is a keyword of `search`."""

    weight_candidates: tuple[int, ...] = _doc((2, 3, 4, 6, 8), "weight bits that a layer may have")
    activation_candidates: tuple[int, ...] = _doc((8,), "bits that a layer's input may have")
    cost: str = _doc("bytes", "bytes of weights, or a target's lut, ff, carry, bram36, dsp or cycles")
    target: str | None = _doc(None, "the target whose cost model prices the layers")
    target_options: Mapping[str, object] = field(default_factory=dict, metadata={"doc": "options of the target"})
    budget: float | None = _doc(None, "largest cost allowed")
    max_loss: float | None = _doc(None, "largest loss of accuracy allowed, in points, against the float model")
    points: int = _doc(8, "budgets between the cheapest and the dearest network, for the front")
    metric: str = _doc("kl", "loss of the network's output: kl (of class probabilities) or error (relative, squared)")
    samples: int = _doc(64, "calibration samples that the sensitivities are measured on")
    uniform: bool = _doc(True, "measure uniform networks of every candidate too")
    jobs: int = _doc(0, "processes; 0 is one a core")
    finetune_steps: int = _doc(0, "steps of fine-tuning of every network on the front, on the calibration data")
    cluster: str | None = _doc(None, "address of a Dask scheduler, tcp://host:port")
    cache: str | None = _doc(None, "folder of cached results; default the user's cache folder")

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("weight_candidates", "activation_candidates"):
            bits = tuple(sorted(set(getattr(self, name))))
            object.__setattr__(self, name, bits)
            if not bits or any(not 1 <= b <= MAX_QUANTIZED_BITS for b in bits):
                raise OptionError(f"{name} is {bits}; legal are widths of 1 to {MAX_QUANTIZED_BITS}")
        if self.metric not in measures.METRICS:
            raise OptionError(f"metric is {self.metric!r}; legal are {', '.join(measures.METRICS)}")
        if self.budget is not None and self.max_loss is not None:
            raise OptionError("budget and max_loss exclude each other; legal is one of them")
        if self.finetune_steps:
            need_torch()
            widest = max(*self.weight_candidates, *self.activation_candidates)
            if widest > MAX_TRAINED_BITS:
                raise OptionError(f"candidates have up to {widest} bits; fine-tuning trains 1 to {MAX_TRAINED_BITS}")
        for name, low in (("points", 0), ("samples", 1), ("jobs", 0), ("finetune_steps", 0)):
            if getattr(self, name) < low:
                raise OptionError(f"{name} is {getattr(self, name)}; legal is at least {low}")


@dataclass(frozen=True, eq=False)
class _Setting:
    """What every measurement of the search shares."""

    graph: FloatGraph
    prepared: Prepared
    widths: Widths
    pairs: Mapping[str, tuple[Pair, ...]]
    costs: LayerCosts
    losses: sensitivity.Sensitivities
    judge: Judge
    options: SearchOptions
    pool: Pool


def make_options(values: Mapping[str, object]) -> SearchOptions:
    """Options of keyword arguments; `OptionError` names what is unknown and what is legal."""
    legal = [f.name for f in fields(SearchOptions)]
    unknown = sorted(set(values) - set(legal))
    if unknown:
        raise OptionError(f"search has no option {', '.join(map(repr, unknown))}; legal are {', '.join(legal)}")
    return SearchOptions(**values)  # type: ignore[arg-type]


def search(
    model: str | Path | FloatGraph,
    calibration: np.ndarray,
    evaluation: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    *,
    quantize: QuantizeOptions | None = None,
    progress: Progress = quiet,
    **options: object,
) -> SearchResult:
    """Widths for every layer of a float model; options as in `SearchOptions`, `quantize` for all else.

    evaluation, labels: what the candidates are measured on; without them the calibration data, where the
    float model's own answers stand for labels. Layers whose widths `quantize` sets (first_bits,
    last_bits, layer_bits) keep them.
    """
    chosen, made = make_options(options), quantize or QuantizeOptions()
    setting = _set_up(model, calibration, evaluation, labels, made, chosen, progress)
    points = _measure(setting, _candidates(setting))
    if chosen.max_loss is not None:
        points = _bisect(setting, points, chosen.max_loss)
    points, tuned = _with_fine_tuned(setting, mark_front(points), calibration)
    picked, full = _pick(points, chosen), _float_accuracy(setting)
    return SearchResult(tuple(points), picked, setting.losses, setting.judge.price, full, _widest(chosen), tuned)


def network_of(
    model: str | Path | FloatGraph, calibration: np.ndarray, result: SearchResult, quantize: QuantizeOptions
) -> Network:
    """The chosen network of a search over the same model, calibration data and options, made again."""
    if result.chosen is None:
        raise OptionError("the search chose no network; legal with a budget or max_loss that one keeps")
    if result.chosen.label in result.tuned:
        return result.tuned[result.chosen.label]
    prepared = prepare(model, calibration, _with(quantize, result.widest))
    widths = resolve_widths(prepared.graph, prepared.options)
    return finish(prepared, replace(widths, layers=dict(result.chosen.widths))).network


def _set_up(
    model: str | Path | FloatGraph,
    calibration: np.ndarray,
    evaluation: np.ndarray | None,
    labels: np.ndarray | None,
    made: QuantizeOptions,
    chosen: SearchOptions,
    progress: Progress,
) -> _Setting:
    graph = model if isinstance(model, FloatGraph) else read(model)
    prepared = prepare(graph, calibration, _with(made, _widest(chosen)), progress)
    widths = resolve_widths(prepared.graph, prepared.options)
    x = prepared.x if evaluation is None else check_data(prepared.graph, evaluation, "evaluation data")
    labels = None if labels is None else np.asarray(check_labels(labels, len(x)))
    pool = Pool(ResultCache(chosen.cache), chosen.jobs, chosen.cluster, progress)
    price = Cost(chosen.cost, chosen.target, chosen.target_options)
    pairs = _pairs(prepared, widths, chosen)
    free = [name for name, options in pairs.items() if len(options) > 1]
    costs = layer_costs(prepared, widths, pairs, price)
    least, _ = _extremes(costs, pairs)
    if chosen.budget is not None and chosen.budget < least * (1 - 1e-9):
        raise OptionError(f"the budget is {chosen.budget:g}; the least that these candidates can cost is {least:g}")
    losses = sensitivity.measure(
        prepared,
        widths,
        free,
        chosen.weight_candidates,
        chosen.activation_candidates,
        chosen.samples,
        chosen.metric,
        pool,
    )
    reference = FloatRunner(prepared.graph, jobs=chosen.jobs).outputs(x)
    judge = Judge(x, labels, reference, chosen.metric, isinstance(graph.nodes[-1].op, Softmax), price)
    return _Setting(graph, prepared, widths, pairs, costs, losses, judge, chosen, pool)


def _with(quantize: QuantizeOptions, widths: Mapping[str, Any]) -> QuantizeOptions:
    return replace(quantize, **widths)


def _widest(chosen: SearchOptions) -> dict[str, int]:
    return {"weight_bits": max(chosen.weight_candidates), "activation_bits": max(chosen.activation_candidates)}


def _pairs(prepared: Prepared, widths: Widths, chosen: SearchOptions) -> dict[str, tuple[Pair, ...]]:
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
        inputs = (own[1],) if node.inputs[0] == INPUT else chosen.activation_candidates
        every = tuple((w, a) for w in chosen.weight_candidates for a in inputs)
        pairs[node.name] = (own,) if node.name in fixed else every
    return pairs


def _candidates(setting: _Setting) -> list[tuple[str, dict[str, Pair]]]:
    """Labelled widths to measure: the solutions of all budgets, and the uniform networks."""
    options, costs, pairs = setting.options, setting.costs, setting.pairs
    low, high = _extremes(costs, pairs)
    budgets = list(np.geomspace(max(low, 1e-9), max(high, 1e-9), options.points)) if options.points else []
    if options.budget is not None:
        budgets.append(options.budget)
    found = [("mixed", _solve(setting, budget)) for budget in budgets]
    if options.uniform:
        for pair in itertools.product(options.weight_candidates, options.activation_candidates):
            uniform = {name: alike(pair, legal) for name, legal in pairs.items()}
            found.append((f"uniform W{pair[0]}A{pair[1]}", uniform))
    # The same widths by two ways are measured once, under the uniform name if they have one.
    unique = {tuple(widths.items()): (label, widths) for label, widths in found}
    return list(unique.values())


def _extremes(costs: LayerCosts, pairs: Mapping[str, tuple[Pair, ...]]) -> tuple[float, float]:
    """Least and largest predicted cost."""
    least = {name: min(legal, key=costs.table[name].__getitem__) for name, legal in pairs.items()}
    most = {name: max(legal, key=costs.table[name].__getitem__) for name, legal in pairs.items()}
    return costs.total(least), costs.total(most)


def _solve(setting: _Setting, budget: float) -> dict[str, Pair]:
    costs, losses = setting.costs, setting.losses
    rest = 0.0 if costs.bottleneck else costs.fixed
    table = [np.array([costs.table[n][p] for p in legal]) for n, legal in setting.pairs.items()]
    loss = [
        np.array([losses.weights[n][w] + losses.activations[n][a] for w, a in legal])
        for n, legal in setting.pairs.items()
    ]
    slack = 1e-9 * abs(budget)  # the cheapest network's own cost is a legal budget
    picked = choose(loss, table, budget - rest + slack, bottleneck=costs.bottleneck)
    return {name: legal[i] for (name, legal), i in zip(setting.pairs.items(), picked, strict=True)}


def measure_point(
    prepared: Prepared, widths: Widths, judge: Judge, layer_widths: Mapping[str, Pair]
) -> dict[str, float | None]:
    """Quantize at some widths and measure the integer network; one task of the search."""
    return judge.figures(finish(prepared, replace(widths, layers=dict(layer_widths))).network)


def _measure(setting: _Setting, candidates: list[tuple[str, dict[str, Pair]]]) -> list[Point]:
    s = setting
    alone = replace(s.prepared, options=replace(s.prepared.options, jobs=1))  # the tasks are parallel already
    key = digest(alone.graph, alone.options, alone.x, s.widths, s.judge)
    results = run_tasks(
        measure_point,
        (alone, s.widths, s.judge),
        [(widths,) for _, widths in candidates],
        [digest(key, "point", widths) for _, widths in candidates],
        s.pool,
        "networks",
    )
    points = []
    for (label, widths), result in zip(candidates, results, strict=True):
        predicted = sum(s.losses.weights[n][w] + s.losses.activations[n][a] for n, (w, a) in widths.items())
        points.append(Point(label, widths, s.costs.total(widths), predicted, **result))
    return points


def _float_accuracy(setting: _Setting) -> float | None:
    judge = setting.judge
    return None if judge.labels is None else measures.accuracy(judge.reference, judge.labels)


def _lost(setting: _Setting, point: Point) -> float:
    """Accuracy lost in points; without labels, the share of answers that differ from the float model's."""
    full = _float_accuracy(setting)
    return 100 - point.agreement if full is None or point.accuracy is None else full - point.accuracy


def _bisect(setting: _Setting, points: list[Point], bound: float) -> list[Point]:
    """More points at budgets below the cheapest measured one that loses at most `bound`."""
    points = list(points)
    high = min((p.predicted_cost for p in points if _lost(setting, p) <= bound), default=0.0)
    low = max((p.predicted_cost for p in points if p.predicted_cost < high), default=high)
    for _ in range(BISECTIONS):
        if low >= high * 0.99:
            break
        budget = (low + high) / 2
        widths = _solve(setting, budget)
        found = next((p for p in points if p.widths == widths), None)
        if found is None:
            (found,) = _measure(setting, [("mixed", widths)])
            points.append(found)
        if _lost(setting, found) <= bound:
            high = found.predicted_cost
        else:
            low = budget
    return [replace(p, lost=_lost(setting, p)) for p in points]


def _with_fine_tuned(setting: _Setting, points: list[Point], x: np.ndarray) -> tuple[list[Point], dict[str, Network]]:
    """The points and, where the search fine-tunes, those of the front trained on samples x, with their networks."""
    options, made = setting.options, setting.prepared.options
    if not options.finetune_steps:
        return points, {}
    lesson = Lesson(setting.graph, np.asarray(x), options.finetune_steps, made)
    found, networks = fine_tuned_points(lesson, setting.judge, [p for p in points if p.optimal], setting.pool)
    if options.max_loss is not None:
        found = [replace(p, lost=_lost(setting, p)) for p in found]
    return mark_front([*points, *found]), networks


def _pick(points: list[Point], options: SearchOptions) -> Point | None:
    """The best point within the budget, or the cheapest one within the loss; None where there is none."""
    if options.budget is not None:
        legal = [p for p in points if p.cost <= options.budget * (1 + 1e-9)]
        return min(legal, key=lambda p: p.loss, default=None)
    if options.max_loss is not None:
        legal = [p for p in points if p.lost is not None and p.lost <= options.max_loss]
        return min(legal, key=lambda p: (p.cost, p.loss), default=None)
    return None
