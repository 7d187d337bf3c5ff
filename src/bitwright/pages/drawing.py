# SPDX-License-Identifier: Apache-2.0
"""A network as a column of boxes with its forks and joins, beside bars; and small histograms; as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from bitwright.text import label, printable

ROW, BOX, WIDTH, BAR = 34, 22, 900, 150
LEFT, BOXES = 90, 330  # where boxes begin, how wide they are


@dataclass(frozen=True)
class Box:
    """A layer: its words, the value behind it, and its bars as shares of the longest, each with its words."""

    name: str
    kind: str
    result: str
    bars: tuple[tuple[float, str], ...]
    marked: bool = False


def column(boxes: Sequence[Box], edges: Sequence[tuple[int, int]], titles: Sequence[str]) -> Markup:
    """Boxes from top to bottom, edges (-1 is the input); titles of the bars. A longer first bar makes a darker box."""
    height = ROW * (len(boxes) + 1)
    parts = [f'<svg class="wide" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="the network, layer by layer">']
    for k, title in enumerate(titles):
        parts.append(f'<text class="soft" x="{_bar(k)}" y="16">{_safe(title)}</text>')
    parts.append(f'<text class="soft" x="{LEFT + 6}" y="{ROW * 0.8:.0f}">input</text>')
    parts += [_edge(a, b, k) for k, (a, b) in enumerate(edges)]
    for i, box in enumerate(boxes):
        y = ROW * (i + 1)
        share = box.bars[0][0] if box.bars else 0.0
        ring = ' stroke="var(--c1)" stroke-width="2.5"' if box.marked else ' stroke="var(--soft)"'
        parts.append(
            f'<rect x="{LEFT}" y="{y}" width="{BOXES}" height="{BOX}" rx="4" fill="var(--c0)" '
            f'fill-opacity="{0.08 + 0.5 * share:.2f}"{ring}><title>{_safe(box.name)}</title></rect>'
        )
        parts.append(f'<text x="{LEFT + 6}" y="{y + 15}">{escape(label(box.name, 26))}</text>')
        end = f'x="{LEFT + BOXES - 6}" y="{y + 15}" text-anchor="end"'
        parts.append(f"<text {end}>{escape(label(box.result, 22))}</text>")
        for k, (part, words) in enumerate(box.bars):
            wide = max(1.0, 0.6 * BAR * part)
            color = "var(--c1)" if box.marked and k == 0 else f"var(--c{2 * k})"
            parts.append(f'<rect x="{_bar(k)}" y="{y + 4}" width="{wide:.1f}" height="14" fill="{color}"/>')
            parts.append(f'<text x="{_bar(k) + wide + 5:.1f}" y="{y + 15}">{_safe(words)}</text>')
    return Markup("".join([*parts, "</svg>"]))


def _bar(k: int) -> int:
    return LEFT + BOXES + 30 + k * (BAR + 70)


def _edge(before: int, after: int, number: int) -> str:
    """Straight between neighbors, else around the boxes between."""
    y0, y1 = ROW * (before + 1) + BOX, ROW * (after + 1)
    if before < 0:
        y0 = ROW
    if after == before + 1:
        x = LEFT + BOXES / 2
        return f'<line class="axis" x1="{x}" x2="{x}" y1="{y0}" y2="{y1}"/>'
    side = LEFT - 20 - 12 * (number % 5)
    up, down = y0 - BOX / 2, y1 + BOX / 2
    return f'<path class="axis" fill="none" d="M {LEFT} {up} C {side} {up}, {side} {down}, {LEFT} {down}"/>'


def histogram(counts: Sequence[int], words: str) -> Markup:
    """Bars without axes, as small as a word."""
    wide, high, most = 96, 22, max(counts, default=1) or 1
    step = wide / max(len(counts), 1)
    tall = [high * count / most for count in counts]
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{high - t:.1f}" width="{0.9 * step:.1f}" height="{t:.1f}" fill="var(--c0)"/>'
        for i, t in enumerate(tall)
    )
    bars = f'<line class="axis" x1="0" x2="{wide}" y1="{high}" y2="{high}"/>{bars}'
    style = f"width:{wide}px;height:{high}px"
    return Markup(f'<svg viewBox="0 0 {wide} {high}" style="{style}"><title>{_safe(words)}</title>{bars}</svg>')


def _safe(text: str) -> Markup:
    """As text in SVG."""
    return escape(printable(text))
