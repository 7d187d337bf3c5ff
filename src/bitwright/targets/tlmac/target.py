# SPDX-License-Identifier: Apache-2.0
"""The tlmac target: one streaming circuit a network, multiplications looked up in LUTs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bitwright.errors import OptionError
from bitwright.network import Network
from bitwright.targets.contract import Design, Problem, Refusal, make_options, traced
from bitwright.targets.tlmac.check import problems, simpler, unsupported
from bitwright.targets.tlmac.circuit.plan import TlmacPlan
from bitwright.targets.tlmac.circuit.units import build_circuit
from bitwright.targets.tlmac.emit import emit_design
from bitwright.targets.tlmac.goals import plan_network, shortest_interval, try_network
from bitwright.targets.tlmac.options import TlmacOptions


class Tlmac:
    """See `bitwright.targets.contract.Target`."""

    name = "tlmac"
    summary = "table-lookup multiply-accumulate: a streaming circuit of LUTs for one network"
    options = TlmacOptions

    def check(self, network: Network, options: Any) -> list[Problem]:
        """All reasons to refuse the network, before any work."""
        simple = simpler(network)
        return list(traced(problems(simple, options), simple))

    def plan(self, network: Network, options: Any) -> TlmacPlan | Refusal:
        """Fold every layer for the goal and choose its element; a refusal where no circuit reaches the goal."""
        simple = simpler(network)
        found = unsupported(simple)
        made = Refusal(tuple(found)) if found else plan_network(simple, options)
        return Refusal(traced(made.problems, simple)) if isinstance(made, Refusal) else replace(made, network=network)

    def attempt(self, network: Network, options: Any) -> TlmacPlan | None:
        """The plan for the goal; None where no circuit reaches it, without a look for the nearest that one reaches."""
        simple = simpler(network)
        made = None if unsupported(simple) else try_network(simple, options)
        return None if made is None else replace(made, network=network)

    def paced(
        self, network: Network, given: Mapping[str, object], interval: int, limits: Mapping[str, object]
    ) -> Mapping[str, object]:
        """With that interval as the goal, or the shortest of its slowest layer; on the device unless one is given."""
        own = [name for name in ("interval", "lut") if given.get(name) is not None]
        if own:
            raise OptionError(f"{own[0]} is a goal by itself; legal is one kind of goals")
        options = make_options(self, given)
        simple = simpler(network)
        if unsupported(simple):  # `plan` says so
            return given
        least = shortest_interval(build_circuit(simple), options, options.elements, interval)
        return {**limits, **given, "interval": max(interval, least)}

    def folded(self, design: Design) -> Mapping[str, object]:
        """Its options, and the folding of every layer as a setting of `layers`."""
        rows = {row.name: row.details for row in design.estimate.layers if "fold" in row.details}
        layers = {name: {**d["fold"], "element": d["element"], "taps": d["taps"]} for name, d in rows.items()}
        return {**design.options, "layers": layers}

    def emit(self, plan: TlmacPlan) -> Design:
        """The circuit as SystemVerilog."""
        return emit_design(plan)


TARGET = Tlmac()
