# SPDX-License-Identifier: Apache-2.0
"""What a step of the grid costs a channel: the squared error of rounding and of clipping, also of values not seen yet.

A grid of step t with L codes beyond zero reaches T = t L. A value x has the mean squared error

    t**2 / 12 where |x| >= t / 2,    x**2 below,    and (|x| - T)**2 more where |x| > T.

A few hundred samples tell little of the largest values of a channel. Where that would be less than what the samples
show, clipping counts as if magnitudes beyond u fell off exponentially, n 2 b**2 exp(-(T - u) / b), n being the share
of the values beyond u and b their mean excess. One sample of `TAIL` has a value beyond u, and at least `TAIL_VALUES`
values are beyond.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bitwright.jit import njit
from bitwright.models.graph import FloatGraph
from bitwright.network.types import Array, Floats, Ints
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ranges.thresholds import NEGLIGIBLE

STEPS_PER_OCTAVE = 16  # thresholds T = peak * 2**(-j / STEPS_PER_OCTAVE)
OCTAVES_ABOVE, OCTAVES_BELOW = 2, 14  # of the peak
TAIL, TAIL_VALUES = 64, 32
_BINS = OCTAVES_BELOW * STEPS_PER_OCTAVE + 1
_LEAST = 1e-30


@dataclass(frozen=True, eq=False)
class Channels:
    """A value's channels on the calibration data: peaks of magnitude, variance and power, all [C].

    counts, sums, squares [C, _BINS + 1]: how many magnitudes lie beyond the threshold of each bin's upper edge, and
    their sums, divided by the number of all values; past the last bin, all that are not zero. beyond [C]: what the
    magnitude of one sample of `TAIL` exceeds somewhere.
    """

    signed: bool
    peak: Floats
    beyond: Floats
    variance: Floats
    power: Floats
    counts: Floats
    sums: Floats
    squares: Floats

    def noise(self, levels: int, averaged: int = 1) -> Floats:
        """Mean squared error [C, J] for the steps peak / levels * 2**((j - above) / STEPS_PER_OCTAVE).

        J covers OCTAVES_BELOW and OCTAVES_ABOVE the peak, above = OCTAVES_BELOW * STEPS_PER_OCTAVE. An average over
        `averaged` positions leaves 1 / averaged of rounding errors, which are independent, but more of clipping, which
        has one sign and comes at neighbors together: it counts sqrt(averaged) times.
        """
        bins = np.arange(_BINS + OCTAVES_ABOVE * STEPS_PER_OCTAVE)[::-1] - OCTAVES_ABOVE * STEPS_PER_OCTAVE
        reach = self.peak[:, None] * 2.0 ** (-bins / STEPS_PER_OCTAVE)
        step = reach / levels
        # Magnitudes below half a step: those that are not beyond its bin.
        half = np.clip(bins + np.rint(STEPS_PER_OCTAVE * np.log2(2 * levels)).astype(int), 0, _BINS)
        small = self.power[:, None] - self.squares[:, half]
        rounding = step**2 / 12 * self.counts[:, half] + np.maximum(small, 0)
        return np.asarray(rounding + self._clipping(bins, reach) * averaged**0.5)

    def _clipping(self, bins: Ints, reach: Floats) -> Floats:
        at = np.maximum(bins, 0)
        seen = self.squares[:, at] - 2 * reach * self.sums[:, at] + reach**2 * self.counts[:, at]
        # The tail begins at the edge below, so that some values lie beyond it.
        edge = np.clip(np.ceil(-STEPS_PER_OCTAVE * np.log2(self.beyond / self.peak)).astype(int), 1, _BINS - 1)
        rows = np.arange(len(self.peak))
        start = self.peak * 2.0 ** (-edge / STEPS_PER_OCTAVE)
        share = self.counts[rows, edge]
        excess = np.maximum(self.sums[rows, edge] / np.maximum(share, _LEAST) - start, _LEAST)
        distance = np.maximum(reach - start[:, None], 0) / excess[:, None]
        tail = (share * 2 * excess**2)[:, None] * np.exp(-distance)
        return np.maximum(np.maximum(seen, 0), np.where(reach >= start[:, None], tail, 0))


def observe(graph: FloatGraph, channels: Mapping[str, int], x: Array, jobs: int = 0) -> dict[str, Channels]:
    """The channels of values {name: C} on samples x, in two passes; memory does not grow with the samples' size."""
    runner = FloatRunner(graph, list(channels), jobs)
    peaks: dict[str, list[Array]] = {name: [] for name in channels}
    lows = dict.fromkeys(channels, 0.0)
    for _, values in runner.batches(x):
        for name, c in channels.items():
            part = values[name].reshape(len(values[name]), -1, c)
            peaks[name].append(np.abs(part).max(1))
            lows[name] = min(lows[name], float(part.min()))
    tops = {name: np.concatenate(parts).astype(np.float64) for name, parts in peaks.items()}
    sums = {name: _Sums(np.maximum(top.max(0), _LEAST)) for name, top in tops.items()}
    for _, values in runner.batches(x):
        for name, c in channels.items():
            sums[name].add(values[name].reshape(-1, c))
    signed = {name: lows[name] < -NEGLIGIBLE * float(top.max()) for name, top in tops.items()}
    return {name: sums[name].channels(signed[name], np.sort(tops[name], axis=0)[::-1]) for name in channels}


@njit(nogil=True)
def _collect(values: Array, peak: Floats, bins: Floats) -> None:
    """Counts, sums and sums of squares [3, C, _BINS] of the magnitudes of values [N, C]; zeros are left out."""
    last = bins.shape[2] - 1
    for n in range(values.shape[0]):
        for c in range(values.shape[1]):
            magnitude = abs(np.float64(values[n, c]))
            if magnitude > 0:
                k = min(int(-STEPS_PER_OCTAVE * np.log2(magnitude / peak[c])), last)
                bins[0, c, k] += 1
                bins[1, c, k] += magnitude
                bins[2, c, k] += magnitude * magnitude


class _Sums:
    """Histograms of the magnitudes of each channel, in bins that begin at its peak."""

    def __init__(self, peak: Floats) -> None:
        self.peak = peak
        self.total, self.sum = 0, np.zeros(len(peak))
        self.bins = np.zeros((3, len(peak), _BINS))  # counts, sums, sums of squares
        self.power = np.zeros(len(peak))

    def add(self, values: Array) -> None:
        """Values [N, C]."""
        self.total += len(values)
        self.sum += values.sum(0, dtype=np.float64)
        self.power += np.square(values, dtype=np.float64).sum(0)
        _collect(values, self.peak, self.bins)

    def channels(self, signed: bool, tops: Floats) -> Channels:
        """What was seen; tops [N, C]: the peaks of every sample, falling."""
        beyond = np.maximum(tops[min(max(len(tops) // TAIL, 1), len(tops) - 1)], _LEAST)
        # Bin k lies between the thresholds k and k + 1, so k bins are beyond threshold k.
        enough = np.argmax(self.bins[0].cumsum(1) >= min(TAIL_VALUES, self.total), axis=1) + 1
        beyond = np.minimum(beyond, self.peak * 2.0 ** (-enough / STEPS_PER_OCTAVE))
        above = np.concatenate([np.zeros((3, len(self.peak), 1)), self.bins.cumsum(2)], axis=2) / self.total
        power = self.power / self.total
        variance = np.maximum(power - (self.sum / self.total) ** 2, 0)
        return Channels(signed, self.peak, beyond, variance, power, *above)
