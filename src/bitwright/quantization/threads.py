# SPDX-License-Identifier: Apache-2.0
"""Results that do not depend on threads: linear algebra on one, and pieces of fixed size, joined in order, on many.

How a matrix product is shared among threads decides the order of its sums, and so its last bits, which
weight rounding can turn into other codes. Here BLAS has one thread, and the work is parallel outside of it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

MAX_THREADS = 16  # each holds pieces of the data in memory
Item = TypeVar("Item")
Result = TypeVar("Result")


class _Limit:
    """BLAS on one thread while any user is inside: the number of threads belongs to the whole process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._limits: threadpool_limits | None = None

    def enter(self) -> None:
        with self._lock:
            limits = threadpool_limits(1, "blas")  # of each user: a fork or another library may have set them anew
            if not self._users:
                self._limits = limits
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users and self._limits is not None:
                self._limits.restore_original_limits()
                self._limits = None


_LIMIT = _Limit()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Linear algebra runs on one thread inside; also a decorator."""
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()


def thread_count(jobs: int) -> int:
    """Threads for `jobs`, of which 0 is one a core."""
    return min(jobs or os.cpu_count() or 1, MAX_THREADS)


def side_by_side(function: Callable[[Item], Result], items: Iterable[Item], jobs: int) -> list[Result]:
    """function(item) of all items, in order, computed by `jobs` threads (0: one a core)."""
    items = list(items)
    threads = min(thread_count(jobs), len(items))
    if threads <= 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
