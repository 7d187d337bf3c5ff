# SPDX-License-Identifier: Apache-2.0
"""The HTML page of a report: what matters first, the network drawn, every layer, the clock, how it was made."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from bitwright.design.config import unusual
from bitwright.design.results import all_runs
from bitwright.devices import ESTIMATED_LUT
from bitwright.options import as_text
from bitwright.pages import page as rendered
from bitwright.pages.drawing import Box, column, histogram
from bitwright.reporting.layers import edges
from bitwright.reporting.summary import RESOURCES, TITLES, part
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
        titles=TITLES,
        part=part(found),
        command=_command(design),
    )


def cards(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures that matter first, by name."""
    speed, simulation, synthesis = found["performance"], found["simulation"], found["synthesis"]
    shown = [
        ("frames/s", figure(round(speed["frames_per_second"], 1))),
        ("latency, µs", figure(round(speed["latency_us"], 2))),
        (f"clock, {speed['clock_basis']}", f"{figure(float(speed['clock_mhz']))} MHz"),
    ]
    runs = all_runs(simulation) if simulation else []
    shown += [("accuracy of the hardware", percent(r["accuracy"], 2)) for r in runs if "accuracy" in r][:1]
    if simulation:
        exact = {True: "yes", False: "no", None: "not compared"}[simulation["bit_exact"]]
        shown.append((f"bit-exact, {figure(simulation['frames'])} frames", exact))
    used, basis = (synthesis, "") if synthesis else (found["estimate"], ", estimated")
    if name := part(found):
        shares = {kind: share for kind, share in used["utilization"].items() if share}
        return shown + [(f"{TITLES[kind]} of {name}{basis}", percent(share)) for kind, share in shares.items()]
    return shown + [(f"{TITLES[kind]}{basis}", figure(used["total"][kind])) for kind in ("lut", "bram36", "dsp")]


def _command(design: Design) -> str:
    """The command that makes the design again, within its build folder."""
    settings = [f"{name}={as_text(value)}" for name, value in unusual(design.target, design.options).items()]
    words = ["bitwright", "compile", "network.bw", "--target", design.target]
    return shlex.join([*words, *(word for setting in settings for word in ("-O", setting)), "-o", "again"])


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
