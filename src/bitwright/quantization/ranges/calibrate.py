# SPDX-License-Identifier: Apache-2.0
"""Calibration: one pass of the float graph over the user's data, collecting a histogram of every value needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bitwright.models.graph import FloatGraph, Quantizer
from bitwright.network.types import IntType
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ranges.histogram import Distribution, Histogram
from bitwright.quantization.threads import side_by_side

Progress = Callable[[str, int, int], None]
GRID_SAMPLES = 16
GRID_TOLERANCE = 1e-3


def quiet(stage: str, done: int, total: int) -> None:
    """The progress callback that shows nothing: (stage, steps done, steps in all)."""


def calibrate(
    graph: FloatGraph, values: Sequence[str], x: np.ndarray, jobs: int = 0, progress: Progress = quiet
) -> dict[str, Distribution]:
    """Distributions of the named values over x [N, *input_shape]; memory does not grow with N.

    Raises `DataError` where a value becomes NaN or infinite.
    """
    runner = FloatRunner(graph, values, jobs)
    histograms = {name: Histogram(name) for name in values}
    for start, found in runner.batches(x):
        side_by_side(lambda item: histograms[item[0]].update(item[1]), found.items(), jobs)
        progress("calibrate", min(start + runner.batch, len(x)), len(x))
    return {name: histogram.distribution() for name, histogram in histograms.items()}


def exact_input(x: np.ndarray, bits: int) -> Quantizer | None:
    """A quantizer without any error for inputs that lie on a regular grid, as 8-bit images do; else None.

    The grid's step comes from the first samples, its range from all. The codes are unsigned, with a
    zero point where values are negative, or two's complement where that holds the range.
    """
    step = _grid_step(x[:GRID_SAMPLES], bits)
    if step is None:
        return None
    low, high = (int(np.rint(float(v) / step)) for v in (x.min(), x.max()))
    signed = IntType(bits, signed=True)
    if low >= 0:
        quantizer = Quantizer(IntType(bits), np.array([step]))
    elif signed.min <= low and high <= signed.max:
        quantizer = Quantizer(signed, np.array([step]))
    else:
        quantizer = Quantizer(IntType(bits), np.array([step]), np.array([-low]))
    zero = int(quantizer.zero_point[0])
    return quantizer if quantizer.low <= low + zero and high + zero <= quantizer.high else None


def _grid_step(x: np.ndarray, bits: int) -> float | None:
    """Distance of neighboring values where all are its multiples and `bits` bits hold their span."""
    values = np.unique(np.asarray(x, np.float64))
    if not 2 <= len(values) <= 1 << bits:
        return None
    # Float32 preprocessing blurs single steps; the whole span divided by its steps is sharp.
    steps = np.rint((values[-1] - values[0]) / np.diff(values).min())
    if steps > (1 << bits) - 1:
        return None
    step = (values[-1] - values[0]) / steps
    codes = values / step
    return step if np.abs(codes - np.rint(codes)).max() < GRID_TOLERANCE else None
