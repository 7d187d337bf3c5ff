"""The integer network: the one contract between readers, quantizer, passes and targets."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from bitwright import limits
from bitwright.errors import DataError, ModelError
from bitwright.network import inputs
from bitwright.network.ops import Op
from bitwright.network.sizes import check_op
from bitwright.network.types import TensorType

if TYPE_CHECKING:
    from bitwright.fast.evaluator import Evaluator

INPUT = "input"
MAX_NAME = 4096  # characters


@dataclass(frozen=True, eq=False)
class InputSpec:
    """How the user's floats become the network's integers; no target reads it beyond `type`.

    q = clamp(r, low, high), computed in float32, rounding half to even; low and high are the limits of the type
    unless narrower ones are given. `rule` names r, and v, whose sign a bipolar q is (+1 where v >= 0, else -1):

        "multiply"          r = round(v), v = x * (1/scale) + offset
        "divide"            r = round(v), v = x / scale + offset            QONNX' Quant
        "divide_then_add"   r = round(x / scale) + offset, v = x / scale    QuantizeLinear; offset is whole

    scale and offset hold one value or one per channel. `shape` is the model's own input shape without
    the batch, `layout` its order: "HWC", "CHW" or "C". Raw data become x by
    x = (raw * data_scale - data_mean) / data_std; `data_layout` is the order of the raw data.
    """

    type: TensorType
    scale: np.ndarray = field(default_factory=lambda: np.ones(1))
    offset: np.ndarray = field(default_factory=lambda: np.zeros(1))
    shape: tuple[int, ...] = ()
    layout: str = ""
    data_layout: str = ""
    data_scale: float = 1.0
    data_mean: tuple[float, ...] = (0.0,)
    data_std: tuple[float, ...] = (1.0,)
    low: int | None = None
    high: int | None = None
    rule: str = "multiply"  # what files without a rule mean

    def __post_init__(self) -> None:
        dtype = self.type.dtype
        object.__setattr__(self, "low", dtype.min if self.low is None else int(self.low))
        object.__setattr__(self, "high", dtype.max if self.high is None else int(self.high))
        if not dtype.min <= self.low <= self.high <= dtype.max:
            raise ModelError(f"input limits [{self.low}, {self.high}] do not lie within {dtype}")
        image = len(self.type.shape) == 3
        defaults = {"shape": self.type.shape, "layout": "HWC" if image else "C"}
        for name, value in defaults.items():
            object.__setattr__(self, name, getattr(self, name) or value)
        object.__setattr__(self, "data_layout", self.data_layout or self.layout)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        for name in ("scale", "offset"):
            value = np.atleast_1d(np.asarray(getattr(self, name), np.float64))
            object.__setattr__(self, name, value)
            if value.shape not in ((1,), (self.type.channels,)) or not np.all(np.isfinite(value)):
                raise ModelError(f"input {name} must be finite, one value or one per channel, not {value}")
        if np.any(self.scale <= 0) or (self.rule != "multiply" and np.any(self.scale.astype(np.float32) == 0)):
            raise ModelError("input scales must be positive")
        if self.rule not in inputs.RULES:
            raise ModelError(f"input rule {self.rule!r} is unknown; legal are {', '.join(inputs.RULES)}")
        if self.rule == "divide_then_add" and np.any(self.offset != np.rint(self.offset)):
            raise ModelError("input offsets that are added after rounding must be whole numbers")
        if self.layout not in (("HWC", "CHW") if image else ("C",)):
            raise ModelError(f"input layout {self.layout!r} does not fit {self.type.shape}")
        if math.prod(self.shape) != self.type.size or min(self.shape) < 1:
            raise ModelError(f"input shape {self.shape} does not fit {self.type}")
        self._check_data()

    def _check_data(self) -> None:
        if self.data_layout not in ("HWC", "CHW", "C"):
            raise ModelError(f"data layout {self.data_layout!r} is unknown; legal are HWC, CHW and C")
        for name in ("data_mean", "data_std"):
            value = tuple(float(v) for v in np.atleast_1d(np.asarray(getattr(self, name), np.float64)))
            object.__setattr__(self, name, value)
            if not np.all(np.isfinite(value)):
                raise ModelError(f"{name} must be finite, not {value}")
        if not np.isfinite(self.data_scale) or 0 in self.data_std:
            raise ModelError(f"data scale {self.data_scale} must be finite and data std {self.data_std} not zero")

    def prepare(self, raw: np.ndarray) -> np.ndarray:
        """Raw data [N, ...] as the model's float input; see `inputs.prepare`."""
        return inputs.prepare(self, raw)

    def quantize(self, x: np.ndarray) -> np.ndarray:
        """The model's float input [N, *shape] as integers, int64 [N, *type.shape]; see `inputs.quantize`."""
        return inputs.quantize(self, x)


