# SPDX-License-Identifier: Apache-2.0
"""A network as stages: what hardware computes at a time, the same for every target.

A stage is a main operation with the elementwise ones behind it: a window over an image (Conv2d, Dense as a
convolution over the whole image, pools, Pad), a join (Add, Concat, Weave), a copy (an enlargement, or elementwise
operations alone on a stored value), or ArgMax. `Flatten` is no stage: its value is a view of the one that it reads.
How much a stage takes in is the target's to say (`Rules`); storage, folding and scheduling stay with the target, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from bitwright.network.graph import Network, Node
from bitwright.network.ops import (
    Add,
    ArgMax,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Lookup,
    MaxPool,
    Op,
    Pad,
    Pool,
    Requantize,
    Threshold,
    Weave,
)
from bitwright.network.types import Ints, IntType, TensorType
from bitwright.text import unique

Elementwise = Threshold | Requantize | Lookup


@dataclass(frozen=True)
class Rules:
    """How much a target's stage does.

    stream: values are streams of elements, in which a Flatten changes nothing, and a Dense reads a vector; otherwise
    they are stored as images (H, W, C), a vector as one pixel, and a Dense reads the whole image.
    absorbing: main operations behind which elementwise ones join; chain: how many of them, one after the other.
    results: of a main operation in one stage. Of more than one it stores every elementwise reader's, and computes the
    operation anew for those that are too many; with one, a value with several readers is stored as it is, unless it has
    more than `widest` bits.
    argmax: ArgMax is a stage; otherwise the output's is left to what sends it.
    wire: an input that leaves gets a stage that copies it. apart: so does a value that leaves and that a stage reads.
    """

    stream: bool = False
    absorbing: tuple[type[Op], ...] = (Op,)
    chain: int = 1
    results: int = 1
    widest: int = 32
    argmax: bool = False
    wire: bool = True
    apart: bool = False


@dataclass(frozen=True, eq=False)
class Window:
    """A window over an image in the terms of Conv2d; weight [O, KH, KW, C/groups], None where nothing is multiplied.

    pad_value of a maximum is the least value of its input's type.
    """

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pad_value: int = 0
    weight: Ints | None = None
    weight_type: IntType = field(default=IntType(8, True))
    bias: Ints | None = None
    maximum: bool = False

    @property
    def multiplies(self) -> bool:
        """Whether it has weights."""
        return self.weight is not None

    @property
    def weights(self) -> Ints:
        """The weights of a window that multiplies."""
        assert self.weight is not None
        return self.weight

    @property
    def offsets(self) -> Ints:
        """The bias of every output of a window that multiplies, int64 [O]."""
        return np.zeros(len(self.weights), np.int64) if self.bias is None else self.bias


@dataclass(frozen=True, eq=False)
class Result:
    """A value that a stage makes, by the elementwise operations of `chain` from what its main operation yields."""

    name: str
    type: TensorType
    chain: tuple[Node, ...] = ()

    @property
    def op(self) -> Elementwise | None:
        """The operation of a chain of at most one."""
        assert len(self.chain) < 2
        return self.chain[0].op if self.chain else None  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Stage:
    """One step of the network. node: its main operation; None where it only copies what the chains then work on.

    inputs: the stored values that it reads, each the name of another stage's result or "input"; input_types as the
    operation sees them. main: the type of what the main operation yields.
    """

    node: Node | None
    inputs: tuple[str, ...]
    input_types: tuple[TensorType, ...]
    main: TensorType
    window: Window
    results: tuple[Result, ...]

    @property
    def op(self) -> Op | None:
        """The main operation."""
        return self.node.op if self.node else None

    @property
    def value(self) -> str:
        """The name of its first result."""
        return self.results[0].name

    @property
    def type(self) -> TensorType:
        """The type of its first result."""
        return self.results[0].type

    @property
    def values(self) -> tuple[str, ...]:
        """The names of its results."""
        return tuple(result.name for result in self.results)

    @property
    def chain(self) -> tuple[Node, ...]:
        """The elementwise operations that make its first result."""
        return self.results[0].chain

    @property
    def nodes(self) -> tuple[str, ...]:
        """The network's nodes that it computes, the main operation first."""
        main = () if self.node is None else (self.node,)
        return tuple(dict.fromkeys(node.origin for node in (*main, *(n for r in self.results for n in r.chain))))

    @property
    def first(self) -> Node | None:
        """Its main operation, or the first of what it does to a copy."""
        return self.node or next(iter(self.chain), None)

    @property
    def name(self) -> str:
        """The name of its first node, or of what it copies to."""
        return self.first.name if self.first else self.value

    @property
    def kind(self) -> str:
        """The name of its first operation's class."""
        return type(self.first.op).__name__ if self.first else "Copy"


