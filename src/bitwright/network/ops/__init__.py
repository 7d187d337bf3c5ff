# SPDX-License-Identifier: Apache-2.0
"""The operations of the integer network: what each computes, exactly, in integers.

Each operation is a frozen dataclass with `infer`, which checks the input types and gives the output type, `evaluate`,
which computes it, and `interval`, which bounds it. Values have shape (H, W, C) or (C,); `evaluate` takes and returns
int64 arrays with a leading batch axis, [N, *shape]. Nothing here knows hardware.
Per-channel parameters have leading size C or 1 (the same for all channels).
"""

from bitwright.network.ops.base import Op, window_output, windows
from bitwright.network.ops.joins import Add, Concat, Join, Mul, Weave
from bitwright.network.ops.pools import ArgMax, MaxPool, Pool, SumPool
from bitwright.network.ops.products import Conv2d, Dense, Product
from bitwright.network.ops.shapes import Flatten, Pad, Resize, repeated
from bitwright.network.ops.steps import Lookup, Requantize, Rounding, Threshold, round_shift

OPS: dict[str, type[Op]] = {
    op.__name__: op
    for op in (
        *(Conv2d, Dense, Threshold, Requantize, Lookup),
        *(Add, Mul, Concat, Weave, MaxPool, SumPool, Pad, Resize, Flatten, ArgMax),
    )
}

__all__ = [
    "OPS",
    "Add",
    "ArgMax",
    "Concat",
    "Conv2d",
    "Dense",
    "Flatten",
    "Join",
    "Lookup",
    "MaxPool",
    "Mul",
    "Op",
    "Pad",
    "Pool",
    "Product",
    "Requantize",
    "Resize",
    "Rounding",
    "SumPool",
    "Threshold",
    "Weave",
    "repeated",
    "round_shift",
    "window_output",
    "windows",
]
