# SPDX-License-Identifier: Apache-2.0
"""The driver of a design: one Python file that needs NumPy and its link's package, and programs as data."""

from __future__ import annotations

import dataclasses
import pprint
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from bitwright.data import raw
from bitwright.deployment.assembly import assemble
from bitwright.deployment.rendering import Code, render
from bitwright.deployment.shipped import (
    interface,
    packets,
    pynq_host,
    pynq_link,
    serial_host,
    serial_link,
    terminal,
)
from bitwright.errors import OptionError
from bitwright.hardware.clock import DEFAULT_MHZ
from bitwright.network import InputSpec, OutputSpec, inputs
from bitwright.targets.contract import Design, FrameSpec, StreamSpec
from bitwright.tools import elements

WORDS = "program", "weights", "memory"
NETWORKS = "networks"  # the folder of programs and weights, where there are several


@dataclass(frozen=True)
class Kind:
    """A driver of one kind: its file and class, what it runs on and needs, the modules of its link, its class last."""

    file: str
    name: str
    board: str
    needs: str
    modules: tuple[ModuleType, ...]


PYNQ = Kind(
    "driver.py",
    "Driver",
    "for PYNQ",
    "It needs overlay.bit and overlay.hwh beside it, NumPy and pynq; simulation needs bitwright instead of pynq.",
    (pynq_link, pynq_host),
)
SERIAL = Kind(
    "host.py",
    "Board",
    "for a board at a serial port",
    "It needs NumPy; simulation needs bitwright, too.",
    (packets, serial_link, serial_host),
)


def write_driver(
    designs: Mapping[str, Design],
    folder: Path,
    kind: Kind = PYNQ,
    *,
    clock_mhz: float = DEFAULT_MHZ,
    class_names: Sequence[str] = (),
    extra: Mapping[str, object] | None = None,
) -> list[Path]:
    """Write the driver and, where the designs have them, their programs and weights; the files' paths.

    designs: of one hardware, by the names under which the driver loads their networks. extra: further facts for the
    link. Raises `OptionError` for designs of different hardware and class names that fit no network.
    """
    text = driver_text(designs, kind, clock_mhz=clock_mhz, class_names=class_names, extra=extra)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / kind.file]
    paths[0].write_text(text)
    for words in _words(designs).values():
        for name, array in words.values():
            paths.append(folder / name)
            paths[-1].parent.mkdir(parents=True, exist_ok=True)
            np.save(paths[-1], array)
    return paths


def driver_text(
    designs: Mapping[str, Design],
    kind: Kind = PYNQ,
    *,
    clock_mhz: float = DEFAULT_MHZ,
    class_names: Sequence[str] = (),
    extra: Mapping[str, object] | None = None,
) -> str:
    """The driver's source, see `write_driver`. What it does to data are the functions of `network.inputs`."""
    first, words = same_hardware(designs), _words(designs)
    facts: dict[str, object] = {}
    for name, design in designs.items():
        files = {what: words[name][what][0] if what in words[name] else None for what in WORDS}
        size = {} if design.memory is None else {"memory_bytes": design.memory.size}
        facts[name] = files | size | _network_facts(design, class_names)
    data = {
        "target": first.target,
        "digest": first.digest,
        "clock_mhz": clock_mhz,
        "counters": dict(first.counters or {}),
        "control": first.has_control,
        "in_bytes": first.input.tdata_bits // 8,
        "out_bytes": first.output.tdata_bits // 8,
        "weights_bytes": first.weights.tdata_bits // 8 if first.weights is not None else 0,
        "memory": None if first.memory is None else first.memory.facts(),
        **(extra or {}),
        "networks": facts,
    }
    return _rendered(kind, data)


def same_hardware(designs: Mapping[str, Design]) -> Design:
    """The first of several designs, whose hardware is that of all; `OptionError` where it is not."""
    (name, first), *others = designs.items()
    for other, design in others:
        if design.digest != first.digest:
            rule = "legal are designs of one target with the same hardware options"
            raise OptionError(f"{name!r} and {other!r} are of different hardware; {rule}")
    return first


def _words(designs: Mapping[str, Design]) -> dict[str, dict[str, tuple[str, np.ndarray]]]:
    """File and words of the program, of the weights and of the memory of each network, where it has them."""
    found: dict[str, dict[str, tuple[str, np.ndarray]]] = {}
    for number, (name, design) in enumerate(designs.items()):
        place = "{}.npy" if len(designs) == 1 else f"{NETWORKS}/{{}}_{number}.npy"
        own = {} if design.program is None else {"program": design.program}
        if design.weights is not None and len(design.weights.words):
            own["weights"] = design.weights.words
        if design.memory is not None:
            own["memory"] = design.memory.image
        found[name] = {what: (place.format(what), np.asarray(words, np.uint32)) for what, words in own.items()}
    return found


def _network_facts(design: Design, class_names: Sequence[str]) -> dict[str, object]:
    network = design.network
    if class_names and (len(network.outputs) > 1 or network.output.shape[-1] not in (1, len(class_names))):
        raise OptionError(f"there are {len(class_names)} class names for outputs of shape {network.outputs[0].shape}")
    return {
        "classes": list(class_names) or None,
        "raw_data": any(map(declares_raw_data, network.inputs)),
        "inputs": _sides(design.input, network.inputs),
        "outputs": _sides(design.output, network.outputs),
    }


def _rendered(kind: Kind, data: Mapping[str, object]) -> str:
    """The file with these facts: the modules that all drivers share, those of its link, its class."""
    shared = [(elements, None), (raw, ("classes",)), (inputs, None), (interface, None)]
    own = [(module, None) for module in (*kind.modules[:-1], terminal)]
    _, source = assemble([*shared, *own])
    imports, _ = assemble([(interface, ()), *((module, ()) for module in (*kind.modules, terminal))])
    _, host = assemble([(kind.modules[-1], None)])
    used = set(imports.splitlines()) | {"from typing import Any", "from pathlib import Path"}
    return render(
        "driver.py.j2",
        board=Code(kind.board),
        module=kind.file.removesuffix(".py"),
        name=kind.name,
        needs=Code(kind.needs),
        imports=Code("\n".join(sorted(used, key=lambda line: (line.startswith("from"), line)))),
        design=_literal(data),
        source=Code(source),
        host=Code(host),
    )


def _literal(data: Mapping[str, object]) -> Code:
    """The data as a Python literal in ASCII: other characters stand only within its strings, and become escapes."""
    return Code(pprint.pformat(dict(data), width=110, sort_dicts=False).encode("ascii", "backslashreplace").decode())


def declares_raw_data(spec: InputSpec) -> bool:
    """Whether the network says how raw data become its floats: by their scale, mean, deviation or layout."""
    plain = (spec.data_scale, set(spec.data_mean), set(spec.data_std)) == (1.0, {0.0}, {1.0})
    return not plain or spec.data_layout != spec.layout


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
