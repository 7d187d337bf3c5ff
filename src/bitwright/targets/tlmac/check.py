# SPDX-License-Identifier: Apache-2.0
"""What the target refuses, found before any work."""

from __future__ import annotations

from functools import partial

import numpy as np

from bitwright.network import Network
from bitwright.network.lowering import lower_lookups, lowered, split_thresholds, unit_steps
from bitwright.network.ops import Lookup, Mul, Requantize, Threshold
from bitwright.targets.contract import Problem
from bitwright.targets.tlmac.circuit import fold
from bitwright.targets.tlmac.circuit.units import build_circuit
from bitwright.targets.tlmac.options import TlmacOptions
from bitwright.targets.tlmac.refusal import OutOfReach
from bitwright.targets.tlmac.search.planner import no_element
from bitwright.targets.tlmac.wishes import check_names, wished

MAX_COUNT = (1 << 16) - 1  # of module threshold
MAX_TABLE_BITS = 16


def simpler(network: Network) -> Network:
    """The network in what the modules of thresholds and tables compute."""
    return lowered(
        network,
        partial(lower_lookups, table_bits=MAX_TABLE_BITS, steps=MAX_COUNT),
        partial(unit_steps, legal=(-1, 1)),
        partial(split_thresholds, most=MAX_COUNT),
    )


def problems(network: Network, options: TlmacOptions) -> list[Problem]:
    """Nodes that the circuit cannot compute, and layers that cannot be built as the options have it."""
    return unsupported(network) + _unbuildable(network, options)


def _unbuildable(network: Network, options: TlmacOptions) -> list[Problem]:
    """Layers without a circuit, whatever the goal, of the elements or with the settings that the user names."""
    if not options.layers and (options.elements is None or "gates" in options.elements):
        return []
    circuit = build_circuit(network)
    found: list[Problem] = []
    check_names(circuit, options.layers)
    for unit in (unit for unit in circuit.stages if unit.mac):
        if unit.name in options.layers:
            try:
                wished(unit.layer, options.layers[unit.name])
            except OutOfReach as refused:
                found += refused.problems
        elif options.elements is not None and not fold.builds(unit.layer, options.elements):
            found.append(no_element(unit.name, options))
    return found


def unsupported(network: Network) -> list[Problem]:
    """One problem a node that the circuit cannot compute."""
    found = []
    for node in network.nodes:
        if isinstance(node.op, Threshold):
            step, count = 2 if node.op.dtype.bipolar else 1, node.op.thresholds.shape[1]
            if np.any(np.abs(node.op.step) != step):
                found.append(Problem(node.name, f"threshold steps {np.unique(node.op.step)}", f"+{step} and -{step}"))
            if count > MAX_COUNT:
                found.append(Problem(node.name, f"{count} thresholds", f"at most {MAX_COUNT}"))
        elif isinstance(node.op, Lookup) and node.op.domain.bits > MAX_TABLE_BITS:
            found.append(Problem(node.name, f"a table over {node.op.domain}", f"at most {MAX_TABLE_BITS} bits"))
        elif isinstance(node.op, Requantize) and abs(node.op.zero_point) >= 1 << 31:
            found.append(Problem(node.name, f"zero point {node.op.zero_point}", "less than 2**31 in magnitude"))
        elif isinstance(node.op, Mul) and max(map(abs, node.op.zeros)) >= 1 << 31:
            found.append(Problem(node.name, f"zeros {node.op.zeros}", "less than 2**31 in magnitude"))
    return found
