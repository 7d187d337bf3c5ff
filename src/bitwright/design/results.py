# SPDX-License-Identifier: Apache-2.0
"""Results that commands keep in a build folder: read back, and joined with those of earlier runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitwright.errors import ModelError
from bitwright.files import read_text
from bitwright.hardware.clock import Clock, reached
from bitwright.parsing import parse_json

EARLIER, SYNTHESIS = "earlier", "synthesis.json"


def read_result(path: Path, digest: str) -> dict[str, Any] | None:
    """The result of an earlier command on the design of this digest; `ModelError` where the file is damaged."""
    if not os.path.lexists(path):
        return None
    try:
        found: dict[str, Any] = parse_json(read_text(path, ModelError))
        if found["design"] != digest:
            return None
        _ = [_key(run) for run in found.get(EARLIER, [])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelError(f"{path} is damaged; run the command that writes it again") from None
    return found


def synthesized_clock(build: Path, digest: str) -> tuple[str, Clock] | None:
    """The device for which the design of this digest was synthesized last, and the clock that it reaches there.

    None where it was not; `ModelError` where the file is damaged.
    """
    path = build / SYNTHESIS
    found = read_result(path, digest)
    try:
        clock = reached(found)
        if found is None or clock is None:
            return None
        if clock.mhz > 0 and isinstance(found["device"]["name"], str):
            return found["device"]["name"], clock
    except (KeyError, TypeError, AttributeError):
        pass
    raise ModelError(f"{path} is damaged; run the command that writes it again")


def with_earlier(found: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """A run of the simulation, and as `earlier` those that the file holds of the same design on other data.

    A run takes the place of an earlier one on as many frames of the same data; so a run on random data leaves the
    accuracy that was measured on labelled ones.
    """
    try:
        last = read_result(path, found["design"])
    except ModelError:
        last = None  # a damaged file is written again
    if last is None:
        return {**found, EARLIER: []}
    runs = [{k: v for k, v in last.items() if k != EARLIER}, *last.get(EARLIER, [])]
    return {**found, EARLIER: [run for run in runs if _key(run) != _key(found)]}


def all_runs(simulation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The last run of a simulation and the earlier ones."""
    return [simulation, *simulation.get(EARLIER, [])]


def _key(run: Mapping[str, Any]) -> tuple[Any, Any]:
    return run.get("data"), run.get("frames")
