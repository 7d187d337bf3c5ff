# SPDX-License-Identifier: Apache-2.0
"""Second-order weight rounding: the codes that keep a layer's output, not the weights, closest.

For one output channel with weights w, input columns X (float network) and X' (quantized network so far),
the squared error of codes q and scale s is, up to a constant,

    (s*q - v) A (s*q - v)^T,    A = X' X'^T,    v = w + (w (X X'^T - X' X'^T) + R X'^T) A^-1.

v undoes the error of the layers before and, with R, that of the value that a residual addition adds to
the layer's output, as far as the inputs tell it; it is a ridge regression, since it would fit the noise
of the sample too. The matrices are taken about the means where a bias correction will restore the
means. Codes are found in closed form, without training: column by column, each rounding error spread
over the columns still free by the Cholesky factor of A^-1 (as in optimal brain quantization), then by
coordinate descent, which changes one code at a time to its conditional optimum until none improves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.jit import njit
from bitwright.network.types import Floats, Ints, IntType
from bitwright.quantization.weights.grids import WeightRule, fit_accumulator, to_codes, weight_scales, weight_type

DAMPING = 0.02  # of the mean diagonal
RIDGE = 1.0  # of the mean diagonal, for the correction: a few hundred samples say little of its small directions
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

    hessian: Floats
    cross: Floats
    mean: Floats
    mean_float: Floats
    residual: Floats | float = 0.0
    residual_mean: Floats | float = 0.0

    def centered(self) -> Moments:
        """The same about the means: for layers whose bias absorbs the means."""
        hessian = self.hessian - np.einsum("gi,gj->gij", self.mean, self.mean)
        cross = self.cross - np.einsum("gi,gj->gij", self.mean_float, self.mean)
        zero, residual = np.zeros_like(self.mean), self.residual
        if isinstance(residual, np.ndarray):
            means = np.broadcast_to(self.residual_mean, len(residual))
            each = len(residual) // len(self.mean)
            residual = residual - means[:, None] * np.repeat(self.mean, each, axis=0)
        return Moments(hessian, cross, zero, zero, residual)


@njit(nogil=True)
def _successive(
    rows: Floats, scales: Floats, low: float, high: float, upper: Floats, order: Ints, codes: Floats
) -> None:
    """Round column after column; upper [G, K, K] is the Cholesky factor of the permuted inverse Hessian."""
    groups, outputs, count = rows.shape
    w = np.empty(count)
    for g in range(groups):
        for o in range(outputs):
            for k in range(count):
                w[k] = rows[g, o, order[g, k]]
            s = scales[g, o]
            for k in range(count):
                code = min(max(np.rint(w[k] / s), low), high)
                codes[g, o, order[g, k]] = code
                error = (w[k] - code * s) / upper[g, k, k]
                for j in range(k + 1, count):
                    w[j] -= error * upper[g, k, j]


@njit(nogil=True)
def _descend(scales: Floats, low: float, high: float, hessian: Floats, codes: Floats, gradient: Floats) -> None:
    """Coordinate descent on the codes; gradient [G, R, K] = (s*q - w) H is kept up to date."""
    groups, outputs, count = codes.shape
    for g in range(groups):
        for o in range(outputs):
            s = scales[g, o]
            for _ in range(MAX_SWEEPS):
                changed = False
                for k in range(count):
                    wanted = codes[g, o, k] - gradient[g, o, k] / hessian[g, k, k] / s
                    code = min(max(np.rint(wanted), low), high)
                    # Only a strict improvement counts, so the descent ends.
                    if abs(code - wanted) < abs(codes[g, o, k] - wanted) - 1e-9:
                        step = (code - codes[g, o, k]) * s
                        codes[g, o, k] = code
                        changed = True
                        for j in range(count):
                            gradient[g, o, j] += step * hessian[g, k, j]
                if not changed:
                    break


def damped(hessian: Floats, damping: float = DAMPING) -> Floats:
    """Hessians [G, K, K] plus a part of their mean diagonal: dead and dependent inputs stay solvable."""
    mean = np.trace(hessian, axis1=1, axis2=2) / hessian.shape[1]
    extra = np.where(mean > 0, damping * mean, 1.0)
    return hessian + extra[:, None, None] * np.eye(hessian.shape[1])


@dataclass(frozen=True, eq=False)
class Form:
    """Damped Hessians [G, K, K], columns by falling diagonal, Cholesky factors of the inverses in that order."""

    hessian: Floats
    order: Ints
    upper: Floats

    @staticmethod
    def of(hessian: Floats) -> Form:
        h = damped(hessian)
        order = np.argsort(-np.diagonal(h, axis1=1, axis2=2), axis=1, kind="stable")
        sorted_rows = np.take_along_axis(h, order[:, :, None], 1)
        inverse = np.linalg.inv(np.take_along_axis(sorted_rows, order[:, None, :], 2))
        lower = np.linalg.cholesky((inverse + inverse.swapaxes(1, 2)) / 2)
        return Form(h, order, np.ascontiguousarray(lower.swapaxes(1, 2)))


def compensated(rows: Floats, moments: Moments) -> Floats:
    """w + (w (C - H) + R) (H + ridge)^-1: the weights that best repeat the float sum on quantized inputs."""
    residual = np.broadcast_to(moments.residual, (rows.shape[0] * rows.shape[1], rows.shape[2])).reshape(rows.shape)
    wanted = rows @ (moments.cross - moments.hessian) + residual
    ridged = damped(moments.hessian, RIDGE)
    return rows + np.linalg.solve(ridged, wanted.swapaxes(1, 2)).swapaxes(1, 2)


def descend(rows: Floats, codes: Floats, scales: Floats, dtype: IntType, form: Form) -> Floats:
    """Codes, float64, of which none can be changed alone to lower (s*q - w) H (s*q - w)^T of its row."""
    codes = codes.copy()
    gradient = (scales[..., None] * codes - rows) @ form.hessian
    _descend(scales, float(dtype.min), float(dtype.max), form.hessian, codes, gradient)
    return codes


def round_rows(rows: Floats, scales: Floats, dtype: IntType, form: Form) -> Floats:
    """Codes, float64 [G, R, K], that keep (s*q - w) H (s*q - w)^T small for every row; scales [G, R]."""
    codes = np.empty_like(rows)
    _successive(rows, scales, float(dtype.min), float(dtype.max), form.upper, form.order, codes)
    return descend(rows, codes, scales, dtype, form)


def refit_scales(rows: Floats, codes: Floats, scales: Floats, form: Form) -> Floats:
    """Optimal free scales for fixed codes: s = (q H w^T) / (q H q^T); the old scale where that is not positive."""
    projected = codes @ form.hessian
    top, bottom = (projected * rows).sum(2), (projected * codes).sum(2)
    good = (top > 0) & (bottom > 0)
    return np.where(good, top / np.where(good, bottom, 1.0), scales)


def output_error(rows: Floats, codes: Floats, scales: Floats, form: Form) -> Floats:
    """(s*q - w) H (s*q - w)^T of every row, [G, R]."""
    difference = scales[..., None] * codes - rows
    error: Floats = ((difference @ form.hessian) * difference).sum(2)
    return error


def second_order(
    rows: Floats, bits: int, rule: WeightRule, moments: Moments, input_type: IntType | None = None
) -> tuple[Ints, Floats]:
    """Codes int64 [O, K] and scales [O or 1] for weight rows [O, K]; group g owns the rows of its block.

    Free per-channel scales are refitted to the codes and the codes to the scales, while the error falls.
    Bipolar weights keep their signs (there is no second neighbor to round to).
    """
    flat = np.shape(rows)
    grouped = np.asarray(rows, np.float64).reshape(len(moments.hessian), -1, flat[1])
    form = Form.of(moments.hessian)
    target = np.ascontiguousarray(compensated(grouped, moments))
    diagonal = np.diagonal(form.hessian, axis1=1, axis2=2)[:, None, :]
    importance = np.broadcast_to(diagonal, target.shape).reshape(flat)
    dtype = weight_type(bits)
    scales = weight_scales(target.reshape(flat), bits, rule, importance)
    if input_type is not None:
        scales = fit_accumulator(target.reshape(flat), scales, input_type)
    if dtype.bipolar:
        return to_codes(target.reshape(flat), scales, dtype, rule.rounding), scales
    each = np.broadcast_to(scales, len(rows)).reshape(target.shape[:2]).copy()
    if rule.scales == "free" and rule.per_channel and rule.method == "mse" and bits <= 8:
        codes, each = _with_best_scales(target, each, dtype, form)
        scales = each.ravel()
    else:
        codes = round_rows(target, each, dtype, form)
    return codes.reshape(flat).astype(np.int64), scales


def _with_best_scales(rows: Floats, scales: Floats, dtype: IntType, form: Form) -> tuple[Floats, Floats]:
    """Codes and scales, best of some starts; a row keeps its best pair."""
    best_codes, best_scales, best = np.zeros(rows.shape), scales, np.full(scales.shape, np.inf)
    for factor in SCALE_FACTORS:
        codes = round_rows(rows, scales * factor, dtype, form)
        codes, new_scales, error = _alternate(rows, codes, scales * factor, dtype, form)
        better = error < best
        best_codes = np.where(better[..., None], codes, best_codes)
        best_scales, best = np.where(better, new_scales, best_scales), np.where(better, error, best)
    return best_codes, best_scales


def _alternate(
    rows: Floats, codes: Floats, scales: Floats, dtype: IntType, form: Form
) -> tuple[Floats, Floats, Floats]:
    """Refit scales and codes in turn; a row keeps its best pair. Codes, scales and errors."""
    best = output_error(rows, codes, scales, form)
    for _ in range(SCALE_ROUNDS):
        new_scales = refit_scales(rows, codes, scales, form)
        new_codes = descend(rows, codes, new_scales, dtype, form)
        error = output_error(rows, new_codes, new_scales, form)
        better = error < best * (1 - 1e-6)
        if not better.any():
            break
        codes = np.where(better[..., None], new_codes, codes)
        scales, best = np.where(better, new_scales, scales), np.where(better, error, best)
    return codes, scales, best
