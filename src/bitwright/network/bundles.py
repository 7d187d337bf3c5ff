# SPDX-License-Identifier: Apache-2.0
"""Samples of several tensors as one array: records [N] with a field for each of them, by its name.

A bundle has a length, is cut and joined as any array, and answers to names: `x["left"]` is an array [N, *shape].
Where there is one tensor, its array stands for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bitwright.errors import DataError
from bitwright.network.types import Array


def bundled(arrays: Mapping[str, Array]) -> Array:
    """The arrays [N, *shape] of one N by their names as a bundle, one array as it is; `DataError` for several N."""
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    counts = {name: len(a) for name, a in arrays.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise DataError(f"the tensors of one sample belong together, but there are {listed}; legal is one number")
    dtype = np.dtype([(name, a.dtype, a.shape[1:]) for name, a in arrays.items()])
    made: Array = np.empty(next(iter(counts.values())), dtype)
    for name, a in arrays.items():
        made[name] = a
    return made


def parts(x: Array | Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
    """The array of each name: of a bundle or a mapping, or x itself where there is one name.

    Raises `DataError` for other names than these, and where the arrays have different lengths.
    """
    if not isinstance(x, Mapping):
        x = np.asarray(x)
        if len(names) == 1 and x.dtype.names is None:
            return {names[0]: x}
    own = list(x) if isinstance(x, Mapping) else list(x.dtype.names or ())
    if set(own) != set(names):
        given = f"arrays {', '.join(map(repr, own))}" if own else "one array"
        raise DataError(f"{given} given; legal are arrays by name: {', '.join(map(repr, names))}")
    found = {name: np.asarray(x[name]) for name in names}
    if len({len(a) if a.ndim else -1 for a in found.values()}) > 1:
        bundled(found)
    return found
