# SPDX-License-Identifier: Apache-2.0
"""What an ONNX model would become: nodes after inlining, elements after folding, told before either is done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bitwright import limits
from bitwright.errors import ModelError

# Operators that the reference evaluator computes with a few NumPy calls: time and memory follow their elements.
_LINEAR = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh BatchNormalization BitShift BitwiseAnd BitwiseNot
    BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Compress Concat Constant ConstantOfShape Cos Cosh CumSum
    DepthToSpace DequantizeLinear Div Dropout Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather Gelu Greater
    GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LayerNormalization LeakyRelu Less LessOrEqual Log
    LogSoftmax Max Mean Min Mish Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow QuantizeLinear Range Reciprocal
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
    Relu Reshape Round Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split
    Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile Transpose Trilu Unique Unsqueeze Where Xor
"""
LINEAR = frozenset(_LINEAR.split())
BOUNDED = frozenset({"NonZero", "Unique", "Compress"})  # the values decide; at most the rank times the inputs' elements
SIZED_BY_VALUES = frozenset({"ConstantOfShape", "EyeLike", "Expand", "OneHot", "Pad", "Range", "Tile"})  # linear ones
Shape = tuple[int, ...]
KNOWN_VALUES = 1024  # elements of an input whose values the inference of shapes gets
SLOW_ELEMENTS = 1 << 16  # of operators that are not linear
SLOW_WORK = 1 << 24


def check_nodes(model: onnx.ModelProto) -> None:
    """`ModelError` where the model, its functions inlined, has too many nodes, or functions that call themselves."""
    functions = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def count(nodes: Sequence[onnx.NodeProto], calls: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for node in nodes:
            total += size((node.domain, node.op_type), calls)
            for attribute in node.attribute:
                total += sum(count(g.node, calls) for g in (attribute.g, *attribute.graphs))
        return total

    def size(key: tuple[str, str], calls: tuple[tuple[str, str], ...]) -> int:
        if key not in functions:
            return 1
        if key in calls or len(calls) > MAX_CALLS:
            raise ModelError(f"function {key[1]!r} calls itself, or functions call each other over {MAX_CALLS} levels")
        if key not in sizes:
            sizes[key] = count(functions[key].node, (*calls, key))
        return sizes[key]

    limits.check("nodes", count(model.graph.node, ()), "the model has")


MAX_CALLS = 100


def check_texts(message: Any) -> None:
    """`ModelError` where a text of the model, or of a part of it, is not UTF-8: protobuf gives it as bytes then."""
    waiting = [message]
    while waiting:
        for field, value in waiting.pop().ListFields():
            if field.type not in (field.TYPE_STRING, field.TYPE_MESSAGE):
                continue
            values = [value] if isinstance(value, (str, bytes)) or hasattr(value, "ListFields") else list(value)
            if field.type == field.TYPE_STRING and any(isinstance(v, bytes) for v in values):
                raise ModelError(f"{field.name} of {field.containing_type.name} is no text: it is not UTF-8")
            if field.type == field.TYPE_MESSAGE:
                waiting += values


def check_tensor(tensor: TensorProto) -> TensorProto:
    """The tensor, if its sizes are legal, the budget allows them, and its data are in the file."""
    if tensor.data_location == TensorProto.EXTERNAL:
        raise ModelError(f"tensor {tensor.name!r} keeps its data in another file, which is not loaded")
    if any(n < 0 for n in tensor.dims):
        raise ModelError(f"tensor {tensor.name!r} has shape {list(tensor.dims)[:8]}; legal are sizes of at least 0")
    limits.check_shape(tensor.dims, f"tensor {tensor.name!r} has")
    return tensor


def array(tensor: TensorProto) -> np.ndarray:
    """The array of a tensor; `ModelError` where it is damaged, too large or elsewhere."""
    try:
        return numpy_helper.to_array(check_tensor(tensor))
    except (ValueError, TypeError, KeyError) as error:
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"tensor {tensor.name!r} is damaged: {text}") from None


def check_folding(node: onnx.NodeProto, opset: int, inputs: Sequence[np.ndarray | None], held: int) -> None:
    """`ModelError` where computing the node from constants passes the budget. held: bytes of the constants so far."""
    if any(a.HasField("g") or a.graphs for a in node.attribute):
        raise ModelError("has a subgraph; legal are operators without one")
    if any(a.HasField("sparse_tensor") or a.sparse_tensors for a in node.attribute):
        raise ModelError("holds a sparse tensor; legal are dense tensors")
    for attribute in node.attribute:
        if attribute.HasField("t"):
            check_tensor(attribute.t)
    given = [x for x in inputs if x is not None]
    size = _result_size(node, opset, given, inputs)
    limits.check("elements", size, "its result has")
    limits.check("bytes", held + 8 * size, "with its result the constants have")
    if node.op_type in LINEAR:
        return
    terms = [x.size for x in given]
    if node.op_type in ("MatMul", "Gemm") and len(terms) > 1:
        limits.check("macs", math.isqrt(size * terms[0] * terms[1]), "its result takes")
        return
    kernel = math.prod(next((list(a.ints) for a in node.attribute if a.name == "kernel_shape"), []))
    if sum(terms) + size > SLOW_ELEMENTS or math.prod(max(1, n) for n in terms) * abs(kernel) > SLOW_WORK:
        raise ModelError(f"is computed from constants of {sum(terms):,} elements; legal are {SLOW_ELEMENTS:,}")


def _result_size(node: onnx.NodeProto, opset: int, given: list[np.ndarray], inputs: Sequence[np.ndarray | None]) -> int:
    """Elements of the largest result, by ONNX's own inference of shapes."""
    shapes = result_shapes(node, opset, inputs)
    if shapes is not None:
        return max((math.prod(shape) for shape in shapes), default=0)
    most = sum(x.size * max(1, x.ndim) for x in given)
    if node.op_type in SIZED_BY_VALUES or node.op_type not in LINEAR:
        raise ModelError("cannot be computed from its constants: they give no legal shape")
    return most


def result_shapes(node: onnx.NodeProto, opset: int, inputs: Sequence[np.ndarray | Shape | None]) -> list[Shape] | None:
    """The shapes of a standard node's results, where ONNX's rules give all of them.

    inputs: constants, and the shapes of real tensors; None for inputs that are left out.
    """
    alone = onnx.NodeProto()
    alone.CopyFrom(node)
    del alone.input[:]
    infos, stored = [], []
    for i, x in enumerate(inputs):
        name = "" if x is None else f"input{i}"
        alone.input.append(name)
        if isinstance(x, tuple):
            infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, x))
        elif x is not None and x.size <= KNOWN_VALUES and x.dtype.kind in "biuf":
            stored.append(numpy_helper.from_array(x, name))
        elif x is not None:
            kind = helper.np_dtype_to_tensor_dtype(x.dtype) if x.dtype.kind in "biuf" else TensorProto.STRING
            infos.append(helper.make_tensor_value_info(name, kind, x.shape))
    results = [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in node.output if n]
    model = helper.make_model(
        helper.make_graph([alone], "sizes", infos, results, stored), opset_imports=[helper.make_opsetid("", opset)]
    )
    try:
        found = onnx.shape_inference.infer_shapes(model).graph.output
    except Exception:  # the inference raises what the operators' own rules do; unknown then
        return None
    tensors = [info.type.tensor_type for info in found]
    if any(not t.HasField("shape") or any(not d.HasField("dim_value") for d in t.shape.dim) for t in tensors):
        return None
    shapes = [tuple(d.dim_value for d in t.shape.dim) for t in tensors]
    return shapes if all(n >= 0 for shape in shapes for n in shape) else None
