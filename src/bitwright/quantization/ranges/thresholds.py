# SPDX-License-Identifier: Apache-2.0
"""From a tensor's distribution to its quantizer: calibration methods and the search for scales and radix points."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from bitwright.models.graph import Quantizer
from bitwright.network.ops import Rounding
from bitwright.network.types import BIPOLAR, IntType
from bitwright.quantization.ranges.criteria import kl_divergence, reference, squared_error
from bitwright.quantization.ranges.histogram import Distribution

METHODS = ("minmax", "moving_average", "percentile", "mse", "kl")
SCALES = ("free", "power_of_two")
STEPS_PER_OCTAVE = 8
MIN_EXPONENT, MAX_EXPONENT = -120, 120
NEGLIGIBLE = 2.0**-20  # of the highest value: what unsigned codes may leave out of a value that becomes negative
CLIP_COST, CLIP_BITS = 4.0, 7  # at 8 bits 0.2 to 0.3 dB of a network's output; few bits have no error to spare
MIN_RATIO = 2.0**-140  # of the smallest to the largest candidate: even one huge outlier is searched through


@dataclass(frozen=True)
class RangeRule:
    """How the range of an activation tensor is chosen.

    method: one of METHODS; scales: one of SCALES; zero_point: unsigned asymmetric codes where values
    below zero occur; percentile: of magnitudes (symmetric) or of both tails (asymmetric).
    """

    method: str = "mse"
    scales: str = "free"
    zero_point: bool = False
    percentile: float = 99.99
    rounding: Rounding = Rounding.HALF_EVEN
    seed: int = 1


def choose_quantizer(seen: Distribution, bits: int, rule: RangeRule) -> Quantizer:
    """The quantizer of `bits` bits for what was seen.

    Codes are unsigned where no value is negative (or by next to nothing), else two's complement, or,
    with `rule.zero_point`, unsigned with a zero point. Signed one-bit tensors become bipolar, scale = E|x|.
    """
    signed = seen.low < -NEGLIGIBLE * seen.high
    if signed and rule.zero_point:
        base = Quantizer(IntType(bits), np.ones(1))
        scale, zero_point = _asymmetric(seen, base, rule)
        chosen = replace(base, scale=np.array([scale]), zero_point=np.array([zero_point]))
    elif signed and bits == 1:
        magnitude = float((seen.count * np.abs(seen.center)).sum() / seen.total)
        chosen = Quantizer(BIPOLAR, np.array([snap(magnitude, rule.scales, nearest=True)]))
    else:
        base = Quantizer(IntType(bits, signed), np.ones(1))
        chosen = replace(base, scale=np.array([_symmetric(seen, base, rule)]))
    return replace(chosen, rounding=rule.rounding, seed=rule.seed)


def snap(scale: float, scales: str, *, nearest: bool = False) -> float:
    """The scale itself, or the power of two that covers it (or, `nearest`, the nearest one in the logarithm)."""
    if not (scale > 0 and math.isfinite(scale)):
        return 1.0
    if scales == "free":
        return min(max(scale, 2.0**MIN_EXPONENT), 2.0**MAX_EXPONENT)
    exponent = round(math.log2(scale)) if nearest else math.ceil(math.log2(scale) - 1e-9)
    return 2.0 ** min(max(exponent, MIN_EXPONENT), MAX_EXPONENT)


def limits(seen: Distribution, rule: RangeRule) -> tuple[float, float]:
    """Lowest and highest value that the grid must hold, for the methods that fix a range; low <= 0 <= high."""
    if rule.method == "percentile":
        fraction = rule.percentile / 100
        if rule.zero_point:
            low, high = seen.quantile(1 - fraction), seen.quantile(fraction)
        else:
            reach = min(seen.magnitude_quantile(fraction), seen.peak)
            low, high = max(-reach, seen.low), min(reach, seen.high)
        if low == high == 0:  # nearly everything is zero: the few values that are not count all the same
            low, high = seen.low, seen.high
    elif rule.method == "moving_average":
        low, high = seen.average_low, seen.average_high
    else:
        low, high = seen.low, seen.high
    return min(low, 0.0), max(high, 0.0)


def _covering(low: float, high: float, q: Quantizer) -> float:
    """Smallest scale of a symmetric grid that holds [low, high]."""
    below = -low / -q.low if q.low < 0 else 0.0
    above = high / q.high if q.high > 0 else 0.0
    return max(below, above)


def _symmetric(seen: Distribution, q: Quantizer, rule: RangeRule) -> float:
    if rule.method in ("mse", "kl"):
        return best_scale(seen, q, rule)
    return snap(_covering(*limits(seen, rule), q), rule.scales)


def _criterion(seen: Distribution, q: Quantizer, method: str) -> Callable[[float, float], float]:
    if method == "kl":
        target = reference(seen)
        return lambda scale, zero: kl_divergence(target, scale, zero, q.low, q.high)
    return lambda scale, zero: squared_error(seen, scale, zero, q.low, q.high)


def best_scale(seen: Distribution, q: Quantizer, rule: RangeRule) -> float:
    """The scale of a symmetric grid with the least squared error or KL divergence.

    Free scales: eight per octave between the median magnitude and the peak, then finer around the best.
    Powers of two: every radix point in that interval and two below it.
    """
    widest = _covering(seen.low, seen.high, q)
    if widest <= 0:
        return 1.0
    error = _criterion(seen, q, rule.method)
    inner = max(seen.magnitude_quantile(0.5, nonzero=True) / seen.peak, MIN_RATIO)
    octaves = max(1.0, -math.log2(inner))
    if rule.scales == "power_of_two":
        top = math.ceil(math.log2(widest) - 1e-9)
        candidates = [2.0**e for e in range(top - math.ceil(octaves) - 2, top + 1)]
        return snap(_argmin(candidates, lambda s: error(s, 0.0)), "power_of_two", nearest=True)
    count = math.ceil(octaves * STEPS_PER_OCTAVE) + 1
    finer = widest * 2.0 ** -(np.arange(count) / STEPS_PER_OCTAVE)
    best = _argmin(finer, lambda s: error(s, 0.0))
    around = best * 2.0 ** (np.linspace(-1, 1, 17) / STEPS_PER_OCTAVE)
    return snap(_argmin(around[around <= widest * (1 + 1e-9)], lambda s: error(s, 0.0)), "free")


def _argmin(candidates: Iterable[float], error: Callable[[float], float]) -> float:
    """The candidate with the least error; the largest one among equals."""
    ordered = sorted((float(c) for c in candidates), reverse=True)
    return min(ordered, key=error)


def grid_of(low: float, high: float, q: Quantizer, scales: str) -> tuple[float, float]:
    """Scale and zero point of an unsigned grid that holds [low, high], low <= 0 <= high."""
    levels = q.high - q.low
    scale = snap((high - low) / levels, scales)
    zero_point = float(np.clip(np.rint(-low / scale), q.low, q.high))
    if scales == "power_of_two" and (q.high - zero_point) * scale < high - scale / 2:
        scale *= 2
        zero_point = float(np.clip(np.rint(-low / scale), q.low, q.high))
    return scale, zero_point


def _asymmetric(seen: Distribution, q: Quantizer, rule: RangeRule) -> tuple[float, float]:
    """Scale and zero point; the search shrinks both ends together, then each end alone, twice."""
    low, high = limits(seen, rule)
    if rule.method not in ("mse", "kl") or low == high:
        return grid_of(low, high, q, rule.scales)
    error = _criterion(seen, q, rule.method)
    inner = max(seen.magnitude_quantile(0.5, nonzero=True) / seen.peak, MIN_RATIO)
    count = math.ceil(max(1.0, -math.log2(inner)) * STEPS_PER_OCTAVE) + 1
    shrink = 2.0 ** -(np.arange(count) / STEPS_PER_OCTAVE)

    def best(pairs: list[tuple[float, float]]) -> tuple[float, float]:
        return min(pairs, key=lambda p: error(*grid_of(p[0], p[1], q, rule.scales)))

    ends = best([(low * r, high * r) for r in shrink])
    for _ in range(2):
        ends = best([ends, *((low * r, ends[1]) for r in shrink)])
        ends = best([ends, *((ends[0], high * r) for r in shrink)])
    return grid_of(*ends, q, rule.scales)


def within_clip(seen: Distribution, q: Quantizer, low: float, high: float, scales: str) -> Quantizer:
    """The quantizer of a value that was clipped to [low, high], where its saturation can stand for the clip.

    Code limits of half a step beyond the bounds saturate where the clip does: s = min(high / (max - 1/2),
    low / (min + 1/2)). From `CLIP_BITS` on that scale is taken where the value's squared error grows by no more than
    `CLIP_COST` times; any other one is right too, but takes operations that clamp.
    """
    if q.dtype.bits < CLIP_BITS or q.zero_point.any() or not low <= 0 < high:
        return q
    bounds = [high / (q.high - 0.5)] if math.isfinite(high) else []
    if q.low < 0 and math.isfinite(low) and low < 0:
        bounds.append(low / (q.low + 0.5))
    scale = float(q.scale[0])
    if not bounds or scale <= min(bounds):
        return q
    folded = min(bounds) * (1 - 2.0**-20)
    folded = 2.0 ** math.floor(math.log2(folded)) if scales == "power_of_two" else folded
    before, after = (squared_error(seen, s, 0.0, q.low, q.high) for s in (scale, folded))
    return replace(q, scale=np.array([folded])) if after <= before * CLIP_COST else q
