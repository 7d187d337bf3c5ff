# SPDX-License-Identifier: Apache-2.0
"""Float and quantized ONNX models as float graphs.

The nodes are read once, in order. A node whose inputs are all constants is computed, by ONNX's own
reference evaluator, so shape arithmetic and constant sub-graphs vanish; reshapes and transposes are
computed on indices (`tensors`); every other operator has a function in one of the tables below. What a
function refuses becomes a part of one `ModelError` about the whole model, and reading goes on with
the shape that ONNX infers, so that all problems are told at once. What stands behind an unsupported node is judged
by its shape alone: the order of the elements there is a guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from bitwright.errors import ModelError
from bitwright.models.exact.formula import Formula
from bitwright.models.graph import FloatGraph, Port, Quantizer, ops, value_shape
from bitwright.models.naming import named
from bitwright.models.onnx import elementwise as onnx_elementwise
from bitwright.models.onnx import layers as onnx_layers
from bitwright.models.onnx import pixels as onnx_pixels
from bitwright.models.onnx import products as onnx_products
from bitwright.models.onnx import quant as onnx_quant
from bitwright.models.onnx import series as onnx_series
from bitwright.models.onnx import shapes as onnx_shapes
from bitwright.models.onnx import surface as onnx_surface
from bitwright.models.onnx.budget import array
from bitwright.models.onnx.context import Context, InputView, NodeView
from bitwright.models.onnx.file import (
    ModelInput,
    choose_outputs,
    initializers,
    model_inputs,
    needed_nodes,
    node_problem,
    open_model,
    opset_version,
    prepared,
)
from bitwright.models.onnx.functions import known as onnx_functions
from bitwright.models.onnx.reductions import axes as onnx_axes
from bitwright.models.onnx.reductions import pools as onnx_pools
from bitwright.models.onnx.tensors import Constant, Tensor, fresh
from bitwright.models.problems import Breach, OrderError, refusal
from bitwright.models.simplify import simplify
from bitwright.network.nodes import OUTPUT, needed
from bitwright.network.types import IntType

ARITHMETIC = (onnx_elementwise, onnx_products, onnx_layers, onnx_pools, onnx_axes)
TABLES = (onnx_shapes, *ARITHMETIC, onnx_pixels, onnx_quant, onnx_functions)
READERS = {key: reader for table in TABLES for key, reader in table.READERS.items()}
INTEGER_INPUTS: dict[int, IntType] = {
    TensorProto.UINT8: IntType(8),
    TensorProto.INT8: IntType(8, signed=True),
    TensorProto.UINT16: IntType(16),
    TensorProto.INT16: IntType(16, signed=True),
}
# What NumPy and Python raise for a node whose shapes, axes or numbers contradict each other.
MALFORMED = (ValueError, IndexError, KeyError, TypeError, ArithmeticError)
MOST_ATTEMPTS = 64  # at what inputs may be
MOST_ORDERED = 1024  # elements of an output that are put into its own order
FLOAT_INPUTS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)


class Refused(ModelError):
    """What is wrong with the model where its input has one of its possible orders; `views` may be tried, too.

    The right order, which a refused model has, too, is the one that reading gets furthest with: `read` nodes
    before the first problem, of `count` problems.
    """

    def __init__(self, error: ModelError, views: list[tuple[str, InputView]], read: int, count: int) -> None:
        super().__init__(*error.args)
        self.views, self.read, self.count = views, read, count


@dataclass(frozen=True, eq=False)
class _File:
    """What is read of a model: its constants, inputs, nodes, and outputs by name."""

    model: onnx.ModelProto
    stored: dict[str, np.ndarray]
    inputs: list[ModelInput]
    nodes: list[onnx.NodeProto]
    outputs: list[str]
    name: str
    source: str
    formulas: Mapping[str, Formula]


def read(path: str | Path, output: str | None = None, shape: tuple[int, ...] | None = None) -> FloatGraph:
    """The float graph of an ONNX file, quantized or not.

    `output` chooses one where the model has several and not all are wanted; `shape` is that of the only input, with a
    batch of 1, where sizes are dynamic. Raises `ModelError`: one line about the file, or
    every node that is not supported, one line for each operator and rule, with what would be legal.
    """
    path = Path(path)
    return _read_owned(open_model(path), path.stem, path.name, output, shape)


def read_model(
    model: onnx.ModelProto,
    *,
    name: str = "model",
    source: str = "",
    output: str | None = None,
    shape: tuple[int, ...] | None = None,
) -> FloatGraph:
    """The float graph of an opened model, which stays as it is; see `read`."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return _read_owned(copy, name, source, output, shape)


