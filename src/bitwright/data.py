# SPDX-License-Identifier: Apache-2.0
"""Data files: `.npz` with `x` (or `images`) and, where known, `labels`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from bitwright.errors import DataError, ModelError, OptionError
from bitwright.files import read_file
from bitwright.network import InputSpec, Network
from bitwright.parsing import parse_npy, unzip

LAYOUTS = ("HWC", "CHW", "C")
ARRAYS = ("x", "images", "labels")


@dataclass(frozen=True, eq=False)
class Data:
    """Raw samples [N, ...] as the file has them, and their labels [N], if it has any."""

    path: Path
    x: np.ndarray
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.x)

    def prepared(self, spec: InputSpec) -> np.ndarray:
        """The samples as the model's float input."""
        try:
            return spec.prepare(self.x)
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from None

    def first(self, count: int) -> Data:
        """The first samples; `OptionError` where there are fewer."""
        if not 1 <= count <= len(self):
            raise OptionError(f"{count} samples asked for; {self.path} has {len(self)}")
        return Data(self.path, self.x[:count], None if self.labels is None else self.labels[:count])


def load_data(path: Path) -> Data:
    """Read a data file; `DataError` where it is missing, damaged, or lacks the arrays."""
    try:
        arrays = _arrays(read_file(path, DataError))
    except ModelError as error:
        raise DataError(f"{path}: {error}") from None
    except ValueError:
        raise DataError(f"{path} is no .npz file of plain arrays, or it is damaged") from None
    name = next((n for n in ("x", "images") if n in arrays), None)
    if name is None:
        raise DataError(f"{path} holds {_listed(sorted(arrays))}; legal is an array x or images")
    x, labels = arrays[name], arrays.get("labels")
    if x.ndim < 1 or len(x) == 0:
        raise DataError(f"{path}: {name} has shape {x.shape}; legal is at least one sample (N, ...)")
    if labels is not None and (labels.shape != (len(x),) or labels.dtype.kind not in "iu"):
        raise DataError(
            f"{path}: labels are {labels.dtype} of shape {labels.shape}; legal are integers of shape ({len(x)},)"
        )
    return Data(path, x, labels)


def _listed(names: list[str]) -> str:
    """The first names, none longer than a line takes; control characters as escapes."""
    shown = ", ".join(ascii(name[:40])[1:-1] for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown or "nothing"


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    """The arrays that data files have, by name; of a file with none of them the names alone."""
    names: list[str] = []

    def wanted(entry: str) -> bool:
        names.append(entry.removesuffix(".npy"))
        return names[-1] in ARRAYS

    found = {entry.removesuffix(".npy"): content for entry, content in unzip(data, wanted).items()}
    return {name: parse_npy(content) for name, content in found.items()} or dict.fromkeys(names, np.zeros(()))


def with_data_options(
    spec: InputSpec, layout: str | None, scale: str | None, mean: str | None, std: str | None
) -> InputSpec:
    """The specification with the given ways of raw data; what is None stays as it is."""
    changes: dict[str, Any] = {}
    if layout is not None:
        if layout.upper() not in LAYOUTS:
            raise OptionError(f"--input-layout is {layout!r}; legal are {', '.join(LAYOUTS)}")
        changes["data_layout"] = layout.upper()
    if scale is not None:
        changes["data_scale"] = _number(scale, "--input-scale")
    for name, text in (("mean", mean), ("std", std)):
        if text is not None:
            changes[f"data_{name}"] = _channel_values(text, f"--input-{name}", spec)
    if 0 in changes.get("data_std", (1.0,)):
        raise OptionError("--input-std holds 0; legal are numbers other than 0")
    return dataclasses.replace(spec, **changes) if changes else spec


def raw_options(spec: InputSpec) -> dict[str, Any]:
    """How raw data become the model's input, as fields of the specification."""
    return {name: getattr(spec, name) for name in ("data_layout", "data_scale", "data_mean", "data_std")}


def remembering(network: Network, spec: InputSpec) -> Network:
    """The network with what `spec` says of raw data."""
    return dataclasses.replace(network, input=dataclasses.replace(network.input, **raw_options(spec)))


def _number(text: str, option: str) -> float:
    """A number, or a fraction such as 1/255."""
    try:
        top, _, bottom = text.partition("/")
        value = float(top) if not bottom else float(Fraction(top) / Fraction(bottom))
    except (ValueError, ZeroDivisionError):
        raise OptionError(f"{option} is {text!r}; legal is a number, or a fraction such as 1/255") from None
    if not np.isfinite(value):
        raise OptionError(f"{option} is {text!r}; legal are finite numbers")
    return value


def _channel_values(text: str, option: str, spec: InputSpec) -> tuple[float, ...]:
    values = tuple(_number(part, option) for part in text.split(","))
    channels = spec.type.channels if len(spec.type.shape) == 3 else spec.shape[0] if len(spec.shape) == 3 else 1
    if len(values) not in (1, channels):
        raise OptionError(f"{option} gives {len(values)} values; legal are 1 or {channels}, one per channel")
    return values


def classes(y: np.ndarray) -> np.ndarray:
    """The class of each output [N, ...]: itself where it is one number, else the index of the first largest."""
    flat = y.reshape(len(y), -1)
    return flat[:, 0].astype(np.int64) if flat.shape[1] == 1 else flat.argmax(axis=1)
