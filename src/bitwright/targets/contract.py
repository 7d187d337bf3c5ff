# SPDX-License-Identifier: Apache-2.0
"""What a target is: `check`, `plan`, `emit`; and what passes between it and the rest.

simulate(emit(plan(network, options)), x) == evaluate(network, x)      for every x, bit for bit
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from bitwright.errors import ModelError
from bitwright.hardware.clock import ESTIMATED, Clock
from bitwright.hardware.memory_port import MemoryPort
from bitwright.hardware.resources import Resources
from bitwright.hardware.shell import ADDRESS_BITS, top_ports
from bitwright.hardware.source_rules import check_paths
from bitwright.hardware.text import Port
from bitwright.network import Network, TensorType
from bitwright.network.lowering import why_unstaged
from bitwright.options import from_keywords
from bitwright.targets.observation import Observation
from bitwright.text import Shown, is_identifier


@dataclass(frozen=True)
class Problem:
    """One reason why a target refuses a network: where, which rule, what would be legal.

    node: the name of the network's node or of its input; None where the reason lies in the network as a whole.
    """

    node: str | None
    rule: str
    legal: str

    def __str__(self) -> str:
        where = "" if self.node is None else f"{self.node}: "
        return f"{where}{self.rule}; legal: {self.legal}"


@dataclass(frozen=True)
class Refusal:
    """A target's "no": every reason why it has no plan for a network with the given options."""

    problems: tuple[Problem, ...]

    def __post_init__(self) -> None:
        if not self.problems:
            raise ValueError("a refusal has at least one problem")

    def __str__(self) -> str:
        return " | ".join(map(str, self.problems))


@dataclass(frozen=True)
class LayerEstimate:
    """What the target's cost model says of one unit: resources, busy cycles a frame, and why (`details`).

    nodes: the network's nodes that it computes, in order, the main operation first. A part of a layer that is cut
    names the layer's; hardware that layers share, and steps that only move data, name none.
    """

    name: str
    kind: str
    resources: Resources
    cycles: int
    nodes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Estimate(Shown):
    """The cost model's figures, all estimated. Cycles count clock cycles.

    shared: the hardware that all layers use one after the other, which no single one owns; its cycles are not added to
    theirs. overlap: whether the layers work at the same time, as a pipeline; otherwise their cycles add up.
    """

    layers: tuple[LayerEstimate, ...]
    interval_cycles: int
    latency_cycles: int
    overlap: bool
    shared: LayerEstimate | None = None

    def facts(self) -> dict[str, object]:
        """Cycles and resources of all, estimated."""
        cycles = {"interval_cycles": self.interval_cycles, "latency_cycles": self.latency_cycles}
        return cycles | dataclasses.asdict(self.total) | {"layers": len(self.layers), "basis": "estimated"}

    @property
    def rows(self) -> tuple[LayerEstimate, ...]:
        """All hardware and all layers, as tables show them."""
        return self.layers if self.shared is None else (self.shared, *self.layers)

    @property
    def total(self) -> Resources:
        return sum((row.resources for row in self.rows), Resources())

    @property
    def clock(self) -> Clock | None:
        """What all keep by the target's clock model, where it judges them: the least `details["clock_mhz"]`."""
        found = [row.details["clock_mhz"] for row in self.rows if "clock_mhz" in row.details]
        return Clock(min(found), ESTIMATED) if found else None


@dataclass(frozen=True)
class StreamSpec:
    """A tensor on an AXI4-Stream: the value's elements in (H, W, C) row-major order, `lanes` a word.

    The first element lies in the lowest bits; each takes `type.dtype.bits` bits (bipolar: 1 is +1).
    The last word is filled up with zeros; tdata is rounded up to whole bytes, or as wide as
    the hardware's bus where that is fixed (`bus_bits`); tlast marks the last word of a frame (outputs
    drive it, inputs ignore it).
    """

    type: TensorType
    lanes: int
    bus_bits: int = 0

    @property
    def word_bits(self) -> int:
        return self.lanes * self.type.dtype.bits

    @property
    def tdata_bits(self) -> int:
        return self.bus_bits or 8 * math.ceil(self.word_bits / 8)

    @property
    def words(self) -> int:
        """Words a frame."""
        return math.ceil(self.type.size / self.lanes)


