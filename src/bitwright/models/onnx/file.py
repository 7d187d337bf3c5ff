# SPDX-License-Identifier: Apache-2.0
"""Opening an ONNX file: every way in which it can be broken ends in one clear line."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from bitwright import limits
from bitwright.errors import ModelError
from bitwright.files import read_file
from bitwright.models.exact.formula import Formula
from bitwright.models.onnx.budget import array, check_nodes, check_texts
from bitwright.models.onnx.external import load_external
from bitwright.models.onnx.functions.regions import with_functions
from bitwright.models.onnx.rewrites import written_out
from bitwright.network.nodes import INPUT

QUANT_DOMAINS = ("onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general", "")
QUANT_OPS = ("Quant", "IntQuant", "BipolarQuant", "Trunc")
QUANT_DOMAIN = "qonnx.custom_op.general"
MIN_OPSET = 7


@dataclass(frozen=True, eq=False)
class ModelInput:
    """A real input: name, the name of its value, ONNX element type, shape with the batch set to 1, and its batch."""

    name: str
    value: str
    element_type: int
    shape: tuple[int, ...]
    batch: int = 1


def open_model(path: str | Path) -> onnx.ModelProto:
    """The model of a file, with external data loaded.

    Raises `ModelError` for a file that is missing, truncated or no ONNX, or whose external data are missing.
    """
    path = Path(path)
    if not os.path.lexists(path):
        raise ModelError(f"model file {str(path)!r} does not exist")
    try:
        model = onnx.load_model_from_string(read_file(path, ModelError))
    except (DecodeError, ValueError, UnicodeDecodeError):
        raise ModelError(f"{path} is no ONNX file, or it is truncated") from None
    if not model.opset_import:
        raise ModelError(f"{path} is no ONNX file, or it is truncated")
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{path} holds an empty graph")
    try:
        load_external(model, path.parent)
    except ModelError as error:
        raise ModelError(f"{path} keeps weights in external files that cannot be read: {error}") from None
    return model


def prepared(model: onnx.ModelProto, source: str, taken: Iterable[str]) -> tuple[onnx.ModelProto, dict[str, Formula]]:
    """The model, changed: QONNX domains unified, local functions inlined, operators of others written out.

    Nodes that together are a function of one tensor are one node; also the formula of each, by the name of its result.
    taken: the operators that have readers.
    """
    _unify_domains(model)
    _check_opset(model, source)
    check_nodes(model)
    check_texts(model)
    model = written_out(onnx.inliner.inline_local_functions(model) if model.functions else model)
    return model, with_functions(model, frozenset(taken))


def opset_version(model: onnx.ModelProto) -> int:
    """Version of the standard operators that the model uses."""
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)


def initializers(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """The stored constants by name."""
    found = {t.name: array(t) for t in model.graph.initializer}
    for sparse in model.graph.sparse_initializer:
        raise ModelError(f"initializer {sparse.values.name!r} is sparse; legal are dense initializers")
    return found


def model_inputs(
    model: onnx.ModelProto,
    stored: Iterable[str],
    needed: Iterable[onnx.NodeProto],
    shape: tuple[int, ...] | None = None,
) -> list[ModelInput]:
    """The inputs that are no initializers and that the needed nodes read; `ModelError` where sizes are not fixed.

    With a shape the sizes of the only input, which are changed in place, are these.
    """
    stored = set(stored)
    used = _names_read(needed)
    inputs = [i for i in model.graph.input if i.name not in stored]
    inputs = [i for i in inputs if i.name in used] or inputs[:1]
    if not inputs:
        raise ModelError("the model has no inputs; legal are one or more")
    names = Counter(i.name for i in inputs)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ModelError(f"the model has several inputs of the name {twice[0]!r}, and names must differ")
    if shape is not None and len(inputs) > 1:
        listed = ", ".join(map(repr, names))
        raise ModelError(f"a shape is given for a model of the inputs {listed}; legal is one for a model of one input")
    return [_model_input(info, INPUT if len(inputs) == 1 else info.name, shape) for info in inputs]


def _model_input(info: onnx.ValueInfoProto, value: str, shape: tuple[int, ...] | None) -> ModelInput:
    if not info.type.HasField("tensor_type"):
        raise ModelError(f"input {info.name!r} is no tensor")
    tensor = info.type.tensor_type
    if shape is not None:
        _fix_sizes(info, shape)
    dims = [d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in tensor.shape.dim]
    if len(dims) < 2:
        raise ModelError(f"input {info.name!r} has shape {dims}; legal are a batch and at least one more axis")
    if any(not isinstance(d, int) or d < 1 for d in dims[1:]):
        raise ModelError(
            f"input {info.name!r} has the dynamic shape [{', '.join(map(str, dims))}]; only the batch, the first axis, "
            "may be dynamic; legal are sizes that are given (`shape`, --shape 1,3,32,32)"
        )
    shape = tuple(int(d) for d in dims[1:])
    limits.check_shape(shape, f"input {info.name!r} has")
    batch = dims[0] if isinstance(dims[0], int) else 1
    return ModelInput(info.name, value, tensor.elem_type, (1, *shape), max(batch, 1))


def _fix_sizes(info: onnx.ValueInfoProto, shape: tuple[int, ...]) -> None:
    """Give the axes of an input these sizes; `ModelError` where it has others already."""
    dims = info.type.tensor_type.shape.dim
    own = [d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in dims]
    fixed = [(d, n) for d, n in zip(own, shape, strict=False) if isinstance(d, int)]
    if len(own) != len(shape) or any(d != n for d, n in fixed) or min(shape) < 1 or shape[0] != 1:
        said = ", ".join(map(str, own))
        raise ModelError(
            f"input {info.name!r} has shape [{said}], not {list(shape)}; legal are other sizes for its dynamic axes, "
            "and a batch of 1"
        )
    for dim, size in zip(dims, shape, strict=True):
        dim.dim_value = size


def choose_outputs(model: onnx.ModelProto, wanted: str | None) -> list[str]:
    """The outputs to read: the wanted one, else all; labels beside scores do not count."""
    outputs: list[onnx.ValueInfoProto] = list(model.graph.output)
    names = ", ".join(repr(o.name) for o in outputs)
    if wanted is not None:
        found = [o for o in outputs if o.name == wanted]
        if not found:
            raise ModelError(f"the model has no output {wanted!r}; legal are {names}")
        return [wanted]
    labels = (TensorProto.INT64, TensorProto.INT32, TensorProto.STRING)
    if len(outputs) > 1:
        outputs = [o for o in outputs if o.type.tensor_type.elem_type not in labels] or outputs
    return list(dict.fromkeys(o.name for o in outputs))


def needed_nodes(model: onnx.ModelProto, outputs: Iterable[str]) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on, in the order of the file."""
    wanted, kept = set(outputs), []
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= _names_read([node])
    return kept[::-1]


