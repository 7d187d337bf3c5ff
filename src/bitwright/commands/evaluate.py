# SPDX-License-Identifier: Apache-2.0
"""`bitwright evaluate`: accuracy of an integer network, beside the float model's where it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitwright.commands.common import (
    DATA,
    InputShape,
    Json,
    Layout,
    Mean,
    Model,
    OutputName,
    Scale,
    Std,
    Verbose,
    input_shape,
    load_network,
)

FloatModel = Annotated[Path | None, typer.Option("--float", help="the float .onnx model to compare with")]
Samples = Annotated[int | None, typer.Option("--samples", help="number of samples; default: all")]


def run(
    model: Model,
    data: Annotated[Path, typer.Option("--data", help=DATA, show_default=False)],
    float_model: FloatModel = None,
    samples: Samples = None,
    output_name: OutputName = None,
    shape: InputShape = None,
    input_layout: Layout = None,
    input_scale: Scale = None,
    input_mean: Mean = None,
    input_std: Std = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Accuracy of an integer network on data, and its agreement with the float model."""
    import bitwright as bw
    from bitwright import models
    from bitwright.api import is_network_file
    from bitwright.commands.console import Console
    from bitwright.data.samples import open_samples
    from bitwright.text import rows

    console = Console(json, verbose)
    own = (None, None) if is_network_file(model) and float_model is not None else (output_name, shape)
    network = load_network(model, input_layout, input_scale, input_mean, input_std, *own)
    read = open_samples(data, *network.inputs, layout_given=input_layout is not None)
    read = read.first(samples) if samples is not None else read
    graph = None if float_model is None else models.read(float_model, output_name, input_shape(shape))
    with console.progress() as progress:
        measured = bw.evaluate(network, read, float_model=graph, progress=progress)
    found = {"model": str(model), **measured.as_dict()}
    ratios = measured.float_sqnr_db or {}
    shown = rows({name: value for name, value in found.items() if name not in ("model", "float_sqnr_db")})
    shown += [[f"SQNR of {name}, dB", "exact" if ratio is None else ratio] for name, ratio in ratios.items()]
    console.table(f"{network.name} on {data.name}", ["figure", "value"], shown)
    if read.labels is None and len(network.outputs) == 1:
        console.say(f"{data.name} has no labels, so no accuracy is known; --data FILE.npz:SAMPLES,LABELS names arrays")
    console.result(found)
