# SPDX-License-Identifier: Apache-2.0
"""The rap target: one processor for all networks; compilation yields a program and the contents of its memories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bitwright.targets.rap.isa.machine import SIZES
from bitwright.targets.rap.options import RapOptions

if TYPE_CHECKING:
    from bitwright.network import Network
    from bitwright.targets.contract import Design, Problem, Refusal
    from bitwright.targets.observation import Observation
    from bitwright.targets.rap.planning import RapPlan


class Rap:
    """See `bitwright.targets.contract.Target`. The compiler is loaded when it is first needed."""

    name = "rap"
    summary = "reconfigurable array processor: a programmed grid with lanes of 16, 8 or 4 bits"
    options = RapOptions

    def check(self, network: Network, options: Any) -> list[Problem]:
        """All reasons to refuse the network: those of its plan, as only that knows how full the memories get."""
        from bitwright.targets.contract import Refusal
        from bitwright.targets.rap.planning import make_plan

        made = make_plan(network, options)
        return list(made.problems) if isinstance(made, Refusal) else []

    def plan(self, network: Network, options: Any) -> RapPlan | Refusal:
        """Map every layer, write the program; or all reasons why there is none."""
        from bitwright.targets.rap.planning import make_plan

        return make_plan(network, options)

    def attempt(self, network: Network, options: Any) -> RapPlan | None:
        """The plan, if there is one."""
        from bitwright.targets.contract import Refusal

        found = self.plan(network, options)
        return None if isinstance(found, Refusal) else found

    def paced(
        self, network: Network, given: Mapping[str, object], interval: int, limits: Mapping[str, object]
    ) -> Mapping[str, object]:
        """With the smallest grid that is fast enough, unless the user chose its size."""
        from bitwright.targets.contract import first_fast

        sizes = [given] if "size" in given else [{"size": size, **given} for size in SIZES]
        return first_fast(self, network, sizes, interval)

    def folded(self, design: Design) -> Mapping[str, object]:
        """Its options: nothing else is chosen."""
        return design.options

    def observe(self, plan: RapPlan) -> Observation:
        """What is written to the banks of feature maps."""
        from bitwright.targets.rap.observation import observation

        return observation(plan)

    def emit(self, plan: RapPlan) -> Design:
        """The processor as SystemVerilog, with the program to load."""
        from bitwright.targets.contract import Design, SynthesisUnit
        from bitwright.targets.rap import hardware
        from bitwright.targets.rap.compiler.mapping import memory_words
        from bitwright.targets.rap.isa.registers import ERRORS

        machine, shared = plan.options.machine, plan.estimate.shared
        assert shared is not None
        words = [memory_words(layer) for layer in plan.layers]
        return Design(
            target=self.name,
            network=plan.network,
            top=hardware.TOP,
            files=hardware.sources(machine),
            input=plan.input,
            output=plan.output,
            units=(SynthesisUnit(shared.name, hardware.TOP, row=0),),
            estimate=plan.estimate,
            options={name: getattr(plan.options, name) for name in plan.options.__dataclass_fields__},
            program=hardware.loading(machine, plan.code.program),
            memory=hardware.memory_port(plan.code.program, plan.options),
            counters=hardware.counter_addresses() | {ERRORS.name: ERRORS.address},
            parameters={
                "instructions": len(plan.code.program.code),
                "weight_words": plan.code.weight_words,
                "param_words": plan.code.param_words,
                "memory_words": sum(sum(w) for w in words),
            },
        )


TARGET = Rap()
