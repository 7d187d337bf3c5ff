# SPDX-License-Identifier: Apache-2.0
"""The digest of values by content: results and checkpoints are stored under that of all that they depend on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from importlib.metadata import version

import numpy as np


def digest(*parts: object) -> str:
    """SHA-256, in hex, of arrays, dataclasses, mappings, sequences and plain values, by content."""
    h = hashlib.sha256(version("bitwright").encode())
    for part in parts:
        _add(h, part)
    return h.hexdigest()


def _add(h: hashlib._Hash, value: object) -> None:
    if isinstance(value, np.ndarray):
        h.update(f"array{value.dtype.str}{value.shape}".encode())
        h.update(np.ascontiguousarray(value).data)
    elif dataclasses.is_dataclass(value):
        h.update(type(value).__name__.encode())
        _add(h, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    elif isinstance(value, Mapping):
        h.update(f"map{len(value)}".encode())
        for key in sorted(value, key=str):
            _add(h, str(key))
            _add(h, value[key])
    elif isinstance(value, (list, tuple)):
        h.update(f"list{len(value)}".encode())
        for item in value:
            _add(h, item)
    else:
        h.update(f"{type(value).__name__}:{value!r};".encode())
