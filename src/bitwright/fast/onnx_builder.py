# SPDX-License-Identifier: Apache-2.0
"""A small builder of ONNX models: nodes, constants, one name a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from bitwright.network.types import Array

OPSET = 18
IR_VERSION = 9
RUNTIME = "com.microsoft"  # ONNX Runtime's own operators
_ELEMENT = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
}


class Builder:
    """Collects the nodes of one ONNX graph; every method that adds a value returns its name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: str, shape: tuple[int, ...]) -> str:
        """A batched input [N, *shape]."""
        self._inputs.append(helper.make_tensor_value_info(name, _ELEMENT[dtype], ["N", *shape]))
        return name

    def output(self, value: str, name: str, dtype: str) -> None:
        """Give `value` out under `name`."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, _ELEMENT[dtype], None))

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One node with one output."""
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: npt.ArrayLike) -> str:
        """A constant that the runtime may fold into others: for weights, shapes and indices."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def operand(self, value: Array | np.generic) -> str:
        """A constant that the runtime must leave where it stands.

        It is an initializer that a caller could override, so that no graph optimization may merge it
        into the weights of a neighbouring product, which would round where the proof allows none.
        """
        name = self.constant(value)
        self._inputs.append(helper.make_tensor_value_info(name, _ELEMENT[value.dtype.name], value.shape))
        return name

    def cast(self, value: str, dtype: str) -> str:
        return self.add("Cast", value, to=_ELEMENT[dtype])

    def reshape(self, value: str, *shape: int) -> str:
        """Reshape; 0 keeps an axis, -1 is what is left."""
        return self.add("Reshape", value, self.constant(np.array(shape, np.int64)))

    def transpose(self, value: str, *order: int) -> str:
        return self.add("Transpose", value, perm=list(order))

    def model(self) -> bytes:
        """The finished model, serialized."""
        graph = helper.make_graph(self._nodes, "integer_network", self._inputs, self._outputs, self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)]
        model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()
        return model
