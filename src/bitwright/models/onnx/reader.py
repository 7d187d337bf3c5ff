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
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from bitwright.errors import ModelError
from bitwright.models.graph import INPUT, FloatGraph, Quantizer, ops, value_shape
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
    choose_output,
    initializers,
    model_input,
    needed_nodes,
    node_problem,
    open_model,
    opset_version,
    prepared,
)
from bitwright.models.onnx.tensors import Constant, Tensor, fresh
from bitwright.models.problems import Breach, OrderError, refusal
from bitwright.models.simplify import simplify
from bitwright.network.nodes import needed
from bitwright.network.types import IntType

TABLES = (onnx_shapes, onnx_elementwise, onnx_products, onnx_layers, onnx_pixels, onnx_quant)
READERS = {key: reader for table in TABLES for key, reader in table.READERS.items()}
INTEGER_INPUTS: dict[int, IntType] = {
    TensorProto.UINT8: IntType(8),
    TensorProto.INT8: IntType(8, signed=True),
    TensorProto.UINT16: IntType(16),
    TensorProto.INT16: IntType(16, signed=True),
}
# What NumPy and Python raise for a node whose shapes, axes or numbers contradict each other.
MALFORMED = (ValueError, IndexError, KeyError, TypeError, ArithmeticError)
FLOAT_INPUTS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)


class Refused(ModelError):
    """What is wrong with the model where its input has one of its possible orders; `views` may be tried, too.

    The right order, which a refused model has, too, is the one that reading gets furthest with: `read` nodes
    before the first problem, of `count` problems.
    """

    def __init__(self, error: ModelError, views: list[InputView], read: int, count: int) -> None:
        super().__init__(*error.args)
        self.views, self.read, self.count = views, read, count


def read(path: str | Path, output: str | None = None, shape: tuple[int, ...] | None = None) -> FloatGraph:
    """The float graph of an ONNX file, quantized or not.

    `output` chooses one where the model has several; `shape` is that of the input, with a batch of 1, where sizes are
    dynamic. Raises `ModelError`: one line about the file, or
    every node that is not supported, one line for each operator and rule, with what would be legal.
    """
    path = Path(path)
    return read_model(open_model(path), name=path.stem, source=path.name, output=output, shape=shape)


def read_model(
    model: onnx.ModelProto,
    *,
    name: str = "model",
    source: str = "",
    output: str | None = None,
    shape: tuple[int, ...] | None = None,
) -> FloatGraph:
    """The float graph of an opened model; see `read`."""
    model = prepared(model, source or name)
    stored = initializers(model)
    given = model_input(model, stored, shape)
    attempts: list[InputView] = _input_views(given)
    refusals: list[Refused] = []
    for layout, shape in attempts:  # which grow as the model reshapes its input
        try:
            return _read_as(model, stored, given, layout, shape, name, source, output)
        except Refused as refused:
            refusals.append(refused)
            attempts += [a for a in refused.views if a not in attempts]
    raise ModelError(*min(refusals, key=lambda r: (-r.read, r.count)).args)


def _input_views(given: ModelInput) -> list[InputView]:
    """What the input may be, likeliest first: layout and (H, W, C) or (C,). The model's first image decides."""
    shape = given.shape[1:]
    if len(shape) == 3:
        return [("CHW", value_shape(shape, "CHW")), ("HWC", shape)]
    return [("C", (math.prod(shape),))]


def _read_as(
    model: onnx.ModelProto,
    stored: dict[str, np.ndarray],
    given: ModelInput,
    layout: str,
    shape: tuple[int, ...],
    name: str,
    source: str,
    output: str | None,
) -> FloatGraph:
    wanted = choose_output(model, output).name
    context = Context(opset_version(model), model, given.name)
    context.env.update({key: Constant(array) for key, array in stored.items()})
    context.env[given.name] = _input_tensor(context, given, layout, shape)
    read_nodes(context, needed_nodes(model, wanted))
    last = context.env.get(wanted)
    if not context.problems and not isinstance(last, Tensor):
        context.problems.append(Breach("", "", f"output {wanted!r} does not depend on the input"))
    if context.problems:
        error = refusal(source or name, context.problems)
        raise Refused(error, context.views, context.read_before_problem, len(context.problems))
    assert isinstance(last, Tensor)
    try:
        return simplify(_finish(context, last, given, layout, shape, name, source), context.deadline)
    except ModelError as error:
        raise Refused(error, context.views, context.read_before_problem, 1) from None


def _input_tensor(context: Context, given: ModelInput, layout: str, shape: tuple[int, ...]) -> Tensor:
    context.shapes[INPUT] = shape
    whole = fresh(INPUT, shape, layout)
    index = whole.index.reshape(given.shape)
    tensor = context.view(INPUT, index)
    if given.element_type in FLOAT_INPUTS:
        return tensor
    if given.element_type not in INTEGER_INPUTS:
        legal = "float, int8, uint8, int16 and uint16"
        raise ModelError(f"input {given.name!r} has an element type that is not supported; legal are {legal}")
    quantizer = Quantizer(INTEGER_INPUTS[given.element_type], np.ones(1))
    return tensor.on(context.emit(ops.Quant(quantizer), [INPUT], f"{given.name}/codes"))


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


def _finish(
    context: Context,
    last: Tensor,
    given: ModelInput,
    layout: str,
    shape: tuple[int, ...],
    name: str,
    source: str,
) -> FloatGraph:
    """The graph that ends in the output's value."""
    last = context.arranged(context.plain(last))
    layout_out = _order(last)
    if not layout_out:
        raise ModelError(f"{source or name}: the output is a transposed image; legal orders are CHW and HWC")
    nodes = needed(context.nodes, last.value)
    if not nodes:
        raise ModelError(f"{source or name}: the model computes nothing")
    return FloatGraph.build(
        nodes,
        input_shape=given.shape[1:],
        input_layout=layout,
        output_shape=last.shape[1:] if last.shape[:1] == (1,) else last.shape,
        output_layout=layout_out,
        name=name,
        source=source,
        input_value=shape,
    )


def _order(last: Tensor) -> str:
    """The layout in which the elements of the tensor lie, whatever its shape; empty where it is none."""
    found = last.index.ravel()
    layouts = ("C",) if len(last.value_shape) == 1 else ("CHW", "HWC")
    return next((k for k in layouts if np.array_equal(found, fresh("", last.value_shape, k).index.ravel())), "")