def _read_owned(
    model: onnx.ModelProto, name: str, source: str, output: str | None, shape: tuple[int, ...] | None
) -> FloatGraph:
    """The float graph of a model that nobody else needs."""
    model, formulas = prepared(model, source or name, (op for domain, op in READERS if not domain))
    stored, outputs = initializers(model), choose_outputs(model, output)
    nodes = needed_nodes(model, outputs)
    file = _File(model, stored, model_inputs(model, stored, nodes, shape), nodes, outputs, name, source, formulas)
    attempts = _input_views(file.inputs)
    refusals: list[Refused] = []
    for views in attempts:  # which grow as the model reshapes its inputs
        try:
            return _read_as(file, views)
        except Refused as refused:
            refusals.append(refused)
            more = [{**views, value: view} for value, view in refused.views]
            attempts += [a for a in more if a not in attempts][: MOST_ATTEMPTS - len(attempts)]
    raise ModelError(*min(refusals, key=lambda r: (-r.read, r.count)).args)


def _input_views(inputs: list[ModelInput]) -> list[dict[str, InputView]]:
    """What each input may be, likeliest first: layout and (H, W, C) or (C,). The model's first images decide.

    All inputs of 4 axes are in the same order to begin with; those of 3, which are series, may have the channels last.
    """

    def view(shape: tuple[int, ...], last: bool) -> InputView:
        if len(shape) == 3:
            return ("HWC", shape) if last else ("CHW", value_shape(shape, "CHW"))
        if len(shape) == 2 and last:
            return "HWC", (1, *shape)
        return "C", (math.prod(shape),)

    both = [{given.value: view(given.shape[1:], last) for given in inputs} for last in (False, True)]
    return both if both[0] != both[1] else both[:1]


def _read_as(file: _File, views: dict[str, InputView]) -> FloatGraph:
    names = {given.value: given.name for given in file.inputs}
    context = Context(opset_version(file.model), file.model, names, file.formulas)
    context.batch = max(given.batch for given in file.inputs)
    context.env.update({key: Constant(array) for key, array in file.stored.items()})
    for given in file.inputs:
        context.shapes[given.value] = views[given.value][1]
    for given in file.inputs:
        context.env[given.name] = _input_tensor(context, given, views[given.value])
    read_nodes(context, file.nodes)
    for name in file.outputs:
        if not context.problems and not isinstance(context.env.get(name), Tensor):
            context.problems.append(Breach("", "", f"output {name!r} does not depend on the input"))
    if context.problems:
        error = refusal(file.source or file.name, context.problems)
        raise Refused(error, context.views, context.read_before_problem, len(context.problems))
    try:
        return named(simplify(_finish(context, file, views), context.deadline), file.model)
    except ModelError as error:
        raise Refused(error, context.views, context.read_before_problem, 1) from None


def _input_tensor(context: Context, given: ModelInput, view: InputView) -> Tensor:
    layout, shape = view
    whole = fresh(given.value, shape, layout)
    tensor = whole
    if whole.shape != given.shape or math.prod(given.shape) == 1:  # of one element, all layouts are one
        tensor = context.view(given.value, whole.index.reshape(given.shape))
    if given.element_type in FLOAT_INPUTS:
        return tensor
    if given.element_type not in INTEGER_INPUTS:
        legal = "float, int8, uint8, int16 and uint16"
        raise ModelError(f"input {given.name!r} has an element type that is not supported; legal are {legal}")
    quantizer = Quantizer(INTEGER_INPUTS[given.element_type], np.ones(1))
    return tensor.on(context.emit(ops.Quant(quantizer), [given.value], f"{given.name}/codes"))


