"""What the target refuses, found before any work."""

from __future__ import annotations

from bitwright.network import Network
from bitwright.network.ops import Resize
from bitwright.targets.contract import Problem
from bitwright.targets.tlmac.options import TlmacOptions


def problems(network: Network, options: TlmacOptions) -> list[Problem]:
    """One problem a node that the circuit cannot compute."""
    found = []
    for node in network.nodes:
        if isinstance(node.op, Resize):
            found.append(Problem(node.name, "enlargement has no circuit", "networks without Resize"))
    return found