@dataclass(frozen=True)
class FrameSpec:
    """The words of a frame on one AXI4-Stream: those of its tensors, one after the other, each from a word of its own.

    The bits of a word above those of its tensor are zeros; tlast marks the last word of the frame.
    """

    tensors: tuple[StreamSpec, ...]

    @property
    def tdata_bits(self) -> int:
        return max(spec.tdata_bits for spec in self.tensors)

    @property
    def words(self) -> int:
        """Words a frame."""
        return sum(spec.words for spec in self.tensors)

    @property
    def only(self) -> StreamSpec:
        """The tensor of a frame of one."""
        (spec,) = self.tensors
        return spec


@dataclass(frozen=True, eq=False)
class WeightStream:
    """The AXI4-Stream slave `s_axis_weights`: parameters that the design reads again and again.

    words: uint32 [n, bits / 32], all of them once for every batch of `frames` frames (the last may hold fewer), in
    step with the frames or ahead of them; n is 0 where the network needs none.
    """

    words: np.ndarray
    frames: int

    @property
    def tdata_bits(self) -> int:
        return 32 * int(self.words.shape[1])

    def passes(self, frames: int) -> np.ndarray:
        """The words for so many frames."""
        return np.tile(self.words, (math.ceil(frames / self.frames), 1))


@dataclass(frozen=True)
class SynthesisUnit:
    """A module that is synthesized on its own; the design is the sum of its units.

    `top` is the module; `copies` how often it occurs; `row` the place among `Estimate.rows` of the figures that are
    estimated of it, None where there are none.
    """

    name: str
    top: str
    copies: int = 1
    row: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Design(Shown):
    """Emitted hardware, in memory. Writing, simulating and synthesizing are separate.

    files: every source by its relative path (`*.sv`, `*.svh`, `*.mem`, `*.vlt`), with "/" as separator. SystemVerilog
    finds memory files by their bare name: tools run in a flat folder that holds all files.
    top: module with clk_i, rst_i, s_axis_{tdata,tvalid,tready}, m_axis_{tdata,tvalid,tready,tlast},
    and, where `program` or `counters` is not None, the AXI4-Lite slave s_axil_* (32-bit data).
    program: AXI4-Lite writes (address, word) that load program and weights before the first frame.
    weights, memory: what goes to s_axis_weights, and lies behind m_axi, where the top has them.
    counters: addresses of 32-bit registers by name, read after the last frame; "errors" is 0 if no write was ignored.
    batch: frames that are computed together, whose results leave one right after the other.
    input, output: what the streams carry, in the network's order; one `StreamSpec` may stand for a frame of one tensor.
    parameters: facts for reports and drivers (JSON-able). device: the part or board that it was planned for, or "".
    Names of modules and files reach scripts: `ModelError` where they are not plain.
    """

    target: str
    network: Network
    top: str
    files: Mapping[str, str]
    input: FrameSpec
    output: FrameSpec
    units: tuple[SynthesisUnit, ...]
    estimate: Estimate
    options: Mapping[str, Any] = field(default_factory=dict)
    program: np.ndarray | None = None  # uint32 [words, 2]
    weights: WeightStream | None = None
    memory: MemoryPort | None = None
    counters: Mapping[str, int] | None = None
    batch: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    device: str = ""

    def __post_init__(self) -> None:
        for side in ("input", "output"):
            given = getattr(self, side)
            object.__setattr__(self, side, FrameSpec((given,)) if isinstance(given, StreamSpec) else given)
        check_paths(self.files)
        for name in (self.top, *(unit.top for unit in self.units)):
            if not is_identifier(name):
                raise ModelError(f"the design has a module {name!r}; legal are letters, digits and underscores")

    def facts(self) -> dict[str, object]:
        """What it computes on which target, and its estimate."""
        estimate = {k: v for k, v in self.estimate.facts().items() if k != "layers"}
        return {"network": self.network.name, "target": self.target, "files": len(self.files), **estimate}

    @property
    def has_control(self) -> bool:
        return self.program is not None or self.counters is not None

    @property
    def ports(self) -> tuple[Port, ...]:
        """The top's ports; addresses have 32 bits, of which the top may have fewer."""
        weights, memory = (0 if end is None else end.tdata_bits for end in (self.weights, self.memory))
        sides, addresses = (self.input.tdata_bits, self.output.tdata_bits), ADDRESS_BITS if self.has_control else None
        return top_ports(*sides, weights, addresses, memory)

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the hardware: top and files, without the program."""
        h = hashlib.sha256(self.top.encode())
        for path in sorted(self.files):
            h.update(f"\0{path}\0".encode())
            h.update(self.files[path].encode())
        return h.hexdigest()


class Plan(Protocol):
    """A target's decisions for one network, before any RTL is written."""

    @property
    def network(self) -> Network: ...

    @property
    def estimate(self) -> Estimate: ...


