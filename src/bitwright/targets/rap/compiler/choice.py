# SPDX-License-Identifier: Apache-2.0
"""The mapping of a layer: the best one that instructions can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from bitwright.targets.contract import Problem
from bitwright.targets.rap.compiler.codegen import write_layer
from bitwright.targets.rap.compiler.layers import Layer
from bitwright.targets.rap.compiler.mapping import LayerPlan, ranked
from bitwright.targets.rap.compiler.storage import Storage
from bitwright.targets.rap.compiler.writer import Writer
from bitwright.targets.rap.isa.fields import EncodingError
from bitwright.targets.rap.options import RapOptions


def map_layer(layer: Layer, stored: Mapping[str, Storage], options: RapOptions) -> tuple[LayerPlan, int, list[Problem]]:
    """The best mapping that instructions can say, how many they are, and why the best of all has none otherwise."""
    best, *others = ranked(layer, stored, options.machine, options.reuse)
    count, found = instructions(layer.name, partial(write_layer, plan=best))
    for plan in others if found else ():
        words, problems = instructions(layer.name, partial(write_layer, plan=plan))
        if not problems:
            return plan, words, []
    return best, count, found


def instructions(node: str, write: Callable[[Writer], None]) -> tuple[int, list[Problem]]:
    """How many instructions a section has; the number that none of their fields holds."""
    writer = Writer()
    try:
        write(writer)
    except EncodingError as error:
        return 0, [Problem(node, f"its program needs {error.rule}", error.legal)]
    return len(writer.words), []
