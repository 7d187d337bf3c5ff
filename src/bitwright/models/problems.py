# SPDX-License-Identifier: Apache-2.0
"""What is said of a model that cannot be read: all its problems, grouped by operator and rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bitwright.errors import ModelError

SHOWN_NAMES = 3
SHOWN_ALIKE = 3


@dataclass(frozen=True)
class Breach:
    """A node that is not supported and the rule that it breaks; without an operator, a line about the model."""

    op: str
    name: str
    text: str


class OrderError(ModelError):
    """A rule about the order of a tensor's elements. Behind a node that is not supported no order is known."""


def refusal(source: str, problems: Sequence[Breach]) -> ModelError:
    """One line for every rule that is broken: the nodes that break it, counted, with the first names."""
    problems = list(dict.fromkeys(problems))
    return ModelError.of(source, _lines(problems), len(problems))


def _lines(problems: Sequence[Breach]) -> list[str]:
    groups: dict[tuple[str, str], list[Breach]] = {}
    for problem in problems:
        groups.setdefault((problem.op, _rule(problem.text)), []).append(problem)
    by_text: dict[str, list[str]] = {}
    for group in groups.values():
        by_text.setdefault(group[0].text, []).append(_nodes(group))
    lines: list[str] = []
    for group in groups.values():
        text, nodes = group[0].text, _nodes(group)
        if len(by_text[text]) > SHOWN_ALIKE:
            line = f"{', '.join(by_text[text])}: {text}"
        else:
            line = f"{nodes}: {text}" if nodes else text
        if line not in lines:
            lines.append(line)
    return lines


def _rule(text: str) -> str:
    """The text without the shapes, numbers and names of one node."""
    return re.sub(r"\[[^\]]*\]|\([^)]*\)|'[^']*'|-?\d+(\.\d+)?", "#", text)


def _nodes(group: Sequence[Breach]) -> str:
    op, count = group[0].op, len(group)
    if count == 1:
        return f"{op} {group[0].name!r}" if op else ""
    names = ", ".join(repr(p.name) for p in group[:SHOWN_NAMES])
    return f"{count} x {op} ({names}{', ...' if count > SHOWN_NAMES else ''})"
