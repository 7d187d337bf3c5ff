# SPDX-License-Identifier: Apache-2.0
"""`bitwright export`: an integer network as an ONNX file for other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from bitwright.commands.common import InputShape, Json, Model, Output, OutputName, Verbose, load_network

Format = Annotated[str, typer.Option("--format", help="qdq (QuantizeLinear, DequantizeLinear) or qonnx (Quant)")]


def run(
    model: Model,
    output: Output,
    format: Format = "qdq",
    output_name: OutputName = None,
    shape: InputShape = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write an integer network as an ONNX file (QDQ or QONNX) that computes the same in ONNX Runtime.

    It takes and gives the model's own floats, as `predict` does.
    """
    from bitwright.commands.console import Console
    from bitwright.fast.export import export

    console = Console(json, verbose)
    network = load_network(model, output_name=output_name, shape=shape)
    export(network, output, format)
    size = output.stat().st_size
    console.say(f"{output}: {format}, {size:,} bytes")
    console.result({"output": str(output), "format": format, "digest": network.digest, "bytes": size})
