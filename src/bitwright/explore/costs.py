# SPDX-License-Identifier: Apache-2.0
"""What widths cost: model bytes, or the resources and cycles that a target's own cost model gives."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bitwright import api
from bitwright.errors import OptionError
from bitwright.network import Network
from bitwright.network.passes import simplify
from bitwright.quantization.placement import Widths
from bitwright.quantization.ptq import Prepared, finish
from bitwright.quantization.size import weight_bits
from bitwright.targets.contract import Estimate

BYTES = "bytes"
TARGET_COSTS = ("lut", "ff", "carry", "bram36", "dsp", "cycles")

Pair = tuple[int, int]


@dataclass(frozen=True)
class Cost:
    """The quantity to save: "bytes" of weights, or one of TARGET_COSTS of a target with its options."""

    quantity: str = BYTES
    target: str | None = None
    target_options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        legal = TARGET_COSTS if self.target else (BYTES,)
        if self.quantity not in legal:
            where = f"of target {self.target}" if self.target else "without a target"
            raise OptionError(f"cost {where} is {self.quantity!r}; legal are {', '.join(legal)}")


@dataclass(frozen=True)
class LayerCosts:
    """Cost of every layer at every (weight, activation) width; bottleneck: the dearest layer counts, not the sum."""

    table: Mapping[str, Mapping[Pair, float]]
    fixed: float = 0.0
    bottleneck: bool = False

    @classmethod
    def of(cls, priced: Sequence[tuple[Mapping[str, Pair], PairCost]]) -> LayerCosts:
        """From the costs of networks and their widths."""
        table: dict[str, dict[Pair, float]] = {name: {} for name in priced[0][0]}
        for chosen, found in priced:
            for name, pair in chosen.items():
                table[name].setdefault(pair, found.layers[name])
        bottleneck = priced[-1][1].bottleneck
        fixed = [found.rest for _, found in priced]
        return cls(table, max(fixed) if bottleneck else float(np.mean(fixed)), bottleneck)

    def total(self, widths: Mapping[str, Pair]) -> float:
        """Predicted cost of the network at those widths."""
        each = [self.table[name][pair] for name, pair in widths.items()]
        return max([self.fixed, *each]) if self.bottleneck else self.fixed + sum(each)


@dataclass(frozen=True)
class PairCost:
    """Cost of each layer of one network, of everything else together, and whether it is a pipeline's cycles."""

    layers: Mapping[str, float]
    rest: float
    bottleneck: bool


def estimate(network: Network, cost: Cost) -> Estimate:
    """The target's estimate of a network; `ModelError` with all reasons where it refuses."""
    return api.accepted_plan(network, cost.target or "", cost.target_options).estimate


def network_cost(network: Network, cost: Cost) -> float:
    """Cost of a network as it is."""
    if cost.target is None:
        return weight_bits(network) / 8
    found = estimate(network, cost)
    return float(found.interval_cycles if cost.quantity == "cycles" else getattr(found.total, cost.quantity))


def layer_costs(prepared: Prepared, widths: Widths, pairs: Mapping[str, tuple[Pair, ...]], cost: Cost) -> LayerCosts:
    """Costs of every pair of widths that the layers may have; a target prices one network for each pair.

    In such a network every layer that may have the pair has it, the others the legal pair most like it.
    """
    if cost.target is None:
        sizes = {node.name: node.op.weight.size for node in prepared.graph.layers}
        return LayerCosts({name: {p: sizes[name] * p[0] / 8 for p in options} for name, options in pairs.items()})
    alone, settings = quick(prepared), uniform_like(pairs)
    return LayerCosts.of(
        [(chosen, pair_cost(pair_network(alone, widths, chosen), cost, list(pairs))) for chosen in settings]
    )


def quick(prepared: Prepared) -> Prepared:
    """With the roundings that take no time, for networks that are only priced."""
    return replace(prepared, options=replace(prepared.options, weight_rounding="nearest", bias_correction=False))


def uniform_like(pairs: Mapping[str, tuple[Pair, ...]]) -> list[dict[str, Pair]]:
    """For every pair that some layer may have: that pair, and in layers that may not, the legal one most like it."""
    every = sorted({p for legal in pairs.values() for p in legal})
    return [{name: alike(pair, legal) for name, legal in pairs.items()} for pair in every]


def pair_network(prepared: Prepared, widths: Widths, chosen: Mapping[str, Pair]) -> Network:
    """The network of these widths."""
    return simplify(finish(prepared, replace(widths, layers=dict(chosen))).network)


def pair_cost(network: Network, cost: Cost, names: list[str]) -> PairCost:
    """What the layers `names` of a network cost; `ModelError` where the target refuses it."""
    return PairCost(*_split(estimate(network, cost), cost.quantity, names))


def alike(pair: Pair, legal: tuple[Pair, ...]) -> Pair:
    """The legal pair nearest to a pair, in weight bits first."""
    return min(legal, key=lambda p: (abs(p[0] - pair[0]), abs(p[1] - pair[1])))


def _split(found: Estimate, quantity: str, names: list[str]) -> tuple[dict[str, float], float, bool]:
    """Cost of each layer, of everything else together, and whether it is a pipeline's cycles.

    Together is the sum, or in a pipeline's cycles the dearest.
    """
    bottleneck = quantity == "cycles" and found.overlap
    by_layer, rest = dict.fromkeys(names, 0.0), 0.0
    join = max if bottleneck else operator.add
    for row in found.rows:
        value = float(row.cycles if quantity == "cycles" else getattr(row.resources, quantity))
        owner = next((name for name in row.nodes if name in by_layer), None)
        if owner is None:
            rest = join(rest, value)
        else:
            by_layer[owner] = join(by_layer[owner], value)
    if quantity == "cycles" and not bottleneck:  # shared hardware stands for the whole: only the interval is sure
        rest = found.interval_cycles - sum(by_layer.values())
    return by_layer, rest, bottleneck
