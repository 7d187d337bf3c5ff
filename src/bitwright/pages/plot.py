# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG that follows the page's colors; every mark says what it is when it is pointed at."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from bitwright.text import label, printable

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 30, 50
COLORS = 6


@dataclass(frozen=True)
class Mark:
    """A point: where, in which group (its color), how large (radius in pixels), its words, and what it is called."""

    x: float
    y: float
    group: str
    radius: float
    words: str
    name: str
    strong: bool = False


@dataclass(frozen=True)
class Axis:
    """A scale from low to high over so many pixels, linear or logarithmic."""

    title: str
    low: float
    high: float
    log: bool = False

    @classmethod
    def over(cls, title: str, values: Sequence[float], log: bool = False) -> Axis:
        """Around the values, with some room."""
        low, high = min(values), max(values)
        if log:
            return cls(title, low / 1.3, high * 1.3, True)
        room = 0.08 * (high - low) or max(abs(high), 1.0) * 0.1
        return cls(title, low - room, high + room)

    def at(self, value: float) -> float:
        """Share of the axis, 0 to 1."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values along the axis."""
        if self.log:
            steps = (1, 2, 5) if self.high / self.low < 1000 else (1,)
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            found = [s * 10.0**e for e in range(first, last + 1) for s in steps]
        else:
            raw = (self.high - self.low) / 5
            size = 10.0 ** math.floor(math.log10(raw))
            step = next(s * size for s in (1, 2, 5, 10) if s * size >= raw)
            found = [step * k for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
        return [t for t in found if self.low <= t <= self.high]


def scatter(
    marks: Sequence[Mark], x: Axis, y: Axis, bound: float | None = None, joined: Collection[str] = ()
) -> Markup:
    """A plot of points; bound: a line across at this y; joined: groups whose points a line joins in their order."""
    groups = list(dict.fromkeys(mark.group for mark in marks))
    said = f"{_safe(y.title)} over {_safe(x.title)}"
    parts = [f'<svg class="wide" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">']
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    bottom, right = TOP + high, LEFT + wide

    def across(value: float) -> str:
        return f"{LEFT + wide * x.at(value):.1f}"

    def down(value: float, more: int = 0) -> str:
        return f"{more + TOP + high * (1 - y.at(value)):.1f}"

    for tick in x.ticks():
        at = across(tick)
        parts.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text class="soft" x="{at}" y="{bottom + 18}" text-anchor="middle">{_number(tick)}</text>')
    for tick in y.ticks():
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{down(tick)}" y2="{down(tick)}"/>')
        parts.append(f'<text class="soft" x="{LEFT - 8}" y="{down(tick, 4)}" text-anchor="end">{_number(tick)}</text>')
    if bound is not None and y.low <= bound <= y.high:
        line = f'x1="{LEFT}" x2="{right}" y1="{down(bound)}" y2="{down(bound)}"'
        parts.append(f'<line class="axis" {line} stroke-dasharray="6 4"/>')
    parts.append(f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 8}" text-anchor="middle">{_safe(x.title)}</text>')
    parts.append(f'<text x="{LEFT - 60}" y="16">{_safe(y.title)}</text>')
    for group in (group for group in groups if group in joined):
        path = " ".join(f"{across(mark.x)},{down(mark.y)}" for mark in marks if mark.group == group)
        color = f"var(--c{groups.index(group) % COLORS})"
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
    for mark in marks:
        color = f"var(--c{groups.index(mark.group) % COLORS})"
        ring = ' stroke="var(--ink)" stroke-width="2.5"' if mark.strong else ""
        where = f'cx="{across(mark.x)}" cy="{down(mark.y)}" r="{mark.radius:.1f}"'
        parts.append(
            f'<circle data-name="{_safe(mark.name)}" {where} fill="{color}" fill-opacity="0.75"{ring}>'
            f"<title>{_safe(mark.words)}</title></circle>"
        )
    for k, group in enumerate(groups):
        place = WIDTH - RIGHT - 110 * (len(groups) - k)
        parts.append(f'<circle cx="{place}" cy="12" r="5" fill="var(--c{k % COLORS})"/>')
        parts.append(f'<text x="{place + 10}" y="16">{escape(label(group, 14))}</text>')
    return Markup("".join([*parts, "</svg>"]))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _safe(text: str) -> Markup:
    """As text in SVG."""
    return escape(printable(text))
