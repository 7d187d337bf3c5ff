# SPDX-License-Identifier: Apache-2.0
"""Arguments and options that several commands share."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitwright.hardware.clock import DEFAULT_MHZ, assumed

if TYPE_CHECKING:
    from bitwright.data.samples import Samples
    from bitwright.models import FloatGraph
    from bitwright.network import InputSpec, Network
    from bitwright.targets.goals import Goals

Model = Annotated[Path, typer.Argument(help="model: .onnx or .bw", show_default=False)]
OutputName = Annotated[
    str | None,
    typer.Option("--output-name", help="output to use of an ONNX model that has several", show_default=False),
]
InputShape = Annotated[
    str | None,
    typer.Option("--shape", help="input shape of an ONNX model with dynamic sizes: 1,3,224,224", show_default=False),
]
Build = Annotated[Path, typer.Argument(help="build folder, as `compile` writes it", show_default=False)]
DATA = "samples: .npz, .npy, .csv or a folder of images; FILE:NAME,LABELS names arrays"
DataFile = Annotated[Path | None, typer.Option("--data", help=DATA)]
Output = Annotated[Path, typer.Option("--output", "-o", help="output path", show_default=False)]
Json = Annotated[
    bool, typer.Option("--json", help="print one JSON object on standard output, all else on standard error")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="verbose")]
Seed = Annotated[int, typer.Option("--seed", help="seed of all random choices")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="parallel tasks; 0: one per core", min=0)]
TargetOptions = Annotated[
    list[str], typer.Option("--option", "-O", help="key=value, an option of the target; `bitwright targets` lists them")
]
OptionsByTarget = Annotated[
    list[str], typer.Option("--option", "-O", help="target.key=value, an option of a target; `bitwright targets`")
]
ClockMhz = Annotated[float, typer.Option("--clock-mhz", help="clock in MHz, 1 to 1000, assumed or aimed at")]
Layout = Annotated[str | None, typer.Option("--input-layout", help="order of raw images: HWC or CHW")]
Scale = Annotated[str | None, typer.Option("--input-scale", help="raw data times this, e.g. 1/255, ...")]
Mean = Annotated[str | None, typer.Option("--input-mean", help="... minus this, one value or one a channel, a,b,c ...")]
Std = Annotated[str | None, typer.Option("--input-std", help="... divided by this is the model's input")]


@dataclass(frozen=True)
class Shared:
    """The options of every command that makes a network of a model and of samples."""

    output_name: OutputName = None
    shape: InputShape = None
    input_layout: Layout = None
    input_scale: Scale = None
    input_mean: Mean = None
    input_std: Std = None
    seed: Seed = 1
    jobs: Jobs = 0
    json: Json = False
    verbose: Verbose = False

    @property
    def raw(self) -> tuple[str | None, ...]:
        """How raw data become the model's input, as `with_data_options` takes it."""
        return self.input_layout, self.input_scale, self.input_mean, self.input_std

    def samples(self, path: Path, *specs: InputSpec) -> Samples:
        """Those of a file or folder."""
        from bitwright.data.samples import open_samples

        return open_samples(path, *specs, layout_given=self.input_layout is not None)


@dataclass(frozen=True)
class Wanted:
    """The options of every command that chooses hardware: what it is for."""

    device: Annotated[str | None, typer.Option("--device", help="part or board to fit into")] = None
    fps: Annotated[float | None, typer.Option("--fps", help="minimum frames per second")] = None
    latency_us: Annotated[
        float | None,
        typer.Option("--latency-us", help="maximum latency in µs, from a frame's first word to its result"),
    ] = None
    fastest: Annotated[bool, typer.Option("--fastest", help="the fastest design that fits the device")] = False
    smallest: Annotated[bool, typer.Option("--smallest", help="the smallest design")] = False
    fill: Annotated[float, typer.Option("--fill", help="maximum share of the device, 0 to 1")] = 0.8
    clock_mhz: ClockMhz = DEFAULT_MHZ

    @property
    def goals(self) -> Goals | None:
        """What they ask for, if anything."""
        from bitwright.errors import OptionError
        from bitwright.targets.goals import FASTEST, SMALLEST, Goals

        if self.fastest and self.smallest:
            raise OptionError("--fastest and --smallest contradict each other; legal is one of them")
        size = FASTEST if self.fastest else SMALLEST if self.smallest else ""
        found = Goals(self.fps, self.latency_us, self.device, self.fill, size, assumed(self.clock_mhz))
        return found if found.any else None


def sharing(run: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of its last parameter's class in place of that parameter."""
    own = inspect.signature(run, eval_str=True)
    *before, last = own.parameters.values()
    kind = last.annotation
    fields = inspect.signature(kind, eval_str=True).parameters

    @functools.wraps(run)
    def command(**given: Any) -> None:
        shared = kind(**{name: given.pop(name) for name in fields})
        run(**given, **{last.name: shared})

    return with_parameters(command, own, [*before, *fields.values()])


def with_parameters(
    command: Callable[..., None], own: inspect.Signature, parameters: Sequence[inspect.Parameter]
) -> Callable[..., None]:
    """The command with its signature `own`, but with these parameters, as inspect and typer read them."""
    command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def job_count(jobs: int) -> int:
    """The number of tasks to run at once."""
    return jobs or os.cpu_count() or 1


def read_graph(model: Path, output_name: str | None, shape: str | None = None) -> FloatGraph | None:
    """The float graph of an ONNX model, of the named output where it has several; None for a `.bw` file.

    shape: that of the input, where its sizes are dynamic, as text.
    """
    from bitwright import models
    from bitwright.api import is_network_file
    from bitwright.errors import OptionError

    if not is_network_file(model):
        return models.read(model, output_name, input_shape(shape))
    if shape is not None:
        raise OptionError(f"--shape is for ONNX models; {model} is a network, whose input has a shape")
    if output_name is not None:
        raise OptionError(f"--output-name is for ONNX models; {model} is a network, whose outputs are chosen")
    return None


def input_shape(text: str | None) -> tuple[int, ...] | None:
    """The sizes of 1,3,224,224."""
    from bitwright.errors import OptionError

    if text is None:
        return None
    parts = text.split(",")
    if not all(p.strip().isdecimal() and p.isascii() and len(p) < 9 for p in parts):
        raise OptionError(f"--shape is {text!r}; legal are whole numbers with commas between, as 1,3,224,224")
    return tuple(int(p) for p in parts)


def load_network(
    model: Path,
    layout: str | None = None,
    scale: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    output_name: str | None = None,
    shape: str | None = None,
) -> Network:
    """The integer network of a file, with the ways of raw data that the options give."""
    from dataclasses import replace

    from bitwright import models
    from bitwright.data.raw import with_options_of_all
    from bitwright.network import storage

    graph = read_graph(model, output_name, shape)
    network = storage.load(model) if graph is None else models.lower(graph)
    return replace(network, inputs=with_options_of_all(network.inputs, layout, scale, mean, std))


def options_by_target(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Options by target of `target.key=value` texts."""
    from bitwright import targets
    from bitwright.errors import OptionError
    from bitwright.options import parse_options

    by_target: dict[str, list[str]] = {}
    for text in texts:
        name, dot, rest = text.partition(".")
        if not dot or "=" in name:
            raise OptionError(f"option {text!r} names no target; legal is target.key=value")
        by_target.setdefault(name, []).append(rest)
    return {name: parse_options(targets.get(name).options, own, f"target {name}") for name, own in by_target.items()}
