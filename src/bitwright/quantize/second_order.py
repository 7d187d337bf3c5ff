"""Second-order weight rounding: the codes that keep a layer's output, not the weights, closest.

For one output channel with weights w, input columns X (float network) and X' (quantized network so far),
the squared error of codes q and scale s is, up to a constant,

    (s*q - v) A (s*q - v)^T,    A = X' X'^T,    v = w + (w (X X'^T - X' X'^T) + R X'^T) A^-1.

v undoes the error of the layers before and, with R, that of the value that a residual addition adds to
the layer's output, as far as the inputs tell it; half of that correction is taken, since it fits the
noise of the sample too. The matrices are taken about the means where a bias correction will restore the
means. Codes are found in closed form, without training: column by column, each rounding error spread
over the columns still free by the Cholesky factor of A^-1 (as in optimal brain quantization), then by
coordinate descent, which changes one code at a time to its conditional optimum until none improves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from bitwright.network.types import IntType
from bitwright.quantize.weights import WeightRule, fit_accumulator, to_codes, weight_scales, weight_type

DAMPING = 0.01  # of the mean diagonal
COMPENSATION = 0.5  # of the earlier layers' error: what a sample says of it is half noise
MAX_SWEEPS = 20
SCALE_ROUNDS = 3
SCALE_FACTORS = (1.0, 0.93, 1.07)  # of the first scale, each tried


@dataclass(frozen=True, eq=False)
class Moments:
    """Second moments of a layer's input columns, one block per group: float64 [G, K, K] and means [G, K].

    hessian: mean of x' x'^T; cross: mean of x x'^T (x float, x' quantized); mean, mean_float of x' and x.
    Where the layer's output is added to a value that is quantized already, `residual` [O, K] is the mean
    of (r - r') x'^T and `residual_mean` [O] that of r - r', the error of that value, else both are 0.
    """

    hessian: np.ndarray
    cross: np.ndarray
    mean: np.ndarray
    mean_float: np.ndarray
    residual: np.ndarray | float = 0.0
    residual_mean: np.ndarray | float = 0.0

    def centered(self) -> Moments:
        """The same about the means: for layers whose bias absorbs the means."""
        hessian = self.hessian - np.einsum("gi,gj->gij", self.mean, self.mean)
        cross = self.cross - np.einsum("gi,gj->gij", self.mean_float, self.mean)
        zero, residual = np.zeros_like(self.mean), self.residual
        if isinstance(residual, np.ndarray):
            each = len(residual) // len(self.mean)
            residual = residual - self.residual_mean[:, None] * np.repeat(self.mean, each, axis=0)  # type: ignore[index]
        return Moments(hessian, cross, zero, zero, residual)


@numba.njit(cache=True, nogil=True)
def _successive(rows, scales, low, high, upper, order, codes):
    """Round column after column; upper [K, K] is the Cholesky factor of the permuted inverse Hessian."""
    count = len(order)
    w = np.empty(count)
    for o in range(rows.shape[0]):
        for k in range(count):
            w[k] = rows[o, order[k]]
        s = scales[o]
        for k in range(count):
            code = min(max(np.rint(w[k] / s), low), high)
            codes[o, order[k]] = code
            error = (w[k] - code * s) / upper[k, k]
            for j in range(k + 1, count):
                w[j] -= error * upper[k, j]


@numba.njit(cache=True, nogil=True)
def _descend(scales, low, high, hessian, codes, gradient):
    """Coordinate descent on the codes; gradient [O, K] = (s*q - w) H is kept up to date."""
    count = codes.shape[1]
    for o in range(codes.shape[0]):
        s = scales[o]
        for _ in range(MAX_SWEEPS):
            changed = False
            for k in range(count):
                wanted = codes[o, k] - gradient[o, k] / hessian[k, k] / s
                code = min(max(np.rint(wanted), low), high)
                # Only a strict improvement counts, so the descent ends.
                if abs(code - wanted) < abs(codes[o, k] - wanted) - 1e-9:
                    step = (code - codes[o, k]) * s
                    codes[o, k] = code
                    changed = True
                    for j in range(count):
                        gradient[o, j] += step * hessian[k, j]
            if not changed:
                break


def damped(hessian: np.ndarray) -> np.ndarray:
    """Hessian with 1 % of its mean diagonal added, so that dead and dependent inputs stay solvable."""
    mean = float(np.trace(hessian)) / len(hessian)
    return hessian + np.eye(len(hessian)) * (DAMPING * mean if mean > 0 else 1.0)


@dataclass(frozen=True, eq=False)
class Form:
    """A damped Hessian [K, K], its columns by falling diagonal, the Cholesky factor of its inverse in that order."""

    hessian: np.ndarray
    order: np.ndarray
    upper: np.ndarray

    @staticmethod
    def of(hessian: np.ndarray) -> Form:
        h = damped(hessian)
        order = np.argsort(-np.diag(h), kind="stable")
        inverse = np.linalg.inv(h[np.ix_(order, order)])
        return Form(h, order, np.ascontiguousarray(np.linalg.cholesky((inverse + inverse.T) / 2).T))


def compensated(rows: np.ndarray, form: Form, hessian, cross, residual) -> np.ndarray:
    """w + half of (w (C - H) + R) (H + damping)^-1: weights that repeat the float sum better on quantized inputs."""
    return rows + COMPENSATION * np.linalg.solve(form.hessian, (rows @ (cross - hessian) + residual).T).T


def descend(rows: np.ndarray, codes: np.ndarray, scales: np.ndarray, dtype: IntType, form: Form) -> np.ndarray:
    """Codes, float64, of which none can be changed alone to lower (s*q - w) H (s*q - w)^T of its row."""
    codes = codes.astype(np.float64)
    gradient = (scales[:, None] * codes - rows) @ form.hessian
    _descend(scales, float(dtype.min), float(dtype.max), form.hessian, codes, gradient)
    return codes


def round_rows(rows: np.ndarray, scales: np.ndarray, dtype: IntType, form: Form) -> np.ndarray:
    """Codes, float64 [O, K], that keep (s*q - w) H (s*q - w)^T small for every row; scales [O]."""
    codes = np.empty_like(rows)
    _successive(rows, scales, float(dtype.min), float(dtype.max), form.upper, form.order, codes)
    return descend(rows, codes, scales, dtype, form)


def refit_scales(rows: np.ndarray, codes: np.ndarray, scales: np.ndarray, form: Form) -> np.ndarray:
    """Optimal free scales for fixed codes: s = (q H w^T) / (q H q^T); the old scale where that is not positive."""
    projected = codes @ form.hessian
    top, bottom = (projected * rows).sum(1), (projected * codes).sum(1)
    good = (top > 0) & (bottom > 0)
    return np.where(good, top / np.where(good, bottom, 1.0), scales)


def output_error(rows: np.ndarray, codes: np.ndarray, scales: np.ndarray, form: Form) -> np.ndarray:
    """(s*q - w) H (s*q - w)^T of every row."""
    difference = scales[:, None] * codes - rows
    return ((difference @ form.hessian) * difference).sum(1)


def second_order(
    rows: np.ndarray, bits: int, rule: WeightRule, moments: Moments, input_type: IntType | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Codes int64 [O, K] and scales [O or 1] for weight rows [O, K]; group g owns the rows of its block.

    Free per-channel scales are refitted to the codes and the codes to the scales, while the error falls.
    Bipolar weights keep their signs (there is no second neighbor to round to).
    """
    rows = np.asarray(rows, np.float64)
    groups = len(moments.hessian)
    blocks = [slice(g * len(rows) // groups, (g + 1) * len(rows) // groups) for g in range(groups)]
    forms = [Form.of(h) for h in moments.hessian]
    residual = np.broadcast_to(moments.residual, rows.shape)
    target, importance = np.empty_like(rows), np.empty_like(rows)
    for block, form, h, c in zip(blocks, forms, moments.hessian, moments.cross, strict=True):
        target[block] = compensated(rows[block], form, h, c, residual[block])
        importance[block] = np.diag(form.hessian)
    dtype = weight_type(bits)
    scales = weight_scales(target, bits, rule, importance)
    if input_type is not None:
        scales = fit_accumulator(target, scales, input_type)
    if dtype.bipolar:
        return to_codes(target, scales, dtype, rule.rounding), scales
    each = np.broadcast_to(scales, len(rows)).copy()
    codes = np.empty_like(rows)
    search = rule.scales == "free" and rule.per_channel and rule.method == "mse" and bits <= 8
    for block, form in zip(blocks, forms, strict=True):
        if search:
            codes[block], each[block] = _with_best_scales(target[block], each[block], dtype, form)
        else:
            codes[block] = round_rows(target[block], each[block], dtype, form)
    return codes.astype(np.int64), each if len(scales) > 1 else scales


def _with_best_scales(rows, scales, dtype, form):
    """Codes and scales, best of some starts; a row keeps its best pair."""
    best_codes, best_scales, best = np.zeros(rows.shape), scales, np.full(len(rows), np.inf)
    for factor in SCALE_FACTORS:
        codes = round_rows(rows, scales * factor, dtype, form)
        codes, new_scales, error = _alternate(rows, codes, scales * factor, dtype, form)
        better = error < best
        best_codes = np.where(better[:, None], codes, best_codes)
        best_scales, best = np.where(better, new_scales, best_scales), np.where(better, error, best)
    return best_codes, best_scales


def _alternate(rows, codes, scales, dtype, form):
    """Refit scales and codes in turn; a row keeps its best pair. Codes, scales and errors."""
    best = output_error(rows, codes, scales, form)
    for _ in range(SCALE_ROUNDS):
        new_scales = refit_scales(rows, codes, scales, form)
        new_codes = descend(rows, codes, new_scales, dtype, form)
        error = output_error(rows, new_codes, new_scales, form)
        better = error < best * (1 - 1e-6)
        if not better.any():
            break
        codes = np.where(better[:, None], new_codes, codes)
        scales, best = np.where(better, new_scales, scales), np.where(better, error, best)
    return codes, scales, best
