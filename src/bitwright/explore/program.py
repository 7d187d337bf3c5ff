# SPDX-License-Identifier: Apache-2.0
"""The integer program of mixed precision: one option for every layer, least loss within a budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitwright.errors import OptionError

GAP = 1e-6
TIE = 1e-7  # of the loss range: among equal losses the cheaper option


def choose(
    losses: Sequence[np.ndarray], costs: Sequence[np.ndarray], budget: float, *, bottleneck: bool = False
) -> list[int]:
    """Index of the chosen option of every layer.

    minimize sum(losses[l][o_l])  subject to  sum(costs[l][o_l]) <= budget,
    or, with `bottleneck`, max(costs[l][o_l]) <= budget, as for the cycles of a pipeline.
    Solved exactly by HiGHS. `OptionError` where even the cheapest options pass the budget.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    loss, cost = np.concatenate(losses), np.concatenate(costs)
    sizes = [len(options) for options in losses]
    cheapest = [float(np.min(c)) for c in costs]
    least = max(cheapest) if bottleneck else sum(cheapest)
    if least > budget:
        raise OptionError(f"the budget is {budget:g}; the least that these candidates can cost is {least:g}")
    layer = np.repeat(np.arange(len(sizes)), sizes)
    one_each = (layer == np.arange(len(sizes))[:, None]).astype(float)
    scale, unit = max(float(np.abs(loss).max()), 1e-300), max(float(cost.max()), 1e-300)
    constraints = [LinearConstraint(one_each, 1, 1)]
    upper = np.ones(len(loss))
    if bottleneck:
        upper[cost > budget] = 0
    else:
        constraints.append(LinearConstraint(cost[None] / unit, -np.inf, budget / unit))
    found = milp(
        loss / scale + TIE * cost / unit,
        integrality=np.ones(len(loss)),
        bounds=Bounds(0, upper),
        constraints=constraints,
        options={"mip_rel_gap": GAP},
    )
    if found.x is None:
        raise RuntimeError(f"the integer program was not solved: {found.message}")
    starts = np.cumsum([0, *sizes[:-1]])
    return [int(np.argmax(found.x[s : s + n])) for s, n in zip(starts, sizes, strict=True)]
