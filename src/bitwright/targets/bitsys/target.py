# SPDX-License-Identifier: Apache-2.0
"""The bitsys target: one bitstream that runs every network, at every precision, by a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bitwright.targets.bitsys.options import BitsysOptions

if TYPE_CHECKING:
    from bitwright.devices import Device
    from bitwright.network import Network
    from bitwright.targets.bitsys.planning import BitsysPlan
    from bitwright.targets.contract import Design, Problem, Refusal
    from bitwright.targets.observation import Observation
    from bitwright.targets.sizing import Sized


class Bitsys:
    """See `bitwright.targets.contract.Target`. The planner is loaded when it is first needed."""

    name = "bitsys"
    summary = "bitwise systolic array: one bitstream for all networks, precision switched at run time"
    options = BitsysOptions

    def check(self, network: Network, options: Any) -> list[Problem]:
        """All reasons to refuse the network; the memories are checked where its operations can run at all."""
        from bitwright.targets.bitsys.planning import problems

        return problems(network, options)

    def plan(self, network: Network, options: Any) -> BitsysPlan | Refusal:
        """Stages, memory layout, descriptors, and what they cost; or the problems that `check` finds."""
        from bitwright.targets.bitsys.planning import make_plan

        return make_plan(network, options)

    def attempt(self, network: Network, options: Any) -> BitsysPlan | None:
        """The plan, if there is one."""
        from bitwright.targets.contract import Refusal

        found = self.plan(network, options)
        return None if isinstance(found, Refusal) else found

    def paced(
        self, network: Network, given: Mapping[str, object], interval: int, limits: Mapping[str, object]
    ) -> Mapping[str, object]:
        """With the smallest preset that is fast enough, unless the user chose the hardware."""
        from bitwright.targets.bitsys.model import cost
        from bitwright.targets.contract import first_fast

        sizes = [given] if "hardware" in given else [{"hardware": name, **given} for name in cost.by_size()]
        return first_fast(self, network, sizes, interval)

    def sized(self, device: Device, fill: float, given: Sequence[str]) -> Sized:
        """The largest array for a part, with memories that suit it; given: fields of its TOML file."""
        from bitwright.targets.bitsys.model import sizing

        return sizing.sized(device, fill, given)

    def folded(self, design: Design) -> Mapping[str, object]:
        """Its options: nothing else is chosen."""
        return design.options

    def observe(self, plan: BitsysPlan) -> Observation:
        """The groups of channels that leave the post stage."""
        from bitwright.targets.bitsys.model.observation import observation

        return observation(plan)

    def emit(self, plan: BitsysPlan) -> Design:
        """The hardware's files, which no network changes, and the network's program."""
        from bitwright.targets.bitsys.planning import emit_design

        return emit_design(self.name, plan)


TARGET = Bitsys()
