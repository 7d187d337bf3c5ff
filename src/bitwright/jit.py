# SPDX-License-Identifier: Apache-2.0
"""Compiled functions: numba is loaded at the first call of one, and caches on disk where a folder can be written."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from types import ModuleType as Module
from typing import Any, TypeVar, overload

from bitwright.files import user_folder

F = TypeVar("F", bound=Callable[..., Any])


@overload
def njit(function: F, /) -> F: ...


@overload
def njit(**options: bool) -> Callable[[F], F]: ...


def njit(function: Callable[..., Any] | None = None, /, **options: bool) -> Any:
    """`numba.njit` with its cache beside the sources, else in the user's cache folder; loaded at the first call.

    A decorator, with or without options; `cache=False` for what only other compiled functions call. numba refuses a
    cache where it can write neither beside the sources nor in its own folder of the user; it gets that of
    `files.user_folder` then. For type checkers the function stays what it was.
    """
    if function is None:
        return lambda f: njit(f, **options)
    return _Compiled(function, {"cache": True} | options)


class _Compiled:
    """A function that is handed to numba when it is first called, with those that it calls."""

    def __init__(self, function: Any, options: dict[str, bool]) -> None:
        self.py_func: FunctionType = function
        self.options = options
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.dispatcher(*args, **named)

    @functools.cached_property
    def dispatcher(self) -> Any:
        """numba's own; it must find numba's own under the names of the functions that are called, too."""
        function = self.py_func
        names = set(_names(function.__code__))
        spaces = [
            function.__globals__,
            *(vars(m) for n in names if isinstance(m := function.__globals__.get(n), Module)),
        ]
        for space in spaces:
            for name in names & space.keys():
                if isinstance(called := space[name], _Compiled):
                    space[name] = called.dispatcher
        for cell in function.__closure__ or ():
            if isinstance(cell.cell_contents, _Compiled):
                cell.cell_contents = cell.cell_contents.dispatcher
        return _dispatcher(function, self.options)


def _names(code: CodeType) -> Iterator[str]:
    """The global names that code uses, that of functions inside it among them."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _dispatcher(function: FunctionType, options: dict[str, bool]) -> Any:
    import numba

    try:
        made = numba.njit(**options)(function)
    except RuntimeError:
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(user_folder() / "numba")
        try:
            made = numba.njit(**options)(function)
        finally:
            numba.config.CACHE_DIR = before
    if options["cache"]:
        save = made._cache.save_overload
        made._cache.save_overload = lambda *what: _saved(save, what)
    return made


def _saved(save: Callable[..., None], what: tuple[Any, ...]) -> None:
    """Write to the cache; on a full disk a function is compiled again next time."""
    with contextlib.suppress(OSError):
        save(*what)
