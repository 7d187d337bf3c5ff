# SPDX-License-Identifier: Apache-2.0
"""Independent calls in threads: for work that mostly leaves the interpreter's lock alone (compiled or NumPy's)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(function: Callable[[Item], Result], items: Iterable[Item], jobs: int) -> list[Result]:
    """function(item) of all items, in order, by `jobs` threads; none of them works on where one raises."""
    if jobs == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(function, items))
