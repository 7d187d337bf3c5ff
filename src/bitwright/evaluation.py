# SPDX-License-Identifier: Apache-2.0
"""How right an integer network is: on labels, and beside the float model that it was made of."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bitwright import models
from bitwright.data.raw import classes
from bitwright.data.samples import check_labels
from bitwright.models import FloatGraph
from bitwright.network import Network
from bitwright.network.types import Array
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ranges.calibrate import Progress, quiet

CHUNK = 256  # samples at once
MOST_ANSWERS = 5  # of which one is right, where there are more than twice as many classes


@dataclass(frozen=True)
class Evaluation:
    """Shares of samples, 0 to 1; None where what they need is not given.

    accuracy, top5: the right class is the first, or among the first five (ties count against); the same of the float
    model; float_agreement: both networks answer the same class. seconds: of the integer network alone.
    """

    samples: int
    seconds: float
    accuracy: float | None = None
    top5: float | None = None
    float_agreement: float | None = None
    float_accuracy: float | None = None
    float_top5: float | None = None

    def as_dict(self) -> dict[str, float]:
        """What was measured."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def evaluate(
    network: Network,
    x: Array,
    labels: Array | None = None,
    *,
    float_model: str | Path | FloatGraph | None = None,
    progress: Progress = quiet,
) -> Evaluation:
    """Accuracy of a network on float inputs x [N, *input shape], as `Network.predict` takes them.

    labels [N]: classes. float_model: a graph or ONNX file of the same input, computed by ONNX Runtime. Raises
    `DataError` for data that do not fit, `ModelError` for a model that cannot be read.
    """
    known = None if labels is None else check_labels(labels, len(x))
    start, parts = time.perf_counter(), []
    for first in range(0, len(x), CHUNK):
        parts.append(network.predict(x[first : first + CHUNK]))
        progress("evaluate", min(first + CHUNK, len(x)), len(x))
    y = np.concatenate(parts) if parts else network.predict(x)
    seconds = time.perf_counter() - start
    accuracy, top5 = _right(y, known)
    if float_model is None:
        return Evaluation(len(x), seconds, accuracy, top5)
    graph = float_model if isinstance(float_model, FloatGraph) else models.read(float_model)
    reference = FloatRunner(graph).outputs(x)
    agreement = float((classes(reference) == classes(y)).mean())
    return Evaluation(len(x), seconds, accuracy, top5, agreement, *_right(reference, known))


def _right(y: Array, labels: Array | None) -> tuple[float | None, float | None]:
    """(accuracy, top5) of outputs [N, ...]."""
    if labels is None:
        return None, None
    accuracy, flat = float((classes(y) == labels).mean()), y.reshape(len(y), -1)
    if flat.shape[1] <= 2 * MOST_ANSWERS or labels.max() >= flat.shape[1]:
        return accuracy, None
    own = flat[range(len(flat)), labels]
    return accuracy, float(((flat >= own[:, None]).sum(axis=1) <= MOST_ANSWERS).mean())