@dataclass(frozen=True, eq=False)
class OutputSpec:
    """How the network's last integers become the model's floats: y = function((q - offset) * scale).

    scale and offset hold one value or one per channel; `shape` and `layout` as in `InputSpec`.
    function is "identity", "softmax" (over the channels) or "sigmoid". Where `step` is not 0 the floats are
    quantized at last, as QuantizeLinear does: (clamp(round(y / step) + zero_point, low, high) - zero_point) * step.
    """

    scale: np.ndarray = field(default_factory=lambda: np.ones(1))
    offset: np.ndarray = field(default_factory=lambda: np.zeros(1))
    shape: tuple[int, ...] = ()
    layout: str = ""
    function: str = "identity"
    step: float = 0.0
    zero_point: int = 0
    low: int = 0
    high: int = 255

    def __post_init__(self) -> None:
        for name in ("scale", "offset"):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), np.float64)))
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if self.function not in ("identity", "softmax", "sigmoid"):
            raise ModelError(f"output function {self.function!r} is unknown; legal are identity, softmax and sigmoid")
        if not (np.isfinite(self.step) and self.step >= 0 and self.low <= self.high):
            raise ModelError(f"output codes [{self.low}, {self.high}] of step {self.step} are no quantizer")

    def dequantize(self, q: np.ndarray) -> np.ndarray:
        """The network's last integers [N, ...] as the model's floats, float32 [N, *shape]; see `inputs.dequantize`."""
        return inputs.dequantize(self, q)


@dataclass(frozen=True, eq=False)
class Node:
    """One operation; `name` is also the name of its value."""

    name: str
    op: Op
    inputs: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        for name in (self.name, *self.inputs):
            if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
                raise ModelError(f"a node's name is {str(name)[:40]!r}; legal are texts of 1 to {MAX_NAME} characters")


@dataclass(frozen=True, eq=False)
class Network:
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
    def output_name(self) -> str:
        return self.nodes[-1].name

    @property
    def output_type(self) -> TensorType:
        return self.types[self.output_name]

    def node(self, name: str) -> Node:
        """The node of that name; `KeyError` where there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def consumers(self) -> dict[str, tuple[Node, ...]]:
        """For every value the nodes that read it, in order; a node that reads it twice stands twice."""
        found: dict[str, list[Node]] = {name: [] for name in self.types}
        for node in self.nodes:
            for name in node.inputs:
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

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
        from bitwright.fast.evaluator import Evaluator  # ONNX Runtime takes long to load

        return Evaluator(self)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Float outputs for float inputs x [N, *input.shape], in the model's own units, shapes and layouts, float32.

        Exactly output.dequantize(evaluate(input.quantize(x))), computed in batches. Raises `DataError`
        where x does not fit or holds NaN or infinity.
        """
        return self.evaluator.predict(x)

    def __repr__(self) -> str:
        return f"<Network {self.name!r}: {self.input.type} -> {self.output_type}, {len(self.nodes)} nodes>"


def evaluate(network: Network, x: np.ndarray) -> dict[str, np.ndarray]:
    """The meaning of a network: every named value for integer inputs x [N, *shape].

    Returns int64 arrays [N, *shape], "input" included. Raises `DataError` where x does not fit the
    input type. This is the definition, in plain NumPy; `fast.Evaluator` computes the same faster.
    """
    x = check_integers(network, x)
    values = {INPUT: x}
    for node in network.nodes:
        values[node.name] = node.op.evaluate(*(values[n] for n in node.inputs))
    return values


def check_integers(network: Network, x: np.ndarray) -> np.ndarray:
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
