# SPDX-License-Identifier: Apache-2.0
"""A table of numbers as raw samples: one row a sample."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from bitwright.errors import DataError
from bitwright.files import read_file
from bitwright.network import InputSpec
from bitwright.network.inputs import data_shape
from bitwright.network.types import Array

LABELS = ("label", "labels", "class", "target", "y")
DELIMITERS = ",;\t"


def read_table(path: Path, spec: InputSpec, names: tuple[str, ...]) -> tuple[Array, Array | None]:
    """Samples and labels of a file of comma-, semicolon- or tab-separated numbers, with or without a line of names.

    names: the column of labels, by its name or, from 1 on, its number; without, a column that is called as labels
    usually are. All others are the values of a sample in the order of the raw data.
    """
    try:
        text = read_file(path, DataError).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is no table: it is not UTF-8") from None
    head, _, rest = text.partition("\n")
    delimiter = max(DELIMITERS, key=head.count)
    cells = [cell.strip().strip('"') for cell in head.split(delimiter)]
    header = [] if all(map(_is_number, cells)) else cells
    rows = _numbers(path, rest if header else text, delimiter)
    column = _label_column(path, names, header, len(cells))
    x, size = rows if column is None else np.delete(rows, column, axis=1), spec.type.size
    if x.shape[1] != size:
        beside = "" if column is None else " beside the labels"
        hint = "" if column is not None else f"; {path}:1 says that the first column holds the labels"
        raise DataError(f"{path} has {x.shape[1]} columns{beside}; legal are {size}, the values of a sample{hint}")
    return x.reshape(-1, *data_shape(spec)), None if column is None else _integers(path, rows[:, column])


def _numbers(path: Path, text: str, delimiter: str) -> Array:
    if not text.strip():
        raise DataError(f"{path} has no samples; legal is at least one row of numbers")
    try:
        return np.loadtxt(io.StringIO(text), np.float64, comments=None, delimiter=delimiter, quotechar='"', ndmin=2)
    except ValueError as error:
        reason = str(error).splitlines()[0][:120]
        raise DataError(f"{path}: {reason}; legal are numbers, as many in every row") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _label_column(path: Path, names: tuple[str, ...], header: list[str], count: int) -> int | None:
    if len(names) > 1:
        raise DataError(f"{path}:{','.join(names)} names {len(names)} columns; legal is one, that of the labels")
    if names and names[0] in header:
        return header.index(names[0])
    if names and names[0].isdecimal() and 1 <= int(names[0]) <= count:
        return int(names[0]) - 1
    if names:
        legal = f"a name of the first line, or a number from 1 to {count}" if header else f"a number from 1 to {count}"
        raise DataError(f"{path} has no column {names[0][:40]!r}; legal is {legal}")
    usual = [i for i, name in enumerate(header) if name.lower() in LABELS]
    return usual[0] if len(usual) == 1 else None


def _integers(path: Path, values: Array) -> Array:
    whole = np.rint(values)
    if not np.array_equal(values, whole) or np.abs(whole).max(initial=0) >= 2**31:
        row = int(np.argmax(values != whole))
        raise DataError(f"{path}: the label of sample {row} is {values[row]:g}; legal are integers")
    return whole.astype(np.int64)
