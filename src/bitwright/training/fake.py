# SPDX-License-Identifier: Apache-2.0
"""Fake quantizers of torch tensors: floats in, floats on the grid out, gradients for values and scales.

The gradient passes the rounding as if it were not there and ends where the grid clips; that of a scale is that of a
learned step size (Esser et al., 2020). On a CPU each is one pass over the data each way (`kernels`); on other
devices, and for roundings that are not to the nearest code, it is a chain of torch's operations.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bitwright.models.graph import ExtraRounding, Quantizer
from bitwright.network.ops import Rounding
from bitwright.training import kernels

PIECE = 1 << 18  # elements that a thread computes at once

# Those that differ from the nearest code by more than ties.
ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    Rounding.FLOOR: torch.floor,
    ExtraRounding.CEIL: torch.ceil,
    ExtraRounding.ZERO: torch.trunc,
    ExtraRounding.AWAY: lambda v: torch.sign(v) * torch.ceil(torch.abs(v)),
}


@dataclass(frozen=True)
class Grid:
    """The codes of a quantizer: low to high, or -1 and +1; `zero` is the code of 0.0, one or one per channel."""

    low: int
    high: int
    zero: tuple[float, ...] = (0.0,)
    bipolar: bool = False
    rounding: str = Rounding.HALF_EVEN

    @staticmethod
    def of(quantizer: Quantizer) -> Grid:
        q = quantizer
        zero = tuple(map(float, q.zero_point))
        if q.dtype.bipolar:
            return Grid(-1, 1, (0.0,), True)
        return Grid(q.low, q.high, zero if any(zero) else (0.0,), False, q.rounding)

    @property
    def nearest(self) -> bool:
        """Whether codes are the nearest ones, but for ties and chance."""
        return self.bipolar or self.rounding not in ROUNDINGS

    @property
    def constants(self) -> tuple[Any, ...]:
        """What the kernels take: zero, low, high, bipolar."""
        return np.float32(self.zero[0]), np.float32(self.low), np.float32(self.high), self.bipolar


def fake_quantize(x: Tensor, scale: Tensor, grid: Grid) -> Tensor:
    """Values x [N, C, ...] on the grid with one scale [] or one per channel [C]."""
    if x.device.type == "cpu" and grid.nearest and scale.numel() == 1 and len(grid.zero) == 1:
        return _Values.apply(x, scale.reshape(()), grid)
    shape = (1, -1, *[1] * (x.ndim - 2))
    zero = torch.tensor(grid.zero, dtype=torch.float32, device=x.device).view(shape)
    return _chain(x.float(), scale.view(shape), zero, grid).to(x.dtype)


def fake_quantize_rows(w: Tensor, scale: Tensor, grid: Grid) -> Tensor:
    """Weights w [O, K] on the grid with a scale for each row [O]."""
    if w.device.type == "cpu":
        return _Rows.apply(w, scale, grid)
    return _chain(w, scale.view(-1, 1), torch.zeros((), device=w.device), grid)


def _chain(x: Tensor, scale: Tensor, zero: Tensor, grid: Grid) -> Tensor:
    v = x / scale + zero
    c = torch.clamp(v, grid.low, grid.high)
    code = torch.where(v >= 0, 1.0, -1.0) if grid.bipolar else ROUNDINGS.get(grid.rounding, torch.round)(c)
    return (c + (code - c).detach() - zero) * scale


def _flat(x: Tensor) -> Any:
    """All elements as the memory has them, float32 or, of bfloat16, uint16."""
    flat = x.detach().as_strided((x.numel(),), (1,))
    return flat.numpy() if x.dtype == torch.float32 else flat.view(torch.int16).numpy().view(np.uint16)


def _dense(x: Tensor) -> Tensor:
    """x itself where its elements fill its memory in one of two orders, else a copy."""
    full = x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last))
    return x if full else x.contiguous()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _in_pieces(work: Callable[[slice], Any], size: int) -> list[Any]:
    """work(piece) of all pieces, in order, by as many threads as torch has; the pieces do not depend on them."""
    pieces = [slice(start, start + PIECE) for start in range(0, size, PIECE)]
    threads = min(torch.get_num_threads(), len(pieces))
    return [work(piece) for piece in pieces] if threads < 2 else list(_pool(threads).map(work, pieces))


class _Values(torch.autograd.Function):
    """One scale for the whole tensor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, grid: Grid) -> Tensor:
        x = _dense(x)
        y = torch.empty_like(x)
        kernel = kernels.forward_single if x.dtype == torch.float32 else kernels.forward_half
        s, given, made = np.float32(scale.item()), _flat(x), _flat(y)
        _in_pieces(lambda p: kernel(given[p], made[p], s, *grid.constants), x.numel())
        ctx.save_for_backward(x)
        ctx.given = s, grid
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x,), (s, grid) = ctx.saved_tensors, ctx.given
        g = gradients[0].to(x.dtype)
        if g.stride() != x.stride():
            g = torch.empty_like(x).copy_(g)
        gx = torch.empty_like(x)
        kernel = kernels.backward_single if x.dtype == torch.float32 else kernels.backward_half
        given, upper, made = _flat(x), _flat(g), _flat(gx)
        parts = _in_pieces(lambda p: kernel(given[p], upper[p], made[p], s, grid.constants), x.numel())
        return gx, torch.tensor(sum(parts), dtype=torch.float32), None


class _Rows(torch.autograd.Function):
    """A scale for each row of a matrix."""

    @staticmethod
    def forward(ctx: Any, w: Tensor, scale: Tensor, grid: Grid) -> Tensor:
        w, scale = w.contiguous(), scale.contiguous()
        y = torch.empty_like(w)
        kernels.forward_rows(w.detach().numpy(), y.numpy(), scale.detach().numpy(), *grid.constants)
        ctx.save_for_backward(w, scale)
        ctx.grid = grid
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        w, scale = (t.detach() for t in ctx.saved_tensors)
        gw, gs = torch.empty_like(w), torch.empty_like(scale)
        g = gradients[0].contiguous().numpy()
        kernels.backward_rows(w.numpy(), g, gw.numpy(), gs.numpy(), scale.numpy(), ctx.grid.constants)
        return gw, gs, None
