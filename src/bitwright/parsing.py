# SPDX-License-Identifier: Apache-2.0
"""Formats of files that strangers may have written: JSON, zip archives, NPY arrays.

Each function refuses damaged content with a `ValueError` of one line, and what passes the budget with a `ModelError`,
before it allocates what the content announces.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from bitwright import limits

# What Python and NumPy raise for trees and arrays that are not of the types, shapes or sizes expected.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
MAX_DEPTH = 64
MAX_ENTRIES = 1 << 17
MAX_TEXT = 160
MAX_DIGITS = 400  # of a number in JSON
MAX_HEADER = 10_000
KINDS = "biufcmMSU"  # of NPY files: all that hold their data plainly
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError, OverflowError)
_ENTRY = b"PK\x01\x02"  # begins each entry of a zip archive's directory
_ENCRYPTED = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def summary(error: BaseException) -> str:
    """The first line of an error, cut to a length that fits one line; a missing key by its name."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = f"{lines[0]} is missing" if isinstance(error, KeyError) else lines[0]
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."


def parse_json(data: bytes | str) -> Any:
    """The tree of a JSON text: UTF-8, at most MAX_DEPTH levels, unique keys, finite numbers."""
    text = data.decode() if isinstance(data, bytes) else data  # UnicodeDecodeError is a ValueError
    try:
        tree = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_int
        )
    except RecursionError:
        raise ValueError(f"JSON is nested deeper than {MAX_DEPTH} levels") from None
    _check_depth(tree)
    return tree


def _check_depth(tree: Any) -> None:
    level = [tree] if _nests(tree) else []
    for _ in range(MAX_DEPTH + 1):
        level = [v for node in level for v in (node.values() if isinstance(node, dict) else node) if _nests(v)]
        if not level:
            return
    raise ValueError(f"JSON is nested deeper than {MAX_DEPTH} levels")


def _nests(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("JSON names a key twice")
    return found


def _no_constant(text: str) -> float:
    raise ValueError(f"JSON holds {text}; legal are finite numbers")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_constant(text[:20])


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"JSON holds a number of {len(text)} digits; legal are {MAX_DIGITS}")
    return int(text)


def unzip(data: bytes, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, bytes]:
    """The entries of a zip archive whose names are `wanted`, by name."""
    if data.count(_ENTRY) > MAX_ENTRIES:
        raise ValueError(f"the archive has more than {MAX_ENTRIES} entries")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = archive.infolist()
            names = [info.filename for info in found]
            if len(set(names)) != len(names):
                raise ValueError("the archive names an entry twice")
            taken = [info for info in found if wanted(info.filename)]
            limits.check("bytes", sum(info.file_size for info in taken), "the file unpacks to")
            return {info.filename: _entry(archive, info) for info in taken}
    except _BROKEN:
        raise ValueError("the file is damaged or cut short") from None


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.compress_type not in _METHODS or info.flag_bits & _ENCRYPTED:
        raise ValueError("the archive holds an entry that is encrypted or compressed in another way than by deflate")
    content = archive.read(info)
    if len(content) != info.file_size:
        raise ValueError("the archive states a wrong size of an entry")
    return content


def parse_npy(data: bytes) -> np.ndarray:
    """The array of an NPY file of plain numbers; its header must state just the bytes that follow."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"NPY version {version} is unknown; legal are 1.0 and 2.0")
    try:
        shape, fortran, dtype = readers[version](file, max_header_size=MAX_HEADER)
    except ValueError as error:
        raise ValueError(f"the NPY header is damaged ({str(error).splitlines()[0][:80]})") from None
    except Exception as error:  # the header is a Python literal: its parser raises whatever Python does
        raise ValueError(f"the NPY header is damaged ({type(error).__name__})") from None
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded; legal are arrays of numbers")
    if (
        dtype.kind not in KINDS
        or not dtype.itemsize
        or any(isinstance(n, bool) or n < 0 for n in shape)
        or len(shape) > 32
    ):
        raise ValueError(f"the NPY file holds {dtype} of {len(shape)} axes; legal are plain values of up to 32 axes")
    rest = len(data) - file.tell()
    if math.prod(shape) * dtype.itemsize != rest:
        raise ValueError(f"the NPY header states {math.prod(shape)} elements of {dtype}, but {rest} bytes follow")
    flat = np.frombuffer(data, dtype, offset=file.tell()).astype(dtype.newbyteorder("="))
    return flat.reshape(shape, order="F" if fortran else "C")
