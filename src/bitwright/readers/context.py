"""The state of reading one ONNX model, and the node as the operator functions see it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from bitwright.errors import ModelError
from bitwright.readers.floatgraph import INPUT, FloatNode, QuantizedWeight, node_shape
from bitwright.readers.tensors import Codes, Constant, Tensor, fresh, view

InputView = tuple[str, tuple[int, ...]]


class NeedImage(Exception):
    """The model reshapes its input into an image: reading starts anew with one of these input views."""

    def __init__(self, views: list[InputView], error: ModelError) -> None:
        super().__init__(str(error))
        self.views, self.error = views, error


class Context:
    """Tensors by ONNX name, the float nodes made so far, the shapes of their values, and the problems met."""

    def __init__(self, opset: int, model: onnx.ModelProto, input_name: str) -> None:
        self.opset = opset
        self.model = model
        self.input_name = input_name
        self.env: dict[str, Constant | Tensor | None] = {}
        self.nodes: list[FloatNode] = []
        self.by_name: dict[str, FloatNode] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.problems: list[str] = []
        self.views: list[InputView] = []

    def emit(
        self,
        kind: str,
        inputs: Sequence[str],
        name: str,
        *,
        quantized: QuantizedWeight | None = None,
        **attributes: Any,
    ) -> str:
        """Append a float node; the name of its value, made unique where it is taken."""
        unique, count = name or kind, 1
        while unique in self.shapes:
            count += 1
            unique = f"{name or kind}_{count}"
        node = FloatNode(unique, kind, tuple(inputs), attributes, quantized)
        self.shapes[unique] = node_shape(node, *(self.shapes[i] for i in inputs))
        self.nodes.append(node)
        self.by_name[unique] = node
        return unique

    def view(self, value: str, index: np.ndarray, codes: Codes | None = None) -> Tensor:
        return view(value, self.shapes[value], index, codes)

    def fresh(self, value: str, layout: str) -> Tensor:
        """The whole value in a layout; vectors are always "C"."""
        shape = self.shapes[value]
        return fresh(value, shape, layout if len(shape) == 3 else "C")

    def image(self, tensor: Tensor) -> str:
        """The value of a tensor that is an image in NCHW order; `ModelError` where it is none."""
        tensor = self.plain(tensor)
        if tensor.layout == "CHW":
            return tensor.value
        if len(tensor.shape) != 4:
            raise ModelError(f"takes images [N, C, H, W], not {list(tensor.shape)}; 1-D and 3-D data are not supported")
        flat = tensor.index.ravel()
        c, h, w = tensor.shape[1:]
        views = {"CHW": np.arange(flat.size), "HWC": np.arange(flat.size).reshape(h, w, c).transpose(2, 0, 1).ravel()}
        start = fresh(INPUT, self.shapes[INPUT], self._input_layout()).index.ravel()
        position = np.empty_like(start)
        position[start] = np.arange(start.size)  # of each value element in the model's own input
        if flat.size == start.size:
            self.views += [(k, (h, w, c)) for k, order in views.items() if np.array_equal(position[flat], order)]
        raise ModelError("takes an image, but its input was reshaped or transposed in a way that is none")

    def _input_layout(self) -> str:
        tensor = self.env[self.input_name]
        return tensor.layout if isinstance(tensor, Tensor) and tensor.layout else "C"

    def vector(self, tensor: Tensor) -> Tensor:
        """The tensor as a view of a value (C,): images are flattened, in (H, W, C) order."""
        tensor = self.plain(tensor)
        if len(tensor.value_shape) == 1:
            return tensor
        flat = next((n for n in self.nodes if n.kind == "Flatten" and n.inputs == (tensor.value,)), None)
        name = flat.name if flat else self.emit("Flatten", [tensor.value], f"{tensor.value}/flat")
        return self.view(name, tensor.index)

    def plain(self, tensor: Tensor) -> Tensor:
        """The tensor as numbers: one that holds codes (QuantizeLinear) becomes value / scale + zero."""
        if tensor.codes is None:
            return tensor
        scale, zero = tensor.codes.scale, tensor.codes.zero
        return tensor.on(self.emit("Affine", [tensor.value], f"{tensor.value}/codes", scale=1 / scale, shift=zero))

    def placeholder(self, name: str) -> Tensor | None:
        """A tensor of the shape that ONNX infers, so that reading can go on behind a problem."""
        shape = self._inferred.get(name)
        if shape is None or len(shape) < 2 or any(n < 1 for n in shape):
            return None
        shape = (1, *shape[1:])
        value = f"{name}/unknown"
        layout = "CHW" if len(shape) == 4 else "C"
        self.shapes[value] = (shape[2], shape[3], shape[1]) if layout == "CHW" else (int(np.prod(shape)),)
        return self.view(value, fresh(value, self.shapes[value], layout).index.reshape(shape))

    @cached_property
    def _inferred(self) -> dict[str, tuple[int, ...]]:
        copy = onnx.ModelProto()
        copy.CopyFrom(self.model)
        for node in copy.graph.node:
            if node.domain not in ("", "ai.onnx") and node.input and node.output:
                node.CopyFrom(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
        for info in copy.graph.input:
            if info.name == self.input_name:
                info.type.tensor_type.shape.dim[0].dim_value = 1
        try:
            inferred = onnx.shape_inference.infer_shapes(copy, data_prop=True)
        except onnx.shape_inference.InferenceError:
            return {}  # a broken node; the problems found so far are told all the same
        infos = [*inferred.graph.value_info, *inferred.graph.output]
        dims = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in infos}
        return {name: tuple(d) for name, d in dims.items() if d and all(n > 0 for n in d[1:])}

    def reachable(self, value: str) -> list[FloatNode]:
        """The nodes that a value depends on, in order."""
        wanted, kept = {value}, []
        for node in reversed(self.nodes):
            if node.name in wanted:
                kept.append(node)
                wanted |= set(node.inputs)
        return kept[::-1]


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
        return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value

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
