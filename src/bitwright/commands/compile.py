# SPDX-License-Identifier: Apache-2.0
"""`bitwright compile`: an integer network to hardware."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitwright import targets
from bitwright.commands.common import (
    InputShape,
    Json,
    Layout,
    Mean,
    Model,
    Output,
    OutputName,
    Scale,
    Std,
    TargetOptions,
    Verbose,
    Wanted,
    load_network,
    sharing,
)
from bitwright.text import figure, percent

if TYPE_CHECKING:
    from bitwright.commands.console import Console
    from bitwright.hardware.clock import Clock
    from bitwright.targets.contract import Design, LayerEstimate
    from bitwright.targets.goals import Goals


TARGET = f"architecture; `bitwright targets` lists them; default {targets.DEFAULT}"
TargetName = Annotated[str | None, typer.Option("--target", help=TARGET, show_default=False)]
Config = Annotated[Path | None, typer.Option("--config", help="target, options and folding: a file of --save-config")]
SaveConfig = Annotated[Path | None, typer.Option("--save-config", help="write them here, with what was chosen")]


@sharing
def run(
    model: Model,
    output: Output,
    target: TargetName = None,
    option: TargetOptions = [],  # noqa: B006
    config: Config = None,
    save_config: SaveConfig = None,
    output_name: OutputName = None,
    shape: InputShape = None,
    input_layout: Layout = None,
    input_scale: Scale = None,
    input_mean: Mean = None,
    input_std: Std = None,
    json: Json = False,
    verbose: Verbose = False,
    *,
    wanted: Wanted,
) -> None:
    """Compile an integer network for a target into a build folder.

    Goals in plain words (--device, --fps, --latency-us, --fastest, --smallest) choose the options of the target that
    are not given.
    """
    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.design.config import read_config, write_config
    from bitwright.design.io import check_build_folder, estimate_dict
    from bitwright.errors import OptionError
    from bitwright.hardware.clock import assumed
    from bitwright.options import parse_options

    console = Console(json, verbose)
    clock, goals = assumed(wanted.clock_mhz), wanted.goals
    kept = read_config(config) if config is not None else (target or targets.DEFAULT, {})
    if target not in (None, kept[0]):
        raise OptionError(f"{config} is for target {kept[0]}, not {target}; legal is one of them")
    chosen = targets.get(kept[0])
    options = kept[1] | parse_options(chosen.options, option, f"target {chosen.name}")
    check_build_folder(output)
    network = load_network(model, input_layout, input_scale, input_mean, input_std, output_name, shape)
    with console.busy(f"compiling for {chosen.name}"):
        design = bw.compile(network, target=chosen.name, goals=goals, **options)
    bw.save_design(design, output)
    if save_config is not None:
        write_config(design, save_config)
    _show(console, design, clock)
    if goals is not None:
        _say_chosen(console, design, goals)
    console.say(f"{output}: {len(design.files)} files, top {design.top}")
    console.result(
        {
            "output": str(output),
            "target": chosen.name,
            "digest": design.digest,
            "estimate": estimate_dict(design.estimate),
            "options": dict(design.options),
            "clock": asdict(clock),
            "frames_per_second": clock.frames_per_second(design.estimate.interval_cycles),
        }
    )


def _show(console: Console, design: Design, clock: Clock) -> None:
    from bitwright.devices import ESTIMATED_LUT

    estimate = design.estimate
    columns = ["layer", "kind", "cycles", "lut", "ff", "carry", "bram36", "dsp"]
    rows = [[e.name, e.kind, e.cycles, *asdict(e.resources).values()] for e in estimate.rows]
    total = ["total", "", estimate.interval_cycles, *asdict(estimate.total).values()]
    console.table(f"{design.target}, estimated, in {ESTIMATED_LUT}", columns, [*rows, total])
    if console.verbose:
        for layer in estimate.layers:
            _show_candidates(console, layer)
    console.say(f"interval {estimate.interval_cycles:,} cycles, latency {estimate.latency_cycles:,} cycles (estimated)")
    console.say(f"{figure(clock.frames_per_second(estimate.interval_cycles))} frames/s at {clock}")
    if own := estimate.clock:
        slowest = next(row for row in estimate.rows if row.details.get("clock_mhz") == own.mhz)
        console.say(
            f"{figure(own.frames_per_second(estimate.interval_cycles))} frames/s at {own} by the clock model,"
            f" limited by {slowest.name}: {slowest.details['clock_limit']}"
        )


def _say_chosen(console: Console, design: Design, goals: Goals) -> None:
    """The options that the goals led to, and how full the part gets."""
    from bitwright.design.config import unusual

    chosen = " ".join(f"-O {name}={value}" for name, value in unusual(design.target, design.options).items())
    console.say(f"chosen: {chosen or 'the usual options'}")
    if goals.part is not None:
        shares = goals.part.estimated_utilization(design.estimate.total)
        console.say(
            f"of {goals.part.name}: " + ", ".join(f"{percent(v)} {k}" for k, v in shares.items()) + " (estimated)"
        )
        if goals.part.estimate_note:
            console.say(goals.part.estimate_note)


def _show_candidates(console: Console, layer: LayerEstimate) -> None:
    """What the target compared for a layer, the cheapest first, where it says so (`details["candidates"]`)."""
    rows = layer.details.get("candidates")
    if rows:
        console.table(f"{layer.name}: compared", list(rows[0]), [[_cell(v) for v in row.values()] for row in rows])
    if remark := layer.details.get("remark"):
        console.say(f"{layer.name}: {remark}")


def _cell(value: object) -> object:
    """Parts by name as text."""
    return ", ".join(f"{k} {v:g}" for k, v in value.items()) if isinstance(value, dict) else value
