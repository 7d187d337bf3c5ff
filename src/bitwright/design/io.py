# SPDX-License-Identifier: Apache-2.0
"""Designs on disk: the build folder.

    design.json     what the design is: target, top, streams, units, options, counters, file list, digest
    estimate.json   the cost model's figures, per layer and in total
    network.bw      the network that the hardware computes
    rtl/...         every source and memory file, by its path in `Design.files`
    program.npy     AXI4-Lite writes, where the target has a program
    weights.npy     words of the weight stream for a batch, where the top has one
    memory.npy      words that lie in external memory, where the top has its port

`simulation.json`, `synthesis.json`, `design.bit` (of a placed one), `report.json` and `report.html` join it as the
commands run.
"""

from __future__ import annotations

import dataclasses
import json
import operator
import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from bitwright import limits
from bitwright.design.check import check_design
from bitwright.errors import ModelError
from bitwright.files import check_replaceable, new_folder, read_file, read_text
from bitwright.hardware.memory_port import MemoryPort
from bitwright.hardware.resources import Resources
from bitwright.hardware.source_rules import check_paths
from bitwright.network import IntType, TensorType, storage
from bitwright.options import check_fields
from bitwright.parsing import MALFORMED, parse_json, parse_npy, summary
from bitwright.targets.contract import (
    Design,
    Estimate,
    FrameSpec,
    LayerEstimate,
    StreamSpec,
    SynthesisUnit,
    WeightStream,
)

T = TypeVar("T")
FORMAT = "bitwright design"
VERSION = 6
DESIGN, ESTIMATE, NETWORK, RTL = "design.json", "estimate.json", "network.bw", "rtl"
PROGRAM, WEIGHTS, MEMORY = "program.npy", "weights.npy", "memory.npy"
RESULTS = ("simulation.json", "synthesis.json", "design.bit", "report.json", "report.html")
CONTENTS = frozenset({DESIGN, ESTIMATE, NETWORK, RTL, PROGRAM, WEIGHTS, MEMORY, *RESULTS})


def save_design(design: Design, folder: str | os.PathLike[str]) -> None:
    """Write a design to a folder, which appears whole or not at all.

    An earlier build folder, with its results, is replaced; `OptionError` where the folder holds anything else.
    """
    folder = Path(folder)
    check_build_folder(folder)
    with new_folder(folder) as made:
        for path, text in design.files.items():
            target = made / RTL / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
        storage.save(design.network, made / NETWORK)
        (made / ESTIMATE).write_text(as_json(estimate_dict(design.estimate)))
        if design.program is not None:
            np.save(made / PROGRAM, np.asarray(design.program, np.uint32), allow_pickle=False)
        if design.weights is not None:
            np.save(made / WEIGHTS, np.asarray(design.weights.words, np.uint32), allow_pickle=False)
        if design.memory is not None:
            np.save(made / MEMORY, np.asarray(design.memory.image, np.uint32), allow_pickle=False)
        (made / DESIGN).write_text(as_json(_design_dict(design)))


def check_build_folder(folder: Path) -> None:
    """Raise `OptionError` unless `folder` is free, empty or an earlier build folder without foreign files."""
    check_replaceable(folder, "build folder", DESIGN, CONTENTS)


def load_design(folder: str | os.PathLike[str], *, changed: bool = False) -> Design:
    """Read a build folder, whoever made it; `ModelError` where it is missing, damaged or none.

    Nothing outside of the folder is read, whatever its files say. changed: take sources that are not as written.
    """
    folder = Path(folder)
    if not (folder / DESIGN).exists():
        raise ModelError(f"{folder} is no build folder: {DESIGN} is missing; `compile` makes one")
    try:
        design = _read(folder)
        stated = _parse(folder / DESIGN)["digest"]
    except OSError as error:
        raise ModelError(f"build folder {folder}: cannot read {error.filename}: {error.strerror}") from None
    except ModelError as error:
        raise ModelError(f"build folder {folder} cannot be used: {error}") from None
    except MALFORMED as error:
        raise ModelError(f"build folder {folder} is damaged: {summary(error)}") from None
    if design.digest != stated and not changed:
        raise ModelError(f"build folder {folder} is damaged: its files have changed since `compile`")
    return design


def as_json(tree: Mapping[str, Any]) -> str:
    """JSON text with numbers of NumPy as numbers, tuples as lists; ends with a new line."""
    return json.dumps(plain(tree), indent=2, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """The value in the types of JSON."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Path):
        return str(value)
    return value


def estimate_dict(estimate: Estimate) -> dict[str, Any]:
    """The cost model's figures under their stable names."""
    return {
        "interval_cycles": estimate.interval_cycles,
        "latency_cycles": estimate.latency_cycles,
        "overlap": estimate.overlap,
        "total": dataclasses.asdict(estimate.total),
        "shared": None if estimate.shared is None else _layer_dict(estimate.shared),
        "layers": [_layer_dict(layer) for layer in estimate.layers],
    }


def _layer_dict(layer: LayerEstimate) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "nodes": list(layer.nodes),
        **dataclasses.asdict(layer.resources),
        "cycles": layer.cycles,
        "details": dict(layer.details),
    }


