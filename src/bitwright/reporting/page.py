# SPDX-License-Identifier: Apache-2.0
"""The HTML page of a report: tables from the template, charts by plotly, nothing loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as graph
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from bitwright.design.results import all_runs
from bitwright.devices import ESTIMATED_LUT
from bitwright.reporting.summary import RESOURCES
from bitwright.text import figure, markup, printable

FOLDER = Path(__file__).parent
COLORS = {"estimated": "#9db4c0", "measured": "#1b4965", "cycles": "#5fa8d3"}


def page(found: dict[str, Any]) -> str:
    """The page of a `summary`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure
    charts = [_resource_chart(found, "lut", "LUT"), _resource_chart(found, "ff", "FF"), _cycle_chart(found)]
    return environment.get_template("page.html.j2").render(
        **found,
        names=RESOURCES,
        used=_used(found["layers"]),
        charts=charts,
        lut=ESTIMATED_LUT,
        runs=all_runs(found["simulation"]) if found["simulation"] else [],
        plotly=get_plotlyjs(),
        deviation=_deviation,
    )


def _visible(value: Any) -> Any:
    """What the template prints, but for the charts and their program: no control characters."""
    return value if isinstance(value, Markup) else printable(value)


def _used(layers: list[dict[str, Any]]) -> list[str]:
    """The resources of which some layer has any."""
    kinds = ("estimated", "measured")
    return [name for name in RESOURCES if any(layer[k] and layer[k][name] for layer in layers for k in kinds)]


def _deviation(layer: dict[str, Any], name: str) -> str:
    """By how much the estimate misses the measurement, in percent of the measurement."""
    if not layer["measured"] or not layer["estimated"] or not layer["measured"][name]:
        return "-"
    return f"{100 * (layer['estimated'][name] / layer['measured'][name] - 1):+.1f} %"


def _resource_chart(found: dict[str, Any], name: str, title: str) -> str:
    layers = found["layers"]
    bars = []
    for kind in ("estimated", "measured"):
        if any(layer[kind] for layer in layers):
            y = [layer[kind][name] if layer[kind] else None for layer in layers]
            bars.append(graph.Bar(name=kind, y=y, marker_color=COLORS[kind]))
    return _chart(bars, layers, f"{title} by layer", f"chart_{name}")


def _cycle_chart(found: dict[str, Any]) -> str:
    layers = [layer for layer in found["layers"] if layer["cycles"] is not None]
    bar = graph.Bar(y=[v["cycles"] for v in layers], marker_color=COLORS["cycles"])
    title = "Busy cycles a frame by layer (estimated); the longest sets the interval"
    return _chart([bar], layers, title, "chart_cycles")


def _chart(bars: list[graph.Bar], layers: list[dict[str, Any]], title: str, name: str) -> str:
    """Bars at positions; names are only their texts, so that those of equal or numeric names stand apart."""
    shown = graph.Figure(bars)
    names = [markup(layer["name"]) for layer in layers]
    shown.update_xaxes(tickmode="array", tickvals=list(range(len(names))), ticktext=names)
    shown.update_layout(title=title, template="simple_white", height=380, margin={"l": 60, "r": 20, "t": 50, "b": 80})
    return str(shown.to_html(full_html=False, include_plotlyjs=False, div_id=name))
