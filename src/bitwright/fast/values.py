# SPDX-License-Identifier: Apache-2.0
"""What the nodes of a translation hand on, and what all of them know."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bitwright.fast.onnx_builder import Builder
from bitwright.network.graph import Network
from bitwright.network.ranges import intervals


@dataclass(frozen=True)
class Value:
    """A tensor of the ONNX graph: its name and whether it is float64.

    order: for a vector that is kept in channel-major order, the (H, W, C) of the image it comes from.
    codes: the tensor is uint8 and holds the value minus this number; None where it holds the value.
    """

    name: str
    wide: bool
    order: tuple[int, ...] = ()
    codes: int | None = None


class Translation:
    """The ONNX graph under construction, the network, and the interval of each of its values."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.intervals = intervals(network)
        self.g = Builder()

    def image(self, name: str) -> bool:
        return len(self.network.types[name].shape) == 3

    def widen(self, value: Value) -> Value:
        return value if value.wide else Value(self.g.cast(value.name, "float64"), True, value.order)

    def decoded(self, value: Value) -> Value:
        """Codes as numbers."""
        if value.codes is None:
            return value
        x = self.g.cast(value.name, "float32")
        x = self.g.add("Add", x, self.g.operand(np.float32(value.codes))) if value.codes else x
        return replace(value, name=x, codes=None)
