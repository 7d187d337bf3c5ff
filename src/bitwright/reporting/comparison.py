# SPDX-License-Identifier: Apache-2.0
"""Designs side by side: one page of their figures."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bitwright.design.results import all_runs
from bitwright.pages import page
from bitwright.reporting.summary import TITLES, part

RESOURCES = ("lut", "ff", "bram36", "dsp")


def rows_of(found: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[object]]]:
    """Names of the designs, and a row for each figure: its name, then the value of each design.

    found: summaries by the names of their folders.
    """
    tables = [_figures(summary) for summary in found.values()]
    names = dict.fromkeys(name for table in tables for name in table)
    return list(found), [[name, *(table.get(name) for table in tables)] for name in names]


def comparison(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The page, in one file without further downloads."""
    names, rows = rows_of(found)
    return page(
        Path(__file__).parent, "comparison.html.j2", names=names, rows=rows, tools=f"bitwright {version('bitwright')}"
    )


def _figures(found: Mapping[str, Any]) -> dict[str, object]:
    speed, simulation, synthesis = found["performance"], found["simulation"], found["synthesis"]
    table: dict[str, object] = {
        "network": found["network"]["name"],
        "target": found["design"]["target"],
        "frames/s": round(speed["frames_per_second"], 1),
        "latency, µs": round(speed["latency_us"], 2),
        "cycles a frame": speed["interval_cycles"],
        "cycles are": speed["source"],
        "clock, MHz": speed["clock_mhz"],
        "clock is": speed["clock_basis"],
        "weights, bytes": found["network"]["weight_bytes"],
    }
    runs = all_runs(simulation) if simulation else []
    accuracy = next((run["accuracy"] for run in runs if "accuracy" in run), None)
    table["accuracy of the hardware, %"] = None if accuracy is None else round(100 * accuracy, 2)
    table["bit-exact"] = simulation["bit_exact"] if simulation else None
    used = synthesis or found["estimate"]
    table |= {TITLES[name]: round(used["total"][name], 1) for name in RESOURCES}
    table["resources are"] = "measured" if synthesis else "estimated"
    table["part"] = part(found) or None
    shares = {name: used["utilization"][name] for name in RESOURCES if name in used["utilization"]}
    return table | {f"{TITLES[name]}, % of the part": round(100 * share, 1) for name, share in shares.items()}
