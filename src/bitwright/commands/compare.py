# SPDX-License-Identifier: Apache-2.0
"""`bitwright compare`: what each target would make of a network, by its cost model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bitwright.commands.common import (
    InputShape,
    Json,
    Model,
    OptionsByTarget,
    OutputName,
    Verbose,
    Wanted,
    load_network,
    options_by_target,
    sharing,
)
from bitwright.text import percent

if TYPE_CHECKING:
    from bitwright.comparison import Answer
    from bitwright.devices import Device
    from bitwright.hardware.clock import Clock


@sharing
def run(
    model: Model,
    option: OptionsByTarget = [],  # noqa: B006
    output_name: OutputName = None,
    shape: InputShape = None,
    json: Json = False,
    verbose: Verbose = False,
    *,
    wanted: Wanted,
) -> None:
    """Compare what each target would make of an integer network: cycles and resources, estimated.

    With a device alone, the usual designs and their shares of it; further goals choose what each target would build.
    """
    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.devices import ESTIMATED_LUT, find_device
    from bitwright.hardware.clock import assumed

    console = Console(json, verbose)
    part = find_device(wanted.device) if wanted.device else None
    clock, goals = assumed(wanted.clock_mhz), wanted.goals
    if goals is not None and not (goals.fps or goals.latency_us or goals.size):
        goals = None  # the device alone asks for shares, not for another design
    options = options_by_target(option)
    network = load_network(model, output_name=output_name, shape=shape)
    with console.progress() as progress:
        candidates = bw.compare(network, options, goals, progress)
    _show(console, candidates, part, clock)
    found = {c.target: _tree(c, part, clock) for c in candidates}
    console.result(
        {
            "model": str(model),
            "device": part and part.name,
            "device_note": part.estimate_note if part else "",
            "clock_mhz": clock.mhz,
            "clock_source": clock.basis,
            "lut_cell": ESTIMATED_LUT,
            "targets": found,
        }
    )


def _show(console: Any, candidates: Sequence[Answer], device: Device | None, clock: Clock) -> None:
    from bitwright.devices import ESTIMATED_LUT

    columns = [
        "target",
        "cycles a frame",
        "latency",
        f"frames/s at {clock}",
        "lut",
        "ff",
        "bram36",
        "dsp",
    ]
    rows: list[list[Any]] = []
    for candidate in candidates:
        if candidate.estimate is None:
            rows.append([candidate.target, *[None] * (len(columns) - 1)])
            continue
        estimate, total = candidate.estimate, candidate.estimate.total
        speed = round(candidate.frames_per_second(clock) or 0)
        cycles = [estimate.interval_cycles, estimate.latency_cycles, speed]
        rows.append([candidate.target, *cycles, total.lut, total.ff, total.bram36, total.dsp])
    if device:
        columns.append(f"of {device.name}")
        for row, candidate in zip(rows, candidates, strict=True):
            row.append(_fullest(candidate, device))
    console.table(f"estimated by the targets' cost models, in {ESTIMATED_LUT}; the clock is assumed", columns, rows)
    if device and device.estimate_note:
        console.say(device.estimate_note)
    for candidate in candidates:
        if candidate.refusal:
            console.say(candidate.refusal)


def _fullest(candidate: Answer, device: Device) -> str | None:
    """The resource of which the design takes the largest share."""
    shares = candidate.utilization(device)
    if not shares:
        return None
    kind = max(shares, key=shares.__getitem__)
    return f"{percent(shares[kind], 0)} {kind}" + (", does not fit" if shares[kind] > 1 else "")


def _tree(candidate: Answer, device: Device | None, clock: Clock) -> dict[str, Any]:
    from dataclasses import asdict

    if candidate.estimate is None:
        return {"refusal": candidate.refusal}
    estimate = candidate.estimate
    return {
        "interval_cycles": estimate.interval_cycles,
        "latency_cycles": estimate.latency_cycles,
        "frames_per_second": candidate.frames_per_second(clock),
        "resources": asdict(estimate.total),
        "utilization": candidate.utilization(device) if device else {},
    }
