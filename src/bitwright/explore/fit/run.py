# SPDX-License-Identifier: Apache-2.0
"""From a model, data and a part to the best design: networks are measured on integers, hardware is planned for them.

The widest network comes first: the pace that it reaches on each target says at which pace the widths of layers are
priced there. Integer programs propose widths for each target; what they propose is quantized and measured. The
networks that no cheaper one beats get hardware on their target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from bitwright.devices import DEVICES, find_device
from bitwright.explore.cache import ResultCache
from bitwright.explore.costs import Cost, LayerCosts, Pair, alike, layer_costs
from bitwright.explore.finalists import Judge, Lesson, fine_tuned, kept_figures, kept_network, loss_out_of_reach
from bitwright.explore.fit.hardware import Wish, all_costs, all_designs, prices
from bitwright.explore.fit.options import FitOptions, make_options
from bitwright.explore.fit.result import FitPoint, FitResult, mark_front
from bitwright.explore.study import Study, begin, close_in, samples_for
from bitwright.explore.tasks import Pool, Result
from bitwright.hardware.resources import Resources
from bitwright.models.graph import FloatGraph
from bitwright.network import Network
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.text import figure, percent

BYTE_POINTS = 8  # networks between the fewest and the most bytes of weights, as many as `search` tries
SLACK = 0.95  # a network is left out where one that loses no more costs this much of it
HOPELESS = 4.0  # or where it loses more than so many times the bound
REFINED = 0.01  # how near the fastest design of the recommended network is found


@dataclass(frozen=True, eq=False)
class Candidate:
    """A measured network: its name, the widths of its layers, its figures and itself as text."""

    name: str
    widths: Mapping[str, Pair]
    lost: float
    figures: Result
    network: str
    fine_tuned: bool = False


def fit(
    model: str | Path | FloatGraph | Network,
    calibration: np.ndarray | None = None,
    evaluation: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    *,
    quantize: QuantizeOptions | None = None,
    progress: Progress = quiet,
    **options: object,
) -> FitResult:
    """The best design of a model for a part: target, widths of every layer and hardware options; see `FitOptions`.

    calibration: samples [N, *input shape] as the model takes them. evaluation, labels: what accuracy is measured on;
    without evaluation the calibration data, without labels the float model's answers. quantize: what of the quantizer
    is not searched; layers whose widths it sets keep them. A `Network` keeps its widths; only hardware is chosen.

    The answer has one recommendation, or says in `shortfall` which goal is out of reach and the nearest that is not.
    Everything that takes time is kept in the cache: a run that was interrupted resumes. Raises `OptionError`,
    `DataError` and `ModelError` for what cannot be tried at all.
    """
    chosen = make_options(options)
    pool = Pool(ResultCache(chosen.cache), chosen.jobs, chosen.cluster, progress)
    if isinstance(model, Network):
        return _fit_network(model, evaluation if evaluation is not None else calibration, labels, chosen, pool)
    made = quantize or QuantizeOptions()
    start = begin(model, np.asarray(calibration), made, chosen.candidates, progress)
    x, known = samples_for(start, evaluation, labels)
    search = _Search(start.study(x, known, pool), chosen)
    candidates, costs, hints = search.networks(lambda wide: all_costs(start, prices(chosen.target_options, wide), pool))
    wishes = [
        Wish(candidate.network, name, hints.get(name, 0), chosen.slower)
        for name in chosen.targets
        for candidate in search.finalists(candidates, costs.get(name))
    ]
    if chosen.finetune_steps:
        trained = search.trained(candidates, [w.network for w in wishes], np.asarray(calibration))
        wishes += [Wish(c.network, name, hints.get(name, 0), chosen.slower) for name in chosen.targets for c in trained]
        candidates += trained
    return _answer(candidates, wishes, search.study.judge, chosen, pool, made)


def _fit_network(
    network: Network, x: np.ndarray | None, labels: np.ndarray | None, chosen: FitOptions, pool: Pool
) -> FitResult:
    """Hardware alone: the network is its own reference."""
    samples = np.zeros((1, *network.input.shape), np.float32) if x is None else np.asarray(x)
    judge = Judge(samples, labels if x is not None else None, network.predict(samples), chosen.metric, False)
    figures = kept_figures(judge, network, None, True)
    text = figures.pop("network")
    only = [Candidate("network", {}, judge.lost(figures["agreement"], figures["accuracy"]), figures, text)]
    wishes = [Wish(text, name, 0, chosen.slower) for name in chosen.targets]
    return _answer(only, wishes, judge, chosen, pool, None)


@dataclass(frozen=True, eq=False)
class _Search:
    """The search for networks."""

    study: Study
    options: FitOptions

    def networks(
        self, costs_of: Callable[[Mapping[str, Result]], dict[str, LayerCosts]]
    ) -> tuple[list[Candidate], dict[str, LayerCosts], dict[str, int]]:
        """Measured networks, what widths cost on each target, and the interval near which designs are looked for."""
        chosen, study = self.options, self.study
        wide = self.uniform((max(chosen.weight_candidates), max(chosen.activation_candidates)))
        found = self.measured([wide], [])
        wishes = [Wish(found[0].network, name) for name in chosen.targets]
        widest = dict(
            zip(chosen.targets, all_designs(chosen.goals, chosen.target_options, wishes, study.pool), strict=True)
        )
        costs = costs_of(widest)
        hints = {name: r["designs"][0]["interval_cycles"] for name, r in widest.items() if r["designs"]}
        proposed = [self.uniform(pair) for pair in self._uniform_pairs()]
        for table in costs.values():
            low, high = study.extremes(table)
            budgets = np.geomspace(max(low, 1e-9), max(high, 1e-9), chosen.points)
            proposed += [study.solve(table, float(budget)) for budget in budgets]
        found += self.measured(proposed, found)
        for table in costs.values():
            found = self._closed_in(self.study, found, table)
        return self._lightest(found), costs, hints

    def _lightest(self, found: list[Candidate]) -> list[Candidate]:
        """With the networks that `search` measures: of the fewest bytes, activations as wide as they may be."""
        whole, table = self.study, self.weight_bytes
        pairs = {n: tuple(p for p in legal if p[1] == max(a for _, a in legal)) for n, legal in whole.pairs.items()}
        study = replace(whole, pairs=pairs)
        low, high = study.extremes(table)
        some = [study.solve(table, float(b)) for b in np.geomspace(low, high, BYTE_POINTS)]
        some += [self.uniform((w, max(self.options.activation_candidates))) for w in self.options.weight_candidates]
        found = [*found, *self.measured(some, found)]
        light = self._closed_in(study, [c for c in found if c.widths in some], table)
        new = [c for c in light if all(c.widths != o.widths for o in found)]
        return [*found, *(replace(c, name=self._name(c.widths, n)) for n, c in enumerate(new, len(found)))]

    @cached_property
    def weight_bytes(self) -> LayerCosts:
        """What widths cost in memory, which every target has to hold and `search` saves."""
        study = self.study
        return layer_costs(study.prepared, study.widths, study.pairs, Cost())

    def uniform(self, pair: Pair) -> dict[str, Pair]:
        """Those widths in every layer that may have them."""
        return {name: alike(pair, legal) for name, legal in self.study.pairs.items()}

    def _uniform_pairs(self) -> list[Pair]:
        """Weights as wide as activations, and all widths of weights with the widest activations."""
        weights, activations = self.options.weight_candidates, self.options.activation_candidates
        return [(w, a) for w in weights for a in activations if a in (w, max(activations))]

    def measured(self, proposed: Sequence[Mapping[str, Pair]], known: Sequence[Candidate]) -> list[Candidate]:
        """The proposed networks that are not known yet."""
        judge, before = self.study.judge, [c.widths for c in known]
        new: list[Mapping[str, Pair]] = []
        for widths in proposed:
            if widths not in before and widths not in new:
                new.append(widths)
        made, results = [], self.study.measure(new, keep=True)
        for number, (widths, result) in enumerate(zip(new, results, strict=True), len(known)):
            figures = dict(result)
            text, lost = figures.pop("network"), judge.lost(figures["agreement"], figures["accuracy"])
            made.append(Candidate(self._name(widths, number), widths, lost, figures, text))
        return made

    def _name(self, widths: Mapping[str, Pair], number: int) -> str:
        for pair in self._uniform_pairs():
            if widths == self.uniform(pair):
                return f"w{pair[0]}a{pair[1]}"
        return f"mixed{number}"

    def _closed_in(self, study: Study, found: list[Candidate], table: LayerCosts) -> list[Candidate]:
        """With more networks, of costs below the cheapest that keeps the bound."""

        def find(budget: float, known: Sequence[Candidate]) -> tuple[Candidate, bool]:
            widths = study.solve(table, budget)
            same = next((c for c in known if c.widths == widths), None)
            return (same, False) if same else (self.measured([widths], known)[0], True)

        return close_in(found, self.options.bound, lambda c: c.lost, lambda c: table.total(c.widths), find)

    def finalists(self, candidates: Sequence[Candidate], table: LayerCosts | None) -> list[Candidate]:
        """The networks for one target: those that no cheaper one beats, near the bound first; the lightest in it."""
        bound, count = self.options.bound, self.options.finalists
        near = [c for c in candidates if c.lost <= max(HOPELESS * bound, bound + 0.01)]
        near = near or sorted(candidates, key=lambda c: c.lost)[:1]
        if table is not None:
            price = {c.name: table.total(c.widths) for c in near}
            near = [
                c for c in near if not any(o.lost < c.lost and price[o.name] <= SLACK * price[c.name] for o in near)
            ]
        best = min(near, key=lambda c: (c.lost, c.figures["loss"]))
        ordered = sorted(near, key=lambda c: (c is not best, abs(c.lost - bound)))
        light = [c for c in candidates if c.lost <= bound]
        lightest = sorted(light, key=lambda c: self.weight_bytes.total(c.widths))[:1]
        return ordered[:count] + [c for c in lightest if c not in ordered[:count]]

    def trained(self, candidates: Sequence[Candidate], chosen: Sequence[str], x: np.ndarray) -> list[Candidate]:
        """The networks that were chosen for hardware, fine-tuned."""
        study, texts = self.study, set(chosen)
        some = [c for c in candidates if c.network in texts]
        lesson = Lesson(study.graph, x, self.options.finetune_steps, study.prepared.options)
        results = fine_tuned(lesson, study.judge, None, [c.widths for c in some], study.pool)
        made = []
        for before, result in zip(some, results, strict=True):
            figures = dict(result)
            text, lost = figures.pop("network"), study.judge.lost(figures["agreement"], figures["accuracy"])
            new = replace(before, name=f"{before.name}-tuned", lost=lost, figures=figures, network=text)
            made.append(replace(new, fine_tuned=True))
        return made


def _answer(
    candidates: Sequence[Candidate],
    wishes: Sequence[Wish],
    judge: Judge,
    chosen: FitOptions,
    pool: Pool,
    quantize: QuantizeOptions | None,
) -> FitResult:
    """Plan the hardware, mark the front and recommend."""
    by_text = {c.network: c for c in candidates}
    results = all_designs(chosen.goals, chosen.target_options, wishes, pool)
    every: list[FitPoint] = []
    for wish, result in zip(wishes, results, strict=True):
        every += _points(by_text[wish.network], wish, result, chosen)
    best = _best(every, chosen)
    if best is not None and chosen.fps is None:
        name = next(c.network for c in candidates if c.name == best.network)
        wish = Wish(name, best.target, best.interval_cycles, 0, REFINED)
        (refined,) = all_designs(chosen.goals, chosen.target_options, [wish], pool)
        every += _points(by_text[name], wish, refined, chosen)
        best = _best(every, chosen)
    reasons = [result["refusal"] for result in results if result["refusal"]]
    shortfall = "" if best is not None else _shortfall(every, reasons, chosen, judge.labels is not None)
    legal = [replace(p, recommended=p is best) for p in every if p.share <= chosen.fill and _fast(p, chosen)]
    points = mark_front(legal)
    used = {p.network for p in points}
    return FitResult(
        tuple(points),
        {c.name: kept_network(c.network) for c in candidates if c.name in used},
        chosen,
        quantize,
        judge.float_accuracy,
        judge.labels is not None,
        len(judge.x),
        shortfall,
    )


def _points(candidate: Candidate, wish: Wish, result: Result, chosen: FitOptions) -> list[FitPoint]:
    device, clock = find_device(chosen.device), chosen.goals.clock
    points = []
    for row in result["designs"]:
        shares = device.estimated_utilization(Resources(**row["resources"]))
        fullest = max(shares, key=shares.__getitem__)
        points.append(
            FitPoint(
                network=candidate.name,
                target=wish.target,
                lost=candidate.lost,
                **candidate.figures,
                options=row["options"],
                interval_cycles=row["interval_cycles"],
                latency_cycles=row["latency_cycles"],
                frames_per_second=clock.frames_per_second(row["interval_cycles"]),
                resources=row["resources"],
                share=shares[fullest],
                fullest=fullest,
                widths=candidate.widths,
                fine_tuned=candidate.fine_tuned,
            )
        )
    return points


def _fast(point: FitPoint, chosen: FitOptions) -> bool:
    return chosen.fps is None or point.frames_per_second >= chosen.fps


def _best(points: Sequence[FitPoint], chosen: FitOptions) -> FitPoint | None:
    """Of the points that keep all bounds, the fastest or, with a goal of frames a second, that of the least share."""
    legal = [p for p in points if p.lost <= chosen.bound and p.share <= chosen.fill and _fast(p, chosen)]
    if chosen.fps is not None:
        return min(legal, key=lambda p: (p.share, -p.frames_per_second, p.lost), default=None)
    return min(legal, key=lambda p: (-p.frames_per_second, p.lost, p.share), default=None)


def _shortfall(points: Sequence[FitPoint], reasons: Sequence[str], chosen: FitOptions, labels: bool) -> str:
    """Which bound is out of reach, and the nearest that is not, in one line."""
    if not points:
        return f"no target accepts the network: {'; '.join(dict.fromkeys(reasons))}"
    good = [p for p in points if p.lost <= chosen.bound]
    if not good:
        p = min(points, key=lambda p: (p.lost, p.share))
        return loss_out_of_reach(chosen.max_loss, p.network, p.lost, labels)
    within = f"{100 * chosen.fill:g} % of {chosen.device}"
    fitting = [p for p in good if p.share <= chosen.fill]
    if not fitting:
        p = min(good, key=lambda p: p.share)
        return (
            f"no target fits {within}: the nearest is {p.network} on {p.target}, which takes {percent(p.share)} of "
            f"its {p.fullest}; legal is {_larger(p, chosen)}"
        )
    p = max(fitting, key=lambda p: p.frames_per_second)
    return (
        f"fps={chosen.fps:g} is out of reach within {within}: the fastest is {p.network} on {p.target}, "
        f"{figure(round(p.frames_per_second, 1))} frames/s; legal is fps of at most {int(p.frames_per_second)}, or a "
        "larger device"
    )


def _larger(point: FitPoint, chosen: FitOptions) -> str:
    """The part with the fewest LUTs that the design fits, those of the same family first; or a higher fill."""
    own, used = find_device(chosen.device), Resources(**point.resources)
    holding = [d for d in DEVICES.values() if max(d.estimated_utilization(used).values()) <= chosen.fill]
    found = min(holding, key=lambda d: (d.family != own.family, d.lut), default=None)
    parts = [f"fill of at least {-(-1000 * point.share // 1) / 1000:g}"] if point.share <= 1 else []
    return " or ".join([*parts, f"device {found.name}" if found else "a larger device"])