class Target(Protocol):
    """One architecture. `targets/<name>/target.py` holds an instance called TARGET.

    options: a frozen dataclass; each field has metadata {"doc": "..."}.
    """

    name: str
    summary: str

    @property
    def options(self) -> type: ...

    def check(self, network: Network, options: Any) -> list[Problem]:
        """All reasons to refuse the network that are known before planning.

        What it accepts `plan` refuses only for a goal among the options that cannot be reached.
        """

    def plan(self, network: Network, options: Any) -> Plan | Refusal:
        """Decide folding, mapping and parameters of a network that `check` accepts, or say why there is no plan."""

    def attempt(self, network: Network, options: Any) -> Plan | None:
        """What `plan` finds, or None where that refuses, without the work of finding what would be legal."""

    def emit(self, plan: Any) -> Design:
        """Write the hardware, in memory."""

    def observe(self, plan: Any) -> Observation:
        """What simulation sees of the layers of the hardware that `emit` writes."""

    def folded(self, design: Design) -> Mapping[str, object]:
        """Options that make the same design of its network, what was chosen for its layers among them (JSON-able)."""

    def paced(
        self, network: Network, given: Mapping[str, object], interval: int, limits: Mapping[str, object]
    ) -> Mapping[str, object]:
        """Options for frames of at most `interval` cycles with the least hardware; the nearest where there are none.

        given: what the user chose, which stays; alone, they are the answer of a target of one size. limits: for targets
        whose plans depend on them, the `device` and the share of it to `fill`, and the most cycles of `latency`.
        """


def make_options(target: Target, values: Mapping[str, Any]) -> Any:
    """The target's options from keyword arguments; `OptionError` names what is unknown and what is legal."""
    return from_keywords(target.options, values, f"target {target.name}")


def make_plan(target: Target, network: Network, options: Any) -> Plan | Refusal:
    """The target's plan for a network, checked first, or its refusal."""
    problems = target.check(network, options)
    return Refusal(tuple(problems)) if problems else target.plan(network, options)


def try_plan(target: Target, network: Network, options: Any) -> Plan | None:
    """The target's plan for a network, checked first, or None."""
    return None if target.check(network, options) else target.attempt(network, options)


_PACES: WeakKeyDictionary[Network, dict[tuple[str, str], float]] = WeakKeyDictionary()  # of plans made before


def first_fast(
    target: Target, network: Network, choices: Sequence[Mapping[str, object]], interval: int
) -> Mapping[str, object]:
    """The first of the options, the smallest hardware first, with a plan of at most `interval` cycles a frame.

    Where none is that fast, those of the fastest plan; where the target refuses the network with all, the last ones.
    """
    known = _PACES.setdefault(network, {})
    fastest: tuple[float, Mapping[str, object]] = math.inf, choices[-1]
    for options in choices:
        key = target.name, repr(made := make_options(target, options))
        if key not in known:
            plan = try_plan(target, network, made)
            known[key] = math.inf if plan is None else plan.estimate.interval_cycles
        if known[key] <= interval:
            return options
        fastest = min(fastest, (known[key], options), key=lambda entry: entry[0])
    return fastest[1]


def accepted(target: Target, network: Network, options: Any) -> Plan:
    """The target's plan; one `ModelError` that lists every problem where it refuses the network."""
    plan = make_plan(target, network, options)
    if isinstance(plan, Refusal):
        raise ModelError(f"target {target.name} refuses the network: {plan}")
    return plan


def unstaged(network: Network) -> list[Problem]:
    """Nodes of a lowered network that no stage computes where values are stored as images."""
    told = ((node, why_unstaged(network, node)) for node in network.nodes)
    return [Problem(node.name, *rule_and_legal) for node, rule_and_legal in told if rule_and_legal]


def traced(problems: Iterable[Problem], network: Network) -> tuple[Problem, ...]:
    """The problems of a lowered network by the nodes that its own come from, each once."""
    names = {node.name: node.origin for node in network.nodes}
    named = (p if p.node is None else dataclasses.replace(p, node=names.get(p.node, p.node)) for p in problems)
    return tuple(dict.fromkeys(named))
