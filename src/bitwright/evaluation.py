# SPDX-License-Identifier: Apache-2.0
"""How right an integer network is: on labels, and beside the float model that it was made of."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitwright import models
from bitwright.data.raw import classes
from bitwright.data.samples import check_labels
from bitwright.errors import DataError
from bitwright.models import FloatGraph
from bitwright.network import Network
from bitwright.network.bundles import bundled
from bitwright.network.bundles import parts as arrays
from bitwright.network.types import Array
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.measures import output_sqnr
from bitwright.quantization.ranges.calibrate import Progress, quiet

CHUNK = 256  # samples at once
MOST_ANSWERS = 5  # of which one is right, where there are more than twice as many classes


@dataclass(frozen=True)
class Evaluation:
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

    def as_dict(self) -> dict[str, Any]:
        """What was measured."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def evaluate(
    network: Network,
    x: Array | Mapping[str, Array],
    labels: Array | None = None,
    *,
    float_model: str | Path | FloatGraph | None = None,
    progress: Progress = quiet,
) -> Evaluation:
    """Accuracy of a network on float inputs x [N, *input shape], as `Network.predict` takes them.

    labels [N]: classes; they need one output. float_model: a graph or ONNX file of the same inputs, computed by ONNX
    Runtime. Raises `DataError` for data that do not fit, `ModelError` for a model that cannot be read.
    """
    x = bundled(arrays(x, network.input_names))
    known = None if labels is None else check_labels(labels, len(x))
    several = len(network.outputs) > 1
    if known is not None and several:
        names = ", ".join(spec.name for spec in network.outputs)
        raise DataError(f"labels are given for a network of the outputs {names}; legal are labels of one output")
    start, parts = time.perf_counter(), []
    for first in range(0, len(x), CHUNK):
        parts.append(network.predict(x[first : first + CHUNK]))
        progress("evaluate", min(first + CHUNK, len(x)), len(x))
    y = np.concatenate(parts) if parts else network.predict(x)
    seconds = time.perf_counter() - start
    accuracy, top5 = (None, None) if several else _right(y, known)
    if float_model is None:
        return Evaluation(len(x), seconds, accuracy, top5)
    graph = float_model if isinstance(float_model, FloatGraph) else models.read(float_model)
    reference = FloatRunner(graph).outputs(x)
    if several:
        return Evaluation(len(x), seconds, float_sqnr_db=output_sqnr(reference, y))
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
