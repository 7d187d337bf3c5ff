# SPDX-License-Identifier: Apache-2.0
"""The user's own folding of a layer, and what it must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bitwright.errors import OptionError
from bitwright.targets.contract import Problem
from bitwright.targets.tlmac.circuit import fold
from bitwright.targets.tlmac.circuit.patch import Variant, variants
from bitwright.targets.tlmac.circuit.units import Circuit
from bitwright.targets.tlmac.layer import Fold, MacLayer
from bitwright.targets.tlmac.model.clock import ClockGoal
from bitwright.targets.tlmac.refusal import OutOfReach


def check_names(circuit: Circuit, layers: Mapping[str, object]) -> None:
    """`OptionError` for settings of a layer that the network does not have."""
    names = [unit.name for unit in circuit.stages if unit.mac]
    for name in layers:
        if name not in names:
            raise OptionError(f"layers: no multiply-accumulate layer {name!r}; legal are {', '.join(names) or 'none'}")


def wished(
    layer: MacLayer,
    settings: Mapping[str, object],
    bram_price: float = fold.LUTS_PER_BRAM36,
    clock: ClockGoal | None = None,
) -> fold.Candidate | None:
    """The candidate that the settings of the option `layers` describe; `OutOfReach` where there is no such circuit.

    None where it does not keep the clock.
    """
    wish = dict(settings)
    every: Any = wish.pop("every", None)
    kind = str(wish.pop("element", "products"))
    name = str(wish.pop("taps", "plain"))
    known = {variant.name: variant for variant in variants(layer)}
    if name not in known:
        raise _impossible(layer, settings, f"taps {', '.join(known)}")
    variant = known[name]
    sizes: dict[str, Any] = {"lanes": variant.taps, "outputs": 1} | wish
    chosen = Fold(**sizes)
    if not chosen.legal(variant.layer) or chosen.lanes % variant.taps:
        raise _impossible(layer, settings, _foldings(variant))
    found = fold.candidate(variant, chosen, kind, bram_price, every=every)
    if found is not None and clock is not None:
        return fold.candidate(variant, chosen, kind, bram_price, clock, every)
    if found is None:
        raise _impossible(
            layer, settings, f"another folding for element {kind}, or element gates with group and digit 1"
        )
    return found


def _impossible(layer: MacLayer, settings: Mapping[str, object], legal: str) -> OutOfReach:
    return OutOfReach([Problem(layer.name, f"cannot be built as {dict(settings)}", legal)])


def _foldings(variant: Variant) -> str:
    """What a folding must be."""
    layer = variant.layer
    lanes = [lanes * variant.taps for lanes in fold.divisors(layer.group_channels // variant.taps)]
    found = f"lanes of {_of(lanes)}, outputs of {_of(fold.divisors(layer.group_outputs))}"
    if layer.groups > 1:
        found += f", blocks of {_of(fold.divisors(layer.groups))} (more than 1 with {lanes[-1]} lanes and all outputs)"
    return f"{found}, group up to the lanes, digit up to {layer.in_bits}"


def _of(values: list[int]) -> str:
    return ", ".join(map(str, values))