def _made(kind: type[T], /, **values: Any) -> T:
    """A dataclass of values that JSON gave; `ValueError` where one is of another type."""
    check_fields(kind, values)
    return kind(**values)


def _estimate(tree: Mapping[str, Any]) -> Estimate:
    shared = None if tree["shared"] is None else _layer(tree["shared"])
    figures = {n: tree[n] for n in ("interval_cycles", "latency_cycles", "overlap")}
    return _made(Estimate, layers=tuple(map(_layer, tree["layers"])), shared=shared, **figures)


def _layer(tree: Mapping[str, Any]) -> LayerEstimate:
    resources = _made(Resources, **{f.name: tree[f.name] for f in dataclasses.fields(Resources)})
    facts = {n: tree[n] for n in ("name", "kind", "cycles", "details")}
    return _made(LayerEstimate, resources=resources, nodes=tuple(tree["nodes"]), **facts)


def _design_dict(design: Design) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "target": design.target,
        "top": design.top,
        "digest": design.digest,
        "files": list(design.files),
        "input": [_stream_dict(spec) for spec in design.input.tensors],
        "output": [_stream_dict(spec) for spec in design.output.tensors],
        "units": [dataclasses.asdict(unit) for unit in design.units],
        "options": design.options,
        "program": design.program is not None,
        "weights_frames": design.weights.frames if design.weights is not None else None,
        "memory": None if design.memory is None else design.memory.facts(),
        "counters": design.counters,
        "batch": design.batch,
        "parameters": design.parameters,
        "device": design.device,
        "layers": layers_dict(design),
    }


def layers_dict(design: Design) -> dict[str, Any]:
    """By the name of every layer: the nodes of the network that it computes, and the modules that it is made of.

    Names are those of the model's nodes; modules are numbered, since no name of a file becomes an identifier. Waveforms
    and netlists have instances of the modules.
    """
    modules: dict[int, list[str]] = {}
    for unit in design.units:
        if unit.row is not None:
            modules.setdefault(unit.row, []).append(unit.top)
    rows = enumerate(design.estimate.rows)
    return {row.name: {"kind": row.kind, "nodes": list(row.nodes), "modules": modules.get(i, [])} for i, row in rows}


def _stream_dict(stream: StreamSpec) -> dict[str, Any]:
    return {
        "shape": stream.type.shape,
        "dtype": str(stream.type.dtype),
        "lanes": stream.lanes,
        "bus_bits": stream.bus_bits,
    }


def _stream(tree: Mapping[str, Any]) -> StreamSpec:
    t = TensorType(tuple(map(operator.index, tree["shape"])), IntType.parse(tree["dtype"]))
    return _made(StreamSpec, type=t, lanes=tree["lanes"], bus_bits=tree["bus_bits"])


def _parse(path: Path) -> dict[str, Any]:
    found = parse_json(read_file(_own(path), ModelError))
    if not isinstance(found, dict):
        raise ModelError(f"{path.name} holds no object")
    return found


def _memory(folder: Path, tree: Mapping[str, Any] | None) -> MemoryPort | None:
    """The external memory of a design."""
    if tree is None:
        return None
    registers = tuple(tree["registers"])
    return _made(MemoryPort, image=_words(folder / MEMORY), **{**tree, "registers": registers})


def _words(path: Path) -> np.ndarray:
    return parse_npy(read_file(_own(path), ModelError))


def _own(path: Path) -> Path:
    """The path, if a plain file lies there: not a link, a device or a pipe."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ModelError(f"{path.name} is no plain file")
    return path


def _source(folder: Path, path: str) -> str:
    """The text of a source, in folders that are not links either."""
    for parent in list(PurePosixPath(path).parents)[:-1]:
        if (folder / parent).is_symlink():
            raise ModelError(f"{parent} is a link")
    return read_text(_own(folder / path), ModelError, limits.current().bytes)


def _read(folder: Path) -> Design:
    tree = _parse(folder / DESIGN)
    if tree.get("format") != FORMAT or tree.get("version") != VERSION:
        raise ModelError("it has another format; `compile` again")
    check_paths(tree["files"])
    if (folder / RTL).is_symlink():
        raise ModelError(f"{RTL} is a link")
    frames = tree["weights_frames"]
    design = _made(
        Design,
        network=storage.load(_own(folder / NETWORK)),
        files={path: _source(folder / RTL, path) for path in tree["files"]},
        input=FrameSpec(tuple(map(_stream, tree["input"]))),
        output=FrameSpec(tuple(map(_stream, tree["output"]))),
        units=tuple(_made(SynthesisUnit, **unit) for unit in tree["units"]),
        estimate=_estimate(_parse(folder / ESTIMATE)),
        program=_words(folder / PROGRAM) if tree["program"] else None,
        weights=WeightStream(_words(folder / WEIGHTS), frames) if frames is not None else None,
        memory=_memory(folder, tree["memory"]),
        device=tree.get("device", ""),
        **{name: tree[name] for name in ("target", "top", "options", "counters", "batch", "parameters")},
    )
    check_design(design)
    return design
