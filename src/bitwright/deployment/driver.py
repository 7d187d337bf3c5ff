# SPDX-License-Identifier: Apache-2.0
"""The PYNQ driver of a design: one Python file that needs NumPy and pynq, and the program as data."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import pprint
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from bitwright.data.raw import classes
from bitwright.deployment.rendering import Code, render
from bitwright.design import packing
from bitwright.hardware.clock import DEFAULT_MHZ
from bitwright.network import InputSpec, OutputSpec, inputs
from bitwright.targets.contract import Design, FrameSpec, StreamSpec


def write_driver(design: Design, folder: Path, *, clock_mhz: float = DEFAULT_MHZ) -> list[Path]:
    """Write `driver.py` and, where the design has them, `program.npy` and `weights.npy`; the files' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "driver.py"]
    paths[0].write_text(driver_text(design, clock_mhz))
    if design.program is not None:
        paths.append(folder / "program.npy")
        np.save(paths[-1], np.asarray(design.program, np.uint32))
    if design.weights is not None and _streams_weights(design):
        paths.append(folder / "weights.npy")
        np.save(paths[-1], np.asarray(design.weights.words, np.uint32))
    return paths


def _streams_weights(design: Design) -> bool:
    """Whether the network's weights come through the weight stream, if the design has one."""
    return design.weights is not None and len(design.weights.words) > 0


def driver_text(design: Design, clock_mhz: float) -> str:
    """The driver's source. What it does to data are the functions of `network.inputs`, word for word."""
    network = design.network
    data = {
        "network": network.name,
        "target": design.target,
        "digest": design.digest,
        "clock_mhz": clock_mhz,
        "program": "program.npy" if design.program is not None else None,
        "weights": "weights.npy" if _streams_weights(design) else None,
        "counters": dict(design.counters or {}),
        "raw_data": any(map(declares_raw_data, network.inputs)),
        "inputs": _sides(design.input, network.inputs),
        "outputs": _sides(design.output, network.outputs),
    }
    helpers = [inspect.getsource(f) for f in (packing.to_bytes, packing.from_bytes, classes)]
    code = Code("\n\n".join([*helpers, _definitions(inputs)]))
    return render("driver.py.j2", design=_literal(data), helpers=code)


def _literal(data: dict[str, object]) -> Code:
    """The data as a Python literal in ASCII: other characters stand only within its strings, and become escapes."""
    return Code(pprint.pformat(data, width=110, sort_dicts=False).encode("ascii", "backslashreplace").decode())


def declares_raw_data(spec: InputSpec) -> bool:
    """Whether the network says how raw data become its floats: by their scale, mean, deviation or layout."""
    plain = (spec.data_scale, set(spec.data_mean), set(spec.data_std)) == (1.0, {0.0}, {1.0})
    return not plain or spec.data_layout != spec.layout


def _definitions(module: ModuleType) -> str:
    """The source of a module's constants and functions."""
    text = inspect.getsource(module)
    skipped = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.Expr)
    kept = [node for node in ast.parse(text).body if not isinstance(node, skipped)]
    return "\n\n".join(f"{ast.get_source_segment(text, node)}\n" for node in kept)


def _sides(frame: FrameSpec, specs: Sequence[InputSpec | OutputSpec]) -> list[dict[str, object]]:
    """What the driver knows of inputs or outputs, in the order of their words in a frame."""
    pairs = zip(frame.tensors, specs, strict=True)
    return [_stream(own, frame.tdata_bits // 8) | {"name": s.name, "floats": _fields(s)} for own, s in pairs]


def _stream(spec: StreamSpec, word_bytes: int) -> dict[str, object]:
    dtype = spec.type.dtype
    return {
        "shape": spec.type.shape,
        "type": str(dtype),
        "bits": dtype.bits,
        "signed": dtype.signed,
        "bipolar": dtype.bipolar,
        "lanes": spec.lanes,
        "words": spec.words,
        "word_bytes": word_bytes,
    }


def _fields(spec: InputSpec | OutputSpec) -> dict[str, object]:
    """All that a specification says of floats; arrays as lists, tuples as they are."""
    names = [field.name for field in dataclasses.fields(spec) if field.name not in ("type", "value")]
    values = {name: getattr(spec, name) for name in names}
    return {name: v.tolist() if isinstance(v, (np.ndarray, np.generic)) else v for name, v in values.items()}
