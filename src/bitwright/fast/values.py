# SPDX-License-Identifier: Apache-2.0
"""What the nodes of a translation hand on."""

from __future__ import annotations

from dataclasses import dataclass


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
