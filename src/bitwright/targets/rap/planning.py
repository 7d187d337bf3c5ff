# SPDX-License-Identifier: Apache-2.0
"""From a network to a plan: mapping of every layer, the program, what it costs; or every reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from bitwright.network import Network
from bitwright.network.lowering import (
    concats_by_products,
    flatten_by_products,
    flatten_first,
    lower_lookups,
    lowered,
    products_by_squares,
    split_thresholds,
    unit_steps,
    weaves_by_sums,
)
from bitwright.network.stages import Staged
from bitwright.network.types import TensorType
from bitwright.targets.contract import Estimate, FrameSpec, Problem, Refusal, StreamSpec, traced
from bitwright.targets.rap import cost
from bitwright.targets.rap.check import MAX_STEPS, extent_problems, operation_problems, table_problems, value_problems
from bitwright.targets.rap.compiler.choice import instructions, map_layer
from bitwright.targets.rap.compiler.codegen import Code, generate, receive, send
from bitwright.targets.rap.compiler.layers import Layer, make_layers
from bitwright.targets.rap.compiler.mapping import LayerPlan, param_words, seed_words, weight_words
from bitwright.targets.rap.compiler.outside import Outside
from bitwright.targets.rap.compiler.storage import (
    Storage,
    lane_bits,
    narrow_pitches,
    padded_channels,
    place,
    strips,
    wide_pitches,
)
from bitwright.targets.rap.isa.machine import LIMITS, STREAM_BITS
from bitwright.targets.rap.options import RapOptions
from bitwright.targets.rap.outer_plan import plan_outside

_CONTENTS = {"b_words": "weights", "param_words": "parameters", "program_words": "instructions"}


@dataclass(frozen=True, eq=False)
class RapPlan:
    """Mapping of every layer, the program, and what it costs. received, sent: where inputs and outputs lie.

    lowered: the network in the operations that layers compute. outside: the program's use of external memory, where not
    all fits on chip; `layers` are bands then.
    """

    network: Network
    options: RapOptions
    layers: tuple[LayerPlan, ...]
    code: Code
    input: FrameSpec
    output: FrameSpec
    received: tuple[Storage, ...]
    sent: tuple[Storage, ...]
    estimate: Estimate = field(repr=False)
    lowered: Network = field(repr=False)
    outside: Outside | None = field(default=None, repr=False)


def stream(t: TensorType) -> StreamSpec:
    """As many elements a stream word as it holds."""
    return StreamSpec(t, STREAM_BITS // t.dtype.bits, STREAM_BITS)


def simpler(network: Network, size: int) -> Network:
    """The network without tables, and without what no slot computes on a grid of `size` columns."""
    group = padded_channels(1, size)
    return lowered(
        network,
        flatten_first,
        weaves_by_sums,
        partial(lower_lookups, table_bits=0, steps=0),
        partial(unit_steps, legal=(-2, -1, 1, 2)),
        partial(split_thresholds, most=MAX_STEPS),
        partial(concats_by_products, aligned=lambda channels: channels % group == 0),
        flatten_by_products,
    )


@lru_cache(maxsize=1)  # `plan` follows `check`: the network is planned once for both
def make_plan(network: Network, options: RapOptions) -> RapPlan | Refusal:
    """The plan, or all reasons against it by the names of the network's nodes."""
    tabled = products_by_squares(network)
    found = table_problems(tabled, options)
    if found:
        return Refusal(traced(found, tabled))
    simple = simpler(tabled, options.size)
    made = _plan_lowered(simple, options)
    return replace(made, network=network) if isinstance(made, RapPlan) else Refusal(traced(made, simple))


def _plan_lowered(network: Network, options: RapOptions) -> RapPlan | list[Problem]:
    """The plan of a network without Lookup."""
    found = operation_problems(network, options)
    if found:
        return found
    layered = make_layers(network)
    found = value_problems(layered, options)
    strip, more = strips(layered, options.size)
    if found or more:
        return [*found, *more]
    bits = lane_bits(layered, options.lane_bits)
    made: RapPlan | list[Problem] = []
    for pitches in (wide_pitches, narrow_pitches):  # without whole lines where they do not fit
        stored, words = place(layered, options.size, bits, strip, pitches(layered, options.size, bits))
        found = [p for value in stored.values() for p in extent_problems(value)]
        found += _too_full("a_words", words, options)
        made = found or _plan_stored(layered, stored, options)
        if isinstance(made, RapPlan):
            return made
    return _plan_outside(layered, strip, bits, options) if options.m_axi else made