def read_nodes(context: Context, nodes: list[onnx.NodeProto]) -> None:
    """Read the nodes in order into the context."""
    for proto in nodes:
        context.deadline.check("reading the model")
        node = NodeView(proto, context)
        try:
            results = _read_node(context, node)
        except OrderError as error:
            results = ()
            if not context.is_guessed(node):
                context.problems.append(Breach(node.op, node.name, str(error)))
        except ModelError as error:
            context.problems.append(Breach(node.op, node.name, str(error)))
            results = ()
        except MALFORMED as error:
            text = f"its attributes and constants do not fit: {str(error).strip().partition(chr(10))[0]}"
            context.problems.append(Breach(node.op, node.name, text))
            results = ()
        context.hold(results)
        context.read_before_problem += not context.problems
        guesses = [] if len(results) == len(proto.output) else context.placeholders(node)
        for i, name in enumerate(proto.output):
            if name:
                context.env[name] = results[i] if i < len(results) else guesses[i]


def _read_node(context: Context, node: NodeView) -> tuple[Tensor | Constant | None, ...]:
    if node.op == "If" and isinstance(node.inputs[0], Constant):
        branch = node.attribute("then_branch" if bool(node.inputs[0].array.item()) else "else_branch")
        context.env.update({t.name: Constant(array(t)) for t in branch.initializer})
        read_nodes(context, list(branch.node))
        return tuple(context.env[o.name] for o in branch.output)
    wrong = node_problem(node.proto, context.opset)
    if wrong:
        raise ModelError(f"is not valid ONNX: {wrong}")
    if node.missing:
        raise ModelError(f"reads {node.missing[0]!r}, which nothing before it computes")
    known = READERS.get((node.domain, node.op))
    onnx_surface.check(context, node, known)
    if node.domain in ("", "ai.onnx") and node.op not in onnx_shapes.ALWAYS and node.all_constant:
        return onnx_shapes.fold(context, node)
    if known is None:
        if not node.domain and node.op in onnx_surface.UNSUPPORTED:
            raise ModelError(f"the operator is not supported: it {onnx_surface.UNSUPPORTED[node.op]}")
        domain = f" of domain {node.domain!r}" if node.domain else ""
        raise ModelError(f"the operator{domain} is not supported; docs/readers.md lists those that are")
    if node.unknown:
        return ()
    if onnx_series.is_series(node, known):
        return onnx_series.read(context, node, known)
    made = known.function(context, node)
    return made if isinstance(made, tuple) else (made,)


def _finish(context: Context, file: _File, views: dict[str, InputView]) -> FloatGraph:
    """The graph that ends in the outputs' values."""
    outputs = []
    for name in file.outputs:
        found = context.env[name]
        assert isinstance(found, Tensor)
        last = context.arranged(context.plain(found))
        if not _order(last) and math.prod(last.shape) <= MOST_ORDERED:
            last = _in_order(context, name, last)
        layout = _order(last)
        title = "the output" if len(file.outputs) == 1 else f"the output {name!r}"
        if not layout:
            where = f"{file.source or file.name}: {title}"
            raise ModelError(f"{where} is a transposed image; legal orders are CHW and HWC")
        if last.value in context.inputs:
            raise ModelError(f"{file.source or file.name}: the model computes nothing for {title}")
        shape = last.shape[1:] if last.shape[:1] == (1,) else last.shape
        outputs.append(Port(name if len(file.outputs) > 1 else OUTPUT, last.value, shape, layout))
    inputs = {Port(i.value, i.value, i.shape[1:], views[i.value][0]): views[i.value][1] for i in file.inputs}
    nodes = needed(context.nodes, [port.value for port in outputs])
    return FloatGraph.between(nodes, inputs, outputs, file.name, file.source)


def _in_order(context: Context, name: str, last: Tensor) -> Tensor:
    """The elements of a tensor as a vector, in the order of the tensor."""
    flat = context.vector(last)
    order = ops.Channels(tuple(flat.index.ravel().tolist()))
    made = context.emit(order, [flat.value], f"{name}/ordered")
    return context.view(made, np.arange(flat.index.size).reshape(flat.shape))


def _order(last: Tensor) -> str:
    """The layout in which the elements of the tensor lie, whatever its shape; empty where it is none."""
    if last.layout and math.prod(last.shape) > MOST_ORDERED:
        return last.layout
    found = last.index.ravel()
    layouts = ("C",) if len(last.value_shape) == 1 else ("CHW", "HWC")
    return next((k for k in layouts if np.array_equal(found, fresh("", last.value_shape, k).index.ravel())), "")
