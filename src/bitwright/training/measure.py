# SPDX-License-Identifier: Apache-2.0
"""What an integer network is worth: measured on the samples that training does not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bitwright.data.samples import Samples
from bitwright.fast.evaluator import Evaluator
from bitwright.models.graph import FloatGraph
from bitwright.models.graph.ops import Add, ArgMax, AveragePool, Distribution, Layer, Op, Quant, Sigmoid, Softmax
from bitwright.network import Network
from bitwright.network.types import Array, Ints
from bitwright.quantization import measures
from bitwright.quantization.floatrun import FloatRunner
from bitwright.text import percent

LEAST = 1e-7  # probability
MOST = 1e30  # loss, of outputs that overflow


@dataclass(frozen=True)
class Score:
    """Share of right answers, where there are labels, and of the float model's, where it has classes.

    loss: of the outputs, as training measures it.
    """

    accuracy: float | None
    agreement: float | None
    loss: float

    def better(self, other: Score) -> bool:
        """Whether this is the better network: by accuracy where there are labels, then by loss, the finer measure."""
        return self._rank() > other._rank()

    def _rank(self) -> tuple[float, float]:
        return (self.accuracy or 0.0, -self.loss)

    def agrees_less(self, other: Score) -> bool:
        """Whether, without labels, fewer answers are the float model's."""
        return self.accuracy is None and (self.agreement or 0.0) < (other.agreement or 0.0)

    @property
    def text(self) -> str:
        """The figure that counts, for people."""
        if self.accuracy is not None:
            return f"accuracy {percent(self.accuracy, 2)}"
        return f"loss {self.loss:.4g}" if self.agreement is None else f"agreement {percent(self.agreement, 2)}"


def last_function(graph: FloatGraph) -> Op:
    """The last operation that is no quantizer."""
    return next(node.op for node in reversed(graph.nodes) if not isinstance(node.op, Quant))


def mirror(x: Array, layout: str) -> Array:
    """Samples [N, ...] from right to left, where the layout has a width."""
    return np.flip(x, 1 + layout.index("W")) if "W" in layout else x


def loss_of(graph: FloatGraph, asked: str) -> str:
    """The loss for a graph: kl of class probabilities, binary of independent ones, or error, relative and squared."""
    if asked != "auto":
        return asked
    last = last_function(graph)
    if isinstance(last, (Distribution, ArgMax)):
        return "kl"
    if isinstance(last, Sigmoid):
        return "binary"
    logits = isinstance(last, (Layer, Add, AveragePool)) and graph.shapes[graph.output_name][-1] > 1
    return "kl" if logits else "error"


class Examiner:
    """Measures networks on fixed samples against the float model's outputs, which are computed once.

    mirrored: whether the loss is measured against the mean of the answers for an image and for its mirror image, as
    training aims at it where images are flipped.
    """

    def __init__(
        self, teacher: FloatGraph, samples: Samples, indices: Ints, loss: str, jobs: int = 0, mirrored: bool = False
    ) -> None:
        self.graph, self.samples, self.indices, self.loss, self.jobs = teacher, samples, indices, loss, jobs
        self.last = last_function(teacher)
        runner, turned = FloatRunner(teacher, jobs=jobs), mirrored and not isinstance(self.last, ArgMax)
        parts, others = [], []
        for _, x in samples.chunks(indices):
            parts.append(runner.outputs(x))
            if turned:
                others.append(mirror(runner.outputs(mirror(x, teacher.input_layout)), teacher.output_layout))
        self.reference = self.wanted = np.concatenate(parts)
        if turned:
            self.wanted = self._between(self.reference, np.concatenate(others))
        self.labels = None if samples.labels is None else np.asarray(samples.labels)[indices]
        if self.labels is not None and self._answers(self.reference).ndim > 1:
            self.labels = None  # an answer for every pixel has no label

    @property
    def float_accuracy(self) -> float | None:
        """Of the float model, 0 to 1."""
        return None if self.labels is None else self._correct(self.reference, self.labels)

    def score(self, network: Network) -> Score:
        """Of an integer network."""
        return self._score(Evaluator(network, threads=self.jobs or None).predict)

    def score_model(self, graph: FloatGraph) -> Score:
        """Of another float model with the same inputs and outputs."""
        return self._score(FloatRunner(graph, jobs=self.jobs).outputs)

    def _score(self, answers: Callable[[Array], Array]) -> Score:
        outputs = np.concatenate([answers(x) for _, x in self.samples.chunks(self.indices)])
        accuracy = None if self.labels is None else self._correct(outputs, self.labels)
        agreement = None
        if self.loss != "error":
            agreement = self._correct(outputs, self._answers(self.reference))
        loss = self._loss(outputs)
        return Score(accuracy, agreement, loss if np.isfinite(loss) else MOST)

    def _between(self, y: Array, other: Array) -> Array:
        """The mean of two answers; of probabilities the softmax of the mean of their logits."""
        if not isinstance(self.last, Softmax):
            return (y + other) / 2
        both = np.sqrt(y.astype(np.float64) * other)
        channel = 1 if self.graph.output_layout == "CHW" else -1
        return both / np.maximum(both.sum(channel, keepdims=True), 1e-300)

    def _loss(self, outputs: Array) -> float:
        """Of outputs [N, ...] against the float model's."""
        reference, outputs = self._by_channel(self.wanted), self._by_channel(outputs)
        if isinstance(self.last, ArgMax):
            return float(np.mean(reference != outputs))
        if self.loss == "binary":
            p, q = (np.clip(v.astype(np.float64), LEAST, 1 - LEAST) for v in (reference, outputs))
            return float(np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))
        return measures.output_loss(reference, outputs, self.loss, probabilities=isinstance(self.last, Softmax))

    def _by_channel(self, y: Array) -> Array:
        return np.moveaxis(y, 1, -1) if self.graph.output_layout == "CHW" and y.ndim == 4 else y

    def _answers(self, y: Array) -> Array:
        """The class of each output: its largest channel, one of two by a probability, or itself."""
        y = self._by_channel(y)
        if y.shape[-1] > 1:
            found = y.argmax(-1)
        else:
            found = (y[..., 0] if isinstance(self.last, ArgMax) else y[..., 0] >= 0.5).astype(np.int64)
        return found if y.size // y.shape[-1] > len(y) else found.reshape(len(y))

    def _correct(self, y: Array, answers: Array) -> float:
        return float(np.mean(self._answers(y) == answers))
