"""Arguments and options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bitwright.network import Network

Model = Annotated[Path, typer.Argument(help="model: .onnx or .bw", show_default=False)]
Build = Annotated[Path, typer.Argument(help="build folder, as `compile` writes it", show_default=False)]
DataFile = Annotated[Path | None, typer.Option("--data", help=".npz with x (or images) and, where known, labels")]
Output = Annotated[Path, typer.Option("--output", "-o", help="where the result goes", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output, all else on standard error")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="say more")]
Seed = Annotated[int, typer.Option("--seed", help="of every random choice")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="parallel tasks; 0 is one a core", min=0)]
TargetOptions = Annotated[
    list[str], typer.Option("--option", "-O", help="key=value, an option of the target; `bitwright targets` lists them")
]
Layout = Annotated[str | None, typer.Option("--input-layout", help="order of raw images: HWC or CHW")]
Scale = Annotated[str | None, typer.Option("--input-scale", help="raw data times this, e.g. 1/255, ...")]
Mean = Annotated[str | None, typer.Option("--input-mean", help="... minus this, one value or one a channel, a,b,c ...")]
Std = Annotated[str | None, typer.Option("--input-std", help="... divided by this is the model's input")]


def job_count(jobs: int) -> int:
    """The number of tasks to run at once."""
    return jobs or os.cpu_count() or 1


def load_network(
    model: Path, layout: str | None = None, scale: str | None = None, mean: str | None = None, std: str | None = None
) -> Network:
    """The integer network of a file, with the ways of raw data that the options give."""
    from dataclasses import replace

    import bitwright as bw
    from bitwright.data import with_data_options

    network = bw.load(model)
    return replace(network, input=with_data_options(network.input, layout, scale, mean, std))
