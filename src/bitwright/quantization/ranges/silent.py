# SPDX-License-Identifier: Apache-2.0
"""Values that are always zero on the calibration data: they say nothing about a scale, and must not impose one.

A ReLU that no sample passes, a residual branch whose last gain is zero, a PReLU whose slope is. Such a value takes
the range of the nearest value that it is added to, concatenated with or moved into, so that it is computed on its
partner's grid should other data wake it.
"""

from __future__ import annotations

from collections.abc import Mapping

from bitwright.models.graph import FloatGraph
from bitwright.models.graph.ops import Clip, Op
from bitwright.quantization.ranges.histogram import Distribution


def silent_values(graph: FloatGraph, seen: Mapping[str, Distribution]) -> frozenset[str]:
    """The values that were always zero, and those that are made of such values alone."""
    silent = {name for name in graph.input_names if name in seen and seen[name].peak == 0}
    for node in graph.nodes:
        zero = node.op.is_homogeneous and silent.issuperset(node.inputs)
        if seen[node.name].peak == 0 if node.name in seen else zero:
            silent.add(node.name)
    return frozenset(silent)


def _keeps_units(op: Op) -> bool:
    """Whether the units of the result are those of the operands."""
    return op.homogeneous or isinstance(op, Clip)


def with_partners(
    graph: FloatGraph, seen: Mapping[str, Distribution], silent: frozenset[str]
) -> dict[str, Distribution]:
    """`seen`, where a silent value has the distribution of its partner: the loudest of the nearest ones, if any."""
    joined: dict[str, set[str]] = {}
    for node in graph.nodes:
        for name in node.inputs if _keeps_units(node.op) else ():
            joined.setdefault(name, set()).add(node.name)
            joined.setdefault(node.name, set()).add(name)
    found = dict(seen)
    for name in silent & seen.keys():
        partner = _partner(name, joined, seen, silent)
        found[name] = seen[name if partner is None else partner]
    return found


def _partner(
    name: str, joined: Mapping[str, set[str]], seen: Mapping[str, Distribution], silent: frozenset[str]
) -> str | None:
    passed, ring = {name}, {name}
    while ring:
        ring = {other for value in ring for other in joined.get(value, ())} - passed
        passed |= ring
        heard = [value for value in ring if value in seen and value not in silent]
        if heard:
            return max(heard, key=lambda value: (seen[value].peak, value))
    return None
