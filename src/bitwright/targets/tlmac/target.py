# SPDX-License-Identifier: Apache-2.0
"""The tlmac target: one streaming circuit a network, multiplications looked up in LUTs."""

from __future__ import annotations

from typing import Any

from bitwright.network import Network
from bitwright.targets.contract import Design, Problem, Refusal
from bitwright.targets.tlmac.check import problems, unsupported
from bitwright.targets.tlmac.circuit.plan import TlmacPlan
from bitwright.targets.tlmac.emit import emit_design
from bitwright.targets.tlmac.goals import plan_network
from bitwright.targets.tlmac.options import TlmacOptions


class Tlmac:
    """See `bitwright.targets.contract.Target`."""

    name = "tlmac"
    summary = "table-lookup multiply-accumulate: a streaming circuit of LUTs for one network"
    options = TlmacOptions

    def check(self, network: Network, options: Any) -> list[Problem]:
        """All reasons to refuse the network, before any work."""
        return problems(network, options)

    def plan(self, network: Network, options: Any) -> TlmacPlan | Refusal:
        """Fold every layer for the goal and choose its element; a refusal where no circuit reaches the goal."""
        found = unsupported(network)
        return Refusal(tuple(found)) if found else plan_network(network, options)

    def emit(self, plan: TlmacPlan) -> Design:
        """The circuit as SystemVerilog."""
        return emit_design(plan)


TARGET = Tlmac()
