# SPDX-License-Identifier: Apache-2.0
"""A clock and what it rests on: figures in seconds are never without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bitwright.errors import OptionError

DEFAULT_MHZ = 200.0
LOWEST_MHZ, HIGHEST_MHZ = 1.0, 1000.0
ROUTED, ESTIMATED, ASSUMED = "routed", "estimated", "assumed"


@dataclass(frozen=True)
class Clock:
    """A frequency and its basis: ROUTED (static timing after routing), ESTIMATED (before placement) or ASSUMED."""

    mhz: float
    basis: str = ASSUMED

    def frames_per_second(self, interval_cycles: float) -> float:
        """10^6 mhz / cycles between frames."""
        return 1e6 * self.mhz / interval_cycles

    def microseconds(self, cycles: float) -> float:
        """Duration of so many cycles."""
        return cycles / self.mhz

    def __str__(self) -> str:
        return f"{self.mhz:.4g} MHz ({self.basis})"


def reached(synthesis: Mapping[str, Any] | None) -> Clock | None:
    """What a design reaches by its synthesis, as a dictionary: routed, else the middle estimate; None without."""
    found = synthesis or {}
    if routed := found.get("fmax_mhz"):
        return Clock(routed, ROUTED)
    estimated = found.get("fmax_estimated_mhz")
    return Clock(estimated["mid"], ESTIMATED) if estimated else None


def assumed(mhz: float, option: str = "clock_mhz") -> Clock:
    """The clock that a caller names by an option; `OptionError` for one that no part has."""
    if not LOWEST_MHZ <= mhz <= HIGHEST_MHZ:
        raise OptionError(f"{option} is {mhz:g}; legal are {LOWEST_MHZ:g} to {HIGHEST_MHZ:g}")
    return Clock(float(mhz))
