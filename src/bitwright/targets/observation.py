# SPDX-License-Identifier: Apache-2.0
"""What simulation sees of the layers of a design: signals to record, and how values are read out of the records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bitwright.network import Network
from bitwright.network.types import Array
from bitwright.tools.bench import Tap
from bitwright.tools.model import Record


@dataclass(frozen=True)
class Layer:
    """A layer whose values can be seen, by its name in estimates.

    value: what `Observation.read` calls its values. node: a node or input of `Observation.network` with the same ones.
    taps: the names of those that its values need. scope: the path of its instance below the top, where it has its own
    hardware.
    """

    name: str
    value: str
    node: str
    taps: tuple[str, ...]
    scope: str | None = None


@dataclass(frozen=True, eq=False)
class Values:
    """Values that were seen, int64 [frames, elements], and bool of the same shape: which of them were."""

    found: Array
    known: Array

    @staticmethod
    def unknown(frames: int, elements: int) -> Values:
        """None seen yet."""
        return Values(np.zeros((frames, elements), np.int64), np.zeros((frames, elements), bool))


@dataclass(frozen=True, eq=False)
class Turns:
    """When each of the layers works that share the hardware of one instance, `scope`; names as in `Layer`, in order.

    read: from the records of taps, by name, the first and the last cycle of each layer in the first batch of frames.
    The last is None where nothing follows; a layer that never began is not among them.
    """

    scope: str
    layers: tuple[str, ...]
    taps: tuple[Tap, ...]
    read: Callable[[Mapping[str, Record]], Mapping[str, tuple[int, int | None]]]


@dataclass(frozen=True, eq=False)
class Observation:
    """The layers of a design in the order in which they are computed.

    network: what the design computes, in the operations that its hardware has; it equals the design's own network.
    read: from the records of taps, by name, of a run of so many frames, all values that they show.
    turns: of layers without hardware of their own. hidden: why no values can be seen, where that is so.
    """

    network: Network
    taps: tuple[Tap, ...]
    layers: tuple[Layer, ...]
    read: Callable[[Mapping[str, Record], int], Mapping[str, Values]]
    turns: Turns | None = None
    hidden: str | None = None
