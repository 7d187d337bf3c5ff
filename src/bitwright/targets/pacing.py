# SPDX-License-Identifier: Apache-2.0
"""The choice among a few sizes of hardware by how fast a network runs on each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bitwright.network import Network
from bitwright.targets.contract import Refusal, Target, make_options, make_plan


def first_fast(
    target: Target, network: Network, choices: Sequence[Mapping[str, object]], interval: int
) -> Mapping[str, object]:
    """The first of the options, the smallest hardware first, with a plan of at most `interval` cycles a frame.

    Where none is that fast, those of the fastest plan; where the target refuses the network with all, the last ones.
    """
    fastest: tuple[float, Mapping[str, object]] = math.inf, choices[-1]
    for options in choices:
        plan = make_plan(target, network, make_options(target, options))
        if not isinstance(plan, Refusal):
            cycles = plan.estimate.interval_cycles
            if cycles <= interval:
                return options
            fastest = min(fastest, (cycles, options), key=lambda entry: entry[0])
    return fastest[1]
