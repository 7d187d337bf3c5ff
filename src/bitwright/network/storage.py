# SPDX-License-Identifier: Apache-2.0
"""The `.bw` file: a network on disk.

A zip archive, entries in fixed order with a fixed date, so that the same network gives the same bytes:

    format.json     {"format": "bitwright network", "version": 2, "digest": SHA-256 over all other entries}
    network.json    everything but arrays; an array stands as {"array": entry name}
    arrays/N.npy    the arrays, NPY version 1, no pickled objects

A field that a file lacks has its default, which is what older files mean: the input rule is "multiply". Files of
version 1 have one "input" and one "output" in place of "inputs" and "outputs".

`save` writes a temporary file beside the target and renames it; `load` refuses whatever is not exactly this.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import operator
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bitwright.errors import ModelError
from bitwright.files import read_file, write_file
from bitwright.network.graph import Network, Node
from bitwright.network.inputs import InputSpec, OutputSpec
from bitwright.network.ops import OPS, Op, Rounding
from bitwright.network.types import IntType, TensorType
from bitwright.options import check_fields
from bitwright.parsing import MALFORMED, parse_json, parse_npy, summary, unzip

FORMAT = "bitwright network"
VERSION = 2
_DATE = (1980, 1, 1, 0, 0, 0)


def save(network: Network, path: str | os.PathLike[str]) -> None:
    """Write the network; an existing file is replaced at once or stays as it was. `OSError` as the system gives it."""
    write_file(path, to_bytes(network))


def load(path: str | os.PathLike[str]) -> Network:
    """Read a `.bw` file; `ModelError` where it is missing, damaged, of another version or no `.bw` file."""
    path = Path(path)
    data = read_file(path, ModelError)
    try:
        return from_bytes(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def to_bytes(network: Network) -> bytes:
    """The content of the `.bw` file, the same bytes for the same network."""
    arrays: list[np.ndarray] = []
    tree = {
        "name": network.name,
        "source": network.source,
        "inputs": [_encode(spec, arrays) for spec in network.inputs],
        "outputs": [_encode(spec, arrays) for spec in network.outputs],
        "nodes": [
            {"name": n.name, "inputs": list(n.inputs), "op": type(n.op).__name__, **_encode(n.op, arrays)}
            for n in network.nodes
        ],
    }
    entries = {"network.json": _json(tree)}
    for position, array in enumerate(arrays):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
        entries[f"arrays/{position}.npy"] = buffer.getvalue()
    header = {"format": FORMAT, "version": VERSION, "digest": _digest(entries)}
    return _zip({"format.json": _json(header), **entries})


def from_bytes(data: bytes) -> Network:
    """The network of a `.bw` file's content; `ModelError` where it is not one."""
    entries = _unzip(data)
    header = _parse(entries.pop("format.json"))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelError("not a bitwright network")
    if header.get("version") not in (1, VERSION):
        raise ModelError(
            f"file format version {header.get('version')!r}; this bitwright reads versions 1 and {VERSION}"
        )
    if header.get("digest") != _digest(entries):
        raise ModelError("the file is damaged: its digest does not fit its content")
    try:
        return _decode_network(entries)
    except MALFORMED as error:
        raise ModelError(f"the file does not describe a network: {summary(error)}") from None


def _json(tree: object) -> bytes:
    return json.dumps(tree, indent=1, sort_keys=True, allow_nan=False).encode()


def _parse(data: bytes) -> Any:
    try:
        return parse_json(data)
    except ValueError as error:
        raise ModelError(f"the file is damaged: {summary(error)}") from None


def _digest(entries: Mapping[str, bytes]) -> str:
    h = hashlib.sha256()
    for name in sorted(entries):
        h.update(f"{name}\0{len(entries[name])}\0".encode())
        h.update(entries[name])
    return h.hexdigest()


def _zip(entries: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _unzip(data: bytes) -> dict[str, bytes]:
    if not data.startswith(b"PK"):
        raise ModelError("not a .bw file")
    try:
        entries = unzip(data)
    except ValueError as error:
        raise ModelError(summary(error)) from None
    if not {"format.json", "network.json"} <= set(entries):
        raise ModelError("not a .bw file")
    return entries


def _encode(value: Any, arrays: list[np.ndarray]) -> Any:
    """A value of a specification or an operation as JSON; arrays go to `arrays`."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": f"arrays/{len(arrays) - 1}.npy"}
    if isinstance(value, IntType):
        return str(value)
    if isinstance(value, TensorType):
        return {"shape": list(value.shape), "dtype": str(value.dtype)}
    if isinstance(value, (InputSpec, OutputSpec, Op)):
        return {f.name: _encode(getattr(value, f.name), arrays) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, tuple):
        return [_encode(v, arrays) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _decode_network(entries: Mapping[str, bytes]) -> Network:
    tree = _parse(entries["network.json"])

    @functools.cache
    def stored(entry: str) -> np.ndarray:  # once, though many nodes may name it
        array = parse_npy(entries[entry])
        array.flags.writeable = False
        return array

    def decode(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"array"}:
            return stored(value["array"])
        if isinstance(value, dict) and set(value) == {"shape", "dtype"}:
            return TensorType(tuple(map(operator.index, value["shape"])), IntType.parse(value["dtype"]))
        if isinstance(value, list):
            return tuple(decode(v) for v in value)
        return value

    def build(kind: type, fields: Mapping[str, Any]) -> Any:
        decoded = {name: decode(value) for name, value in fields.items()}
        for name, convert in _CONVERTED.items():
            if name in decoded and issubclass(kind, Op):
                decoded[name] = convert(decoded[name])
        check_fields(kind, decoded)
        _check_arrays(kind, decoded)
        return kind(**decoded)

    nodes = []
    for node in tree["nodes"]:
        fields = {k: v for k, v in node.items() if k not in ("name", "inputs", "op")}
        if node["op"] not in OPS:
            raise ModelError(f"node {node['name']!r}: unknown operation {node['op']!r}")
        nodes.append(Node(node["name"], build(OPS[node["op"]], fields), tuple(node["inputs"])))
    first = {f"{what}s": [tree[what]] for what in ("input", "output") if what in tree}  # of version 1
    ins, outs = ((first | tree)[what] for what in ("inputs", "outputs"))
    inputs, outputs = tuple(build(InputSpec, s) for s in ins), tuple(build(OutputSpec, s) for s in outs)
    return Network(inputs, tuple(nodes), outputs, tree["name"], tree["source"])


def _check_arrays(kind: type, values: Mapping[str, Any]) -> None:
    """Raise `ValueError` where an array of an operation is not of the type that is written, int64."""
    for name, value in values.items():
        if isinstance(value, np.ndarray) and issubclass(kind, Op) and value.dtype != np.int64:
            raise ValueError(f"{name} of {kind.__name__} holds {value.dtype}; legal is int64")


_CONVERTED = {"dtype": IntType.parse, "weight_type": IntType.parse, "domain": IntType.parse, "rounding": Rounding}
