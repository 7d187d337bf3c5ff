# SPDX-License-Identifier: Apache-2.0
"""Reports on a design: one self-contained HTML page and one JSON file with stable names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitwright.design.io import as_json
from bitwright.files import write_file
from bitwright.reporting.summary import summary

if TYPE_CHECKING:
    from bitwright.simulation import SimulationResult
    from bitwright.synthesis import SynthesisResult
    from bitwright.targets.contract import Design

__all__ = ["report", "summary"]


def report(
    design: Design,
    folder: str | os.PathLike[str],
    *,
    simulation: SimulationResult | Mapping[str, Any] | None = None,
    synthesis: SynthesisResult | Mapping[str, Any] | None = None,
) -> Path:
    """Write report.html and report.json into `folder` and return the path of the page.

    Results are given as they come from `simulate` and `synthesize`, or as their dictionaries.
    """
    from bitwright.reporting.page import page  # jinja2 takes long to load

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = summary(design, simulation=simulation, synthesis=synthesis)
    contents = {"report.json": as_json(found), "report.html": page(found, design)}
    for name, content in contents.items():
        write_file(folder / name, content)
    return folder / "report.html"
