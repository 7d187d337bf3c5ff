# SPDX-License-Identifier: Apache-2.0
"""`bitwright evaluate`: accuracy of an integer network, beside the float model's where it is given."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    import numpy as np

    from bitwright.commands.console import Console
    from bitwright.network import Network

FloatModel = Annotated[Path | None, typer.Option("--float", help="the float .onnx model to compare with")]
Samples = Annotated[int | None, typer.Option("--samples", help="only so many samples")]
CHUNK = 256


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
    from bitwright.api import is_network_file
    from bitwright.commands.console import Console
    from bitwright.data.raw import classes
    from bitwright.data.samples import open_samples

    console = Console(json, verbose)
    own = (None, None) if is_network_file(model) and float_model is not None else (output_name, shape)
    network = load_network(model, input_layout, input_scale, input_mean, input_std, *own)
    read = open_samples(data, network.input, layout_given=input_layout is not None)
    read = read.first(samples) if samples is not None else read
    x = read.prepared()
    start = time.perf_counter()
    y = _predict(console, network, x)
    found: dict[str, Any] = {"model": str(model), "samples": len(x), "seconds": time.perf_counter() - start}
    predicted = classes(y)
    if read.labels is not None:
        found |= _accuracy("", y, predicted, read.labels)
    if float_model is not None:
        reference = _float_outputs(float_model, output_name, shape, x)
        found["float_agreement"] = float((classes(reference) == predicted).mean())
        if read.labels is not None:
            found |= _accuracy("float_", reference, classes(reference), read.labels)
    rows = [[name, value] for name, value in found.items() if name != "model"]
    console.table(f"{network.name} on {data.name}", ["figure", "value"], rows)
    console.result(found)


def _predict(console: Console, network: Network, x: np.ndarray) -> np.ndarray:
    import numpy as np

    parts = []
    with console.progress() as progress:
        for start in range(0, len(x), CHUNK):
            parts.append(network.predict(x[start : start + CHUNK]))
            progress("evaluate", min(start + CHUNK, len(x)), len(x))
    return np.concatenate(parts)


def _accuracy(prefix: str, y: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Top-1 accuracy, and top-5 where there are enough classes (ties count against)."""
    found = {f"{prefix}accuracy": float((predicted == labels).mean())}
    flat = y.reshape(len(y), -1)
    if flat.shape[1] > 10 and labels.max() < flat.shape[1]:
        own = flat[range(len(flat)), labels]
        found[f"{prefix}top5"] = float(((flat >= own[:, None]).sum(axis=1) <= 5).mean())
    return found


def _float_outputs(path: Path, output_name: str | None, shape: str | None, x: np.ndarray) -> np.ndarray:
    """The float model's outputs by ONNX Runtime."""
    from bitwright import models
    from bitwright.quantization.floatrun import FloatRunner

    return FloatRunner(models.read(path, output_name, input_shape(shape))).outputs(x)
