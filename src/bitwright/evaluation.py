# SPDX-License-Identifier: Apache-2.0
"""How right an integer network is: on labels, and beside the float model that it was made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bitwright import models
from bitwright.data.raw import classes
from bitwright.data.samples import CHUNK, Samples, check_labels
from bitwright.errors import DataError
from bitwright.models import FloatGraph
from bitwright.network import Network
from bitwright.network.bundles import bundled
from bitwright.network.bundles import parts as arrays
from bitwright.network.types import Array
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.measures import output_powers, sqnr_db
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.text import Shown, rows

MOST_ANSWERS = 5  # of which one is right, where there are more than twice as many classes


@dataclass(frozen=True, repr=False)
class Evaluation(Shown):
    """Shares of samples, 0 to 1; None where what they need is not given.

    accuracy, top5: the right class is the first, or among the first five (ties count against); the same of the float
    model; float_agreement: both networks answer the same class. seconds: of the integer network alone.
    float_sqnr_db: of networks with several outputs, in place of all these: how near each comes to the float model.
    """

    samples: int
    seconds: float
    accuracy: float | None = None
    top5: float | None = None
    float_agreement: float | None = None
    float_accuracy: float | None = None
    float_top5: float | None = None
    float_sqnr_db: Mapping[str, float | None] | None = None

    def facts(self) -> dict[str, object]:
        """What was measured, but for the time."""
        shown = {name: value for name, value in self.as_dict().items() if name not in ("seconds", "float_sqnr_db")}
        return {str(name): value for name, value in rows(shown)}

    def as_dict(self) -> dict[str, Any]:
        """What was measured."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def evaluate(
    network: Network,
    x: Array | Mapping[str, Array] | Samples,
    labels: Array | None = None,
    *,
    float_model: str | Path | FloatGraph | None = None,
    progress: Progress = quiet,
) -> Evaluation:
    """Accuracy of a network on float inputs x [N, *input shape], as `Network.predict` takes them.

    x may be `Samples`, of which a few are in memory at a time. labels [N]: classes; they need one output. float_model:
    a graph or ONNX file of the same inputs, computed by ONNX Runtime. Raises `DataError` for data that do not fit,
    `ModelError` for a model that cannot be read.
    """
    data = x if isinstance(x, Samples) else bundled(arrays(x, network.input_names))
    known = data.labels if labels is None and isinstance(data, Samples) else labels
    known = None if known is None else check_labels(known, len(data))
    if known is not None and len(network.outputs) > 1:
        names = ", ".join(spec.name for spec in network.outputs)
        raise DataError(f"labels are given for a network of the outputs {names}; legal are labels of one output")
    graph = models.read(float_model) if isinstance(float_model, (str, Path)) else float_model
    tally, beside = _Tally(known), None if graph is None else FloatRunner(graph).outputs
    for part, chunk in _chunks(network, data):
        tally.add(part, network, chunk, beside)
        progress("evaluate", part.stop, len(data))
    return tally.evaluation(len(data), several=len(network.outputs) > 1)


def _chunks(network: Network, data: Array | Samples) -> Iterator[tuple[slice, Array]]:
    """(positions, inputs), a few at a time; one empty chunk of no samples, which `predict` refuses or takes."""
    if isinstance(data, Samples):
        yield from data.chunks(np.arange(len(data)))
        return
    for first in range(0, max(1, len(data)), CHUNK):
        part = slice(first, min(first + CHUNK, len(data)))
        yield part, data[part]


@dataclass
class _Counts:
    """How many answers were right, and how many of them among the first five; None where that says nothing."""

    first: int | None = None
    five: int | None = None

    def add(self, y: Array, labels: Array, every: Array) -> None:
        """Count outputs [n, ...] with their labels [n]; `every` label decides whether five are looked at."""
        self.first = (self.first or 0) + int((classes(y) == labels).sum())
        flat = y.reshape(len(y), -1)
        if flat.shape[1] > 2 * MOST_ANSWERS and every.max() < flat.shape[1]:
            own = flat[range(len(flat)), labels]
            self.five = (self.five or 0) + int(((flat >= own[:, None]).sum(axis=1) <= MOST_ANSWERS).sum())

    def shares(self, count: int) -> tuple[float | None, float | None]:
        """(accuracy, top5)."""
        first, five = (None if n is None else n / count for n in (self.first, self.five))
        return first, five


@dataclass
class _Tally:
    """Counts of right answers so far, of the integer network and of the float model beside it."""

    labels: Array | None
    seconds: float = 0.0
    agreeing: int = 0
    compared: bool = False
    right: _Counts = field(default_factory=_Counts)
    float_right: _Counts = field(default_factory=_Counts)
    powers: dict[str, list[float]] = field(default_factory=dict)

    def add(self, part: slice, network: Network, x: Array, beside: Callable[[Array], Array] | None) -> None:
        """Count the samples at `part`."""
        start = time.perf_counter()
        y = network.predict(x)
        self.seconds += time.perf_counter() - start
        several = y.dtype.names is not None
        if not several and self.labels is not None:
            self.right.add(y, self.labels[part], self.labels)
        if beside is None:
            return
        reference, self.compared = beside(x), True
        if several:
            for name, powers in output_powers(reference, y).items():
                self.powers[name] = [a + b for a, b in zip(self.powers.get(name, (0.0, 0.0)), powers, strict=True)]
            return
        self.agreeing += int((classes(reference) == classes(y)).sum())
        if self.labels is not None:
            self.float_right.add(reference, self.labels[part], self.labels)

    def evaluation(self, count: int, several: bool) -> Evaluation:
        """The shares of `count` samples."""
        own = self.right.shares(count)
        if not self.compared:
            return Evaluation(count, self.seconds, *own)
        if several:
            ratios = {name: sqnr_db(*powers) for name, powers in self.powers.items()}
            return Evaluation(count, self.seconds, float_sqnr_db=ratios)
        return Evaluation(count, self.seconds, *own, self.agreeing / count, *self.float_right.shares(count))
