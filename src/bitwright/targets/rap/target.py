"""The rap target: one processor for all networks; compilation yields a program and the contents of its memories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bitwright.network import Network
from bitwright.network.graph import INPUT
from bitwright.network.types import TensorType
from bitwright.targets.contract import Design, Estimate, Problem, Refusal, StreamSpec, SynthesisUnit
from bitwright.targets.rap import cost, hardware
from bitwright.targets.rap.check import problems
from bitwright.targets.rap.codegen import Code, generate
from bitwright.targets.rap.layers import make_layers, stored_names
from bitwright.targets.rap.lowering import lower
from bitwright.targets.rap.mapping import Plan, choose, memory_words
from bitwright.targets.rap.options import RapOptions
from bitwright.targets.rap.storage import Storage, lane_bits, place, strips

STREAM_BITS = 32


@dataclass(frozen=True, eq=False)
class RapPlan:
    """Mapping of every layer, the program, and what it costs."""

    network: Network
    options: RapOptions
    layers: tuple[Plan, ...]
    code: Code
    input: StreamSpec
    output: StreamSpec
    input_storage: Storage
    output_storage: Storage
    estimate: Estimate = field(repr=False)


class Rap:
    """See `bitwright.targets.contract.Target`."""

    name = "rap"
    summary = "reconfigurable array processor: a programmed grid with lanes of 16, 8 or 4 bits"
    options = RapOptions

    def check(self, network: Network, options: Any) -> list[Problem]:
        """All reasons to refuse the network, before any work."""
        return problems(network, options)

    def plan(self, network: Network, options: Any) -> RapPlan | Refusal:
        """Map every layer, write the program; a refusal where a memory is too small."""
        machine, source, network = options.machine, network, lower(network)
        layers = make_layers(network)
        bits = lane_bits(network, layers, options.lane_bits)
        stored, _ = place(network, layers, machine, bits, strips(network, layers, machine.size)[0])
        plans = tuple(choose(layer, stored, machine, options.reuse) for layer in layers)
        spec_in, spec_out = stream(network.input.type), stream(network.output_type)
        code = generate(network, plans, stored, machine, spec_in, spec_out)
        full = [
            *_fits("weights", code.weight_words, "b_words", options.b_words),
            *_fits("parameters", code.param_words, "param_words", options.param_words),
            *_fits("instructions", len(code.program.code), "program_words", options.program_words),
        ]
        if full:
            return Refusal(tuple(full))
        output = stored[stored_names(network)[network.output_name]]
        estimate = cost.estimate(plans, code, machine, spec_in, spec_out, output)
        return RapPlan(source, options, plans, code, spec_in, spec_out, stored[INPUT], output, estimate)

    def emit(self, plan: RapPlan) -> Design:
        """The processor as SystemVerilog, with the program to load."""
        machine = plan.options.machine
        in_bits, out_bits = plan.input.tdata_bits, plan.output.tdata_bits
        words = [memory_words(layer) for layer in plan.layers]
        return Design(
            target=self.name,
            network=plan.network,
            top=hardware.TOP,
            files=hardware.sources(machine, in_bits, out_bits),
            input=plan.input,
            output=plan.output,
            units=(SynthesisUnit(plan.estimate.layers[0].name, hardware.TOP),),
            estimate=plan.estimate,
            options={name: getattr(plan.options, name) for name in plan.options.__dataclass_fields__},
            program=hardware.loading(machine, plan.code.program),
            counters=hardware.counter_addresses(),
            parameters={
                "instructions": len(plan.code.program.code),
                "weight_words": plan.code.weight_words,
                "param_words": plan.code.param_words,
                "memory_words": sum(sum(w) for w in words),
            },
        )


def stream(t: TensorType) -> StreamSpec:
    """As many elements a stream word as 32 bits hold."""
    return StreamSpec(t, max(1, STREAM_BITS // t.dtype.bits))


def _fits(what: str, needed: int, option: str, available: int) -> list[Problem]:
    if needed <= available:
        return []
    return [Problem(None, f"{needed} words of {what} do not fit {available}", f"{option} of at least {needed}")]


TARGET = Rap()
