# SPDX-License-Identifier: Apache-2.0
"""`bitwright search`: widths for every layer, the Pareto front of loss and cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.commands.common import DataFile, Model, Shared, input_shape, sharing
from bitwright.text import percent

if TYPE_CHECKING:
    from bitwright.explore.front import SearchResult
    from bitwright.models.graph import FloatGraph
    from bitwright.network import InputSpec

WeightBits = Annotated[str, typer.Option("--weight-bits", help="candidates of weight bits, separated by commas")]
ActivationBits = Annotated[str, typer.Option("--activation-bits", help="candidates of activation bits")]
Evaluation = Annotated[Path | None, typer.Option("--evaluate", help=".npz to measure on; default the calibration data")]
Budget = Annotated[float | None, typer.Option(help="largest cost allowed")]
FinetuneSteps = Annotated[int, typer.Option(help="steps of fine-tuning of every network on the front")]
MaxLoss = Annotated[float | None, typer.Option(help="largest loss of accuracy allowed, in points")]
Cost = Annotated[str, typer.Option(help="bytes, or with a target lut, ff, carry, bram36, dsp or cycles")]
TargetName = Annotated[str | None, typer.Option("--target", help="target whose cost model prices the layers")]
Cluster = Annotated[str | None, typer.Option(help="address of a Dask scheduler, tcp://host:port")]
Settings = Annotated[list[str], typer.Option("--option", "-O", help="key=value, an option of the search")]
QuantizerSettings = Annotated[list[str], typer.Option("--quantize", "-Q", help="key=value, an option of the quantizer")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="write all points here")]
PlotFile = Annotated[Path | None, typer.Option("--plot", help="write an HTML plot here")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="write the chosen network here (.bw)")]


@sharing
def run(
    model: Model,
    data: DataFile = None,
    evaluate: Evaluation = None,
    weight_bits: WeightBits = "2,3,4,6,8",
    activation_bits: ActivationBits = "8",
    cost: Cost = "bytes",
    target: TargetName = None,
    budget: Budget = None,
    max_loss: MaxLoss = None,
    finetune_steps: FinetuneSteps = 0,
    option: Settings = [],  # noqa: B006
    quantize: QuantizerSettings = [],  # noqa: B006
    csv: CsvFile = None,
    plot: PlotFile = None,
    output: Output = None,
    cluster: Cluster = None,
    *,
    shared: Shared,
) -> None:
    """Search bit widths for every layer of a float model under a budget or a bound on the loss of accuracy.

    An interrupted search resumes from its cache.
    """
    from bitwright.commands.console import Console
    from bitwright.errors import OptionError

    if data is None:
        raise OptionError("--data with calibration samples is needed")
    if output is not None and budget is None and max_loss is None:
        raise OptionError("--output needs --budget or --max-loss, which choose the network")
    console = Console(shared.json, shared.verbose)
    given = {
        "weight_candidates": _widths(weight_bits, "--weight-bits"),
        "activation_candidates": _widths(activation_bits, "--activation-bits"),
        "cost": cost,
        "target": target,
        "budget": budget,
        "max_loss": max_loss,
        "finetune_steps": finetune_steps,
        "jobs": shared.jobs,
        "cluster": cluster,
    }
    graph, spec, result, save = _search(console, model, (data, evaluate), option, quantize, given, shared)
    full = "" if result.float_accuracy is None else f"; the float model has {percent(result.float_accuracy, 2)}"
    console.table(f"{graph.name}: {len(result.points)} networks measured{full}", *result.rows())
    _write(result, csv, plot)
    if result.chosen is not None or budget is not None or max_loss is not None:
        _choose(console, result, max_loss, None if output is None else lambda: save(result, spec, output))
    console.result(result.as_dict())


def _write(result: SearchResult, csv: Path | None, plot: Path | None) -> None:
    from bitwright.files import write_file

    for path, text in ((csv, result.csv), (plot, result.html)):
        if path is not None:
            write_file(path, text())


def _choose(console: Any, result: SearchResult, max_loss: float | None, save: Callable[[], None] | None) -> None:
    """Say which network was chosen, and save it."""
    from bitwright.errors import OptionError

    if result.chosen is None:
        raise OptionError(_shortfall(result, max_loss))
    console.say(f"chosen: {result.chosen.label}, {result.price.quantity} {result.chosen.cost:,.0f}")
    for name, (weight, activation) in result.chosen.widths.items():
        console.detail(f"  {name}: {weight}-bit weights, {activation}-bit input")
    if save is not None:
        save()


def _shortfall(result: SearchResult, max_loss: float | None) -> str:
    """The bound that no measured network keeps, and the nearest that one does."""
    from bitwright.explore.finalists import loss_out_of_reach

    if max_loss is None:
        p = min(result.points, key=lambda p: p.cost)
        cost = f"{p.cost:,.0f} {result.price.quantity}"
        return f"the budget is out of reach: the cheapest network, {p.label}, takes {cost}; legal is that or more"
    p = min(result.points, key=lambda p: (p.lost or 0.0, p.cost))
    return loss_out_of_reach(max_loss, p.label, p.lost or 0.0)


def _widths(text: str, name: str) -> tuple[int, ...]:
    from bitwright.errors import OptionError

    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"{name} is {text!r}; legal are whole numbers separated by commas") from None


def _search(
    console: Any,
    model: Path,
    data: tuple[Path, Path | None],
    option: list[str],
    quantize: list[str],
    given: dict[str, Any],
    shared: Shared,
) -> tuple[FloatGraph, InputSpec, SearchResult, Callable[[SearchResult, InputSpec, Path], None]]:
    """The float graph, its input, the result, and the function that saves the chosen network."""
    from bitwright import models
    from bitwright.data.raw import with_data_options
    from bitwright.explore.search import SearchOptions, search
    from bitwright.options import parse_options
    from bitwright.quantization.floatrun import float_input
    from bitwright.quantization.options import QuantizeOptions

    graph = models.read(model, shared.output_name, input_shape(shared.shape))
    spec = with_data_options(float_input(graph), *shared.raw)
    calibration = shared.samples(data[0], spec)
    evaluation = calibration if data[1] is None else shared.samples(data[1], spec)
    settings = parse_options(SearchOptions, option, "the search")
    made = QuantizeOptions(**{"seed": shared.seed, **parse_options(QuantizeOptions, quantize, "the quantizer")})
    x = calibration.prepared()
    with console.progress() as progress:
        result = search(
            graph,
            x,
            evaluation.prepared(),
            evaluation.labels,
            quantize=made,
            progress=progress,
            **{**given, **settings},
        )

    def save(result: SearchResult, spec: InputSpec, path: Path) -> None:
        import bitwright as bw
        from bitwright.data.raw import remembering
        from bitwright.explore.search import network_of

        network = network_of(graph, x, result, made)
        bw.save(remembering(network, spec), path)

    return graph, calibration.spec, result, save
