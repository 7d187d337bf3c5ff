# SPDX-License-Identifier: Apache-2.0
"""Why there is no plan: what the planner raises inside, and what `plan` makes a `Refusal` of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bitwright.targets.contract import Problem


@dataclass(eq=False)
class OutOfReach(Exception):
    """A goal, a limit or a folding that no circuit keeps.

    problems: without what would be legal where only a search for the nearest goal tells. interval: cycles a frame below
    which there is surely no plan. limits: what the circuit needs at least of every kind of which there is too little,
    None where that is not the reason. clock: MHz above which there is surely no plan, where that is the reason.
    """

    problems: Sequence[Problem]
    interval: int = 0
    limits: Mapping[str, float] | None = None
    clock: float | None = None
