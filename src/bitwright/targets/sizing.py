# SPDX-License-Identifier: Apache-2.0
"""Hardware of a size that suits a part, chosen before there is a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from bitwright.devices import Device
from bitwright.hardware.resources import Resources


@dataclass(frozen=True)
class Sized:
    """Hardware for a part: the TOML file that the target's option `option` takes, and what it takes of the part.

    name: what it is, in a line. utilization: share of each resource, by the cost model as `resources`. sizes: what
    was chosen, by name (JSON-able).
    """

    option: str
    name: str
    text: str
    resources: Resources
    utilization: Mapping[str, float]
    sizes: Mapping[str, Any]


@runtime_checkable
class Sizable(Protocol):
    """A target whose hardware is made once, for all networks, in any size."""

    name: str

    def sized(self, device: Device, fill: float, given: Sequence[str]) -> Sized:
        """The largest hardware that takes at most the share `fill` of each resource; given: `key=value`, what stays.

        `OptionError` for what is illegal, and where nothing is as small.
        """
