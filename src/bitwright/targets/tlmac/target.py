# SPDX-License-Identifier: Apache-2.0
"""The tlmac target: one streaming circuit a network, multiplications looked up in LUTs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bitwright.errors import OptionError
from bitwright.targets.tlmac.options import TlmacOptions

if TYPE_CHECKING:
    from bitwright.network import Network
    from bitwright.targets.contract import Design, Problem, Refusal
    from bitwright.targets.observation import Observation
    from bitwright.targets.tlmac.circuit.plan import TlmacPlan


class Tlmac:
    """See `bitwright.targets.contract.Target`. The planner is loaded when it is first needed."""

    name = "tlmac"
    summary = "table-lookup multiply-accumulate: a streaming circuit of LUTs for one network"
    options = TlmacOptions

    def check(self, network: Network, options: Any) -> list[Problem]:
        """All reasons to refuse the network, before any work."""
        from bitwright.targets.contract import traced
        from bitwright.targets.tlmac.check import problems, simpler

        simple = simpler(network)
        return list(traced(problems(simple, options), simple))

    def plan(self, network: Network, options: Any) -> TlmacPlan | Refusal:
        """Fold every layer for the goal and choose its element; a refusal where no circuit reaches the goal."""
        from bitwright.targets.contract import Refusal, traced
        from bitwright.targets.tlmac.check import simpler, unsupported
        from bitwright.targets.tlmac.goals import plan_network

        simple = simpler(network)
        found = unsupported(simple)
        made = Refusal(tuple(found)) if found else plan_network(simple, options)
        return Refusal(traced(made.problems, simple)) if isinstance(made, Refusal) else replace(made, network=network)

    def attempt(self, network: Network, options: Any) -> TlmacPlan | None:
        """The plan for the goal; None where no circuit reaches it, without a look for the nearest that one reaches."""
        from bitwright.targets.tlmac.check import simpler, unsupported
        from bitwright.targets.tlmac.goals import try_network

        simple = simpler(network)
        made = None if unsupported(simple) else try_network(simple, options)
        return None if made is None else replace(made, network=network)

    def paced(
        self, network: Network, given: Mapping[str, object], interval: int, limits: Mapping[str, object]
    ) -> Mapping[str, object]:
        """With that interval as the goal, or the shortest of its slowest layer; on the device unless one is given.

        Beyond what the least hardware needs the interval is no goal.
        """
        from bitwright.targets.contract import make_options
        from bitwright.targets.tlmac.check import simpler, unsupported
        from bitwright.targets.tlmac.circuit.units import build_circuit
        from bitwright.targets.tlmac.goals import shortest_interval, slowest

        own = [name for name in ("interval", "latency", "lut") if given.get(name) is not None]
        if own:
            raise OptionError(f"{own[0]} is a goal by itself; legal is one kind of goals")
        options = make_options(self, given)
        simple = simpler(network)
        if unsupported(simple):  # `plan` says so
            return given
        circuit = build_circuit(simple)
        least = shortest_interval(circuit, options, options.elements, interval)
        return {**limits, **given, "interval": max(min(interval, slowest(circuit)), least)}

    def folded(self, design: Design) -> Mapping[str, object]:
        """Its options, the folding of every layer as a setting of `layers`, and the goal that other units follow."""
        rows = {row.name: row.details for row in design.estimate.layers if "fold" in row.details}
        layers = {name: {**d["fold"], "element": d["element"], "taps": d["taps"]} for name, d in rows.items()}
        options = {name: value for name, value in design.options.items() if name != "lut"}
        return {**options, "interval": design.parameters["goal_cycles"], "layers": layers}

    def observe(self, plan: TlmacPlan) -> Observation:
        """The streams between the units."""
        from bitwright.targets.tlmac.observation import observation

        return observation(plan)

    def emit(self, plan: TlmacPlan) -> Design:
        """The circuit as SystemVerilog."""
        from bitwright.targets.tlmac.emit import emit_design

        return emit_design(plan)


TARGET = Tlmac()
