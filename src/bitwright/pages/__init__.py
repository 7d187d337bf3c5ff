# SPDX-License-Identifier: Apache-2.0
"""Pages that people open: one style, tables that sort, plots as SVG, all in one file that loads nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from bitwright.text import aligned, figure, printable

FOLDER = Path(__file__).parent


def page(folder: Path, template: str, **values: Any) -> str:
    """A template of `folder`, which may extend `base.html.j2`, with everything in it escaped but `Markup`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, FOLDER]),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure
    return environment.get_template(template).render(**values)


def plots(
    title: str,
    drawn: Sequence[tuple[str, Markup]],
    table: tuple[Sequence[str], Sequence[Sequence[object]]],
    *,
    unit: str,
    notes: Sequence[str] = (),
    marked: Collection[int] = (),
) -> str:
    """A page of plots, each with its heading, above the table of what they show.

    unit: what a row is, in the plural. marked: rows that stand out.
    """
    names, rows = table
    numeric = [any(isinstance(row[i], (int, float)) for row in rows) for i in range(len(names))]
    return page(
        FOLDER,
        "plot.html.j2",
        title=title,
        notes=notes,
        plots=drawn,
        columns=[{"name": name, "numeric": n} for name, n in zip(names, numeric, strict=True)],
        rows=list(zip(*map(aligned, zip(*rows, strict=True)), strict=True)),
        unit=unit,
        marked=marked,
        tools=f"bitwright {version('bitwright')}",
    )


def _visible(value: Any) -> Any:
    """What the template prints, but for plots: no control characters."""
    return value if isinstance(value, Markup) else printable(value)
