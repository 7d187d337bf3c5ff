# SPDX-License-Identifier: Apache-2.0
"""Samples for a model, which may be larger than memory: of arrays, images or tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bitwright.data.arrays import Raw, read_npy, read_npz, read_several
from bitwright.data.images import read_images
from bitwright.data.raw import orders, raw_options
from bitwright.data.table import read_table
from bitwright.errors import DataError, OptionError
from bitwright.network import InputSpec
from bitwright.network.bundles import bundled
from bitwright.network.inputs import accepts, check_raw
from bitwright.network.types import Array

CHUNK = 256
DIGESTED = 256  # samples whose bytes tell one data set from another
TABLES = (".csv", ".tsv", ".txt")
OTHER_ORDER = "; --input-layout names another order of images"


@dataclass(frozen=True, eq=False)
class Samples:
    """Raw samples, how they become the model's input, and their labels [N], if they have any.

    more: the same of the model's other inputs, in their order.
    """

    raw: Raw
    labels: Array | None
    spec: InputSpec
    where: str = "data"
    more: tuple[Samples, ...] = ()

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def specs(self) -> tuple[InputSpec, ...]:
        """The specifications of all inputs."""
        return (self.spec, *(other.spec for other in self.more))

    def take(self, indices: Array) -> Array:
        """The model's float inputs [n, *input shape] of some samples, of several inputs as a bundle.

        `DataError` for what does not fit.
        """
        try:
            own = self.spec.prepare(self.raw[indices], indices)
        except DataError as error:
            raise DataError(f"{self.where}: {error}") from None
        return bundled({self.spec.name: own} | {other.spec.name: other.take(indices) for other in self.more})

    def prepared(self) -> Array:
        """The model's float inputs [N, *input shape] of all samples."""
        return self.take(np.arange(len(self)))

    def first(self, count: int) -> Samples:
        """The first samples; `OptionError` where there are fewer."""
        if not 1 <= count <= len(self):
            raise OptionError(f"{count} samples asked for; {self.where} has {len(self)}")
        labels = None if self.labels is None else self.labels[:count]
        more = tuple(other.first(count) for other in self.more)
        return replace(self, raw=self.raw[np.arange(count)], labels=labels, more=more)

    def chunks(self, indices: Array) -> Iterator[tuple[slice, Array]]:
        """(positions, inputs) of some samples, a few at a time."""
        for start in range(0, len(indices), CHUNK):
            part = slice(start, min(start + CHUNK, len(indices)))
            yield part, self.take(indices[part])

    def identity(self) -> tuple[object, ...]:
        """What tells these data from others: their count, some of their samples, and all labels."""
        some = np.unique(np.linspace(0, len(self) - 1, min(DIGESTED, len(self))).astype(np.int64))
        return len(self), np.asarray(self.raw[some]), self.labels, raw_options(self.spec)


def check_labels(labels: Array, count: int) -> Array:
    """labels as an array of `count` integers; `DataError` where they are none."""
    labels = np.asarray(labels)
    if labels.shape != (count,):
        raise DataError(f"labels of shape {labels.shape} for {count} samples; legal is ({count},)")
    if labels.dtype.kind not in "iu":
        raise DataError(f"labels have type {labels.dtype}; legal are integers")
    return labels


def samples_of(x: Array, labels: Array | None, spec: InputSpec, what: str = "data") -> Samples:
    """Samples as the model takes them; `DataError` where shape or type does not fit."""
    x = x if isinstance(x, np.ndarray) else np.asarray(x)  # keeps a memory map as it is
    if x.dtype.kind not in "fiub" or x.shape[1:] != spec.shape or len(x) == 0:
        legal = ", ".join(map(str, spec.shape))
        raise DataError(f"{what} is {x.dtype} of shape {x.shape}; legal are real numbers of shape (N, {legal}), N >= 1")
    return Samples(x, None if labels is None else check_labels(labels, len(x)), spec, what)


def open_samples(source: str | Path, *specs: InputSpec, layout_given: bool = False) -> Samples:
    """The samples of a file or folder for a model's inputs; `DataError` where they are missing, damaged or do not fit.

    Those of several inputs are the arrays of an `.npz` file that have the inputs' names. source of one input: an
    `.npz`, `.npy` or `.csv` file or a folder of images, and what is taken of a file behind a colon: `FILE.npz:X` or
    `FILE.npz:X,LABELS` names arrays, `FILE.csv:COLUMN` the column of labels. Images are HWC or CHW, as their shape
    says; where both fit, in the order of `spec`, as always with `layout_given`. docs/data.md says more.
    """
    path, names = _split(str(source))
    if len(specs) > 1:
        return _of_several(path, names, specs)
    (spec,) = specs
    raw: Raw
    labels: Array | None
    if path.is_dir():
        if names:
            raise DataError(
                f"{path} is a folder, and {':'.join(('', *names))} names an array; legal is the folder alone"
            )
        raw, labels = read_images(path, spec)
        spec, layout_given = replace(spec, data_layout="HWC"), True
    elif path.suffix.lower() in TABLES:
        raw, labels = read_table(path, spec, names)
    elif path.suffix.lower() == ".npy":
        raw, labels = read_npy(path, names)
    else:
        raw, labels = read_npz(path, spec, names)
    return _checked(path, raw, labels, spec, layout_given)


def _of_several(path: Path, names: tuple[str, ...], specs: tuple[InputSpec, ...]) -> Samples:
    legal = f"an .npz file with the arrays {', '.join(spec.name for spec in specs)}, which the inputs are called"
    if names or path.suffix.lower() in (*TABLES, ".npy") or path.is_dir():
        raise DataError(f"{path} holds no samples of several inputs; legal is {legal}")
    arrays, labels = read_several(path, specs)
    first, *more = (_checked(path, arrays[spec.name], labels, spec, False) for spec in specs)
    counts = {len(samples) for samples in (first, *more)}
    if len(counts) > 1:
        raise DataError(f"{path} holds {' and '.join(map(str, sorted(counts)))} samples of inputs; legal is one number")
    return replace(first, more=tuple(more))


def _checked(path: Path, raw: Raw, labels: Array | None, spec: InputSpec, layout_given: bool) -> Samples:
    """Samples that fit the model's input."""
    if raw.ndim < 1 or len(raw) == 0:
        raise DataError(f"{path} has no samples: its array has shape {raw.shape}; legal is at least one, (N, ...)")
    if labels is not None:
        try:
            labels = check_labels(labels, len(raw))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    spec = spec if layout_given else _in_layout(spec, raw.shape[1:])
    dtype = raw[np.arange(1)].dtype
    try:
        check_raw(spec, dtype, raw.shape)
    except DataError as error:
        hint = OTHER_ORDER if len(orders(spec)) > 1 and dtype.kind in "iufb" else ""
        raise DataError(f"{path}: {error}{hint}") from None
    return Samples(raw, labels, spec, str(path))


def _split(source: str) -> tuple[Path, tuple[str, ...]]:
    """The file, and the names behind a colon."""
    head, colon, tail = source.rpartition(":")
    if not colon or Path(source).exists() or not head:
        return Path(source), ()
    return Path(head), tuple(tail.split(","))


def _in_layout(spec: InputSpec, shape: tuple[int, ...]) -> InputSpec:
    """With the other order of image axes where only that one fits samples of this shape."""
    return next((order for order in orders(spec) if accepts(order, shape)), spec)
