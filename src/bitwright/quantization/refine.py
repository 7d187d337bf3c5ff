# SPDX-License-Identifier: Apache-2.0
"""Scales of layer inputs refined by what counts: the error of the layers that read them.

For a value x with codes Q(x), the squared output error of a reading layer is the sum over its output channels
of w D w^T, D the second moment of the columns of Q(x) - x. It weighs clipping and rounding by the weights,
which the criteria on the value alone cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from bitwright.models.graph import FloatGraph, LayerNode, Quantizer, is_a
from bitwright.models.graph.ops import Layer
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.quantization.sweep import MEAN_BYTES, layer_moments, samples_that_fit
from bitwright.quantization.threads import one_blas_thread, side_by_side

FACTORS = {"power_of_two": (0.5, 1.0, 2.0), "free": tuple(2.0 ** (k / 4) for k in range(-4, 3))}
SAMPLES = 64


def quantized_values(q: Quantizer, x: np.ndarray) -> np.ndarray:
    """The values of the codes of x; to the nearest code, whatever the rounding in the network."""
    if q.dtype.bipolar:
        return np.where(x >= 0, q.scale, -q.scale).astype(np.float32)
    codes = np.clip(np.rint(x / q.scale + q.zero_point), q.low, q.high)
    return ((codes - q.zero_point) * q.scale).astype(np.float32)


@one_blas_thread()
def refine(
    graph: FloatGraph,
    chosen: Mapping[str, Quantizer],
    x: np.ndarray,
    scales: str,
    *,
    correct_bias: bool,
    seed: int,
    jobs: int = 0,
    progress: Progress = quiet,
) -> dict[str, Quantizer]:
    """The quantizers of values that layers read, each scale times the factor with the least output error.

    With `correct_bias` the mean of the error does not count, since the bias will take it.
    """
    readers = {v: [n for n in graph.consumers[v] if is_a(n, Layer)] for v in chosen}
    values = [v for v in chosen if v not in graph.input_names and readers[v] and not chosen[v].dtype.bipolar]
    refined = dict(chosen)
    for done, value in enumerate(values):
        # One value at a time: all values of a large network together would not fit.
        count = samples_that_fit(graph, min(SAMPLES, len(x)), MEAN_BYTES)
        found = np.concatenate([b[value] for _, b in FloatRunner(graph, [value], jobs).batches(x[:count])])
        candidates = [replace(chosen[value], scale=chosen[value].scale * f) for f in FACTORS[scales]]
        error_of = partial(_output_error, readers[value], found, correct_bias=correct_bias, seed=seed)
        errors = side_by_side(error_of, candidates, jobs)
        if min(errors) < errors[FACTORS[scales].index(1.0)]:  # among equals, as for a value of zeros, nothing changes
            refined[value] = candidates[int(np.argmin(errors))]
        progress("refine scales", done + 1, len(values))
    return refined


def _output_error(
    layers: Sequence[LayerNode], x: np.ndarray, quantizer: Quantizer, *, correct_bias: bool, seed: int
) -> float:
    error = quantized_values(quantizer, x) - x
    total = 0.0
    for node in layers:
        moments = layer_moments(node, error, error, None, np.random.default_rng(seed), second=True, jobs=1)
        moments = moments.centered() if correct_bias else moments
        rows = node.op.weight.reshape(len(moments.hessian), -1, moments.hessian.shape[1])
        total += float(np.einsum("gok,gkj,goj->", rows, moments.hessian, rows, optimize=True))
    return total
