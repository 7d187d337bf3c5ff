# SPDX-License-Identifier: Apache-2.0
"""Training data, which may be larger than memory: `.npz`, memory-mapped `.npy`, or a folder of images."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bitwright import limits
from bitwright.data import load_data, raw_options
from bitwright.errors import DataError, ToolError
from bitwright.files import read_head
from bitwright.network import InputSpec
from bitwright.network.types import Array
from bitwright.quantization.floatrun import check_labels

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm")
CHUNK = 256
DIGESTED = 256  # samples whose bytes tell one data set from another


class Raw(Protocol):
    """Raw samples: an array, or files that are read when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Array: ...


@dataclass(frozen=True, eq=False)
class Samples:
    """Raw samples, how they become the model's input, and their labels [N], if they have any."""

    raw: Raw
    labels: Array | None
    spec: InputSpec
    where: str = "data"

    def __len__(self) -> int:
        return len(self.raw)

    def take(self, indices: Array) -> Array:
        """The model's float inputs [n, *input shape] of some samples; `DataError` for what does not fit."""
        try:
            return self.spec.prepare(self.raw[indices])
        except DataError as error:
            raise DataError(f"{self.where}: {error}") from None

    def chunks(self, indices: Array) -> Iterator[tuple[slice, Array]]:
        """(positions, inputs) of some samples, a few at a time."""
        for start in range(0, len(indices), CHUNK):
            part = slice(start, min(start + CHUNK, len(indices)))
            yield part, self.take(indices[part])

    def identity(self) -> tuple[object, ...]:
        """What tells these data from others: their count, some of their samples, and all labels."""
        some = np.unique(np.linspace(0, len(self) - 1, min(DIGESTED, len(self))).astype(np.int64))
        return len(self), np.asarray(self.raw[some]), self.labels, raw_options(self.spec)


def samples_of(x: Array, labels: Array | None, spec: InputSpec, what: str = "data") -> Samples:
    """Samples as the model takes them; `DataError` where shape or type does not fit."""
    x = x if isinstance(x, np.ndarray) else np.asarray(x)  # keeps a memory map as it is
    if x.dtype.kind not in "fiub" or x.shape[1:] != spec.shape or len(x) == 0:
        legal = ", ".join(map(str, spec.shape))
        raise DataError(f"{what} is {x.dtype} of shape {x.shape}; legal are real numbers of shape (N, {legal}), N >= 1")
    return Samples(x, None if labels is None else check_labels(labels, len(x)), spec, what)


def open_samples(path: Path, spec: InputSpec) -> Samples:
    """The samples of a file or folder; `DataError` where they are missing, damaged or do not fit the model.

    Labels are in the `.npz` file; beside `NAME.npy` in `NAME.labels.npy`; of images, the order of the folders
    that they lie in.
    """
    if path.is_dir():
        found = _images(path, spec)
    elif path.suffix == ".npy":
        labels = path.with_suffix(".labels.npy")
        found = Samples(_mapped(path), np.asarray(_mapped(labels)) if labels.exists() else None, spec, str(path))
    elif path.is_file() and path.stat().st_size > limits.current().bytes:
        found = _mapped_archive(path, spec)
    else:
        data = load_data(path)
        found = Samples(data.x, data.labels, spec, str(path))
    if len(found) == 0:
        raise DataError(f"{path} has no samples; legal is at least one")
    if found.labels is not None:
        try:
            check_labels(found.labels, len(found))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    found.take(np.arange(1))
    return found


def _mapped(path: Path) -> Array:
    """A memory-mapped array; `DataError` where the file is missing or holds no plain array."""
    read_head(path, 6, DataError)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError):
        raise DataError(f"{path} is no .npy file of a plain array, or it is damaged") from None


def _mapped_archive(path: Path, spec: InputSpec) -> Samples:
    """The arrays of an `.npz` file that is too large to be read, mapped: `np.savez` stores them as they are."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError):
        raise DataError(f"{path} is no .npz file of plain arrays, or it is damaged") from None
    name = next((n for n in ("x", "images") if n in entries), None)
    if name is None:
        raise DataError(f"{path} holds no array x or images")
    labels = _mapped_entry(path, entries["labels"]) if "labels" in entries else None
    return Samples(_mapped_entry(path, entries[name]), None if labels is None else np.asarray(labels), spec, str(path))


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


@dataclass(frozen=True, eq=False)
class _Images:
    """Image files, decoded when they are asked for: uint8 [n, H, W, C]."""

    paths: tuple[Path, ...]
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any, /) -> Array:
        return np.stack([self._decoded(self.paths[i]) for i in np.atleast_1d(index)])

    def _decoded(self, path: Path) -> Array:
        image = _pillow()
        height, width, channels = self.shape
        try:
            with image.open(path) as file:
                if (file.height, file.width) != (height, width):
                    raise DataError(f"{path} has {file.height} by {file.width} pixels; legal are {height} by {width}")
                pixels = np.asarray(file.convert("L" if channels == 1 else "RGB"), np.uint8)
        except (OSError, ValueError, SyntaxError, image.DecompressionBombError):
            raise DataError(f"{path} is no image, or it is damaged") from None
        return pixels.reshape(self.shape)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ToolError("a folder of images needs Pillow: pip install 'bitwright[train]'") from None
    return Image


def _images(folder: Path, spec: InputSpec) -> Samples:
    shape = spec.type.shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise DataError(f"{folder} is a folder of images; legal for models of images with 1 or 3 channels alone")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    if not paths:
        raise DataError(f"{folder} holds no images ({', '.join(IMAGE_SUFFIXES)})")
    classes = sorted({p.parent for p in paths})
    labels = np.array([classes.index(p.parent) for p in paths]) if len(classes) > 1 else None
    size = (shape[0], shape[1], shape[2])
    return Samples(_Images(tuple(paths), size), labels, replace(spec, data_layout="HWC"), str(folder))
