# SPDX-License-Identifier: Apache-2.0
"""What a network of the search is worth, and the fine-tuned networks of the widths on its front."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitwright.explore.costs import Cost, Pair, network_cost
from bitwright.explore.front import Point
from bitwright.explore.tasks import Pool, Result, run_tasks
from bitwright.fast.evaluator import Evaluator
from bitwright.models.graph import FloatGraph
from bitwright.network import Network, storage
from bitwright.quantization import measures
from bitwright.quantization.digests import digest
from bitwright.quantization.floatrun import float_input
from bitwright.quantization.options import QuantizeOptions

FIGURES = "shares, 0 to 1"  # part of the key of what is kept


@dataclass(frozen=True, eq=False)
class Judge:
    """Measures networks on samples x, with labels or None, against the float model's outputs, in a metric.

    probabilities: whether the outputs are some already.
    """

    x: np.ndarray
    labels: np.ndarray | None
    reference: np.ndarray
    metric: str
    probabilities: bool

    @property
    def float_accuracy(self) -> float | None:
        """Of the float model, where there are labels."""
        return None if self.labels is None else measures.accuracy(self.reference, self.labels)

    def lost(self, agreement: float, accuracy: float | None) -> float:
        """Accuracy lost, as a share of the samples; without labels, the answers that differ from the float model's."""
        full = self.float_accuracy
        return measures.compared(1 - agreement if full is None or accuracy is None else full - accuracy)

    def figures(self, network: Network) -> dict[str, float | None]:
        """Loss, agreement, and accuracy where there are labels."""
        outputs = Evaluator(network, threads=1).predict(self.x)
        return {
            "loss": measures.output_loss(self.reference, outputs, self.metric, probabilities=self.probabilities),
            "agreement": measures.agreement(self.reference, outputs),
            "accuracy": None if self.labels is None else measures.accuracy(outputs, self.labels),
        }


def loss_out_of_reach(max_loss: float, network: str, lost: float, labels: bool = True) -> str:
    """That no network keeps a bound on the loss, and the nearest that one does; lost: of the one that loses least."""
    points = 100 * lost
    unit = "points" if labels else "% of answers that differ"
    return (
        f"max_loss={max_loss:g} is out of reach: the network that loses least, {network}, loses {points:.2f} {unit}; "
        f"legal is max_loss of at least {math.ceil(round(100 * points, 6)) / 100:g}, or fine-tuning"
    )


def kept_figures(judge: Judge, network: Network, price: Cost | None, keep: bool) -> Result:
    """The figures of a network, with its cost by `price`, and with `keep` the network itself, as text."""
    found: Result = {**judge.figures(network)}
    if price is not None:
        found["cost"] = network_cost(network, price)
    if keep:
        found["network"] = base64.b64encode(storage.to_bytes(network)).decode()
    return found


def kept_network(text: str) -> Network:
    """The network that `kept_figures` wrote."""
    return storage.from_bytes(base64.b64decode(text))


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the widths on the front are fine-tuned with: the float model, samples without labels, steps, options."""

    graph: FloatGraph
    x: np.ndarray
    steps: int
    quantize: QuantizeOptions


def fine_tuned_point(lesson: Lesson, judge: Judge, price: Cost | None, widths: Mapping[str, Pair]) -> Result:
    """The figures of the fine-tuned network and the network itself, as text; one task of the search."""
    from bitwright.data.samples import samples_of
    from bitwright.training.options import FinetuneOptions
    from bitwright.training.run import Job, finetune_job

    quantize = replace(lesson.quantize, layer_bits=dict(widths), jobs=1)
    options = FinetuneOptions(steps=lesson.steps, seed=quantize.seed, jobs=1)
    samples = samples_of(lesson.x, None, float_input(lesson.graph), "calibration data")
    return kept_figures(judge, finetune_job(Job(lesson.graph, samples, None, options, quantize)).network, price, True)


def fine_tuned(
    lesson: Lesson, judge: Judge, price: Cost | None, widths: Sequence[Mapping[str, Pair]], pool: Pool
) -> list[Result]:
    """The figures and the networks of these widths, trained."""
    key = digest(FIGURES, lesson, judge, price)
    return run_tasks(
        fine_tuned_point,
        (lesson, judge, price),
        [(each,) for each in widths],
        [digest(key, "fine-tuned", each) for each in widths],
        pool,
        "fine-tuned networks",
    )


def fine_tuned_points(
    lesson: Lesson, judge: Judge, price: Cost, front: Sequence[Point], pool: Pool
) -> tuple[list[Point], dict[str, Network]]:
    """A point more for each of the front, at the same widths, and their networks by label."""
    results = fine_tuned(lesson, judge, price, [point.widths for point in front], pool)
    points, networks = [], {}
    for number, (point, result) in enumerate(zip(front, results, strict=True), 1):
        label = f"{point.label}, fine-tuned ({number})"
        figures = dict(result)
        networks[label] = kept_network(figures.pop("network"))
        points.append(replace(point, label=label, optimal=False, **figures))
    return points, networks
