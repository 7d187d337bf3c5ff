"""A unit for the first rows of its feature map: same weights, channels, widths, folding and FIFOs."""

from __future__ import annotations

from dataclasses import replace

from bitwright.network import INPUT, InputSpec, Network, TensorType
from bitwright.targets.tlmac.circuit.mac import MacPlan, map_layer
from bitwright.targets.tlmac.circuit.patch import variants
from bitwright.targets.tlmac.circuit.plan import UnitPlan
from bitwright.targets.tlmac.emit import emit_unit, library_files, module_name


def rows_within(plan: UnitPlan, share: float) -> int:
    """As many rows as are about `share` of the map, whole strides, and enough for windows at both edges."""
    op, height = plan.unit.node.op, plan.unit.input_types[0].shape[0]
    least = op.kernel[0] + op.stride[0]
    wanted = max(least, int(height * share))
    return min(height, -(-wanted // op.stride[0]) * op.stride[0])


def cropped_unit(plan: UnitPlan, rows: int) -> tuple[UnitPlan, Network]:
    """A multiply-accumulate unit for so many rows, and the network that computes its value."""
    unit, (full,) = plan.unit, plan.unit.input_types
    source = TensorType((rows, *full.shape[1:]), full.dtype)
    nodes, last = [], INPUT
    for node in (unit.node, *unit.chain):
        nodes.append(replace(node, inputs=(last,)))
        last = node.name
    network = Network(InputSpec(source), tuple(nodes), name=f"{unit.name}_{rows}")
    layer = replace(unit.mac, input=source, out_size=network.types[nodes[0].name].shape[:2])
    small = replace(
        unit, node=nodes[0], inputs=(INPUT,), value=last, input_types=(source,), type=network.output_type, mac=layer
    )
    return replace(plan, unit=small, mac=_cropped_mac(plan.mac, small)), network


def _cropped_mac(mac: MacPlan, unit: object) -> MacPlan:
    """The same rewriting of the convolution, folding and element for the smaller layer."""
    kind = _arrangement(mac.layer, mac.patches)
    (variant,) = (v for v in variants(unit.mac) if _arrangement(v.layer, v.patches) == kind)
    element = map_layer(variant.layer, mac.fold, mac.element.kind)
    return replace(mac, layer=variant.layer, element=element, patches=variant.patches)


def _arrangement(layer: object, patches: tuple) -> tuple:
    return layer.kernel, layer.input.channels, [patch.module for patch in patches]


def files_of(plan: UnitPlan, index: int) -> dict[str, str]:
    """The sources of one unit by itself, as the whole design has them."""
    text, memories = emit_unit(plan, index)
    return {f"{module_name(plan, index)}.sv": text} | memories | library_files([text])
