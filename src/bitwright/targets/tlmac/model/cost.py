# SPDX-License-Identifier: Apache-2.0
"""The cost model: resources of every component of a unit, added up from their structure."""

from __future__ import annotations

from collections.abc import Sequence

from bitwright.hardware import memory as memory_cost
from bitwright.hardware.modules.stream_fifo import StreamFifo, StreamSkid
from bitwright.hardware.resources import Resources
from bitwright.targets.tlmac.circuit.mac import MacPlan
from bitwright.targets.tlmac.circuit.plan import UnitPlan
from bitwright.targets.tlmac.circuit.stages import end_slice, main_module, main_slice, post_module, readers
from bitwright.targets.tlmac.circuit.units import Post, Unit, posts
from bitwright.targets.tlmac.model import refine

Components = dict[str, Resources]


def total(components: Components) -> Resources:
    """Sum of all components."""
    return sum(components.values(), Resources())


def unit_cost(plan: UnitPlan) -> Components:
    """Components of a unit: conversion, window, the main operation's own, posts."""
    found: Components = {}
    for k, (lanes, t) in enumerate(zip(plan.in_lanes, plan.unit.input_types, strict=True)):
        cost = Resources()
        wanted = plan.port_lanes[k]
        for width, words in ((lanes, plan.fifo_words[k]), (wanted, plan.behind_words[k])):
            cost += StreamFifo(width * t.dtype.bits, words).cost if words else Resources()
        module = plan.converter(k)
        if module is not None:
            cost += module.cost
        found["input"] = found.get("input", Resources()) + cost
    if plan.mac is not None:
        found |= refine.refined(plan.mac, mac_cost(plan.mac))
    elif plan.unit.node is not None:
        found["window"] = sum((window.cost for window in readers(plan)), Resources())
        main = main_module(plan)
        if main is not None:
            held = main_slice(plan)
            found["operation"] = main.cost + (held.cost if held else Resources())
    found |= posts_cost(plan.posts, plan.unit, plan.out_lanes)
    held = end_slice(plan)
    found["slice"] = held.cost if held else Resources()
    return {name: cost for name, cost in found.items() if cost != Resources()}


def posts_cost(posts: Sequence[Post], unit: Unit, lanes: int) -> Components:
    """Components of a unit's elementwise stages on words of `lanes` channels."""
    found: Components = {}
    for i, post in enumerate(posts):
        module = post_module(post, lanes, unit.type.size // post.channels)
        found[f"{module.rtl} {i}"] = module.cost
    return found


def mac_cost(plan: MacPlan) -> Components:
    """Components of a multiply-accumulate core, window to output lanes, by its shape: what the planner compares."""
    return {
        "window": window_cost(plan),
        "select": _front(plan),
        **plan.element.cost(plan.rom_styles),
        "adders": _trees(plan),
        "accumulators": _accumulators(plan),
        "output": _output(plan),
    }


def window_cost(plan: MacPlan) -> Resources:
    """What sets taps side by side, and the window reader."""
    taps = (patch.cost(lanes) for patch, lanes in zip(plan.patches, plan.patch_lanes, strict=False))
    held = plan.between_patches
    return sum(taps, plan.window.cost + (held.cost if held else Resources()))


def _front(plan: MacPlan) -> Resources:
    """Digit multiplexers and the schedule's counters and flags."""
    layer, fold = plan.layer, plan.fold
    digits = fold.digits(layer)
    bits = fold.word_lanes * fold.digit
    address = memory_cost.index_bits(fold.steps(layer) * fold.tiles(layer))
    flip = fold.word_lanes if layer.flips and digits == 1 and not plan.element.reads_signed else 0
    steps = Resources()
    if fold.steps(layer) * fold.tiles(layer) > 1:
        steps = Resources(
            lut=address + 3,
            ff=address * (1 + plan.element.uses_step),
            carry=memory_cost.mux(4 * (address > 2)) and -(-address // 4),
        )
    if fold.tiles(layer) > 1 and digits > 1:
        steps += Resources(lut=address + 1, ff=address)
    flags = (2 if fold.tile_cycles(layer) > 1 else 1) + (digits > 1) + (not plan.single)
    total_flags = Resources(
        lut=3 + (digits > 1) * (1 + memory_cost.index_bits(digits)), ff=flags * (plan.delay + 1) + 2
    )
    total_flags += Resources(ff=memory_cost.index_bits(digits) * (digits > 1))
    late = Resources(ff=(bits + address * plan.element.uses_step) * plan.waits)
    return Resources(lut=memory_cost.mux(digits) * bits + flip, ff=bits) + steps + total_flags + late


def _trees(plan: MacPlan) -> Resources:
    found = Resources()
    for count, copies in plan.element.leaf_counts.items():
        one = tree(max(1, count), plan.element.leaf_bits, plan.levels, plan.sum_bits, plan.every)
        found += one * copies
    return found


def tree(lanes: int, bits: int, levels: int, out_bits: int, every: int = 1) -> Resources:
    """Module tlmac_sum_tree of leaves that are all `bits` wide, as if none waited in a shift register."""
    return refine.tree((bits,) * lanes, levels, out_bits, every, shifts=False)


def behind_cost(unit: Unit, mac: MacPlan | None, lanes: int, dsp: bool = True) -> Resources:
    """All stages behind a unit's `mac` or other operation, on words of `lanes` channels, with the slice at its end."""
    stages = posts(unit, mac.acc_type if mac else None, mac.constant if mac else None, dsp)
    found = total(posts_cost(stages, unit, lanes))
    if mac is not None and not mac.held_words:
        found += StreamSkid(lanes * (stages[-1].output if stages else mac.acc_type).bits).cost
    return found


def _accumulators(plan: MacPlan) -> Resources:
    bits, count = plan.acc_type.bits, plan.fold.parallel
    if plan.single:
        return Resources(ff=count * plan.sum_bits)
    return Resources(lut=count * bits + 1, ff=count * bits, carry=count * -(-bits // 4))


def _output(plan: MacPlan) -> Resources:
    """What lets the accumulators leave."""
    if plan.held_words == 0:
        return Resources(lut=2, ff=1)
    width = plan.fold.parallel * plan.acc_type.bits
    hold = Resources(lut=4, ff=width + 3)
    if plan.held_words > 1:
        hold += Resources(lut=width + 2, ff=width + 1)
    if plan.parts == 1:
        return hold
    return hold + plan.way_out.cost
