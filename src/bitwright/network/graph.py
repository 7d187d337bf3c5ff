# SPDX-License-Identifier: Apache-2.0
"""The integer network: the one contract between readers, quantizer, passes and targets."""

from __future__ import annotations

import hashlib
import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Protocol, TypeVar, cast

import numpy as np

from bitwright import limits
from bitwright.errors import DataError, ModelError
from bitwright.network.bundles import bundled, parts
from bitwright.network.inputs import MAX_NAME as MAX_NAME
from bitwright.network.inputs import VECTOR_FUNCTIONS, InputSpec, OutputSpec
from bitwright.network.nodes import INPUT as INPUT
from bitwright.network.nodes import NodeGraph
from bitwright.network.ops import Op
from bitwright.network.sizes import check_op
from bitwright.network.types import Array, Interval, Ints, TensorType
from bitwright.text import Shown


@dataclass(frozen=True, eq=False)
class Output(Op):
    """What reads a value that leaves the network: the operation of `Network.sinks`, which no node has."""

    def infer(self, *inputs: TensorType) -> TensorType:
        raise ModelError("leaves the network; legal are operations that make a value")

    def interval(self, shape: tuple[int, ...], *inputs: Interval) -> Interval:
        return inputs[0]


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

    def run(self, x: Array | Mapping[str, Array], values: Sequence[str] | None = None) -> Ints | dict[str, Ints]: ...

    def predict(self, x: Array | Mapping[str, Array]) -> Array: ...


@dataclass(frozen=True, eq=False, repr=False)
class Network(Shown, NodeGraph[Node]):
    """A validated, acyclic graph of integer operations between inputs and outputs.

    inputs: each is a value of its own name; `nodes` are in topological order; outputs: each is a value that some node
    makes, whether or not others read it; without one named, that of the last node. One specification may stand for a
    tuple of one. Construction checks every rule and raises `ModelError` with the node's name; a Network that exists is
    valid. `source` says where it came from. Compare networks by `digest`.
    """

    inputs: tuple[InputSpec, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[OutputSpec, ...] = field(default_factory=lambda: (OutputSpec(),))
    name: str = "network"
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        for what, kind in (("inputs", InputSpec), ("outputs", OutputSpec)):
            given = getattr(self, what)
            object.__setattr__(self, what, (given,) if isinstance(given, kind) else tuple(given))
            names = [spec.name for spec in getattr(self, what)]
            if len(set(names)) < len(names) or not names:
                raise ModelError(f"the {what} are called {', '.join(names) or 'nothing'}; legal are one or more names")
        if not self.nodes:
            raise ModelError("a network has at least one node")
        for what in ("name", "source"):
            if not isinstance(getattr(self, what), str):
                raise ModelError(f"a network's {what} is a text, not {str(getattr(self, what))[:40]!r}")
        limits.check("nodes", len(self.nodes), "the network has")
        for given in self.inputs:
            limits.check_shape(given.type.shape, f"the network's {given.title} has")
        types = {given.name: given.type for given in self.inputs}
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
        object.__setattr__(self, "types", types)
        object.__setattr__(self, "outputs", tuple(self._output(spec) for spec in self.outputs))
        self._check_ends()

    types: Mapping[str, TensorType] = field(init=False, repr=False)

    def facts(self) -> dict[str, object]:
        """Its name, ends and size."""
        return {
            "name": self.name,
            "inputs": ", ".join(str(spec.type) for spec in self.inputs),
            "outputs": ", ".join(str(self.types[spec.value]) for spec in self.outputs),
            "operations": len(self.nodes),
            "source": self.source or None,
        }

    def _output(self, spec: OutputSpec) -> OutputSpec:
        """The specification of an output with its value, shape and layout."""
        value = spec.value or self.nodes[-1].name
        if value not in self.types or value in self.input_names:
            raise ModelError(f"{spec.title} is {value!r}, which no node makes")
        out = self.types[value]
        image = len(out.shape) == 3
        one = bool(spec.layout) and out.size == 1  # whose own shape may be ()
        shape, layout = spec.shape if one else spec.shape or out.shape, spec.layout or ("HWC" if image else "C")
        for name in ("scale", "offset"):
            numbers = getattr(spec, name)
            if numbers.shape not in ((1,), (out.channels,)) or not np.all(np.isfinite(numbers)):
                raise ModelError(f"{spec.title} {name} must be finite, one value or one per channel, not {numbers}")
        if math.prod(shape) != out.size or layout not in (("HWC", "CHW") if image else ("C",)):
            raise ModelError(f"{spec.title} shape {shape} and layout {layout!r} do not fit {out}")
        if not image and spec.function not in VECTOR_FUNCTIONS:
            legal = ", ".join(VECTOR_FUNCTIONS)
            raise ModelError(f"{spec.title} function {spec.function!r} is along an axis of an image; legal are {legal}")
        return replace(spec, value=value, shape=shape, layout=layout)

    def _check_ends(self) -> None:
        """Raise `ModelError` where a value leads nowhere, or an input of several."""
        used = {name for node in (*self.nodes, *self.sinks) for name in node.inputs}
        unused = [n.name for n in self.nodes if n.name not in used]
        if unused:
            names = ", ".join(unused[:3]) + (f" and {len(unused) - 3} more" if len(unused) > 3 else "")
            raise ModelError(f"values {names} lead nowhere; legal are outputs, and values that nodes read")
        idle = [name for name in self.input_names if name not in used]
        if idle and len(self.inputs) > 1:
            raise ModelError(f"no node reads the inputs {', '.join(idle)}; legal are inputs that are read")

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.inputs)

    @cached_property
    def sinks(self) -> tuple[Node, ...]:
        return tuple(Node(spec.name, Output(), (spec.value,)) for spec in self.outputs)

    @property
    def input(self) -> InputSpec:
        """The only input; `ModelError` where there are several."""
        return only(self.inputs, "inputs", "what is asked for takes networks of one")

    @property
    def output(self) -> OutputSpec:
        """The only output; `ModelError` where there are several."""
        return only(self.outputs, "outputs", "what is asked for takes networks of one")

    @property
    def output_type(self) -> TensorType:
        """The type of the only output."""
        return self.types[self.output.value]

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of everything that `evaluate` and the float scales depend on."""
        h = hashlib.sha256()
        several = len(self.inputs) + len(self.outputs) > 2

        def add(value: object) -> None:
            if isinstance(value, np.ndarray):
                h.update(f"{value.dtype.str}{value.shape}".encode())
                h.update(np.ascontiguousarray(value).tobytes())
            elif isinstance(value, (InputSpec, OutputSpec, Op)):
                h.update(type(value).__name__.encode())
                for f in fields(value):
                    if several or f.name not in ("name", "value"):  # what one input and one output are called is free
                        h.update(f.name.encode())
                        add(getattr(value, f.name))
            else:  # with its length, since names may hold what looks like other parts
                data = str(value).encode(errors="surrogatepass")
                h.update(f"{len(data)}:".encode() + data)

        for given in self.inputs:
            add(given)
        for node in self.nodes:
            add(node.name)
            add(node.inputs)
            add(node.op)
        for spec in self.outputs:
            add(spec)
        return h.hexdigest()

    @cached_property
    def evaluator(self) -> Evaluator:
        """The fast evaluator of this network, made on first use and kept."""
        module = importlib.import_module("bitwright.fast.evaluator")  # by name: it stands above this module
        return cast(Evaluator, module.Evaluator(self))

    def predict(self, x: Array | Mapping[str, Array]) -> Array:
        """Float outputs for float inputs x [N, *input.shape], in the model's own units, shapes and layouts, float32.

        Exactly output.dequantize(evaluate(input.quantize(x))), computed in batches. Several inputs come as arrays by
        name, and several outputs leave as records of them (`bundles`). Raises `DataError` where x does not fit or holds
        NaN or infinity.
        """
        return self.evaluator.predict(x)

    def quantize(self, x: Array | Mapping[str, Array]) -> Ints:
        """Float inputs as the network's integers, int64; several as a bundle."""
        given = parts(x, self.input_names)
        return bundled({spec.name: spec.quantize(given[spec.name]) for spec in self.inputs})

    def dequantize(self, q: Ints | Mapping[str, Ints]) -> Array:
        """Integer outputs as the model's floats, float32; several as a bundle."""
        given = parts(q, [spec.name for spec in self.outputs])
        return bundled({spec.name: spec.dequantize(given[spec.name]) for spec in self.outputs})

    def leaving(self, values: Mapping[str, Ints]) -> Ints:
        """The outputs among named values; several as a bundle."""
        return bundled({spec.name: values[spec.value] for spec in self.outputs})

    def __repr__(self) -> str:
        return f"<Network {self.name!r}: {self.signature}, {len(self.nodes)} nodes>"

    @property
    def signature(self) -> str:
        """The types of inputs and outputs, as people read them."""
        ins = [(spec.name, spec.type) for spec in self.inputs]
        outs = [(spec.name, self.types[spec.value]) for spec in self.outputs]
        return f"{_listed(ins)} -> {_listed(outs)}"


