# SPDX-License-Identifier: Apache-2.0
"""What a node asks of memory and time, in numbers that no overflow bends: checked before anything is allocated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from bitwright import limits
from bitwright.network.ops import Conv2d, Op, Pool
from bitwright.network.types import TensorType


def check_op(op: Op, inputs: Sequence[TensorType], result: TensorType) -> int:
    """Operations on numbers that the node takes for one sample; `ModelError` where a size passes the budget."""
    limits.check_shape(result.shape, "its value has")
    for f in fields(op):
        value = getattr(op, f.name)
        if isinstance(value, np.ndarray):
            limits.check("elements", value.size, f"its {f.name} has")
    if isinstance(op, (Conv2d, Pool)):
        check_padded(inputs[0].shape, op.pads)
    return op.work(result)


def check_padded(shape: Sequence[int], pads: Sequence[int]) -> None:
    """`ModelError` where an image (H, W, C) with its padding (top, left, bottom, right) passes the budget."""
    h, w, c = shape
    top, left, bottom, right = pads
    limits.check_shape((h + top + bottom, w + left + right, c), "its padded input has")
