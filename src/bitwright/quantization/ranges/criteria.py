# SPDX-License-Identifier: Apache-2.0
"""What a quantizer loses on a distribution: squared error and Kullback-Leibler divergence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.jit import njit
from bitwright.network.types import Floats
from bitwright.quantization.ranges.histogram import Distribution

KL_BINS = 4096  # on each side of zero that occurs
KL_TAIL = 4.0  # the reference reaches at most this multiple of the 99.99th percentile
_EMPTY = 1e-12


@njit(nogil=True)
def _squared_error(center: Floats, count: Floats, scale: float, zero_point: float, low: float, high: float) -> float:
    total = 0.0
    for i in range(len(center)):
        code = np.rint(center[i] / scale + zero_point)
        code = min(max(code, low), high)
        error = (code - zero_point) * scale - center[i]
        total += count[i] * error * error
    return total


def squared_error(seen: Distribution, scale: float, zero_point: float, low: int, high: int) -> float:
    """Mean of (Q(x) - x)**2, Q(x) = (clamp(round(x/scale + zero_point), low..high) - zero_point) * scale."""
    total = _squared_error(seen.center, seen.count, float(scale), float(zero_point), float(low), float(high))
    return float(total / seen.total)


def signal_power(seen: Distribution) -> float:
    """Mean of x**2."""
    return float((seen.count * seen.center**2).sum() / seen.total)


def clipped_fraction(seen: Distribution, scale: float, zero_point: float, low: int, high: int) -> float:
    """Fraction of values that lie more than half a step outside the grid."""
    code = seen.center / scale + zero_point
    return float(seen.count[(code < low - 0.5) | (code > high + 0.5)].sum() / seen.total)


@dataclass(frozen=True, eq=False)
class Reference:
    """Linear histogram of a distribution without its exact zeros, which every grid represents."""

    start: float
    width: float
    count: Floats


def reference(seen: Distribution, bins: int = KL_BINS) -> Reference:
    """At least `bins` bins of equal width on each side of zero that occurs; the mass beyond is in the end bins."""
    keep = seen.center != 0
    peak = min(seen.peak, KL_TAIL * seen.magnitude_quantile(0.9999, nonzero=True))
    width = peak / bins if peak > 0 else 1.0
    start = -bins * width if seen.low < 0 else 0.0
    edges = start + width * np.arange(bins * (1 + (seen.low < 0)) + 1)
    left, right, count = seen.left[keep], seen.right[keep], seen.count[keep]
    if not len(count):
        return Reference(start, width, np.zeros(len(edges) - 1))
    # Mass is uniform within a bin: the cumulative distribution is linear between the bins' edges.
    x = np.stack([left, right], 1).ravel()
    total = np.cumsum(count)
    cumulative = np.stack([total - count, total], 1).ravel()
    at = np.interp(edges, x, cumulative)
    at[0], at[-1] = 0.0, total[-1]
    return Reference(start, width, np.diff(at))


@njit(nogil=True)
def _kl(count: Floats, start: float, width: float, scale: float, zero_point: float, low: float, high: float) -> float:
    cells = int(high - low) + 1
    mass, used = np.zeros(cells), np.zeros(cells)
    first, last, inside, total = -1, -1, 0.0, 0.0
    below, above = 0.0, 0.0
    for i in range(len(count)):
        if count[i] <= 0:
            continue
        total += count[i]
        position = (start + (i + 0.5) * width) / scale + zero_point
        if position < low - 0.5:
            below += count[i]
        elif position > high + 0.5:
            above += count[i]
        else:
            cell = int(min(max(np.rint(position), low), high) - low)
            mass[cell] += count[i]
            used[cell] += 1
            inside += count[i]
            first = i if first < 0 else first
            last = i
    if total == 0.0:
        return 0.0
    if inside == 0.0:
        return np.inf
    divergence = 0.0
    for i in range(first, last + 1):
        if count[i] <= 0:
            continue
        position = (start + (i + 0.5) * width) / scale + zero_point
        cell = int(min(max(np.rint(position), low), high) - low)
        p = count[i]
        p += below if i == first else 0.0
        p += above if i == last else 0.0
        q = mass[cell] / used[cell] / inside
        divergence += p / total * np.log(max(p / total, _EMPTY) / max(q, _EMPTY))
    return divergence


def kl_divergence(target: Reference, scale: float, zero_point: float, low: int, high: int) -> float:
    """KL(P || Q) in nats for the codes low..high.

    P is the reference with the mass beyond the grid added to the outermost bins inside it; Q spreads
    the mass of each code evenly over the code's non-empty bins, without the mass beyond the grid.
    """
    arguments = (target.count, target.start, target.width, scale, zero_point, low, high)
    return float(_kl(arguments[0], *(float(a) for a in arguments[1:])))