def _plan_outside(
    layered: Staged[Layer], strip: Mapping[str, int], bits: Mapping[str, int], options: RapOptions
) -> RapPlan | list[Problem]:
    """The plan of layers whose values lie in external memory."""
    frames, network = _frames(layered), layered.network
    found: list[Problem] = []
    for pitches in (wide_pitches, narrow_pitches):
        pitch = pitches(layered, options.size, bits)
        whole = {}
        for name, t in layered.types.items():
            h, w, c = t.shape
            whole[name] = Storage(name, (h, w, c), t.dtype, bits[name], strip[name], pitch[name], 0)
        found = [p for value in whole.values() for p in extent_problems(value)]
        if not found:
            made = plan_outside(layered, whole, options, frames)
            if isinstance(made, tuple):
                steps, outside = made
                plans = tuple(step.plan for step in steps)
                received = tuple(whole[name] for name in network.input_names)
                sent = tuple(whole[name] for name in layered.outputs)
                estimate = cost.estimate_outside(outside, options)
                code = outside.code
                return RapPlan(network, options, plans, code, *frames, received, sent, estimate, network, outside)
            found = made
    return found


def _frames(layered: Staged[Layer]) -> tuple[FrameSpec, FrameSpec]:
    """What comes in and what leaves."""
    network = layered.network
    leaving = (stream(network.types[name]) for name in network.output_values)
    return FrameSpec(tuple(stream(spec.type) for spec in network.inputs)), FrameSpec(tuple(leaving))


def _plan_stored(layered: Staged[Layer], stored: Mapping[str, Storage], options: RapOptions) -> RapPlan | list[Problem]:
    """The plan of layers whose values have their place in the banks."""
    network = layered.network
    frame_in, frame_out = _frames(layered)
    received = tuple(stored[name] for name in network.input_names)
    count, plans = 0, list[LayerPlan]()
    found: list[Problem] = []
    for value, spec in zip(received, frame_in.tensors, strict=True):
        words, problems = instructions(value.name, partial(receive, value=value, spec=spec))
        count, found = count + words, found + problems
    for k, (name, spec) in enumerate(zip(network.output_values, frame_out.tensors, strict=True)):
        words, problems = instructions(name, partial(send, layered=layered, stored=stored, number=k, spec=spec))
        count, found = count + words, found + problems
    for layer in layered.stages:
        plan, words, problems = map_layer(layer, stored, options)
        plans.append(plan)
        count += words
        found += problems
    params = sum(param_words(p, s) + seed_words(p, s) for p in plans for s in range(len(p.target)))
    needed = {"b_words": sum(map(weight_words, plans)), "param_words": params, "program_words": count}
    for option, words in needed.items():
        found += _too_full(option, words, options)
    if found:
        return found
    code = generate(layered, plans, stored, options.machine, frame_in, frame_out)
    sent = tuple(stored[name] for name in layered.outputs)
    estimate = cost.estimate(plans, code, options.machine, sent)
    return RapPlan(network, options, tuple(plans), code, frame_in, frame_out, received, sent, estimate, network)


def _too_full(option: str, needed: int, options: RapOptions) -> list[Problem]:
    """The problem of a memory with fewer words than are needed."""
    available, limit = getattr(options, option), LIMITS[option]
    if needed <= available:
        return []
    if option == "a_words":
        rule = f"its values need {needed} words in each bank of feature maps, which has {available}"
        legal = "the option a_words of at least"
    else:
        rule, legal = f"{needed} words of {_CONTENTS[option]} do not fit {available}", f"{option} of at least"
    return [Problem(None, rule, f"{legal} {needed}" if needed <= limit else f"{option} is at most {limit}")]