Spec = TypeVar("Spec", InputSpec, OutputSpec)


def only(specs: tuple[Spec, ...], what: str, legal: str) -> Spec:
    """The one of the specifications; `ModelError` where there are several, which names them and what is legal."""
    if len(specs) > 1:
        raise ModelError(f"the network has {len(specs)} {what} ({', '.join(s.name for s in specs)}); {legal}")
    return specs[0]


def _listed(named: Sequence[tuple[str, TensorType]]) -> str:
    """Types, with their names where there are several."""
    return ", ".join(str(t) if len(named) == 1 else f"{name} {t}" for name, t in named)


def evaluate(network: Network, x: Array | Mapping[str, Array]) -> dict[str, Ints]:
    """The meaning of a network: every named value for integer inputs x [N, *shape], several by their names.

    Returns int64 arrays [N, *shape], inputs included. Raises `DataError` where x does not fit the
    input types. This is the definition, in plain NumPy; `fast.Evaluator` computes the same faster.
    """
    values = parts(check_integers(network, x), network.input_names)
    for node in network.nodes:
        values[node.name] = node.op.evaluate(*(values[n] for n in node.inputs))
    return values


def check_integers(network: Network, x: Array | Mapping[str, Array]) -> Ints:
    """x as int64 [N, *shape] if it fits the network's input type, else `DataError`; several inputs as a bundle."""
    given = parts(x, network.input_names)
    return bundled({spec.name: _checked(spec, np.asarray(given[spec.name])) for spec in network.inputs})


def _checked(spec: InputSpec, x: Array) -> Ints:
    t = spec.type
    if x.shape[1:] != t.shape or x.ndim != len(t.shape) + 1:
        raise DataError(f"{spec.title} has shape {x.shape}; legal is (N, {', '.join(map(str, t.shape))})")
    if x.dtype.kind not in "iub":
        raise DataError(f"integer {spec.title} expected, not {x.dtype}")
    x = x.astype(np.int64)
    if not t.dtype.contains(x):
        raise DataError(f"{spec.title} spans [{x.min()}, {x.max()}], outside {t.dtype} [{t.dtype.min}, {t.dtype.max}]")
    return x
