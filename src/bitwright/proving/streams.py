# SPDX-License-Identifier: Apache-2.0
"""The valid/ready streams of a circuit, read from its emitted text: which module hands its words to which.

Read are the instances of the modules below the top, their parameters, and the signals at their pins. A stream is known
by its valid signal; it has one module that drives it and one that reads it, and both must name the same ready signal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from bitwright.errors import ModelError
from bitwright.hardware.closure import flatten

_COMMENT = re.compile(r"//[^\n]*")
_INSTANCE = re.compile(r"^  (\w+)(?: #\(\n(.*?)\n  \))? (\w+) \(\n(.*?)\n  \);$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"^\s*\.(\w+)\((\d+)\),?$", re.MULTILINE)
_OPTIONAL = re.compile(r"\.(?:Words|AWords|BWords|Steps|Digits)\((?!\d+\))")  # have defaults, so must be numbers
_PIN = re.compile(r"^\s*\.(\w+)\((.*)\),?$", re.MULTILINE)
_ALIAS = re.compile(r"^  assign (\w+) = (\w+);$", re.MULTILINE)
_STREAM = re.compile(r"(\w+)_valid_([io])")
_CONTROL = re.compile(r"\w+_(valid|ready)_[io]|next_i|stop_[io]|fetch_o|(m_)?last_o|s_last_i")  # pins that are read
_OFFERED = re.compile(r"\(([\w.]+) \|\| !([\w.]+)\)")  # ready, or no word waits
MOST_LEVELS = 8  # of modules in modules


class NotUnderstood(ModelError):
    """The text is none of this kind: what it computes may be right, but nothing is shown of it."""


@dataclass(frozen=True)
class Cell:
    """An instance: path, module, parameters that are numbers, and what stands at its pins, by names of the top."""

    path: str
    module: str
    parameters: Mapping[str, int]
    pins: Mapping[str, tuple[str, ...]]

    def streams(self, output: bool) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """(valid, ready) signals by the name of the stream; several where the pin is of several streams."""
        way, back = ("o", "i") if output else ("i", "o")
        found = {}
        for pin, valid in self.pins.items():
            match = _STREAM.fullmatch(pin)
            if match and match[2] == way:
                found[match[1]] = valid, self.pins.get(f"{match[1]}_ready_{back}", ())
        return found


@dataclass
class Signals:
    """Names of signals that are one, as those at both sides of `assign a = b`."""

    parent: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> str:
        """The one name of a signal."""
        while name in self.parent:
            name = self.parent[name]
        return name

    def join(self, a: str, b: str) -> None:
        """Both are one signal."""
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[a] = b


def cells(files: Mapping[str, str], top: str, prefix: str, leaf: Callable[[str], bool]) -> tuple[list[Cell], Signals]:
    """The cells below the top, in the order of the text, modules that are no leaves opened; prefix: read as `own_`."""
    texts = {name.removesuffix(".sv"): text for name, text in flatten(files).items() if name.endswith(".sv")}
    texts = {_named(name, prefix): text.replace(f" {prefix}", " own_") for name, text in texts.items()}
    signals = Signals()
    return list(_opened(texts, _named(top, prefix), "", {}, leaf, signals, 0)), signals


def _named(module: str, prefix: str) -> str:
    return "own_" + module.removeprefix(prefix) if module.startswith(prefix) else module


def _opened(
    texts: Mapping[str, str],
    module: str,
    path: str,
    outer: Mapping[str, tuple[str, ...]],
    leaf: Callable[[str], bool],
    signals: Signals,
    level: int,
) -> Iterator[Cell]:
    """The cells of a module; outer: what stands at its ports."""
    if module not in texts or level > MOST_LEVELS:
        raise NotUnderstood(f"module {module} at {path or 'the top'} has no file of its name")
    text = _COMMENT.sub("", texts[module])

    def signal(word: str) -> tuple[str, ...]:
        return outer.get(word, (path + word,))

    for left, right in _ALIAS.findall(text):
        if len(signal(left)) != len(signal(right)):
            raise NotUnderstood(f"{path}{left} = {right} joins signals of several streams")
        for a, b in zip(signal(left), signal(right), strict=True):
            signals.join(a, b)
    for name, parameters, instance, pins in _INSTANCE.findall(text):
        if _OPTIONAL.search(parameters):
            raise NotUnderstood(f"{path}{instance} has parameters that are no numbers")
        bound = {pin: _bound(value, signal) for pin, value in _PIN.findall(pins) if _CONTROL.fullmatch(pin)}
        cell = Cell(path + instance, name, {k: int(v) for k, v in _NUMBER.findall(parameters)}, bound)
        if leaf(name):
            yield cell
        elif any(_STREAM.fullmatch(pin) for pin in bound):
            yield from _opened(texts, name, f"{cell.path}.", bound, leaf, signals, level + 1)


def _bound(text: str, signal: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """The signals at a pin, the one of the lowest bits first; an expression stays one, of the top's names."""
    if text.startswith("{") and text.endswith("}"):
        return tuple(s for part in reversed(text[1:-1].split(",")) for s in _bound(part.strip(), signal))
    if re.fullmatch(r"\w+", text):
        return signal(text)
    return (re.sub(r"[A-Za-z_]\w*", lambda m: signal(m[0])[0], text),)


def agree(signals: Signals, given: str, taken: str, valid: str) -> tuple[bool, bool]:
    """Whether a reader's ready signal is what the driver sees, and whether the driver sees it whenever no word waits.

    given: the signal or expression at the driver's pin. taken: that at the reader's.
    """
    match = _OFFERED.fullmatch(given)
    if not match:
        return signals.find(given) == signals.find(taken), False
    ready, offered = match.groups()
    return signals.find(ready) == signals.find(taken) and signals.find(offered) == signals.find(valid), True
