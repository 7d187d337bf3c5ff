"""What widths cost: model bytes, or the resources and cycles that a target's own cost model gives."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from bitwright import api
from bitwright.errors import OptionError
from bitwright.network import INPUT, Network, Node
from bitwright.network.passes import simplify
from bitwright.quantize.placement import Widths
from bitwright.quantize.ptq import Prepared, finish
from bitwright.quantize.size import weight_bits
from bitwright.targets.contract import Estimate

BYTES = "bytes"
TARGET_COSTS = ("lut", "ff", "carry", "bram36", "dsp", "cycles")
PIPELINE = 0.9  # an interval below this part of the layers' cycles means that they work at the same time

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

    def total(self, widths: Mapping[str, Pair]) -> float:
        """Predicted cost of the network at those widths."""
        each = [self.table[name][pair] for name, pair in widths.items()]
        return max([self.fixed, *each]) if self.bottleneck else self.fixed + sum(each)


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
        sizes = {name: np.asarray(prepared.graph.node(name)["weight"]).size for name in pairs}
        return LayerCosts({name: {p: sizes[name] * p[0] / 8 for p in options} for name, options in pairs.items()})
    quick = replace(prepared, options=replace(prepared.options, weight_rounding="nearest", bias_correction=False))
    table: dict[str, dict[Pair, float]] = {name: {} for name in pairs}
    fixed: list[float] = []
    bottleneck = False
    for pair in sorted({p for options in pairs.values() for p in options}):
        chosen = {name: alike(pair, pairs[name]) for name in pairs}
        network = simplify(finish(quick, replace(widths, layers=chosen)).network)
        by_layer, rest, bottleneck = _split(estimate(network, cost), network, cost.quantity, list(pairs))
        for name, own in chosen.items():
            table[name].setdefault(own, by_layer[name])
        fixed.append(rest)
    return LayerCosts(table, max(fixed) if bottleneck else float(np.mean(fixed)), bottleneck)


def alike(pair: Pair, legal: tuple[Pair, ...]) -> Pair:
    """The legal pair nearest to a pair, in weight bits first."""
    return min(legal, key=lambda p: (abs(p[0] - pair[0]), abs(p[1] - pair[1])))


def _split(found: Estimate, network: Network, quantity: str, names: list[str]) -> tuple[dict[str, float], float, bool]:
    """Cost of each layer, of everything else together, and whether it is a pipeline's cycles.

    Together is the sum, or in a pipeline's cycles the dearest.
    """
    values = {u.name: float(u.cycles if quantity == "cycles" else getattr(u.resources, quantity)) for u in found.layers}
    bottleneck = quantity == "cycles" and _is_pipeline(found, network)
    by_layer, rest = dict.fromkeys(names, 0.0), 0.0
    join = max if bottleneck else operator.add
    for unit, value in values.items():
        owner = _owner(unit, list(values), network, names)
        if owner is None:
            rest = join(rest, value)
        else:
            by_layer[owner] = join(by_layer[owner], value)
    if quantity == "cycles" and not bottleneck:  # a unit may stand for the whole: only the interval is sure
        rest = found.interval_cycles - sum(by_layer.values())
    return by_layer, rest, bottleneck


def _is_pipeline(found: Estimate, network: Network) -> bool:
    """Whether the units of the network's operations work at the same time."""
    cycles = sum(unit.cycles for unit in found.layers if _node_of(unit.name, network) is not None)
    return found.interval_cycles < PIPELINE * cycles


def _node_of(unit: str, network: Network) -> Node | None:
    """The operation that a unit is named after, as "node" or "node.part"; None for all other hardware."""
    fitting = [node for node in network.nodes if unit == node.name or unit.startswith(f"{node.name}.")]
    return max(fitting, key=lambda node: len(node.name), default=None)


def _owner(unit: str, units: list[str], network: Network, names: list[str]) -> str | None:
    """The layer that a unit computes.

    A target may fuse a layer with the functions behind it and name the unit after the last of them, so the
    search goes up from the unit's operation until it meets a layer, another unit's operation or a junction.
    """
    node = _node_of(unit, network)
    while node is not None and node.name not in names:
        above = node.inputs[0]
        if len(node.inputs) > 1 or above == INPUT or above in units:
            return None
        node = network.node(above)
    return None if node is None else node.name
