# SPDX-License-Identifier: Apache-2.0
"""Loading, saving and compiling networks: the functions behind `bitwright.load`, `save` and `compile`."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bitwright import targets
from bitwright.design.io import load_design, save_design
from bitwright.errors import ModelError, OptionError, UserError
from bitwright.files import read_head
from bitwright.models.graph import FloatGraph
from bitwright.network import Network, storage
from bitwright.network.passes import simplify
from bitwright.network.types import Array
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.targets.contract import Design, Plan, Problem, Refusal, accepted, make_options, make_plan
from bitwright.targets.goals import Goals, reach
from bitwright.tools import cache
from bitwright.training import need_torch

ARCHIVE = "design.zip"
WORTH_KEEPING = 1.0  # seconds of compilation


def load(path: str | os.PathLike[str], **options: Any) -> Network:
    """The integer network of a `.bw` file or of a quantized ONNX model (QONNX or QDQ).

    options, for ONNX models only, are those of `models.load`, for instance input_type="uint8" for a network
    that takes the integers of that type. Raises `ModelError` where the file is missing, damaged or not
    supported, and where the model is still float: `quantize` makes a network of it.
    """
    path = Path(path)
    if not is_network_file(path):
        from bitwright import models  # ONNX takes long to load

        return models.load(path, **options)
    if options:
        raise OptionError(f"{path} is a network already; {', '.join(options)} is for ONNX models")
    return storage.load(path)


def is_network_file(path: Path) -> bool:
    """Whether the file is a `.bw` file, by its content, or by its name where it cannot be read or is damaged."""
    if path.suffix == ".bw":
        return True
    if path.is_dir():
        raise ModelError(f"{path} is a folder; legal are .onnx and .bw files")
    return read_head(path, 2, ModelError) == b"PK"


def save(network: Network, path: str | os.PathLike[str]) -> None:
    """Write the network to a `.bw` file, which `load` reads; the file appears whole or not at all."""
    storage.save(network, path)


def compile(
    network: Network,
    target: str = targets.DEFAULT,
    *,
    goals: Goals | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress = quiet,
    **options: object,
) -> Design:
    """Hardware for a network: simplify it, ask the target for objections, plan, emit.

    options are those of the target; goals choose the others of them, see `Goals`. A design that took more than a
    second is kept in the cache (`cache_dir`, else the user's) under the digest of the network, the options and the
    program, and found there the next time. Raises `OptionError` for an unknown target or option and `ModelError` with
    every node that the target refuses, or for goals out of reach. progress: called with "plan" and "hardware", what is
    done of it, of how much.
    """
    progress("plan", 0, 1)
    made: Plan | None = None
    if goals is not None:
        options, made = reach(network, target, options, goals)
    root = cache.folder(cache_dir) / "designs"
    device = goals.device or "" if goals is not None else ""
    key = _design_key(network, target, options)
    if key is not None and (found := _cached(root, key)) is not None:
        return replace(found, device=device)
    start = time.perf_counter()
    made = made or accepted_plan(network, target, options)
    progress("plan", 1, 1)
    progress("hardware", 0, 1)
    design = targets.get(target).emit(made)
    progress("hardware", 1, 1)
    if key is not None and time.perf_counter() - start > WORTH_KEEPING:
        cache.entry(root, key, lambda folder: [_packed(design, folder)], [ARCHIVE])
    return replace(design, device=device)


def _design_key(network: Network, target: str, options: Mapping[str, object]) -> str | None:
    """Of all that a design depends on: the network, the options, the sources of bitwright and of the target.

    None for a target without a file, defined interactively.
    """
    chosen = targets.get(target)
    settings = repr(make_options(chosen, options))
    program = program_digest(target)
    return program and cache.digest([network.digest, target, settings, program])


def program_digest(target: str) -> str | None:
    """Of the sources of bitwright and of the target, on which all its plans depend; None for one without a file."""
    file = getattr(sys.modules.get(type(targets.get(target)).__module__), "__file__", None)
    return file and _sources(file)


@functools.cache
def _sources(target: str) -> str:
    """Digest of the texts of the package and of the folder that the target's file lies in, and of Python's version."""
    folders = (Path(__file__).parent, Path(target).parent)
    patterns = ("*.py", "*.sv", "*.svh", "*.toml")
    paths = sorted({path for folder in folders for pattern in patterns for path in folder.rglob(pattern)})
    return cache.digest([sys.version, *(part for path in paths for part in (str(path), path.read_text()))])


def _packed(design: Design, folder: Path) -> Path:
    save_design(design, folder / "design")
    return Path(shutil.make_archive(str(folder / "design"), "zip", folder / "design"))


def _cached(root: Path, key: str) -> Design | None:
    """The design in the cache; an entry that holds none is removed."""
    found = cache.find(root, key, [ARCHIVE])
    try:
        return _unpacked(found / ARCHIVE) if found else None
    except (UserError, shutil.ReadError, zipfile.BadZipFile, zlib.error, EOFError, ValueError):
        cache.drop(root, key)
        return None


def _unpacked(archive: Path) -> Design:
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(archive, folder)
        return load_design(folder)


def check(
    network: Network, options: Mapping[str, Mapping[str, object]] | None = None
) -> dict[str, tuple[Problem, ...]]:
    """What each target says to a network, by its name: all reasons to refuse it, or none.

    options: for each target by name, its options. Raises `OptionError` for one that is not legal.
    """
    simple, options = simplify(network), options or {}
    known = {name: targets.get(name) for name in dict.fromkeys([*targets.names(), *options])}
    return {name: tuple(t.check(simple, make_options(t, options.get(name, {})))) for name, t in known.items()}


def quantize(
    model: str | os.PathLike[str] | FloatGraph | object,
    calibration: Array,
    *,
    output: str | None = None,
    progress: Progress = quiet,
    **options: Any,
) -> Network:
    """The integer network of a float model; options as in `QuantizeOptions`.

    model: an ONNX file, a float graph, or a `torch.nn.Module`, which is exported as it computes in evaluation mode on
    float inputs of the samples' shape. calibration: samples [N, *input shape] as the model takes them. output: which
    one, where an ONNX model has several. Raises `ModelError`, `DataError` or `OptionError`.
    """
    from bitwright.quantization import ptq

    if isinstance(model, (str, os.PathLike)):
        return ptq.quantize(Path(model), calibration, output=output, progress=progress, **options)
    if isinstance(model, FloatGraph):
        return ptq.quantize(model, calibration, output=output, progress=progress, **options)
    if not hasattr(model, "state_dict"):
        raise ModelError(f"the model is a {type(model).__name__}; legal are ONNX files, float graphs, torch modules")
    need_torch()
    from bitwright.training.export import graph_of

    return ptq.quantize(graph_of(model, calibration, output), calibration, progress=progress, **options)


def plan(network: Network, target: str, options: Mapping[str, object]) -> Plan | Refusal:
    """The target's plan, whose estimate says what the hardware would cost, or its refusal; nothing is written."""
    chosen = targets.get(target)
    return make_plan(chosen, simplify(network), make_options(chosen, options))


def accepted_plan(network: Network, target: str, options: Mapping[str, object]) -> Plan:
    """The target's plan; one `ModelError` with every reason where it refuses the network."""
    chosen = targets.get(target)
    return accepted(chosen, simplify(network), make_options(chosen, options))
