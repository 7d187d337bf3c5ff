# SPDX-License-Identifier: Apache-2.0
"""The choice under limits on block RAM and DSP blocks: one alternative for every unit, by integer programming."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bitwright.devices import find_device
from bitwright.hardware.resources import Resources
from bitwright.targets.contract import Problem
from bitwright.targets.tlmac.circuit import fold
from bitwright.targets.tlmac.circuit.fold import Candidate
from bitwright.targets.tlmac.circuit.plan import UnitPlan
from bitwright.targets.tlmac.model.cost import behind_cost
from bitwright.targets.tlmac.options import TlmacOptions
from bitwright.targets.tlmac.refusal import OutOfReach

GAP = 1e-4  # of the price, at which the search for the best choice ends
KINDS = {"lut": "LUTs", "bram36": "block RAMs", "dsp": "DSP blocks"}
FREE_BRAM36 = 1.0  # price of a block RAM in LUTs where the user says how many there are


@dataclass(frozen=True)
class Limits:
    """What a circuit may take, and the price of a block RAM in LUTs within that.

    device: the part, where its bounds are the narrower ones of the kinds in `own`.
    """

    lut: float = math.inf
    bram36: float = math.inf
    dsp: float = math.inf
    bram_price: float = fold.LUTS_PER_BRAM36
    device: str = ""
    own: frozenset[str] = frozenset()

    @classmethod
    def of(cls, options: TlmacOptions) -> Limits:
        """Those that the user names, and the device's; its LUTs only where they are what the cost model counts."""
        part = find_device(options.device) if options.device else None
        bounds = {name: options.fill * getattr(part, name) for name in KINDS} if part else {}
        if part and not part.counts_estimated_luts:
            del bounds["lut"]
        own = set(bounds)
        for name in ("bram36", "dsp"):
            given = getattr(options, name)
            if given is not None and given <= bounds.get(name, math.inf):
                bounds[name] = given
                own.discard(name)
        price = fold.LUTS_PER_BRAM36 if options.bram36 is None else FREE_BRAM36
        return cls(**bounds, bram_price=price, device=options.device or "", own=frozenset(own))

    def hold(self, used: Resources) -> bool:
        """Whether so much is allowed."""
        return used.lut <= self.lut and used.bram36 <= self.bram36 and used.dsp <= self.dsp

    def refusal(self, least: Resources) -> OutOfReach:
        """What to tell the user of a circuit that takes at least so much of each kind."""
        over = {kind: getattr(least, kind) for kind in KINDS if getattr(least, kind) > getattr(self, kind)}
        rules = [
            f"{self._who(kind)} is too small: the circuit needs at least {_count(need, kind)}"
            for kind, need in over.items()
        ]
        if not over:
            rules = ["no choice of elements keeps the limits of block RAM and DSP blocks at once"]
        return OutOfReach([Problem(None, rule, "") for rule in rules], limits=over)

    def _who(self, kind: str) -> str:
        limit = getattr(self, kind)
        return f"device {self.device} ({_count(limit, kind)})" if kind in self.own else f"{kind}={limit:.12g}"


def _count(number: float, kind: str) -> str:
    return f"{math.ceil(2 * number) / 2:.12g} {KINDS[kind]}"


@dataclass(frozen=True, eq=False)
class Alternative:
    """One way to build a unit: a candidate for its multiply-accumulate layer, and whether rescaling takes DSP blocks.

    cost: of the parts that differ between alternatives.
    """

    candidate: Candidate | None
    dsp: bool
    cost: Resources


def alternatives(plan: UnitPlan, pool: Iterable[Candidate], bram_price: float) -> list[Alternative]:
    """The alternatives of a planned unit that are Pareto-optimal in price, block RAM and DSP blocks.

    pool: candidates for its multiply-accumulate layer; of other units only the rescaling differs.
    """
    if plan.mac is None:
        return _undominated(_both(plan, None), bram_price)
    kept = _undominated((Alternative(c, True, c.cost) for c in pool), bram_price)
    return _undominated((a for found in kept for a in _both(plan, found.candidate)), bram_price)


def alternative(plan: UnitPlan, candidate: Candidate | None, dsp: bool = True) -> Alternative:
    """A planned unit with another candidate in the place of its own, and rescaling with DSP blocks or without."""
    mac = candidate.plan if candidate else None
    cost = behind_cost(plan.unit, mac, mac.out_lanes if mac else plan.out_lanes, dsp)
    return Alternative(candidate, dsp, cost + candidate.cost if candidate else cost)


def _both(plan: UnitPlan, candidate: Candidate | None) -> Iterator[Alternative]:
    with_dsp = alternative(plan, candidate)
    yield with_dsp
    if with_dsp.cost.dsp:
        yield alternative(plan, candidate, dsp=False)


def _undominated(found: Iterable[Alternative], bram_price: float) -> list[Alternative]:
    kept: list[Alternative] = []
    for option in sorted(found, key=lambda a: (fold.price(a.cost, bram_price), a.cost.bram36, a.cost.dsp)):
        if not any(k.cost.bram36 <= option.cost.bram36 and k.cost.dsp <= option.cost.dsp for k in kept):
            kept.append(option)
    return kept


def select(units: Sequence[Sequence[Alternative]], rest: Resources, limits: Limits) -> list[Alternative]:
    """The cheapest choice of one alternative for each unit that keeps, with `rest`, the limits of block RAM and DSPs.

    Multiple-choice knapsack: minimize  sum of price[i] * x[i],  x binary, one a unit; solved by HiGHS.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    options = [option for unit in units for option in unit]
    owner = np.repeat(np.arange(len(units)), [len(unit) for unit in units])
    one = LinearConstraint((owner == np.arange(len(units))[:, None]).astype(float), 1, 1)
    bounds = [one]
    for kind in ("bram36", "dsp"):
        limit = getattr(limits, kind) - getattr(rest, kind)
        if limit < math.inf:
            bounds.append(LinearConstraint(np.array([[getattr(o.cost, kind) for o in options]]), -np.inf, limit))
    prices = np.array([fold.price(option.cost, limits.bram_price) for option in options])
    result = milp(prices, integrality=1, bounds=Bounds(0, 1), constraints=bounds, options={"mip_rel_gap": GAP})
    if result.x is None:
        least = {k: sum(min(getattr(o.cost, k) for o in unit) for unit in units) for k in ("bram36", "dsp")}
        raise limits.refusal(rest + Resources(**least))
    return [options[i] for i in np.flatnonzero(result.x > 0.5)]