S = TypeVar("S", bound=Stage)


@dataclass(frozen=True, eq=False)
class Staged(Generic[S]):
    """All stages of a network in topological order.

    stored: for every value that outlasts its stage the stored one that it is, or is a view of. types: of the stored
    values, as `Rules.stream` has it. outputs: the stored values that leave. argmaxes: of each, whether the index of its
    largest channel leaves.
    """

    network: Network
    stages: tuple[S, ...]
    stored: Mapping[str, str]
    types: Mapping[str, TensorType]
    outputs: tuple[str, ...]
    argmaxes: tuple[bool, ...]

    @property
    def output(self) -> str:
        """The stored value that leaves, where it is one."""
        (value,) = self.outputs
        return value

    @property
    def argmax(self) -> bool:
        """Whether an index leaves, where there is one output."""
        (found,) = self.argmaxes
        return found

    def readers(self, value: str) -> list[tuple[int, int]]:
        """(stage, input) pairs that read a stored value."""
        return [(i, k) for i, stage in enumerate(self.stages) for k, name in enumerate(stage.inputs) if name == value]


def image(t: TensorType) -> TensorType:
    """The type as (H, W, C); a vector is one pixel."""
    return t if len(t.shape) == 3 else TensorType((1, 1, *t.shape), t.dtype)


def window(op: Op | None, source: TensorType) -> Window:
    """The window of an operation on a value of type `source`, of one pixel where it has none."""
    t = image(source)
    if isinstance(op, Conv2d):
        pads = op.pads, op.dilation, op.groups, op.pad_value
        return Window(op.kernel, op.stride, *pads, op.weight, op.weight_type, op.bias)
    if isinstance(op, Dense):
        h, w, c = t.shape
        return Window((h, w), weight=op.weight.reshape(-1, h, w, c), weight_type=op.weight_type, bias=op.bias)
    if isinstance(op, Pool):
        maximum = isinstance(op, MaxPool)
        low = t.dtype.min if maximum else 0
        return Window(op.kernel, op.stride, op.pads, op.dilation, pad_value=low, maximum=maximum)
    return Window(pads=op.pads, pad_value=op.value) if isinstance(op, Pad) else Window()


def is_staged(op: Op) -> bool:
    """Whether stages know the operation: where a new one is not among them, targets refuse it."""
    known = isinstance(op, Elementwise | Conv2d | Dense | Pool | Pad | Add | Concat | Weave | ArgMax | Flatten)
    return known or op.repeats is not None


def last_nodes(network: Network) -> list[Node]:
    """For every output its node, or that of what a Flatten there only hands on."""
    found = []
    for value in network.output_values:
        node = network.node(value)
        while isinstance(node.op, Flatten) and node.inputs[0] not in network.input_names:
            node = network.node(node.inputs[0])
        found.append(node)
    return found


def staged(network: Network, rules: Rules) -> Staged[Stage]:
    """Cut the network into stages; what the target does not compute must have been lowered or refused before."""
    return _Cutter(network, rules).run()


