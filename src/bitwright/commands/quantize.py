# SPDX-License-Identifier: Apache-2.0
"""`bitwright quantize`: a float model and calibration data to an integer network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.commands.common import DataFile, Model, Output, Shared, job_count, read_graph, sharing

if TYPE_CHECKING:
    from bitwright.commands.console import Console
    from bitwright.network import Network

Bits = Annotated[int | None, typer.Option(help="bits of all weights, 1 to 16; default 8")]
ActivationBits = Annotated[int | None, typer.Option(help="bits of all activations, 1 to 16; default 8")]
Evaluation = Annotated[Path | None, typer.Option("--evaluate", help="samples to measure on; default labelled --data")]
Options = Annotated[list[str], typer.Option("--option", "-O", help="key=value, a further option of the quantizer")]


@sharing
def run(
    model: Model,
    output: Output,
    data: DataFile = None,
    evaluate: Evaluation = None,
    weight_bits: Bits = None,
    activation_bits: ActivationBits = None,
    option: Options = [],  # noqa: B006
    *,
    shared: Shared,
) -> None:
    """Make an integer network (.bw) of a model; a float model needs calibration data.

    Reports size, and accuracy before and after on the samples of --evaluate, or of --data where it has labels.
    A model that is quantized already keeps its grids; with --data, what of it is left in floats is completed. How raw
    data become its input is remembered.
    """
    import bitwright as bw
    from bitwright.commands.console import Console

    console = Console(shared.json, shared.verbose)
    widths = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    given = {name: bits for name, bits in widths.items() if bits is not None}
    network, report = _network(console, model, (data, evaluate), option, given, shared)
    bw.save(network, output)
    console.say(f"{output}: {network.signature}, {len(network.nodes)} operations")
    console.result({"output": str(output), "digest": network.digest, "report": report})


def _network(
    console: Console,
    model: Path,
    data: tuple[Path | None, Path | None],
    option: list[str],
    widths: dict[str, int],
    shared: Shared,
) -> tuple[Network, dict[str, Any] | None]:
    """The network and, of a float model, the report of its quantization."""
    from bitwright import models
    from bitwright.data.raw import remembering, with_options_of_all
    from bitwright.errors import OptionError
    from bitwright.network import storage
    from bitwright.options import parse_options
    from bitwright.quantization.floatrun import float_inputs
    from bitwright.quantization.options import QuantizeOptions
    from bitwright.quantization.ptq import is_open, quantize_model

    graph = read_graph(model, shared.output_name, shared.shape)
    given = widths | parse_options(QuantizeOptions, option, "the quantizer")
    is_begun = graph is None or models.is_quantized(graph)
    if graph is None or (is_begun and not (data[0] and is_open(graph))):
        if given:
            raise OptionError(f"{model} is quantized already and keeps its grids; {', '.join(given)} would do nothing")
        network = storage.load(model) if graph is None else models.lower(graph)
        return replace(network, inputs=with_options_of_all(network.inputs, *shared.raw)), None
    if data[0] is None:
        raise OptionError(f"{model} is a float model: --data with calibration samples is needed")
    options = QuantizeOptions(**{"seed": shared.seed, "jobs": job_count(shared.jobs), **given})
    specs = with_options_of_all(float_inputs(graph), *shared.raw)
    calibration = shared.samples(data[0], *specs)
    x = calibration.prepared()
    test = calibration if data[1] is None else shared.samples(data[1], *specs)
    wanted = data[1] is not None or test.labels is not None
    evaluation = ((x if test is calibration else test.prepared()), test.labels) if wanted else None
    with console.progress() as progress:
        made = quantize_model(graph, x, options, progress, evaluation)
    console.lines(made.report.table() if console.verbose else made.report.summary())
    return remembering(made.network, *calibration.specs), made.report.as_dict()
