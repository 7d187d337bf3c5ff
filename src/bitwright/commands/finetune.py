# SPDX-License-Identifier: Apache-2.0
"""`bitwright finetune`: train a model as the integers that it becomes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.commands.common import DataFile, Model, Output, Shared, job_count, read_graph, sharing

if TYPE_CHECKING:
    from bitwright.commands.console import Console
    from bitwright.models import FloatGraph
    from bitwright.network import InputSpec
    from bitwright.training.options import FinetuneOptions
    from bitwright.training.run import Finetuned

Evaluation = Annotated[Path | None, typer.Option("--evaluate", help="data to measure on; default a tenth of --data")]
Bits = Annotated[int | None, typer.Option(help="bits of all weights, 1 to 8; default 4")]
ActivationBits = Annotated[int | None, typer.Option(help="bits of all activations, 1 to 8; default 4")]
Widths = Annotated[Path | None, typer.Option(help="widths of every layer: the .csv or the .bw of `search`")]
Epochs = Annotated[float | None, typer.Option(help="passes over the data; default 10")]
Steps = Annotated[int | None, typer.Option(help="total batches, instead of --epochs")]
Minutes = Annotated[float | None, typer.Option(help="time limit of training, instead of --epochs")]
Labels = Annotated[float, typer.Option(help="share of the labels in the loss, 0 to 1")]
Augment = Annotated[
    str | None,
    typer.Option(help="augmentation of images: flip, shift=PIXELS, crop=PIXELS (or ROWSxCOLUMNS), separated by commas"),
]
Checkpoint = Annotated[Path | None, typer.Option(help="to resume from; default the output's name with .ckpt")]
Plot = Annotated[Path | None, typer.Option(help="write the training curve here, as HTML")]
Options = Annotated[list[str], typer.Option("--option", "-O", help="key=value, a further option of training")]
QuantizerSettings = Annotated[list[str], typer.Option("--quantize", "-Q", help="key=value, an option of the quantizer")]


@sharing
def run(
    model: Model,
    output: Output,
    data: DataFile = None,
    evaluate: Evaluation = None,
    weight_bits: Bits = None,
    activation_bits: ActivationBits = None,
    widths: Widths = None,
    epochs: Epochs = None,
    steps: Steps = None,
    minutes: Minutes = None,
    labels: Labels = 0.0,
    augment: Augment = None,
    option: Options = [],  # noqa: B006
    quantize: QuantizerSettings = [],  # noqa: B006
    checkpoint: Checkpoint = None,
    plot: Plot = None,
    *,
    shared: Shared,
) -> None:
    """Train a model as the integers that it becomes (.bw): 2 to 4 bits at the accuracy of floats.

    Starts from post-training quantization and keeps the best integer network. No labels are needed. An interrupted
    run resumes. Needs the package bitwright[train].
    """
    import bitwright as bw
    from bitwright.commands.console import Console
    from bitwright.data.raw import remembering
    from bitwright.errors import OptionError
    from bitwright.files import write_file
    from bitwright.training import need_torch

    need_torch()
    from bitwright.training.run import teacher_file

    if data is None:
        raise OptionError("--data with training samples is needed")
    console = Console(shared.json, shared.verbose)
    length = {"epochs": epochs, "steps": steps, "minutes": minutes}
    given = {**length, "label_share": labels, "augment": tuple(augment.split(",")) if augment else ()}
    options = _options(option, {**given, "seed": shared.seed, "jobs": job_count(shared.jobs)})
    asked = {"weight_bits": weight_bits, "activation_bits": activation_bits, "widths": widths}
    saved = checkpoint or output.with_name(f"{output.name}.ckpt")
    made, spec = _finetuned(console, model, (data, evaluate), (options, asked, quantize), saved, shared)
    network = remembering(made.network, spec)
    bw.save(network, output)
    for file in (saved, teacher_file(saved)):
        file.unlink(missing_ok=True)
    if plot is not None:
        write_file(plot, made.report.html(f"Fine-tuning of {network.name}"))
    console.say(f"{output}: {network.signature}, {len(network.nodes)} operations")
    console.result({"output": str(output), "digest": network.digest, "report": made.report.as_dict()})


def _options(texts: list[str], given: dict[str, Any]) -> FinetuneOptions:
    from bitwright.options import parse_options
    from bitwright.training.options import FinetuneOptions

    return FinetuneOptions(**{**given, **parse_options(FinetuneOptions, texts, "fine-tuning")})


def _finetuned(
    console: Console,
    model: Path,
    data: tuple[Path, Path | None],
    how: tuple[FinetuneOptions, dict[str, Any], list[str]],
    checkpoint: Path,
    shared: Shared,
) -> tuple[Finetuned, InputSpec]:
    """The result, and how raw data become the model's input."""
    from bitwright.data.raw import with_data_options
    from bitwright.errors import OptionError
    from bitwright.quantization.floatrun import float_input
    from bitwright.training.run import Job, finetune_job

    graph = read_graph(model, shared.output_name, shared.shape)
    if graph is None:
        raise OptionError(f"{model} is a network of integers; legal are ONNX models, float or quantized")
    spec = with_data_options(float_input(graph), *shared.raw)
    options, asked, texts = how
    quantize, narrower = _start(graph, options, asked, texts)
    samples = shared.samples(data[0], spec)
    measured = None if data[1] is None else shared.samples(data[1], spec)
    job = Job(graph, samples, measured, options, quantize, narrower, checkpoint)
    with console.progress() as progress:
        made = finetune_job(job, progress)
    if console.verbose:
        console.lines(made.report.quantization.table())
        console.table("training curve", *made.report.curve_rows())
    console.table("", *made.report.rows())
    console.lines(made.report.summary())
    return made, samples.spec


def _start(graph: FloatGraph, options: FinetuneOptions, asked: dict[str, Any], texts: list[str]) -> tuple[Any, bool]:
    """Options of the quantizer, and whether they give widths."""
    from bitwright.errors import OptionError
    from bitwright.explore.widths import read_widths
    from bitwright.options import parse_options
    from bitwright.quantization.options import QuantizeOptions
    from bitwright.training import WIDTHS
    from bitwright.training.options import start_options

    own = parse_options(QuantizeOptions, texts, "the quantizer")
    values = {name: value for name, value in asked.items() if name != "widths" and value is not None} | own
    if asked["widths"] is not None:
        if set(values) & set(WIDTHS):
            raise OptionError("--widths gives the bits of every layer; legal without other options of widths")
        values |= read_widths(asked["widths"], graph)
    narrower = bool(set(values) & set(WIDTHS))
    return start_options({"seed": options.seed, "jobs": options.jobs, **values}), narrower
