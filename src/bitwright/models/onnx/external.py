# SPDX-License-Identifier: Apache-2.0
"""Weights that an ONNX file keeps in other files: regular files beside it or below."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from bitwright import limits
from bitwright.errors import ModelError
from bitwright.files import read_file


def load_external(model: onnx.ModelProto, folder: Path) -> None:
    """Put the external data of all tensors into the model; `ModelError` for files missing, outside or too short."""
    files: dict[Path, bytes] = {}
    total = 0
    for tensor in tensors(model):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        path = _inside(folder, entries.get("location", ""), tensor.name)
        if path not in files:
            files[path] = read_file(path, ModelError)
        tensor.raw_data = _part(files[path], entries, tensor)
        total += len(tensor.raw_data)
        limits.check("bytes", total, "the weights in external files have")
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Every tensor of a model: initializers and attributes, in subgraphs and local functions, too."""
    yield from _in_graph(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _in_node(node)


def _in_graph(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _in_node(node)


def _in_node(node: onnx.NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for sparse in (
            *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
            *attribute.sparse_tensors,
        ):
            yield from (sparse.values, sparse.indices)
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            yield from _in_graph(graph)


def _inside(folder: Path, location: str, name: str) -> Path:
    """The file of a location, which must be relative and stay in the folder, links followed."""
    path, root = folder / location, folder.resolve()
    try:
        if location and not Path(location).is_absolute() and path.resolve().is_relative_to(root):
            return path
    except (OSError, ValueError, RuntimeError):  # a loop of links; a name with the character 0
        pass
    raise ModelError(f"tensor {name!r} keeps its data in {location[:80]!r}; legal are files in the model's folder")


def _part(content: bytes, entries: dict[str, str], tensor: TensorProto) -> bytes:
    """The tensor's bytes of a file."""
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(len(content) - offset)))
        bits = _bits(tensor.data_type)
    except (ValueError, KeyError, TypeError):
        raise ModelError(f"tensor {tensor.name!r} states its external data in no legal way") from None
    needed = -(-math.prod(tensor.dims) * bits // 8)
    if min(offset, length, *tensor.dims) < 0 or length != needed or offset + length > len(content):
        raise ModelError(
            f"tensor {tensor.name!r} has bytes {offset} to {offset + length} of an external file of {len(content)}; "
            f"legal are the {needed} bytes of its shape within the file"
        )
    return content[offset : offset + length]


def _bits(data_type: int) -> int:
    """Bits of an element in raw data; `KeyError` or `ValueError` for types that have none."""
    name = TensorProto.DataType.Name(data_type)
    if name in ("STRING", "UNDEFINED"):
        raise ValueError(name)
    narrow = {"UINT4": 4, "INT4": 4, "FLOAT4E2M1": 4, "UINT2": 2, "INT2": 2}
    return narrow.get(name) or 8 * helper.tensor_dtype_to_np_dtype(data_type).itemsize