def _names_read(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    """What nodes read, those of their inner graphs included."""
    found: set[str] = set()
    for node in nodes:
        found |= set(node.input)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                found |= {name for n in inner.node for name in n.input} | {o.name for o in inner.output}
    return found


def _unify_domains(model: onnx.ModelProto) -> None:
    found = False
    for node in model.graph.node:
        if node.op_type in QUANT_OPS and node.domain in QUANT_DOMAINS:
            node.domain, found = QUANT_DOMAIN, True
    if found and QUANT_DOMAIN not in {o.domain for o in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(QUANT_DOMAIN, 1))


def _check_opset(model: onnx.ModelProto, source: str) -> None:
    version, newest = opset_version(model), onnx.defs.onnx_opset_version()
    if not MIN_OPSET <= version <= newest:
        raise ModelError(f"{source} has opset {version}; legal are {MIN_OPSET} to {newest}")


def node_problem(node: onnx.NodeProto, opset: int) -> str | None:
    """What ONNX's checker says against a standard node: unknown attributes, a wrong number of inputs."""
    if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type, ""):
        return None
    context = type(onnx.checker.DEFAULT_CONTEXT)()
    context.ir_version = onnx.IR_VERSION
    context.opset_imports = {"": opset}
    try:
        onnx.checker.check_node(node, context)
    except onnx.checker.ValidationError as error:
        return _line(error)
    return None


def _line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0].strip() if text else type(error).__name__
