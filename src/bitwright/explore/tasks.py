# SPDX-License-Identifier: Apache-2.0
"""Independent tasks through joblib: on local processes, or on a Dask cluster; finished ones come from the cache."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

import joblib

from bitwright import limits
from bitwright.errors import OptionError, ToolError
from bitwright.explore.cache import ResultCache
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.tools.process import end_with

CONNECT_SECONDS = 10
Result = dict[str, Any]  # JSON-able
Call = Callable[..., Result]


@contextlib.contextmanager
def _workers(cluster: str | None, shared: Sequence[object]) -> Iterator[None]:
    """joblib's back end: local processes without a cluster's address, else its workers, which get `shared` once."""
    if cluster is None:
        # Workers end with this process, however it ends.
        with joblib.parallel_config(backend="loky", initializer=end_with, initargs=(os.getpid(),)):
            yield
        return
    if not cluster.startswith(("tcp://", "tls://")):
        raise OptionError(f"cluster is {cluster!r}; legal is the address of a Dask scheduler, as tcp://host:8786")
    try:
        from distributed import Client
        from distributed.comm.core import CommClosedError
    except ImportError:
        raise ToolError("a cluster needs the package dask[distributed]: pip install 'bitwright[cluster]'") from None
    try:
        client = Client(cluster, timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise ToolError(f"no Dask scheduler answers at {cluster}: {error}") from None
    log = logging.getLogger("distributed")
    level = log.level
    log.setLevel(logging.CRITICAL)  # what it has to say of lost connections are tracebacks
    try:
        with client, joblib.parallel_config(backend="dask", scatter=list(shared)):
            yield
    except (CancelledError, CommClosedError):
        raise ToolError(
            f"the Dask scheduler at {cluster} is gone; what is done is kept: the same call resumes"
        ) from None
    finally:
        log.setLevel(level)


def _numbered(index: int, budget: limits.Budget, function: Call, *arguments: object) -> tuple[int, Result]:
    with limits.limit(budget):
        return index, function(*arguments)  # arguments of the call itself: only those can be scattered


@dataclass(frozen=True, eq=False)
class Pool:
    """Where tasks run and results are kept. jobs: local processes, 0 for one a core; cluster: a Dask scheduler."""

    cache: ResultCache
    jobs: int = 0
    cluster: str | None = None
    progress: Progress = quiet


def run_tasks(
    function: Call,
    shared: Sequence[object],
    tasks: Sequence[tuple[Any, ...]],
    keys: Sequence[str],
    pool: Pool,
    stage: str = "tasks",
) -> list[Result]:
    """function(*shared, *task) for every task, in order; each result is cached under its key as soon as it is there."""
    results = [pool.cache.get(key) for key in keys]
    open_tasks = [i for i, result in enumerate(results) if result is None]
    done = len(tasks) - len(open_tasks)
    pool.progress(stage, done, len(tasks))
    if open_tasks:
        with _workers(pool.cluster, shared):
            parallel = joblib.Parallel(n_jobs=pool.jobs or -1, return_as="generator_unordered")
            calls = (joblib.delayed(_numbered)(i, limits.current(), function, *shared, *tasks[i]) for i in open_tasks)
            for index, result in parallel(calls):
                results[index] = result
                pool.cache.put(keys[index], result)
                done += 1
                pool.progress(stage, done, len(tasks))
    return [result for result in results if result is not None]
