# SPDX-License-Identifier: Apache-2.0
"""The cost of a chosen layer, by its weights: bits of tables, ROMs and sums that are constant, and shift registers.

The planner compares foldings by their shapes alone (`cost.mac_cost`), in which all leaves have the bits of the widest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from bitwright.hardware import memory as memory_cost
from bitwright.hardware.modules.control import adder
from bitwright.hardware.resources import Resources
from bitwright.targets.tlmac.circuit.mac import MacPlan
from bitwright.targets.tlmac.elements.direct import Direct
from bitwright.targets.tlmac.elements.element import rom_cost

SHIFT_REGISTER = 3  # registers in a row that Yosys makes a LUT


def refined(plan: MacPlan, components: dict[str, Resources]) -> dict[str, Resources]:
    """The components of a multiply-accumulate core as its weights and what stands beside them make them."""
    element = plan.element
    found: dict[str, Resources] = {}
    leaves = [(element.leaf_bits,) * n for n, copies in element.leaf_counts.items() for _ in range(copies)]
    if isinstance(element, Direct) and element.kind == "gates":
        leaves, found = _gates(plan, element)
    elif isinstance(element, Direct) and element.private is not None:
        found["tables"] = _private(element, element.private.tables)
    digits = plan.fold.digits(plan.layer)
    if any(plan.window.pads) and digits > 1 and memory_cost.select(digits)[1]:
        # The digits' multiplexer pads, too.
        found["window"] = components["window"] + Resources(lut=-plan.window.width)
    found["adders"] = sum((tree(row, plan.levels, plan.sum_bits, plan.every) for row in leaves), Resources())
    return components | found


def _gates(plan: MacPlan, element: Direct) -> tuple[list[tuple[int, ...]], dict[str, Resources]]:
    """Bits of the leaves of every output; gates and ROM of those bits and signs alone that vary."""
    w, signed = element.weights[..., 0], element.code_bits > element.leaf_bits
    bits = np.ceil(np.log2(np.abs(w).max(0) + 1)).astype(int)
    width = int(_varying(np.abs(w)).sum() + signed * _varying(w < 0).sum())
    ((_, depth),) = element.rom_shapes.values()
    luts = ffs = int(bits.sum())
    if signed:
        luts += bits.size  # the sign is a LUT of its own
    rows = [tuple(row) for row in bits.reshape(-1, bits.shape[-1]).tolist()]
    return rows, {
        "gates": Resources(luts, ffs),
        "rom": rom_cost(max(1, width), depth, plan.rom_styles["weights"]),
    }


def _varying(codes: np.ndarray) -> np.ndarray:
    """How many bits of every column of codes [depth, ...] are no constants."""
    codes = codes.astype(np.int64)
    count: np.ndarray = np.bitwise_count(np.bitwise_or.reduce(codes, 0) & ~np.bitwise_and.reduce(codes, 0))
    return count


def _private(element: Direct, tables: Sequence[np.ndarray]) -> Resources:
    """Tables of one bit each; the LUTs of constant ones vanish, their registers stay."""
    bits = np.arange(element.leaf_bits)[:, None]
    planes = (content[:, None, :] >> bits & 1 for content in tables if len(content))
    luts = sum(int(np.count_nonzero(np.ptp(plane, axis=-1))) for plane in planes)
    return Resources(luts, element.arrays * element.leaf_bits)


@cache
def tree(leaves: tuple[int, ...], levels: int, out_bits: int, every: int = 1, shifts: bool = True) -> Resources:
    """Module tlmac_sum_tree behind registered leaves of so many bits each: every level adds pairs, and after `every`
    levels and the last one there are registers.

    What is left over waits for its turn; with the register before it, that is a shift register where it is long enough,
    if such are to be counted (`shifts`).
    """
    nodes, found = [(bits, 1) for bits in leaves], Resources()
    for level in range(1, levels + 1):
        following, register = [], level % every == 0 or level == levels
        for (a, waited_a), (b, waited_b) in zip(nodes[::2], nodes[1::2], strict=False):
            found += _waited(a, waited_a) + _waited(b, waited_b)
            width = min(max(a, b) + (min(a, b) > 0), out_bits)
            found += (adder(a, b, width) if min(a, b) else Resources()) + Resources(ff=width * register)
            following.append((width, int(register)))
        if len(nodes) % 2:
            width, waited = nodes[-1]
            found += Resources(ff=width * register)
            following.append((width, waited + (shifts and register)))
        nodes = following
    return sum((_waited(*node) for node in nodes), found)


def _waited(bits: int, registers: int) -> Resources:
    """What a shift register in place of so many registers changes."""
    return Resources(lut=bits, ff=-bits * registers) if registers >= SHIFT_REGISTER else Resources()
