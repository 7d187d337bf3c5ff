# SPDX-License-Identifier: Apache-2.0
"""Arrays of `.npz` and `.npy` files; those that are too large to be read are mapped into memory."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bitwright import limits
from bitwright.data.raw import orders
from bitwright.errors import DataError, ModelError
from bitwright.files import read_file, read_head
from bitwright.network import InputSpec
from bitwright.network.inputs import accepts
from bitwright.network.types import Array
from bitwright.parsing import parse_npy, unzip

SAMPLES, LABELS = ("x", "images"), ("labels", "label", "y")
BROKEN = "is no .npz file of plain arrays, or it is damaged"
MOST_SHOWN = 5
MAPPED = 1 << 24  # bytes of a file whose arrays are mapped rather than read, where they are stored as they are


class Raw(Protocol):
    """Raw samples: an array, or files that are read when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def ndim(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Array: ...


def read_npy(path: Path, names: tuple[str, ...]) -> tuple[Array, Array | None]:
    """The array of `NAME.npy`, mapped, and that of `NAME.labels.npy` beside it, if there is one."""
    if names:
        raise DataError(f"{path} holds one array without a name; legal is the file alone")
    labels = path.with_suffix(".labels.npy")
    return _mapped(path), np.asarray(_mapped(labels)) if labels.exists() else None


def read_npz(path: Path, spec: InputSpec, names: tuple[str, ...]) -> tuple[Array, Array | None]:
    """Samples and labels: of the arrays named, else by their usual names, else the one array that fits the model."""
    entries, array = _open(path)
    if len(names) > 2 or "" in names:
        raise DataError(f"{path}:{','.join(names)} names no arrays; legal is FILE:SAMPLES or FILE:SAMPLES,LABELS")
    for name in names:
        if name not in entries:
            raise DataError(f"{path} has no array {name[:40]!r}; it holds {_listed(entries)}")
    if names:
        return array(names[0]), array(names[1]) if len(names) == 2 else None
    usual = next((n for n in SAMPLES if n in entries), None)
    return array(usual) if usual else _fitting(path, spec, entries, array), _labels(entries, array)


def read_several(path: Path, specs: Sequence[InputSpec]) -> tuple[dict[str, Array], Array | None]:
    """Samples of several inputs, the arrays of their names, and labels by their usual name among the others."""
    entries, array = _open(path)
    names = [spec.name for spec in specs]
    missing = [name for name in names if name not in entries]
    if missing:
        legal = f"an array for every input: {', '.join(names)}"
        raise DataError(f"{path} has no array {missing[0][:40]!r}; it holds {_listed(entries)}; legal is {legal}")
    return {name: array(name) for name in names}, _labels([name for name in entries if name not in names], array)


def _open(path: Path) -> tuple[list[str], Callable[[str], Array]]:
    """The names of a file's arrays, and a function that reads one."""
    size, most = path.stat().st_size if path.is_file() else 0, limits.current().bytes
    if size <= min(MAPPED, most):
        return _archive(path)
    infos = _infos(path)
    if size <= most and any(info.compress_type != zipfile.ZIP_STORED for info in infos.values()):
        return _archive(path)
    return list(infos), lambda name: _mapped_entry(path, infos[name])


def _fitting(path: Path, spec: InputSpec, entries: list[str], array: Callable[[str], Array]) -> Array:
    """The one array with samples for the model."""
    found = {name: array(name) for name in entries}
    fit = [a for a in found.values() if a.ndim > 1 and any(accepts(s, a.shape[1:]) for s in orders(spec))]
    if len(fit) == 1:
        return fit[0]
    shapes = {name: a.shape for name, a in found.items()}
    legal = "an array x or images, or a name: FILE:SAMPLES,LABELS"
    many = f", of which {len(fit)} fit the model" if fit else ""
    raise DataError(f"{path} holds {_listed(entries, shapes)}{many}; legal is {legal}")


def _labels(entries: list[str], array: Callable[[str], Array]) -> Array | None:
    """Labels by their usual name; an array of another usual name counts where it holds integers alone."""
    if LABELS[0] in entries:
        return array(LABELS[0])
    others = [array(name) for name in LABELS[1:] if name in entries]
    return next((a for a in others if a.ndim == 1 and a.dtype.kind in "iu"), None)


def _listed(names: list[str], shapes: Mapping[str, tuple[int, ...]] = {}) -> str:
    """The first names, none longer than a line takes; control characters as escapes."""
    first = sorted(names)[:MOST_SHOWN]
    shown = ", ".join(ascii(name[:40])[1:-1] + (f" {shapes[name]}" if name in shapes else "") for name in first)
    return f"{shown} and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else shown or "nothing"


def _archive(path: Path) -> tuple[list[str], Callable[[str], Array]]:
    """The names of the arrays, and a function that reads one."""
    content = read_file(path, DataError)

    def entries(wanted: Callable[[str], bool]) -> dict[str, bytes]:
        try:
            return unzip(content, wanted)
        except ModelError as error:
            raise DataError(f"{path}: {error}") from None
        except ValueError:
            raise DataError(f"{path} {BROKEN}") from None

    names: list[str] = []

    def listed(entry: str) -> bool:
        names.append(entry.removesuffix(".npy"))
        return False

    entries(listed)

    def array(name: str) -> Array:
        found = entries(lambda entry: entry.removesuffix(".npy") == name)
        try:
            return parse_npy(next(iter(found.values())))
        except ValueError:
            raise DataError(f"{path} {BROKEN}") from None

    return names, array


def _mapped(path: Path) -> Array:
    """A memory-mapped array; `DataError` where the file is missing or holds no plain array."""
    read_head(path, 6, DataError)
    try:
        found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError):
        raise DataError(f"{path} is no .npy file of a plain array, or it is damaged") from None
    return found


def _infos(path: Path) -> dict[str, zipfile.ZipInfo]:
    """Where the arrays of a file lie, by name; `np.savez` stores them as they are."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError):
        raise DataError(f"{path} {BROKEN}") from None


def _mapped_entry(path: Path, info: zipfile.ZipInfo) -> Array:
    if info.compress_type != zipfile.ZIP_STORED:
        raise DataError(f"{path} is compressed and too large to be unpacked; legal are np.savez and .npy files")
    try:
        with path.open("rb") as file:
            file.seek(info.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
            file.seek(info.header_offset + 30 + name + extra)
            start, version = file.tell(), np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            size = math.prod(shape) * dtype.itemsize
            if dtype.hasobject or file.tell() - start + size != info.file_size:
                raise ValueError
            return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")
    except (ValueError, TypeError, struct.error, OSError):
        raise DataError(f"{path}: {info.filename} is no plain array, or it is damaged") from None
