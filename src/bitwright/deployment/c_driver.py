# SPDX-License-Identifier: Apache-2.0
"""The C99 driver of an overlay: a header and a source that need no library."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bitwright.deployment.driver import declares_raw_data, same_hardware
from bitwright.deployment.rendering import Code, render
from bitwright.hardware.memory_port import PAGE
from bitwright.network import InputSpec, OutputSpec
from bitwright.network.inputs import affine, data_shape, in_hwc, prepare
from bitwright.targets.contract import Design, FrameSpec, StreamSpec

C_PREFIX = "bitwright"
ONES, ZEROS = np.ones(1), np.zeros(1)


def write_c_driver(designs: Mapping[str, Design], folder: Path, prefix: str = C_PREFIX) -> list[Path]:
    """Write `<prefix>.h` and `<prefix>.c`; the files' paths. The networks are numbered in the order of `designs`.

    Raw data are prepared but for vectors with a mean or deviation for each channel of an image. Raises `OptionError`
    for designs of different hardware.
    """
    first = same_hardware(designs)
    counters = dict(first.counters or {})
    places, memory_bytes = _places(designs)
    values = {
        "p": prefix,
        "networks": len(designs),
        "weights_bytes": first.weights.tdata_bits // 8 if first.weights is not None else 0,
        "counters": {re.sub(r"\W", "_", name): address for name, address in counters.items()},
        "errors": counters.get("errors"),
        "in_bytes": first.input.tdata_bits // 8,
        "out_bytes": first.output.tdata_bits // 8,
        "memory": first.memory,
        "memory_bytes": memory_bytes,
        "data": Code(_data(designs, places)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{prefix}.h", folder / f"{prefix}.c"]
    for path, template in zip(paths, ("driver.h.j2", "driver.c.j2"), strict=True):
        path.write_text(render(template, **values))
    return paths


def _places(designs: Mapping[str, Design]) -> tuple[list[int], int]:
    """Where the memory of each network begins in that of all, each from a page on, and bytes of all."""
    places, end = [], 0
    for design in designs.values():
        places.append(end)
        end += 0 if design.memory is None else -(-design.memory.size // PAGE) * PAGE
    return places, end


def _data(designs: Mapping[str, Design], places: Sequence[int]) -> str:
    """The tables of all networks."""
    tables, rows = [], []
    for number, design in enumerate(designs.values()):
        network, sides = design.network, {}
        ends: list[tuple[str, FrameSpec, Sequence[InputSpec | OutputSpec]]]
        ends = [("in", design.input, network.inputs), ("out", design.output, network.outputs)]
        for way, frame, specs in ends:
            made = [
                _side(f"n{number}_{way}{i}", stream, spec)
                for i, (stream, spec) in enumerate(zip(frame.tensors, specs, strict=True))
            ]
            tables += [table for table, _ in made]
            sides[way] = len(made)
            tables.append(f"static const side n{number}_{way}[] = {{{', '.join(row for _, row in made)}}};\n")
        program = np.zeros((0, 2)) if design.program is None else design.program
        weights = np.zeros(0) if design.weights is None else design.weights.words.reshape(-1)
        words = {"program": np.asarray(program, np.uint32).reshape(-1), "weights": np.asarray(weights, np.uint32)}
        tables += [_array("uint32_t", f"n{number}_{name}", a) for name, a in words.items() if len(a)]
        names = [f"n{number}_{name}" if len(a) else "0" for name, a in words.items()]
        raw = int(any(map(declares_raw_data, network.inputs)) and all(map(_prepared, network.inputs)))
        sizes = [sides["in"], sides["out"], *names, len(words["program"]) // 2, len(words["weights"]), raw]
        if design.memory is not None:
            tables.append(_array("uint32_t", f"n{number}_memory", design.memory.image))
            sizes += [f"n{number}_memory", len(design.memory.image), places[number]]
        rows.append(f"{{n{number}_in, n{number}_out, {', '.join(map(str, sizes))}}}")
    return "".join(tables) + f"static const network networks[] = {{{', '.join(rows)}}};\n"


def _side(name: str, stream: StreamSpec, spec: InputSpec | OutputSpec) -> tuple[str, str]:
    """The tables of one input or output, and its row."""
    dtype, channels = stream.type.dtype, stream.type.shape[-1]
    arrays: dict[str, tuple[str, Iterable[float] | None]] = {}
    low, high, divides, data_scale = 0.0, 0.0, 0, 1.0
    if isinstance(spec, InputSpec):
        factor, before, after = affine(spec)
        order, mean, std = _raw(spec)
        low, high, divides, data_scale = spec.low, spec.high, int(spec.rule != "multiply"), spec.data_scale
        arrays = {"order": ("uint32_t", order), "mean": ("float", mean), "deviation": ("float", std)}
        arrays |= {"factor": ("float", factor), "before": ("float", before), "after": ("double", after)}
        arrays |= {"scale": ("double", None), "offset": ("double", None)}
    else:
        arrays = {"order": ("uint32_t", None)}
        arrays |= dict.fromkeys(("mean", "deviation", "factor", "before"), ("float", None))
        arrays |= {"after": ("double", None), "scale": ("double", spec.scale), "offset": ("double", spec.offset)}
    tables, places = "", []
    for key, (kind, values) in arrays.items():
        if values is None:
            places.append("0")
            continue
        own = np.asarray(values)
        wide = own if key == "order" else np.broadcast_to(own, (channels,)) if own.size == 1 else own
        tables += _array(kind, f"{name}_{key}", wide)
        places.append(f"{name}_{key}")
    head = [stream.type.size, stream.words, stream.lanes, channels, dtype.bits, int(dtype.signed), int(dtype.bipolar)]
    row = [*head, places[0], _number("float", data_scale), *places[1:], _number("double", low), _number("double", high)]
    return tables, f"{{{', '.join(map(str, [*row, divides]))}}}"


def _raw(spec: InputSpec) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Which raw element each of the network's elements is, None where they lie alike; mean and deviation by channel."""
    if not _prepared(spec):
        return None, ZEROS, ONES
    mean, std = np.asarray(spec.data_mean), np.asarray(spec.data_std)
    plain = dataclasses.replace(spec, data_scale=1.0, data_mean=(0.0,), data_std=(1.0,))
    shape = data_shape(plain)
    x = prepare(plain, np.arange(int(np.prod(shape)), dtype=np.float32).reshape(1, *shape))
    order = in_hwc(spec, x).reshape(-1).astype(np.int64)
    return (None if np.array_equal(order, np.arange(len(order))) else order), mean, std


def _prepared(spec: InputSpec) -> bool:
    """Whether C prepares such raw data."""
    by_channel = max(len(spec.data_mean), len(spec.data_std)) > 1
    return spec.type.size <= 1 << 24 and (len(spec.type.shape) == 3 or not by_channel)


def _array(kind: str, name: str, values: np.ndarray) -> str:
    texts = [_number(kind, value) for value in np.ravel(values)]
    lines = [", ".join(texts[i : i + 12]) for i in range(0, len(texts), 12)]
    body = ",\n    ".join(lines)
    return f"static const {kind} {name}[] = {{\n    {body}}};\n"


def _number(kind: str, value: float) -> str:
    """A constant of C that is the value, bit for bit."""
    if kind == "uint32_t":
        return f"{int(value)}u"
    found = np.float32(value) if kind == "float" else np.float64(value)
    text = float(found).hex()
    return text + ("f" if kind == "float" else "")
