# SPDX-License-Identifier: Apache-2.0
"""The HTML page of a report: what matters first, the network drawn, every layer, the clock, how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bitwright.design.results import all_runs
from bitwright.devices import ESTIMATED_LUT
from bitwright.pages import page as rendered
from bitwright.pages.drawing import Box, column, histogram
from bitwright.reporting.layers import edges
from bitwright.reporting.summary import RESOURCES
from bitwright.targets.contract import Design
from bitwright.text import figure, percent

FOLDER = Path(__file__).parent


def page(found: dict[str, Any], design: Design) -> str:
    """The page of a design and its `summary`."""
    layers = found["layers"]
    slowest = max((layer["cycles"] or 0 for layer in layers if layer["nodes"]), default=0) if layers else 0
    return rendered(
        FOLDER,
        "page.html.j2",
        **found,
        names=RESOURCES,
        used=_used(layers),
        lut=ESTIMATED_LUT,
        runs=all_runs(found["simulation"]) if found["simulation"] else [],
        deviation=_deviation,
        cards=cards(found),
        drawing=_drawing(found, design, slowest),
        slowest=slowest,
        histogram=_histogram,
    )


def cards(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures that matter first, by name."""
    speed, simulation, synthesis = found["performance"], found["simulation"], found["synthesis"]
    clock = f"{figure(float(speed['clock_mhz']))} MHz, {speed['clock_basis']}"
    shown = [
        ("frames/s", figure(round(speed["frames_per_second"], 1))),
        ("latency, µs", figure(round(speed["latency_us"], 2))),
        ("clock", clock),
    ]
    runs = all_runs(simulation) if simulation else []
    shown += [("accuracy of the hardware", percent(r["accuracy"], 2)) for r in runs if "accuracy" in r][:1]
    if simulation:
        exact = {True: "yes", False: "no", None: "not compared"}[simulation["bit_exact"]]
        shown.append((f"bit-exact, {figure(simulation['frames'])} frames", exact))
    if synthesis:
        shares = {name: share for name, share in synthesis["utilization"].items() if share}
        name = synthesis["device"]["name"]
        shown += [(f"{kind} of {name}", percent(share)) for kind, share in shares.items()]
    else:
        shown += [(f"{kind}, estimated", figure(found["estimate"]["total"][kind])) for kind in ("lut", "bram36", "dsp")]
    return shown


def _drawing(found: dict[str, Any], design: Design, slowest: int) -> Any:
    """The layers as boxes, with cycles and LUTs as bars."""
    rows = {layer["name"]: layer for layer in found["layers"]}
    layers = [rows[row.name] for row in design.estimate.layers]
    luts = [(layer["measured"] or layer["estimated"])["lut"] for layer in layers]
    most = max(luts, default=0)
    boxes = []
    for layer, lut in zip(layers, luts, strict=True):
        bars = [(layer["cycles"] / slowest if slowest else 0.0, figure(layer["cycles"]))]
        bars += [(lut / most, figure(round(lut)))] if most else []
        marked = slowest > 0 and layer["cycles"] == slowest
        boxes.append(Box(layer["name"], layer["kind"], layer["output"] or "", tuple(bars), marked))
    return column(boxes, edges(design), ["cycles a frame", "LUT"] if most else ["cycles a frame"])


def _histogram(found: dict[str, Any] | None) -> Any:
    """Values over the grid of their type."""
    if not found:
        return ""
    used = sum(count > 0 for count in found["counts"])
    words = f"{figure(sum(found['counts']))} values of {found['type']} from {found['low']} to {found['high']}"
    return histogram(found["counts"], f"{words}: {used} of its {len(found['counts'])} parts are in use")


def _used(layers: list[dict[str, Any]]) -> list[str]:
    """The resources of which some layer has any."""
    kinds = ("estimated", "measured")
    return [name for name in RESOURCES if any(layer[k] and layer[k][name] for layer in layers for k in kinds)]


def _deviation(layer: dict[str, Any], name: str) -> str:
    """By how much the estimate misses the measurement, in percent of the measurement."""
    if not layer["measured"] or not layer["estimated"] or not layer["measured"][name]:
        return "-"
    return f"{100 * (layer['estimated'][name] / layer['measured'][name] - 1):+.1f} %"
