# SPDX-License-Identifier: Apache-2.0
"""Fake quantizers as compiled loops: one pass over the data each way, in float32 or in bfloat16 (as uint16).

    v = x / s + z;  c = clamp(v, low, high);  code = rint(c), or the sign of v where bipolar;  y = (code - z) * s
    dy/dx = 1 where c = v, else 0;  dy/ds = code - z - (v - z) * dy/dx

Sums run over blocks of fixed size, so that they do not depend on threads.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bitwright.jit import njit

BLOCK = 4096
Single = npt.NDArray[np.float32]
Half = npt.NDArray[np.uint16]
F = np.float32


@njit(nogil=True)
def _forward(x: Single, y: Single, s: F, z: F, low: F, high: F, bipolar: bool) -> None:
    r = F(1) / s
    for i in range(x.size):
        v = x[i] * r + z
        c = low if v < low else v
        c = high if c > high else c
        code = F(np.rint(c))
        if bipolar:
            code = F(1) if v >= F(0) else F(-1)
        y[i] = (code - z) * s


@njit(nogil=True, fastmath=True)
def _backward(x: Single, g: Single, gx: Single, s: F, z: F, low: F, high: F, bipolar: bool) -> float:
    r = F(1) / s
    total = F(0)
    for i in range(x.size):
        v = x[i] * r + z
        c = low if v < low else v
        c = high if c > high else c
        inside = F(1) if c == v else F(0)
        code = F(np.rint(c))
        if bipolar:
            code = F(1) if v >= F(0) else F(-1)
        gx[i] = g[i] * inside
        total += g[i] * (code - z - (v - z) * inside)
    return float(total)


@njit(nogil=True)
def _to_single(x: Half, y: Single) -> None:
    bits = y.view(np.uint32)
    for i in range(x.size):
        bits[i] = np.uint32(x[i]) << np.uint32(16)


@njit(nogil=True)
def _to_half(x: Single, y: Half) -> None:
    """Rounded to nearest even; NaN stays NaN."""
    bits = x.view(np.uint32)
    for i in range(x.size):
        u = bits[i]
        rounded = np.uint32(u + np.uint32(0x7FFF) + np.uint32((u >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        y[i] = np.uint16(rounded) if x[i] == x[i] else np.uint16(0x7FC0)


@njit(nogil=True)
def forward_rows(x: Single, y: Single, s: Single, z: F, low: F, high: F, bipolar: bool) -> None:
    """y [R, K] of x [R, K] with a scale s [R] for each row."""
    for row in range(len(x)):
        _forward(x[row], y[row], s[row], z, low, high, bipolar)


@njit(nogil=True)
def backward_rows(x: Single, g: Single, gx: Single, gs: Single, s: Single, grid: tuple[F, F, F, bool]) -> None:
    """gx [R, K] and gs [R] of g [R, K]; grid is (z, low, high, bipolar)."""
    z, low, high, bipolar = grid
    for row in range(len(x)):
        gs[row] = _backward(x[row], g[row], gx[row], s[row], z, low, high, bipolar)


@njit(nogil=True)
def forward_half(x: Half, y: Half, s: F, z: F, low: F, high: F, bipolar: bool) -> None:
    """y [K] of x [K] in bfloat16."""
    a, b = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for start in range(0, x.size, BLOCK):
        part = x[start : start + BLOCK]
        n = part.size
        _to_single(part, a[:n])
        _forward(a[:n], b[:n], s, z, low, high, bipolar)
        _to_half(b[:n], y[start : start + n])


@njit(nogil=True)
def backward_half(x: Half, g: Half, gx: Half, s: F, grid: tuple[F, F, F, bool]) -> float:
    """gx [K] of g [K] in bfloat16; returns the gradient of s. grid is (z, low, high, bipolar)."""
    z, low, high, bipolar = grid
    a, b, c = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    total = 0.0
    for start in range(0, x.size, BLOCK):
        part = x[start : start + BLOCK]
        n = part.size
        _to_single(part, a[:n])
        _to_single(g[start : start + n], b[:n])
        total += _backward(a[:n], b[:n], c[:n], s, z, low, high, bipolar)
        _to_half(c[:n], gx[start : start + n])
    return total


@njit(nogil=True)
def forward_single(x: Single, y: Single, s: F, z: F, low: F, high: F, bipolar: bool) -> None:
    """y [K] of x [K]."""
    _forward(x, y, s, z, low, high, bipolar)


@njit(nogil=True)
def backward_single(x: Single, g: Single, gx: Single, s: F, grid: tuple[F, F, F, bool]) -> float:
    """gx [K] of g [K]; returns the gradient of s. grid is (z, low, high, bipolar)."""
    z, low, high, bipolar = grid
    total = 0.0
    for start in range(0, x.size, BLOCK):
        n = x[start : start + BLOCK].size
        end = start + n
        total += _backward(x[start:end], g[start:end], gx[start:end], s, z, low, high, bipolar)
    return total
