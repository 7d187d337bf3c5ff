# SPDX-License-Identifier: Apache-2.0
"""Weights to integers, by themselves: scales per channel or tensor, radix points, plain and stochastic rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.errors import DataError
from bitwright.jit import njit
from bitwright.models.exact.rounding import round_array
from bitwright.models.graph import QuantizedWeight
from bitwright.network.ops import Rounding
from bitwright.network.types import BIPOLAR, Floats, Ints, IntType
from bitwright.quantization.ranges.thresholds import snap

WEIGHT_METHODS = ("mse", "minmax")
STEPS_PER_OCTAVE = 32
SEARCH_OCTAVES = 3
SILENCE = 2.0**-60


@dataclass(frozen=True)
class WeightRule:
    """How weight scales are chosen and weights rounded.

    method: "mse" (least squared error) or "minmax" (nothing clips); per_channel: a scale for every output
    channel, or one; scales: "free" or "power_of_two"; rounding and seed as in `round_array`.
    """

    method: str = "mse"
    per_channel: bool = True
    scales: str = "free"
    rounding: Rounding = Rounding.HALF_EVEN
    seed: int = 1


def weight_type(bits: int) -> IntType:
    """Two's complement of `bits` bits; one bit is bipolar."""
    return BIPOLAR if bits == 1 else IntType(bits, signed=True)


@njit(nogil=True)
def _best_scales(w: Floats, importance: Floats, low: int, high: int, ratios: Floats, widest: Floats) -> Floats:
    best = widest.copy()
    for o in range(w.shape[0]):
        least = np.inf
        for r in ratios:
            s = widest[o] * r
            total = 0.0
            for k in range(w.shape[1]):
                code = min(max(np.rint(w[o, k] / s), low), high)
                error = w[o, k] - code * s
                total += error * error * importance[o, k]
            if total < least:
                least, best[o] = total, s
    return best


def weight_scales(rows: Floats, bits: int, rule: WeightRule, importance: Floats | None = None) -> Floats:
    """Scales [O], or [1] per tensor, for weight rows [O, K].

    Minimizes the sum of importance * (w - Q(w))**2; importance [O, K] is 1 where it is not given (for
    instance the diagonal of the Hessian). Powers of two: over the radix points; free: over 1/32 octaves.
    """
    if not np.all(np.isfinite(rows)):
        raise DataError("weights hold NaN or infinity; legal are finite weights")
    dtype = weight_type(bits)
    importance = np.ones_like(rows) if importance is None else importance
    if not rule.per_channel:
        rows, importance = rows.reshape(1, -1), importance.reshape(1, -1)
    if dtype.bipolar:
        magnitude = (np.abs(rows) * importance).sum(1) / np.maximum(importance.sum(1), 1e-300)
        return _bipolar_scales(magnitude, rule)
    widest = np.maximum(rows.max(1) / dtype.max, rows.min(1) / dtype.min)
    widest = np.array([snap(s, rule.scales) for s in widest])
    if rule.method == "minmax":
        return widest
    ratios: Floats = 2.0 ** -np.arange(SEARCH_OCTAVES + 1, dtype=np.float64)
    if rule.scales == "free":
        ratios = 2.0 ** -(np.arange(SEARCH_OCTAVES * STEPS_PER_OCTAVE + 1) / STEPS_PER_OCTAVE)
    return _best_scales(rows, importance, dtype.min, dtype.max, ratios, widest)


def _bipolar_scales(magnitude: Floats, rule: WeightRule) -> Floats:
    """Mean magnitudes as scales; rows of zeros, whose codes are +1, get one that lets nothing of them be seen."""
    least = max(float(magnitude.max()), 1.0) * SILENCE
    return np.array([snap(m if m > 0 else least, rule.scales, nearest=True) for m in magnitude])


def fit_accumulator(rows: Floats, scales: Floats, input_type: IntType, bits: int = 31) -> Floats:
    """Scales enlarged, by powers of two, where sum(|codes|) * max(|input|) could pass 2**(bits - 1).

    Only wide weights on wide inputs need it: accumulators of the integer network have at most 32 bits,
    of which one is left for the bias.
    """
    reach = (2.0 ** (bits - 1) - 1) / max(input_type.max, -input_type.min)
    magnitude = np.abs(rows).sum(1) if len(scales) > 1 else np.abs(rows).sum(1).max(keepdims=True)
    # Rounding adds at most half a code for each weight that is not zero.
    room = np.maximum(reach - 0.5 * np.count_nonzero(rows, axis=1).max(), 1.0)
    excess = np.maximum(magnitude / (scales * room), 1.0)
    return np.asarray(scales * 2.0 ** np.ceil(np.log2(excess) - 1e-12))


def to_codes(rows: Floats, scales: Floats, dtype: IntType, rounding: Rounding, seed: int = 1) -> Ints:
    """Integer codes, int64, of weight rows [O, K]; bipolar: the sign, +1 for zero."""
    if dtype.bipolar:
        return np.where(rows >= 0, np.int64(1), np.int64(-1))
    codes = round_array(rows / scales[:, None], rounding, seed)
    return np.asarray(np.clip(codes, dtype.min, dtype.max), np.int64)


def quantize_weight(weight: Floats, bits: int, rule: WeightRule, input_type: IntType | None = None) -> QuantizedWeight:
    """Plain quantization of a weight of Conv or Dense, output channel first."""
    rows = np.asarray(weight, np.float64).reshape(len(weight), -1)
    scales = weight_scales(rows, bits, rule)
    if input_type is not None:
        scales = fit_accumulator(rows, scales, input_type)
    codes = to_codes(rows, scales, weight_type(bits), rule.rounding, rule.seed)
    return QuantizedWeight(codes.reshape(weight.shape), weight_type(bits), scales)
