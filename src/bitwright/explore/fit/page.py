# SPDX-License-Identifier: Apache-2.0
"""The page of a `fit`: the recommendation, the Pareto front as plot and table, the command of each point."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bitwright.explore.fit.result import FitPoint, FitResult, key
from bitwright.pages import page
from bitwright.pages.plot import Axis, Mark, scatter
from bitwright.text import aligned, figure, percent, printable


def html(result: FitResult, model: str, commands: Mapping[str, str]) -> str:
    """One file without further downloads; commands by `result.key`."""
    front, best, options = result.front, result.recommendation, result.options
    columns, rows = result.columns(), result.rows()
    cells = zip(*map(aligned, zip(*rows, strict=True)), strict=True)
    lost = columns[2]
    plot: Any = ""
    if front:
        x = Axis.over(columns[4 + result.labels], [p.frames_per_second for p in front], log=True)
        marks = [_mark(result, number, p) for number, p in enumerate(front)]
        plot = scatter(marks, x, Axis.over(lost, [options.max_loss, *(100 * p.lost for p in front)]), options.max_loss)
    numeric = [any(isinstance(row[i], (int, float)) for row in rows) for i in range(len(columns))]
    goals = [f"at least {figure(options.fps)} frames/s"] if options.fps else ["as many frames a second as fit"]
    unit = lost.partition(", ")[2].removesuffix("s" if options.max_loss == 1 else "")
    goals += [f"at most {options.max_loss:g} {unit} lost", f"at most {100 * options.fill:g} % of the device"]
    return page(
        Path(__file__).parent,
        "page.html.j2",
        model=model,
        device=options.device,
        goals=", ".join(goals).capitalize(),
        samples=result.samples,
        float_accuracy=None if result.float_accuracy is None else percent(result.float_accuracy, 2),
        cards=_cards(result, best) if best else [],
        command=commands[key(best)] if best else "",
        shortfall=result.shortfall,
        plot=plot,
        columns=[{"name": name, "numeric": n} for name, n in zip(columns, numeric, strict=True)],
        rows=[
            {"cells": row, "recommended": p.recommended, "command": commands[key(p)]}
            for p, row in zip(front, cells, strict=True)
        ],
        tools=f"bitwright {version('bitwright')}",
    )


def _cards(result: FitResult, best: FitPoint) -> list[tuple[str, str]]:
    clock = result.options.goals.clock
    found = [("recommended", f"{best.network} on {best.target}")]
    if best.accuracy is not None:
        found.append(("accuracy of the integers", percent(best.accuracy, 2)))
    found.append((result.columns()[2], f"{100 * best.lost:.2f}"))
    found.append((f"frames/s at {clock}", figure(round(best.frames_per_second, 1))))
    found.append(("latency, µs", figure(round(clock.microseconds(best.latency_cycles), 1))))
    found.append((f"of {result.options.device} ({best.fullest})", percent(best.share)))
    return found


def _mark(result: FitResult, number: int, p: FitPoint) -> Mark:
    clock = result.options.goals.clock
    words = f"{printable(p.network)} on {p.target}: {100 * p.lost:.2f} lost, {p.frames_per_second:,.1f} frames/s"
    words += f" at {clock}, {percent(p.share)} of the {p.fullest}"
    return Mark(
        p.frames_per_second, 100 * p.lost, p.target, 4 + 10 * min(p.share, 1.0), words, f"p{number}", p.recommended
    )
