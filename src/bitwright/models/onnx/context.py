# SPDX-License-Identifier: Apache-2.0
"""The state of reading one ONNX model, and the node as the operator functions see it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import helper

from bitwright import limits
from bitwright.errors import ModelError
from bitwright.models.exact.formula import Formula
from bitwright.models.graph import FloatNode, Quantizer, ops
from bitwright.models.onnx.budget import array, result_shapes
from bitwright.models.onnx.tensors import (
    Codes,
    Constant,
    Tensor,
    blocks,
    fresh,
    selection,
    spread_blocks,
    view,
)
from bitwright.models.problems import Breach, OrderError
from bitwright.text import unique

InputView = tuple[str, tuple[int, ...]]
MOST_GUESSED = 1 << 22  # elements of a value behind a problem, for further problems to be found


class Context:
    """Tensors by ONNX name, the float nodes made so far, the shapes of their values, and the problems met.

    guessed: values behind a node that is not supported, of which only the shape is known.
    inputs: the ONNX names of the input values. formulas: those of functions, by the name of their result. views: what
    else an input may be, where the model reshapes it into an image.
    """

    def __init__(
        self, opset: int, model: onnx.ModelProto, inputs: Mapping[str, str], formulas: Mapping[str, Formula]
    ) -> None:
        self.opset = opset
        self.model = model
        self.inputs = inputs
        self.formulas = formulas
        self.batch = 1  # that the model was exported for
        self.env: dict[str, Constant | Tensor | None] = {}
        self.nodes: list[FloatNode] = []
        self.by_name: dict[str, FloatNode] = {}
        self.readers: dict[str, list[FloatNode]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.problems: list[Breach] = []
        self.read_before_problem = 0  # nodes
        self.guessed: set[str] = set()
        self.views: list[tuple[str, InputView]] = []
        self.held = 0  # bytes of the constants, weights and indices made so far
        self.deadline = limits.Deadline()

    def emit(self, op: ops.Op, inputs: Sequence[str], name: str) -> str:
        """Append a float node; the name of its value, made unique where it is taken."""
        whole = [op.quantized.values] if isinstance(op, ops.Layer) and op.quantized else []
        self.hold([*op.arrays().values(), *whole])
        node = FloatNode(unique(name or type(op).__name__, self.shapes), op, tuple(inputs))
        self.shapes[node.name] = op.infer(*(self.shapes[i] for i in inputs))
        self.nodes.append(node)
        self.by_name[node.name] = node
        for value in inputs:
            self.readers.setdefault(value, []).append(node)
        if not self.guessed.isdisjoint(inputs):
            self.guessed.add(node.name)
        return node.name

    def quantize(self, value: str, name: str, quantizer: Quantizer) -> str:
        """The value on a quantizer's grid; equal quantizers of one value are one node."""
        for node in self.readers.get(value, ()):
            if isinstance(node.op, ops.Quant) and node.op.quantizer.same_as(quantizer):
                return node.name
        return self.emit(ops.Quant(quantizer), [value], name)

    def hold(self, found: Iterable[object]) -> None:
        """Count the bytes of arrays, constants and indices among `found`; `ModelError` where all pass the budget."""
        for item in found:
            whole = item.array if isinstance(item, Constant) else item.custom if isinstance(item, Tensor) else item
            self.held += whole.nbytes if isinstance(whole, np.ndarray) else 0
        limits.check("bytes", self.held, "the constants of the model have")

    def view(self, value: str, index: np.ndarray, codes: Codes | None = None) -> Tensor:
        return view(value, self.shapes[value], index, codes)

    def fresh(self, value: str, layout: str) -> Tensor:
        """The whole value in a layout; vectors are always "C"."""
        shape = self.shapes[value]
        return fresh(value, shape, layout if len(shape) == 3 else "C")

    def image(self, tensor: Tensor) -> str:
        """The value of a tensor that is an image in NCHW order; `ModelError` where it is none."""
        tensor = self.arranged(self.plain(tensor))
        if self.is_computed_vector(tensor) and len(tensor.shape) == 4:
            value, block = self.pixel(tensor), (tensor.shape[2], tensor.shape[3])
            return value if block == (1, 1) else self.emit(ops.DepthToSpace(block), [value], f"{tensor.value}/image")
        if tensor.layout == "CHW":
            return tensor.value
        if len(tensor.shape) != 4:
            shape = list(tensor.shape)
            raise ModelError(f"takes images [N, C, H, W], not {shape}; reshape 1-D data [N, C, T] to [N, C, 1, T]")
        flat = tensor.index.ravel()
        c, h, w = tensor.shape[1:]
        views = {"CHW": np.arange(flat.size), "HWC": np.arange(flat.size).reshape(h, w, c).transpose(2, 0, 1).ravel()}
        root = self._root(tensor.value)
        start = fresh(root, self.shapes[root], self._input_layout(root)).index.ravel()
        position = np.empty_like(start)
        position[start] = np.arange(start.size)  # of each value element in the model's own input
        if flat.size == start.size and tensor.value not in self.guessed:
            found = [(k, (h, w, c)) for k, order in views.items() if np.array_equal(position[flat], order)]
            self.views += [(root, view) for view in found]
        raise OrderError("takes an image, but its input was reshaped or transposed in a way that is none")

    def is_computed_vector(self, tensor: Tensor) -> bool:
        """Whether it is a vector that the model computes: what its input is shows only when it is read as an image.

        Functions of the input's elements, such as its quantizer, are the input in this.
        """
        value = tensor.value
        while value in self.by_name and isinstance(self.by_name[value].op, ops.Pointwise):
            value = self.by_name[value].inputs[0]
        return len(tensor.value_shape) == 1 and value not in {*self.inputs, *self.guessed}

    def pixel(self, tensor: Tensor) -> str:
        """The value of a vector as an image of one pixel."""
        order = ops.Channels(tuple(int(i) for i in tensor.index.ravel()))
        value = tensor.value
        if not order.is_trivial(self.shapes[value]):
            value = self.emit(order, [value], f"{value}/order")
        return self.emit(ops.one_pixel(), [value], f"{value}/pixel")

    def arranged(self, tensor: Tensor) -> Tensor:
        """The tensor as an image of its own, where it holds the channels of one in another order."""
        if tensor.layout or tensor.codes or tensor.value in self.guessed or len(tensor.value_shape) != 3:
            return tensor
        return self.part(tensor.value, tensor.index, f"{tensor.value}/arranged") or tensor

    def ordered(self, tensor: Tensor) -> Tensor:
        """The tensor as numbers, one of 4 axes as an image in the order NCHW or NHWC."""
        tensor = self.arranged(self.plain(tensor))
        if len(tensor.shape) != 4 or tensor.layout:
            return tensor
        return self.fresh(self.image(tensor), "CHW")

    def part(self, value: str, index: np.ndarray, name: str) -> Tensor | None:
        """A value that holds what the index picks of another one; None where that is no image or vector."""
        shape = self.shapes[value]
        if len(shape) == 1:
            picked = self.emit(ops.Channels(tuple(int(i) for i in index.ravel())), [value], name)
            return self.view(picked, np.arange(index.size).reshape(index.shape))
        if index.ndim == 3:  # a series is an image of one row
            made = self.part(value, index[:, :, None], name)
            return made and self.view(made.value, made.index.reshape(index.shape))
        found = selection(index, shape)
        if found is None:
            return self._of_blocks(value, index, name)
        (rows, columns, channels), layout = found
        for op in (ops.Pixels(rows, columns), ops.Channels(channels)):
            if not op.is_trivial(self.shapes[value]):
                value = self.emit(op, [value], name)
        return self.fresh(value, layout)

    def _of_blocks(self, value: str, index: np.ndarray, name: str) -> Tensor | None:
        """Blocks of pixels as channels, or channels as blocks of pixels."""
        shape = self.shapes[value]
        found = blocks(index, shape)
        if found is not None:
            kinds = list(dict.fromkeys(found.first))
            joined = self.phases(value, kinds, found.factor, shape[:2], name)
            places = zip(found.first, found.channels, strict=True)
            order = ops.Channels(tuple(kinds.index(first) * shape[2] + c for first, c in places))
            if not order.is_trivial(self.shapes[joined]):
                joined = self.emit(order, [joined], name)
            return self.fresh(joined, "CHW")
        spread = spread_blocks(index, shape)
        if spread is None:
            return None
        order = ops.Channels(spread[1])
        if not order.is_trivial(shape):
            value = self.emit(order, [value], f"{name}/order")
        return self.fresh(self.emit(ops.DepthToSpace(spread[0]), [value], name), "CHW")

    def phases(
        self, value: str, first: Sequence[tuple[int, int]], factor: tuple[int, int], size: tuple[int, ...], name: str
    ) -> str:
        """The channels of the pixels with steps of `factor`, from each first one on, joined."""
        parts = []
        for k, place in enumerate(first):
            rows, columns = (tuple(range(p, n - n % f, f)) for p, n, f in zip(place, size, factor, strict=True))
            op = ops.Pixels(rows, columns)
            parts.append(value if op.is_trivial(self.shapes[value]) else self.emit(op, [value], f"{name}/{k}"))
        joined = parts[0]
        for part in parts[1:]:
            joined = self.emit(ops.Concat(), [joined, part], name)
        return joined

    def _root(self, value: str) -> str:
        """The input that a value comes from, by first operands."""
        while value in self.by_name:
            value = self.by_name[value].inputs[0]
        return value if value in self.inputs else next(iter(self.inputs))

    def _input_layout(self, value: str) -> str:
        tensor = self.env[self.inputs[value]]
        return tensor.layout if isinstance(tensor, Tensor) and tensor.layout else "C"

    def vector(self, tensor: Tensor) -> Tensor:
        """The tensor as a view of a value (C,): images are flattened, in (H, W, C) order."""
        tensor = self.plain(tensor)
        if len(tensor.value_shape) == 1:
            return tensor
        flat = next((n for n in self.readers.get(tensor.value, ()) if isinstance(n.op, ops.Flatten)), None)
        name = flat.name if flat else self.emit(ops.Flatten(), [tensor.value], f"{tensor.value}/flat")
        return self.view(name, tensor.index)

    def plain(self, tensor: Tensor) -> Tensor:
        """The tensor as numbers: one that holds codes (QuantizeLinear) becomes value / scale + zero."""
        if tensor.codes is None:
            return tensor
        scale, zero = tensor.codes.scale, tensor.codes.zero
        return tensor.on(self.emit(ops.Affine(1 / scale, zero), [tensor.value], f"{tensor.value}/codes"))

    def is_guessed(self, node: NodeView) -> bool:
        """Whether the node reads something whose order of elements is unknown."""
        return any(isinstance(i, Tensor) and i.value in self.guessed for i in node.inputs)

    def placeholders(self, node: NodeView) -> list[Tensor | None]:
        """Tensors of the shapes that ONNX infers, so that reading can go on behind a problem."""
        known = [isinstance(i, Tensor | Constant) for i, given in zip(node.inputs, node.given, strict=True) if given]
        found = node_shapes(node, self.opset) if all(known) else {}
        return [self._placeholder(o, found.get(o) or self._inferred.get(o)) for o in node.proto.output]

    def _placeholder(self, name: str, shape: tuple[int, ...] | None) -> Tensor | None:
        if shape is None or len(shape) < 2 or any(n < 1 for n in shape):
            return None
        shape = (1, *shape[1:])
        if math.prod(shape) > min(limits.current().elements, MOST_GUESSED):
            return None
        value = f"{name}/unknown"
        self.guessed.add(value)
        layout = "CHW" if len(shape) == 4 else "C"
        self.shapes[value] = (shape[2], shape[3], shape[1]) if layout == "CHW" else (math.prod(shape),)
        return self.view(value, fresh(value, self.shapes[value], layout).index.reshape(shape))

    @cached_property
    def is_one_sample(self) -> bool:
        """Whether the batch of every input is fixed to 1: what works along it works on one sample."""
        inputs = [i.type.tensor_type.shape.dim for i in self.model.graph.input if i.name in self.inputs.values()]
        return all(len(dims) > 0 and dims[0].dim_value == 1 for dims in inputs)

    @cached_property
    def read_names(self) -> frozenset[str]:
        """The tensors that some node reads, or that the model yields."""
        graphs, found = [self.model.graph], {o.name for o in self.model.graph.output}
        while graphs:
            graph = graphs.pop()
            for node in graph.node:
                found.update(node.input)
                for attribute in node.attribute:
                    inner = [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
                    found.update(o.name for g in inner for o in g.output)
                    graphs += inner
        return frozenset(found)

    @cached_property
    def _inferred(self) -> dict[str, tuple[int, ...]]:
        copy = onnx.ModelProto()
        copy.CopyFrom(self.model)
        for info in copy.graph.input:
            if info.name in self.inputs.values():
                info.type.tensor_type.shape.dim[0].dim_value = 1
        try:
            inferred = onnx.shape_inference.infer_shapes(copy)
        except Exception:  # the inference raises what the operators' own rules do
            return {}  # a broken node; the problems found so far are told all the same
        return _fixed_shapes([*inferred.graph.value_info, *inferred.graph.output])


def node_shapes(node: NodeView, opset: int) -> dict[str, tuple[int, ...]]:
    """Shapes of a standard node's outputs, inferred from the node alone; without those that ONNX does not know."""
    if node.domain or not onnx.defs.has(node.op, ""):
        return {}
    given = [i.array if isinstance(i, Constant) else i.shape if i else None for i in node.inputs]
    shapes = result_shapes(node.proto, opset, given) or []
    found = zip((o for o in node.proto.output if o), shapes, strict=bool(shapes))
    return {name: shape for name, shape in found if shape and all(n > 0 for n in shape[1:])}


def _fixed_shapes(infos: Iterable[onnx.ValueInfoProto]) -> dict[str, tuple[int, ...]]:
    """The shapes that are known but for the batch."""
    dims = {i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim) for i in infos}
    return {name: d for name, d in dims.items() if d and all(n > 0 for n in d[1:])}


