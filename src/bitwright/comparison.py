# SPDX-License-Identifier: Apache-2.0
"""What each target's cost model says of one network, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bitwright import api, targets
from bitwright.devices import Device
from bitwright.errors import ModelError, OptionError
from bitwright.hardware.clock import Clock
from bitwright.network import Network
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.targets.contract import Estimate, Refusal
from bitwright.targets.goals import Goals, reach


@dataclass(frozen=True)
class Answer:
    """A target's estimate of the network, or the reason of its refusal. All figures are estimated."""

    target: str
    estimate: Estimate | None
    refusal: str = ""

    def frames_per_second(self, clock: Clock) -> float | None:
        """At a clock, see `Clock.frames_per_second`; None where the target refuses."""
        return None if self.estimate is None else clock.frames_per_second(self.estimate.interval_cycles)

    def utilization(self, device: Device) -> dict[str, float]:
        """Share of the device by resource, see `Device.estimated_utilization`."""
        return {} if self.estimate is None else device.estimated_utilization(self.estimate.total)


def compare(
    network: Network,
    options: Mapping[str, Mapping[str, object]] | None = None,
    goals: Goals | None = None,
    progress: Progress = quiet,
) -> tuple[Answer, ...]:
    """Every target's plan of the network, without writing hardware.

    options: for each target by name, its options; goals choose the others, see `Goals`. Raises `OptionError` for an
    unknown target or a bad option; a network that a target refuses, or goals that it does not reach, are its answer,
    in `refusal`. progress: called with "targets", how many are done, of how many.
    """
    options = options or {}
    unknown = sorted(set(options) - set(targets.names()))
    if unknown:
        raise OptionError(f"unknown target {unknown[0]!r}; legal are {', '.join(targets.names())}")
    answers, names = list[Answer](), targets.names()
    for name in names:
        progress("targets", len(answers), len(names))
        answers.append(_ask(network, name, options.get(name, {}), goals))
    progress("targets", len(answers), len(names))
    return tuple(answers)


def _ask(network: Network, target: str, options: Mapping[str, object], goals: Goals | None) -> Answer:
    if goals is not None:
        try:
            return Answer(target, reach(network, target, options, goals)[1].estimate)
        except ModelError as refused:
            return Answer(target, None, str(refused))
    plan = api.plan(network, target, options)
    if isinstance(plan, Refusal):
        return Answer(target, None, f"target {target} refuses the network: {plan}")
    return Answer(target, plan.estimate)
