# SPDX-License-Identifier: Apache-2.0
"""The integer network: the one contract between readers, quantizer, passes and targets."""

from __future__ import annotations

import hashlib
import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Protocol, cast

import numpy as np

from bitwright import limits
from bitwright.errors import DataError, ModelError
from bitwright.network.inputs import InputSpec, OutputSpec
from bitwright.network.nodes import INPUT as INPUT
from bitwright.network.nodes import NodeGraph
from bitwright.network.ops import Op
from bitwright.network.sizes import check_op
from bitwright.network.types import Array, Ints, TensorType

MAX_NAME = 4096  # characters


@dataclass(frozen=True, eq=False)
class Node:
    """One operation; `name` is also the name of its value.

    origin: the node of the network before it was lowered to simpler operations that it comes from, if not itself.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    origin: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "origin", self.origin or self.name)
        for name in (self.name, *self.inputs):
            if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
                raise ModelError(f"a node's name is {str(name)[:40]!r}; legal are texts of 1 to {MAX_NAME} characters")


class Evaluator(Protocol):
    """What `fast.evaluator.Evaluator` offers."""

    def run(self, x: Array, values: Sequence[str] | None = None) -> Ints | dict[str, Ints]: ...

    def predict(self, x: Array) -> Array: ...


@dataclass(frozen=True, eq=False)
class Network(NodeGraph[Node]):
    """A validated, acyclic graph of integer operations with one input, named "input", and one output.

    `nodes` are in topological order; the last node is the output. Construction checks every rule and
    raises `ModelError` with the node's name; a Network that exists is valid. `source` says where it
    came from. Compare networks by `digest`.
    """

    input: InputSpec
    nodes: tuple[Node, ...]
    output: OutputSpec = field(default_factory=OutputSpec)
    name: str = "network"
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        if not self.nodes:
            raise ModelError("a network has at least one node")
        for what in ("name", "source"):
            if not isinstance(getattr(self, what), str):
                raise ModelError(f"a network's {what} is a text, not {str(getattr(self, what))[:40]!r}")
        limits.check("nodes", len(self.nodes), "the network has")
        limits.check_shape(self.input.type.shape, "the network's input has")
        types = {INPUT: self.input.type}
        work = 0
        for node in self.nodes:
            where = f"node {node.name!r} ({type(node.op).__name__})"
            if node.name in types:
                raise ModelError(f"{where}: the name is taken already")
            if len(node.inputs) != node.op.arity:
                raise ModelError(f"{where}: takes {node.op.arity} inputs, not {len(node.inputs)}")
            for name in node.inputs:
                if name not in types:
                    raise ModelError(f"{where}: input {name!r} is not defined before it")
            try:
                read = [types[n] for n in node.inputs]
                types[node.name] = node.op.infer(*read)
                work += check_op(node.op, read, types[node.name])
            except ModelError as error:
                raise ModelError(f"{where}: {error}") from None
        limits.check("macs", work, "one sample takes")
        limits.check("bytes", 4 * sum(t.size for t in types.values()), "the values of one sample have")
        used = {name for node in self.nodes for name in node.inputs}
        unused = [n.name for n in self.nodes[:-1] if n.name not in used]
        if unused:
            names = ", ".join(unused[:3]) + (f" and {len(unused) - 3} more" if len(unused) > 3 else "")
            raise ModelError(f"values {names} lead nowhere; only the last node may be the output")
        object.__setattr__(self, "types", types)
        out = types[self.nodes[-1].name]
        spec = self.output
        image = len(out.shape) == 3
        spec = replace(spec, shape=spec.shape or out.shape, layout=spec.layout or ("HWC" if image else "C"))
        for name in ("scale", "offset"):
            value = getattr(spec, name)
            if value.shape not in ((1,), (out.channels,)) or not np.all(np.isfinite(value)):
                raise ModelError(f"output {name} must be finite, one value or one per channel, not {value}")
        if math.prod(spec.shape) != out.size or spec.layout not in (("HWC", "CHW") if image else ("C",)):
            raise ModelError(f"output shape {spec.shape} and layout {spec.layout!r} do not fit {out}")
        object.__setattr__(self, "output", spec)

    types: Mapping[str, TensorType] = field(init=False, repr=False)

    @property
    def output_type(self) -> TensorType:
        return self.types[self.output_name]

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of everything that `evaluate` and the float scales depend on."""
        h = hashlib.sha256()

        def add(value: object) -> None:
            if isinstance(value, np.ndarray):
                h.update(f"{value.dtype.str}{value.shape}".encode())
                h.update(np.ascontiguousarray(value).tobytes())
            elif isinstance(value, (InputSpec, OutputSpec, Op)):
                h.update(type(value).__name__.encode())
                for f in fields(value):
                    h.update(f.name.encode())
                    add(getattr(value, f.name))
            else:  # with its length, since names may hold what looks like other parts
                data = str(value).encode(errors="surrogatepass")
                h.update(f"{len(data)}:".encode() + data)

        add(self.input)
        for node in self.nodes:
            add(node.name)
            add(node.inputs)
            add(node.op)
        add(self.output)
        return h.hexdigest()

    @cached_property
    def evaluator(self) -> Evaluator:
        """The fast evaluator of this network, made on first use and kept."""
        module = importlib.import_module("bitwright.fast.evaluator")  # by name: it stands above this module
        return cast(Evaluator, module.Evaluator(self))

    def predict(self, x: Array) -> Array:
        """Float outputs for float inputs x [N, *input.shape], in the model's own units, shapes and layouts, float32.

        Exactly output.dequantize(evaluate(input.quantize(x))), computed in batches. Raises `DataError`
        where x does not fit or holds NaN or infinity.
        """
        return self.evaluator.predict(x)

    def __repr__(self) -> str:
        return f"<Network {self.name!r}: {self.input.type} -> {self.output_type}, {len(self.nodes)} nodes>"


def evaluate(network: Network, x: Array) -> dict[str, Ints]:
    """The meaning of a network: every named value for integer inputs x [N, *shape].

    Returns int64 arrays [N, *shape], "input" included. Raises `DataError` where x does not fit the
    input type. This is the definition, in plain NumPy; `fast.Evaluator` computes the same faster.
    """
    x = check_integers(network, x)
    values = {INPUT: x}
    for node in network.nodes:
        values[node.name] = node.op.evaluate(*(values[n] for n in node.inputs))
    return values


def check_integers(network: Network, x: Array) -> Ints:
    """x as int64 [N, *shape] if it fits the network's input type, else `DataError`."""
    x = np.asarray(x)
    t = network.input.type
    if x.shape[1:] != t.shape or x.ndim != len(t.shape) + 1:
        raise DataError(f"input has shape {x.shape}; legal is (N, {', '.join(map(str, t.shape))})")
    if x.dtype.kind not in "iub":
        raise DataError(f"integer input expected, not {x.dtype}")
    x = x.astype(np.int64)
    if not t.dtype.contains(x):
        raise DataError(f"input spans [{x.min()}, {x.max()}], outside {t.dtype} [{t.dtype.min}, {t.dtype.max}]")
    return x
