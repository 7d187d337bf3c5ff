"""Compiled functions, cached on disk where a folder can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from bitwright.tools import cache


def njit(function: Callable[..., Any] | None = None, **options: bool) -> Any:
    """`numba.njit` with its cache beside the sources, else in the user's cache folder.

    A decorator, with or without options. numba refuses a cache where it can write neither beside the sources nor in its
    own folder of the user; it gets that of `cache.user_folder` then.
    """
    if function is None:
        return lambda f: njit(f, **options)
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(cache.user_folder() / "numba")
        try:
            return numba.njit(cache=True, **options)(function)
        finally:
            numba.config.CACHE_DIR = before
