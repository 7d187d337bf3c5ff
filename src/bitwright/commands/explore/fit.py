# SPDX-License-Identifier: Apache-2.0
"""`bitwright fit`: the best design for a part, and the designs that no other beats."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.commands.common import DataFile, Model, OptionsByTarget, Shared, options_by_target, read_graph, sharing
from bitwright.hardware.clock import DEFAULT_MHZ

if TYPE_CHECKING:
    from bitwright.explore.fit.result import FitResult
    from bitwright.models.graph import FloatGraph
    from bitwright.network import Network

Device = Annotated[str, typer.Option("--device", help="part or board to fit into", show_default=False)]
Evaluation = Annotated[Path | None, typer.Option("--evaluate", help="samples to measure on; default those of --data")]
Fps = Annotated[float | None, typer.Option("--fps", help="minimum frames per second; default: as many as fit")]
MaxLoss = Annotated[float, typer.Option("--max-loss", help="largest loss of accuracy, in points")]
Fill = Annotated[float, typer.Option("--fill", help="maximum share of the device, 0 to 1")]
ClockMhz = Annotated[float, typer.Option("--clock-mhz", help="assumed clock in MHz")]
Targets = Annotated[list[str], typer.Option("--target", help="an architecture to try; default all")]
Steps = Annotated[int, typer.Option("--finetune-steps", help="steps of fine-tuning of the finalists")]
Cluster = Annotated[str | None, typer.Option("--cluster", help="address of a Dask scheduler, tcp://host:port")]
Settings = Annotated[list[str], typer.Option("--set", "-S", help="key=value, a further option of the search")]
QuantizerSettings = Annotated[list[str], typer.Option("--quantize", "-Q", help="key=value, an option of the quantizer")]
Folder = Annotated[
    Path | None, typer.Option("--output", "-o", help="folder for networks of the front, CSV, plot and JSON")
]
BuildFolder = Annotated[
    Path | None, typer.Option("--build", help="build folder for the recommended design, as `compile` writes it")
]


@sharing
def run(
    model: Model,
    device: Device,
    data: DataFile = None,
    evaluate: Evaluation = None,
    fps: Fps = None,
    max_loss: MaxLoss = 1.0,
    fill: Fill = 0.8,
    clock_mhz: ClockMhz = DEFAULT_MHZ,
    target: Targets = [],  # noqa: B006
    finetune_steps: Steps = 0,
    setting: Settings = [],  # noqa: B006
    quantize: QuantizerSettings = [],  # noqa: B006
    option: OptionsByTarget = [],  # noqa: B006
    cluster: Cluster = None,
    output: Folder = None,
    build: BuildFolder = None,
    *,
    shared: Shared,
) -> None:
    """Find the best design of a model for a part: target, widths of every layer and hardware options together.

    Says which design has the most frames a second within the bound on the loss (with --fps: the least share of the
    part), the Pareto front, and the commands that make each point. An interrupted run resumes from its cache.
    """
    from bitwright.api import compile
    from bitwright.commands.console import Console
    from bitwright.design.io import check_build_folder, save_design
    from bitwright.errors import ModelError
    from bitwright.explore.fit.result import key

    console = Console(shared.json, shared.verbose)
    given = {
        "device": device,
        "fps": fps,
        "max_loss": max_loss,
        "fill": fill,
        "clock_mhz": clock_mhz,
        "targets": tuple(target),
        "target_options": options_by_target(option),
        "finetune_steps": finetune_steps,
        "jobs": shared.jobs,
        "cluster": cluster,
    }
    if output is not None:
        _check_folder(output)
    if build is not None:
        check_build_folder(build)
    result = _fitted(console, model, (data, evaluate), (setting, quantize), given, shared)
    extra = _flags(shared)
    commands = {key(p): result.command(p, str(model), str(data or ""), extra=extra) for p in result.points}
    title = "Pareto front; accuracy measured on the integers, hardware estimated"
    if result.front:
        console.table(title, result.columns(), result.rows())
    if output is not None:
        _write(result, output, str(model), commands)
        console.say(f"{output}: networks of the front, front.csv, front.html, fit.json")
    if note := result.options.goals.part and result.options.goals.part.estimate_note:
        console.say(note)
    best = result.recommendation
    if best is not None:
        console.say(f"recommended: {result.summary()}")
        console.say(commands[key(best)])
        if build is not None:
            made = compile(result.networks[best.network], best.target, **best.options)
            save_design(replace(made, device=device), build)
            console.say(f"{build}: the recommended design; `bitwright simulate {shlex.quote(str(build))}` checks it")
    console.result(result.as_dict(commands))
    if best is None:
        raise ModelError(result.shortfall)


def _flags(shared: Shared) -> list[str]:
    """Options of how the model is read, as `quantize` takes them again."""
    named = {
        "--output-name": shared.output_name,
        "--shape": shared.shape,
        "--input-layout": shared.input_layout,
        "--input-scale": shared.input_scale,
        "--input-mean": shared.input_mean,
        "--input-std": shared.input_std,
    }
    return [part for name, value in named.items() if value is not None for part in (name, value)]


def _fitted(
    console: Any,
    model: Path,
    data: tuple[Path | None, Path | None],
    texts: tuple[list[str], list[str]],
    given: dict[str, Any],
    shared: Shared,
) -> FitResult:
    from bitwright import models
    from bitwright.data.raw import with_data_options
    from bitwright.errors import OptionError
    from bitwright.explore.fit import FitOptions, fit
    from bitwright.network import storage
    from bitwright.options import parse_options
    from bitwright.quantization.floatrun import float_input
    from bitwright.quantization.options import QuantizeOptions

    graph = read_graph(model, shared.output_name, shared.shape)
    found: FloatGraph | Network
    if graph is not None and not models.is_quantized(graph):
        found, spec = graph, float_input(graph)
        if data[0] is None:
            raise OptionError(f"{model} is a float model: --data with calibration samples is needed")
    else:
        found = storage.load(model) if graph is None else models.lower(graph)
        spec = found.input
    spec = with_data_options(spec, *shared.raw)
    settings = parse_options(FitOptions, texts[0], "the search")
    own = parse_options(QuantizeOptions, texts[1], "the quantizer")
    if found is not graph and own:
        raise OptionError(f"{model} is quantized already and keeps its grids; {', '.join(own)} would do nothing")
    calibration = None if data[0] is None else shared.samples(data[0], spec)
    evaluation = calibration if data[1] is None else shared.samples(data[1], spec)
    with console.progress() as progress:
        return fit(
            found,
            None if calibration is None else calibration.prepared(),
            None if evaluation is None else evaluation.prepared(),
            None if evaluation is None else evaluation.labels,
            quantize=QuantizeOptions(**{"seed": shared.seed, **own}),
            progress=progress,
            **{**given, **settings},
        )


def _check_folder(folder: Path) -> None:
    """`OptionError` before any work where the folder holds something else."""
    from bitwright.errors import OptionError

    if folder.exists() and not folder.is_dir():
        raise OptionError(f"{folder} is a file; legal is a new folder, an empty one or an earlier one of fit")
    if folder.is_dir():
        entries = {entry.name for entry in folder.iterdir()}
        if entries and "fit.json" not in entries:
            raise OptionError(f"{folder} is no folder of fit (it holds {min(entries)}); legal is a new or empty one")


def _write(result: FitResult, folder: Path, model: str, commands: Mapping[str, str]) -> None:
    from bitwright.design.io import as_json
    from bitwright.explore.fit.page import html
    from bitwright.files import new_folder
    from bitwright.network import storage

    with new_folder(folder) as made:
        (made / "front.csv").write_text(result.csv(commands))
        (made / "front.html").write_text(html(result, model, commands))
        (made / "fit.json").write_text(as_json(result.as_dict(commands)))
        for name in dict.fromkeys(p.network for p in result.front):
            storage.save(result.networks[name], made / f"{name}.bw")
