# SPDX-License-Identifier: Apache-2.0
"""Plans of networks that do not fit on chip: values, weights and parameters in external memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from bitwright.network.stages import Staged
from bitwright.targets.contract import FrameSpec, Problem
from bitwright.targets.rap.compiler.bands import CHANNELS, Band, banded, divisible, parts
from bitwright.targets.rap.compiler.choice import map_layer
from bitwright.targets.rap.compiler.layers import Layer
from bitwright.targets.rap.compiler.mapping import LayerPlan, is_stochastic, param_words, weight_words
from bitwright.targets.rap.compiler.outside import Outside, Step, generate_outside, rows_of
from bitwright.targets.rap.compiler.storage import Storage
from bitwright.targets.rap.options import RapOptions

_Plans = dict[object, LayerPlan | Problem]  # by what tells bands apart


def plan_outside(
    layered: Staged[Layer], whole: Mapping[str, Storage], options: RapOptions, frames: tuple[FrameSpec, FrameSpec]
) -> tuple[list[Step], Outside] | list[Problem]:
    """Bands of all layers and their program; or the reasons against it."""
    found = [*_stochastic(layered), *_ends(layered, whole, options, frames)]
    steps: list[Step] = []
    plans: _Plans = {}
    for _, group in itertools.groupby(layered.stages, key=lambda layer: tuple(r.name for r in layer.results)):
        made = banded(layers := list(group), whole, options.machine)
        if isinstance(made, int):
            rule = f"the smallest band of its rows needs {made} words in each bank of feature maps"
            found.append(Problem(layers[0].name, rule, f"the option a_words of at least {made}"))
            continue
        planned = _steps(made, options, plans)
        if isinstance(planned, Problem):
            found.append(planned)
        else:
            steps += planned
    if found:
        return list(dict.fromkeys(found))
    outside = generate_outside(layered, steps, whole, options.machine, frames)
    return _sizes(outside, options) or (steps, outside)


def _sizes(outside: Outside, options: RapOptions) -> list[Problem]:
    """What the program memory and external memory do not hold."""
    program, have = outside.code.program, options.memory_mib << 20
    found = []
    if len(program.code) > options.program_words:
        rule = f"{len(program.code)} words of instructions do not fit {options.program_words}"
        found.append(Problem(None, rule, "program_words up to 65536, or larger memories, which need fewer bands"))
    if program.memory_bytes > have:
        rule = f"values, weights and parameters need {program.memory_bytes} bytes of external memory"
        found.append(Problem(None, rule, f"at most {have} with memory_mib={options.memory_mib}"))
    return found


def _stochastic(layered: Staged[Layer]) -> list[Problem]:
    rule = "its stochastic rounding draws for the whole image, which external memory takes in bands"
    legal = "another rounding, or memories that hold the network on chip"
    return [Problem(r.name, rule, legal) for layer in layered.stages for r in layer.results if is_stochastic(r)]


def _ends(
    layered: Staged[Layer], whole: Mapping[str, Storage], options: RapOptions, frames: tuple[FrameSpec, FrameSpec]
) -> list[Problem]:
    """Inputs and outputs of which banks A do not hold a band."""
    found = []
    ends = [(whole[name], False) for name in layered.network.input_names]
    ends += [(whole[name], bool(a)) for name, a in zip(layered.outputs, layered.argmaxes, strict=True)]
    specs = [*frames[0].tensors, *frames[1].tensors]
    for (value, argmax), spec in zip(ends, specs, strict=True):
        elements = value.shape[1] * (1 if argmax else value.shape[2])
        if rows_of(value, spec, elements, options.machine) is None:
            rule = f"its rows of {value.span} words are too many for the banks of feature maps at a time"
            found.append(Problem(value.name, rule, f"more than {options.a_words} a_words"))
    return found


def _steps(bands: Sequence[Band], options: RapOptions, plans: _Plans) -> list[Step] | Problem:
    """The bands of a layer, in as few parts of channels as weights and parameters need."""
    found: list[Step] = []
    for band in bands:
        made = _mapped(band, options, plans)
        if isinstance(made, Problem):
            return made
        found += made
    return found


def _mapped(band: Band, options: RapOptions, plans: _Plans) -> list[Step] | Problem:
    """A band in parts; several parts leave room for the next one's weights where they can."""
    most = math.ceil(band.layer.shape[2] / CHANNELS) if divisible(band.layer) else 1
    problem = None
    for count in _counts(most):
        pieces = parts(band, count)
        share = 1 if count in (1, most) else 2
        steps: list[Step] = []
        for number, piece in enumerate(pieces):
            plan = _plan(piece, (number, len(pieces)), options, plans)
            problem = plan if isinstance(plan, Problem) else _too_large(plan, options, share)
            if problem or isinstance(plan, Problem):
                break
            steps.append(Step(piece, plan))
        if problem is None:
            return steps
    assert problem is not None
    return problem


def _counts(most: int) -> list[int]:
    found = [1]
    while found[-1] < most:
        found.append(min(most, found[-1] + max(1, found[-1] // 4)))
    return found


def _plan(band: Band, part: tuple[int, int], options: RapOptions, plans: _Plans) -> LayerPlan | Problem:
    """The mapping of a band; bands that differ in nothing but what they are called have the same."""
    layer = band.layer
    key = (layer.name, layer.channel, layer.origin, layer.shape, layer.window.pads, part, layer.inputs, band.source,
           band.target)  # fmt: skip
    if key not in plans:
        plan, _, problems = map_layer(layer, band.stored, options)
        plans[key] = problems[0] if problems else plan
    return plans[key]


def _too_large(plan: LayerPlan, options: RapOptions, share: int) -> Problem | None:
    """Weights or parameters of a part that the memories do not hold, or a half of them."""
    params = sum(param_words(plan, slot) for slot in range(len(plan.target)))
    for what, words, option in (
        ("weights", weight_words(plan), "b_words"),
        ("parameters", params, "param_words"),
    ):
        have = getattr(options, option)
        if words > have // share:
            rule = f"{words} words of {what} of its smallest part do not fit {have // share}"
            return Problem(plan.layer.name, rule, f"the option {option} of at least {words * share}")
    return None
