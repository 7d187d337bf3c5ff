# SPDX-License-Identifier: Apache-2.0
"""Mixed precision: the Pareto front of loss and cost over the widths of every layer.

Sensitivities are measured once per layer and width; an integer program picks the widths for each budget;
what it picks is made into an integer network and measured again, as are the uniform networks beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bitwright.errors import OptionError
from bitwright.explore.cache import ResultCache
from bitwright.explore.costs import Cost, LayerCosts, Pair, alike, layer_costs
from bitwright.explore.finalists import Lesson, fine_tuned_points
from bitwright.explore.front import Point, SearchResult, mark_front
from bitwright.explore.study import Candidates, Study, begin, check_candidates, close_in, extremes, samples_for
from bitwright.explore.tasks import Pool
from bitwright.models.graph import FloatGraph
from bitwright.network import Network
from bitwright.options import check_types, from_keywords
from bitwright.quantization import measures
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.ptq import finish, prepare, resolve_widths
from bitwright.quantization.ranges.calibrate import Progress, quiet


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

    @property
    def candidates(self) -> Candidates:
        """What a study is made of."""
        return Candidates(self.weight_candidates, self.activation_candidates, self.samples, self.metric)

    def __post_init__(self) -> None:
        check_types(self)
        check_candidates(self)
        if self.budget is not None and self.max_loss is not None:
            raise OptionError("budget and max_loss exclude each other; legal is one of them")
        for name, low in (("points", 0), ("samples", 1), ("jobs", 0)):
            if getattr(self, name) < low:
                raise OptionError(f"{name} is {getattr(self, name)}; legal is at least {low}")


@dataclass(frozen=True, eq=False)
class _Setting:
    """A study, what its widths cost, and what is searched."""

    study: Study
    costs: LayerCosts
    price: Cost
    options: SearchOptions


def make_options(values: Mapping[str, object]) -> SearchOptions:
    """Options of keyword arguments; `OptionError` names what is unknown and what is legal."""
    return from_keywords(SearchOptions, values, "search")


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
        points = _bisect(setting, points, measures.share_of(chosen.max_loss))
    points, tuned = _with_fine_tuned(setting, mark_front(points), calibration)
    picked, study = _pick(points, chosen), setting.study
    full = study.judge.float_accuracy
    return SearchResult(tuple(points), picked, study.losses, setting.price, full, chosen.candidates.widest, tuned)


def network_of(
    model: str | Path | FloatGraph, calibration: np.ndarray, result: SearchResult, quantize: QuantizeOptions
) -> Network:
    """The chosen network of a search over the same model, calibration data and options, made again."""
    if result.chosen is None:
        raise OptionError("the search chose no network; legal with a budget or max_loss that one keeps")
    if result.chosen.label in result.tuned:
        return result.tuned[result.chosen.label]
    prepared = prepare(model, calibration, replace(quantize, **result.widest))
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
    start = begin(model, calibration, made, chosen.candidates, progress)
    x, known = samples_for(start, evaluation, labels)
    pool = Pool(ResultCache(chosen.cache), chosen.jobs, chosen.cluster, progress)
    price = Cost(chosen.cost, chosen.target, chosen.target_options)
    costs = layer_costs(start.prepared, start.widths, start.pairs, price)
    least, _ = extremes(costs, start.pairs)
    if chosen.budget is not None and chosen.budget < least * (1 - 1e-9):
        raise OptionError(f"the budget is {chosen.budget:g}; the least that these candidates can cost is {least:g}")
    return _Setting(start.study(x, known, pool), costs, price, chosen)


def _candidates(setting: _Setting) -> list[tuple[str, dict[str, Pair]]]:
    """Labelled widths to measure: the solutions of all budgets, and the uniform networks."""
    options, study, pairs = setting.options, setting.study, setting.study.pairs
    low, high = study.extremes(setting.costs)
    budgets = list(np.geomspace(max(low, 1e-9), max(high, 1e-9), options.points)) if options.points else []
    if options.budget is not None:
        budgets.append(options.budget)
    found = [("mixed", study.solve(setting.costs, budget)) for budget in budgets]
    if options.uniform:
        for pair in itertools.product(options.weight_candidates, options.activation_candidates):
            uniform = {name: alike(pair, legal) for name, legal in pairs.items()}
            found.append((f"uniform W{pair[0]}A{pair[1]}", uniform))
    # The same widths by two ways are measured once, under the uniform name if they have one.
    unique = {tuple(widths.items()): (label, widths) for label, widths in found}
    return list(unique.values())


def _measure(setting: _Setting, candidates: list[tuple[str, dict[str, Pair]]]) -> list[Point]:
    study = setting.study
    results = study.measure([widths for _, widths in candidates], setting.price)
    points = []
    for (label, widths), result in zip(candidates, results, strict=True):
        predicted = study.predicted_loss(widths)
        points.append(Point(label, widths, setting.costs.total(widths), predicted, **result))
    return points


def _lost(setting: _Setting, point: Point) -> float:
    return setting.study.judge.lost(point.agreement, point.accuracy)


def _bisect(setting: _Setting, points: list[Point], bound: float) -> list[Point]:
    """More points at budgets below the cheapest measured one that loses at most `bound`."""

    def find(budget: float, known: Sequence[Point]) -> tuple[Point, bool]:
        widths = setting.study.solve(setting.costs, budget)
        found = next((p for p in known if p.widths == widths), None)
        return (found, False) if found else (_measure(setting, [("mixed", widths)])[0], True)

    found = close_in(points, bound, lambda p: _lost(setting, p), lambda p: p.predicted_cost, find)
    return [replace(p, lost=_lost(setting, p)) for p in found]


def _with_fine_tuned(setting: _Setting, points: list[Point], x: np.ndarray) -> tuple[list[Point], dict[str, Network]]:
    """The points and, where the search fine-tunes, those of the front trained on samples x, with their networks."""
    options, study = setting.options, setting.study
    if not options.finetune_steps:
        return points, {}
    lesson = Lesson(study.graph, np.asarray(x), options.finetune_steps, study.prepared.options)
    front = [p for p in points if p.optimal]
    found, networks = fine_tuned_points(lesson, study.judge, setting.price, front, study.pool)
    if options.max_loss is not None:
        found = [replace(p, lost=_lost(setting, p)) for p in found]
    return mark_front([*points, *found]), networks


def _pick(points: list[Point], options: SearchOptions) -> Point | None:
    """The best point within the budget, or the cheapest one within the loss; None where there is none."""
    if options.budget is not None:
        legal = [p for p in points if p.cost <= options.budget * (1 + 1e-9)]
        return min(legal, key=lambda p: p.loss, default=None)
    if options.max_loss is not None:
        legal = [p for p in points if p.lost is not None and p.lost <= measures.share_of(options.max_loss)]
        return min(legal, key=lambda p: (p.cost, p.loss), default=None)
    return None