class _Cutter:
    def __init__(self, network: Network, rules: Rules) -> None:
        self.network = network
        self.rules = rules
        self.stored = {name: name for name in network.input_names}
        self.types = {}
        for name, t in ((spec.name, spec.type) for spec in network.inputs):
            flat = all(isinstance(node.op, Flatten) for node in network.consumers[name])
            self.types[name] = self._kept(TensorType((t.size,), t.dtype) if flat and not rules.stream else t)
        self.stages: list[Stage] = []
        self.last = last_nodes(network)
        self.argmaxes = tuple(isinstance(node.op, ArgMax) and not rules.argmax for node in self.last)
        self.left = [node for node, found in zip(self.last, self.argmaxes, strict=True) if found]

    def run(self) -> Staged[Stage]:
        network, done = self.network, set[str]()
        for node in network.nodes:
            if node.name in done:
                continue
            if isinstance(node.op, Flatten) or node in self.left:
                if node.inputs[0] in self.stored:  # otherwise it stands within a chain
                    self.stored[node.name] = self.stored[node.inputs[0]]
                continue
            results = self._results(node)
            done |= {n.name for result in results for n in result.chain}
            self._add(node, results)
        outputs = self._outputs()
        return Staged(network, tuple(self.stages), self.stored, self.types, outputs, self.argmaxes)

    def _outputs(self) -> tuple[str, ...]:
        """The stored values that leave; those that must be copied for that are, as soon as they are there."""
        found: dict[str, str] = {}
        outputs = [self.stored[name] for name in self.network.output_values]
        for name, source in zip(self.network.output_values, outputs, strict=True):
            wired = self.rules.wire and source in self.network.input_names
            read = self.rules.apart and any(source in stage.inputs for stage in self.stages)
            if source in found or not (wired or read):
                continue
            t = self.types[source]
            result = Result(unique(name, self.types), self.network.types[name] if self.rules.stream else t)
            copy = Stage(None, (source,), (t,), t, Window(), (result,))
            made = next((k + 1 for k, stage in enumerate(self.stages) if source in stage.values), 0)
            self._store(copy, made)
            found[source] = result.name
        return tuple(found.get(source, source) for source in outputs)

    def _kept(self, t: TensorType) -> TensorType:
        return t if self.rules.stream else image(t)

    def _add(self, node: Node, results: list[Result]) -> None:
        """The stage of a node, once more for those of its results that are too many."""
        inputs = tuple(self.stored[name] for name in node.inputs)
        kept = [self.network.types[name] for name in node.inputs] if self.rules.stream else self._types(inputs)
        main = None if isinstance(node.op, Elementwise) else node
        t = self._kept(self.network.types[node.name]) if main else kept[0]
        for k in range(0, len(results), self.rules.results):
            some = tuple(results[k : k + self.rules.results])
            self._store(Stage(main, inputs, tuple(kept), t, window(node.op, kept[0]), some))

    def _types(self, names: tuple[str, ...]) -> list[TensorType]:
        return [self.types[name] for name in names]

    def _store(self, stage: Stage, place: int | None = None) -> None:
        """Put the stage at a place among the others, else at their end."""
        self.stages.insert(len(self.stages) if place is None else place, stage)
        for result in stage.results:
            self.types[result.name] = result.type
            self.stored[result.name] = result.name

    def _results(self, node: Node) -> list[Result]:
        """What is stored of a node's value, in the order of the readers."""
        if isinstance(node.op, Elementwise):
            return [self._result(node.name, [node])]
        raw = Result(node.name, self._kept(self.network.types[node.name]))
        readers = list(self._readers(node.name)) if isinstance(node.op, self.rules.absorbing) else []
        found = [self._result(r.name, [r]) for r in readers if isinstance(r.op, Elementwise)]
        kept = self.rules.results == 1 and len(readers) > 1 and raw.type.dtype.bits <= self.rules.widest
        if not found or kept:
            return [raw]
        return found + [raw] * any(not isinstance(r.op, Elementwise) for r in readers)

    def _result(self, name: str, chain: list[Node]) -> Result:
        """The value behind the elementwise nodes, with those that alone read it as far as a chain may go."""
        while len(chain) < self.rules.chain:
            readers = list(self._readers(name))
            if len(readers) != 1 or not isinstance(readers[0].op, Elementwise):
                break
            chain.append(readers[0])
            name = readers[0].name
        return Result(name, self._kept(self.network.types[name]), tuple(chain))

    def _readers(self, name: str) -> Iterator[Node]:
        """The nodes that read a value where it lies: a Flatten that changes nothing is passed."""
        for node in self.network.consumers[name]:
            idle = self.rules.stream or self.network.types[name].pixels == 1
            if isinstance(node.op, Flatten) and idle and self.network.consumers[node.name]:
                yield from self._readers(node.name)
            else:
                yield node