class NodeView:
    """One ONNX node: operator, name, inputs looked up, attributes as Python values."""

    def __init__(self, proto: onnx.NodeProto, context: Context) -> None:
        self.proto = proto
        self.op = proto.op_type
        self.domain = "" if proto.domain == "ai.onnx" else proto.domain
        self.output = next((o for o in proto.output if o), proto.op_type)
        self.name = proto.name or self.output
        self.inputs = [context.env.get(i) if i else None for i in proto.input]
        self.missing = [i for i in proto.input if i and i not in context.env]
        self.unknown = any(i and context.env.get(i) is None for i in proto.input)
        self.given = [bool(i) for i in proto.input]
        self._attributes = {a.name: a for a in proto.attribute}

    @property
    def attribute_names(self) -> list[str]:
        return list(self._attributes)

    @property
    def all_constant(self) -> bool:
        """Whether every input that is given is a constant (a node without inputs is one too)."""
        return all(isinstance(i, Constant) for i, given in zip(self.inputs, self.given, strict=True) if given)

    def attribute(self, name: str, default: Any = None) -> Any:
        """Value of an attribute: numbers, lists, text as str, tensors as arrays, graphs as they are."""
        if name not in self._attributes:
            return default
        value = helper.get_attribute_value(self._attributes[name])
        if isinstance(value, bytes):
            return value.decode()
        return array(value) if isinstance(value, onnx.TensorProto) else value

    def has(self, i: int) -> bool:
        """Whether input i is given."""
        return i < len(self.inputs) and self.inputs[i] is not None

    def tensor(self, i: int = 0) -> Tensor:
        """Input i, which must depend on the model's input."""
        found = self.inputs[i] if i < len(self.inputs) else None
        if not isinstance(found, Tensor):
            raise ModelError(f"input {i} must be computed from the model's input, not a constant")
        return found

    def stored(self, i: int, what: str) -> Constant:
        """Input i, which must be a constant."""
        found = self.inputs[i] if i < len(self.inputs) else None
        if not isinstance(found, Constant):
            raise ModelError(f"the {what} must be a constant, not computed from the model's input")
        return found

    def array(self, i: int, what: str) -> np.ndarray:
        """Input i, a constant, as float64."""
        return self.stored(i, what).array.astype(np.float64)

    def optional(self, i: int, what: str) -> np.ndarray | None:
        """Input i as float64 where it is given, else None."""
        return self.array(i, what) if self.has(i) else None

    def integers(self, i: int, attribute: str, what: str) -> list[int] | None:
        """A list of integers given as input i or, in older opsets, as an attribute."""
        if self.has(i):
            return [int(v) for v in np.atleast_1d(self.stored(i, what).array)]
        found = self.attribute(attribute)
        return None if found is None else [int(v) for v in np.atleast_1d(found)]
