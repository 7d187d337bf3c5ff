# SPDX-License-Identifier: Apache-2.0
"""What a quantized network's outputs lose against the float network's."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from bitwright.network.types import Array

METRICS = ("kl", "error")
SHARE_DIGITS = 12


def output_loss(reference: np.ndarray, outputs: np.ndarray, metric: str, *, probabilities: bool = False) -> float:
    """Mean loss over samples [N, ...].

    "kl": KL(softmax(reference) || softmax(outputs)) over the last axis, in nats (`probabilities`: the
    outputs are probabilities already); "error": sum of squared differences over the reference's power.
    """
    from scipy.special import log_softmax

    reference, outputs = np.asarray(reference, np.float64), np.asarray(outputs, np.float64)
    if metric == "error":
        return float(((outputs - reference) ** 2).sum() / max(float((reference**2).sum()), 1e-300))
    if probabilities:
        p, q = (np.log(np.maximum(v, 1e-12)) for v in (reference, outputs))
    else:
        p, q = log_softmax(reference, -1), log_softmax(outputs, -1)
    return float((np.exp(p) * (p - q)).sum(-1).mean())


def sqnr_db(signal: float, noise: float) -> float | None:
    """10 log10(signal / noise); None without noise."""
    return None if noise <= 0 else 10 * math.log10(max(signal, 1e-300) / noise)


def output_powers(reference: Array, outputs: Array) -> Mapping[str, tuple[float, float]]:
    """Of every output of two bundles: sum of squares of the reference, and of the difference, for `sqnr_db`."""
    found = {}
    for name in reference.dtype.names or ():
        a, b = (y[name].astype(np.float64) for y in (reference, outputs))
        found[name] = float(np.square(a).sum()), float(np.square(a - b).sum())
    return found


def output_sqnr(reference: Array, outputs: Array) -> Mapping[str, float | None]:
    """Of every output of two bundles: power of the reference over that of the difference, in dB; None where equal."""
    return {name: sqnr_db(*powers) for name, powers in output_powers(reference, outputs).items()}


def accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Share of samples whose first maximum is the label."""
    return float(np.mean(outputs.reshape(len(outputs), -1).argmax(1) == np.asarray(labels)))


def agreement(reference: np.ndarray, outputs: np.ndarray) -> float:
    """Share of samples on which both have their first maximum at the same place."""
    return accuracy(outputs, reference.reshape(len(reference), -1).argmax(1))


def compared(share: float) -> float:
    """A difference of shares without the last bits of its arithmetic, so that equal counts of samples are equal."""
    return round(share, SHARE_DIGITS)


def share_of(points: float) -> float:
    """A bound in points of accuracy as the share that differences are compared with."""
    return compared(points / 100)
