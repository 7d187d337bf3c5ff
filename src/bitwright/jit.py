# SPDX-License-Identifier: Apache-2.0
"""Compiled functions, cached on disk where a folder can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

import numba

from bitwright.files import user_folder

F = TypeVar("F", bound=Callable[..., Any])


@overload
def njit(function: F, /) -> F: ...


@overload
def njit(**options: bool) -> Callable[[F], F]: ...


def njit(function: Callable[..., Any] | None = None, /, **options: bool) -> Any:
    """`numba.njit` with its cache beside the sources, else in the user's cache folder.

    A decorator, with or without options; `cache=False` for what only other compiled functions call. numba refuses a
    cache where it can write neither beside the sources nor in its own folder of the user; it gets that of
    `files.user_folder` then. For type checkers the function stays what it was.
    """
    if function is None:
        return lambda f: njit(f, **options)
    options = {"cache": True} | options
    try:
        return numba.njit(**options)(function)
    except RuntimeError:
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(user_folder() / "numba")
        try:
            return numba.njit(**options)(function)
        finally:
            numba.config.CACHE_DIR = before
