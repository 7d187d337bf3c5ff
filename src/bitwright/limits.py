# SPDX-License-Identifier: Apache-2.0
"""The budget: how much of the machine a file may ask for, checked before anything is allocated.

A model of a few bytes can describe values of 10^18 elements. Every size that a file states is therefore held against
the budget first, and what passes it is refused in one line that names the size, the limit and how to raise it:

    bitwright check model.onnx --limit elements=1e9,bytes=8e9
    with bw.limit(elements=10**9): bw.load("model.onnx")

The budget belongs to the process; worker processes get that of their parent.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bitwright.errors import ModelError, OptionError, UserError


def _limit(default: float, doc: str) -> Any:
    return dataclasses.field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Budget:
    """Limits on what is read; every field may be raised, none turned off."""

    elements: int = _limit(1 << 27, "elements of one value, weight or constant")
    bytes: int = _limit(1 << 31, "bytes of a file, and of all that it unpacks to")
    nodes: int = _limit(20_000, "operations of a network, nodes of a model with its functions inlined")
    macs: int = _limit(10**11, "operations on numbers for one sample: multiplications, and elements that pools read")
    seconds: float = _limit(600.0, "seconds to read a model, and to make integers of it")

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not 1 <= value < math.inf:
                raise OptionError(f"budget {f.name} is {value!r}; legal are finite numbers of at least 1")
            if f.name != "seconds":
                object.__setattr__(self, f.name, int(value))


NAMES = tuple(f.name for f in dataclasses.fields(Budget))
_current = Budget()


def current() -> Budget:
    """The budget of this process."""
    return _current


@contextmanager
def limit(limits: Budget | None = None, **changes: Any) -> Iterator[Budget]:
    """Another budget for the block: `limits`, else the current one, with `changes`; `OptionError` for unknown ones."""
    global _current
    unknown = sorted(set(changes) - set(NAMES))
    if unknown:
        raise OptionError(f"the budget has no {', '.join(map(repr, unknown))}; legal are {', '.join(NAMES)}")
    before = _current
    _current = dataclasses.replace(limits or before, **changes)
    try:
        yield _current
    finally:
        _current = before


def parse(text: str) -> dict[str, float]:
    """The changes of a text `name=number,...`, such as elements=1e9,bytes=8e9."""
    changes: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        try:
            changes[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise OptionError(f"--limit holds {part[:40]!r}; legal is name=number, such as elements=1e9,bytes=8e9")
    return changes


def check(name: str, needed: float, what: str, error: type[UserError] = ModelError) -> None:
    """Raise `error` where `what` needs more than the budget's limit of that name."""
    most = getattr(_current, name)
    if needed > most:
        advice = _raise(name, needed)
        raise error(f"{what} {_count(needed)} {name}; the budget allows {_count(most)} (raise it: {advice})")


def check_shape(shape: Sequence[int], what: str) -> int:
    """Number of elements of a shape, in Python's integers, if the budget allows it; `what` reads "... has"."""
    size = math.prod(int(n) for n in shape)
    check("elements", size, what)
    return size


class Deadline:
    """A time limit from now on: the budget's seconds. `check` raises `ModelError` once it has passed."""

    def __init__(self) -> None:
        self._end = time.monotonic() + _current.seconds

    def check(self, what: str) -> None:
        if time.monotonic() > self._end:
            limit = _current.seconds
            raise ModelError(
                f"{what} takes longer than the budget of {limit:g} seconds (raise it: --limit seconds=...)"
            )


def _count(value: float) -> str:
    return f"{value:.3g}" if value >= 10**15 else f"{int(value):,}"


def _raise(name: str, needed: float) -> str:
    exponent = max(0, math.floor(math.log10(needed)) - 1) if needed < 10**300 else 300
    return f"--limit {name}={math.ceil(needed / 10**exponent)}e{exponent}" if needed < 10**300 else "not possible"
