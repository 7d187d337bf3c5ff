# SPDX-License-Identifier: Apache-2.0
"""What the head of a generated module says of it: the network's nodes, their types, the folding, the estimate."""

from __future__ import annotations

from bitwright.hardware.resources import Resources
from bitwright.network import Network
from bitwright.network.ops import Conv2d, Dense
from bitwright.targets.contract import LayerEstimate
from bitwright.targets.tlmac.circuit.mac import MacPlan
from bitwright.targets.tlmac.circuit.plan import UnitPlan
from bitwright.text import comment


def unit_remarks(network: Network, plan: UnitPlan, name: str, figures: LayerEstimate) -> list[str]:
    """The lines of a unit's head."""
    unit = plan.unit
    lines = [f"Module {name} computes", *(f"  {_node(network, node)}" for node in unit.nodes)]
    for k, (value, t, lanes) in enumerate(zip(unit.inputs, unit.input_types, plan.in_lanes, strict=True)):
        lines.append(f"s{k}: {comment(value)}, {t}, {lanes} elements a word")
    lines.append(f"m: {comment(unit.value)}, {unit.type}, {plan.out_lanes} elements a word")
    if plan.mac is not None:
        lines += _folding(plan.mac)
    return [*lines, f"Estimated: {figures.cycles} cycles a frame; {resource_remark(figures.resources)}"]


def resource_remark(found: Resources) -> str:
    """Resources as a head shows them."""
    return f"{found.lut:.0f} LUT, {found.ff:.0f} FF, {found.bram36:g} BRAM36, {found.dsp:g} DSP"


def _node(network: Network, name: str) -> str:
    """A node: operation, name, types, and its weights where it has some.

    No line begins with a name: tools take comments that begin with certain words for directives.
    """
    node = next(node for node in network.nodes if node.name == name)
    sources = ", ".join(str(network.types[value]) for value in node.inputs)
    text = f"{type(node.op).__name__} {comment(name)}: {sources} to {network.types[name]}"
    if isinstance(node.op, Conv2d | Dense):
        text += f", weights {node.op.weight_type}[{', '.join(map(str, node.op.weight.shape))}]"
    return text


def _folding(mac: MacPlan) -> list[str]:
    """Lanes, outputs and digits of a multiply-accumulate unit, its element and where its taps stand."""
    fold, layer = mac.fold, mac.layer
    blocks = f"{fold.blocks} groups of " if fold.blocks > 1 else ""
    return [
        f"Folding: {blocks}{fold.lanes} lanes x {fold.outputs} outputs a step, {fold.steps(layer)} steps a tile,"
        f" {fold.tiles(layer)} tiles a pixel, {fold.digits(layer)} digits of {fold.digit} bits",
        f"Element {mac.element.name}: {fold.group} activations an address; taps {mac.taps}",
    ]
