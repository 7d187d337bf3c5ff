# SPDX-License-Identifier: Apache-2.0
"""Sequential and-inverter graphs: AIGER files, simulation of 64 runs at once, states and bounds that are reached."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bitwright.jit import njit
from bitwright.network.types import Array

Literal = int  # 2 * variable, plus 1 where it is inverted; 0 and 1 are constants
FEW_PAUSES = np.uint64(0xFFFFFFFF00000000)  # the runs whose streams pause seldom
MOST_BITS = 16  # of a vector of registers whose bound is told
_ELEMENT = re.compile(r"(.+)\[(\d+)\]$")


@dataclass(frozen=True, eq=False)
class Graph:
    """Variables: 0 is constant, then inputs, latches, ands. ands: int64 [n, 2], the literals of both operands.

    latches: the next values; start: the first ones, bool; names of inputs and of latches by place.
    """

    inputs: tuple[str, ...]
    latches: Array
    start: Array
    outputs: tuple[Literal, ...]
    ands: Array
    names: Mapping[int, str]

    @property
    def first_latch(self) -> int:
        """The variable of latch 0."""
        return 1 + len(self.inputs)

    @property
    def first_and(self) -> int:
        """The variable of the first and."""
        return self.first_latch + len(self.latches)


def read(path: Path, names: Path) -> Graph:
    """A binary AIGER file, with the map that Yosys wrote of it."""
    header, rest = path.read_bytes().split(b"\n", 1)
    _, inputs, latches, outputs, ands = map(int, header.split()[1:6])
    lines = rest.split(b"\n", latches + outputs)
    body = np.frombuffer(lines[-1], np.uint8)
    words = [line.split() for line in lines[:latches]]
    operands = np.zeros((ands, 2), np.int64)
    _decode(body, 1 + inputs + latches, operands)
    ins, registers = [""] * inputs, {}
    for line in names.read_text().splitlines():
        kind, place, bit, name = line.split(maxsplit=3)
        if kind == "input":
            ins[int(place)] = name
        elif kind in ("latch", "invlatch"):
            registers[int(place)] = f"{name}[{bit}]"
    return Graph(
        inputs=tuple(ins),
        latches=np.array([int(w[0]) for w in words], np.int64),
        start=np.array([len(w) > 1 and w[1] == b"1" for w in words], bool),
        outputs=tuple(int(line) for line in lines[latches:-1]),
        ands=operands,
        names=registers,
    )


def constant(path: Path) -> bool:
    """Whether the first output of an AIGER file is constantly 0."""
    header, rest = path.read_bytes().split(b"\n", 1)
    latches = int(header.split()[3])
    return rest.split(b"\n", latches + 1)[latches] == b"0"


def write(graph: Graph, path: Path) -> None:
    """The graph as a binary AIGER file, without names."""
    sizes = len(graph.inputs), len(graph.latches), len(graph.outputs), len(graph.ands)
    text = [f"aig {graph.first_and - 1 + sizes[3]} {' '.join(map(str, sizes))}"]
    text += [f"{n} 1" if s else str(n) for n, s in zip(graph.latches, graph.start, strict=True)]
    text += map(str, graph.outputs)
    path.write_bytes("\n".join([*text, ""]).encode() + _encoded(graph))


def _encoded(graph: Graph) -> bytes:
    left = 2 * (graph.first_and + np.arange(len(graph.ands)))
    high, low = graph.ands.max(axis=1), graph.ands.min(axis=1)
    found = bytearray()
    for delta in np.stack([left - high, high - low], axis=1).reshape(-1).tolist():
        while delta > 127:
            found.append(delta & 127 | 128)
            delta >>= 7
        found.append(delta)
    return bytes(found)


@njit
def _decode(body: Array, first: int, operands: Array) -> None:
    """The differences of AIGER as literals."""
    at = 0
    for i in range(len(operands)):
        left = np.int64(2 * (first + i))
        for k in range(2):
            shift = 0
            while body[at] > 127:
                left -= (np.int64(body[at]) & 127) << shift
                shift += 7
                at += 1
            left -= np.int64(body[at]) << shift
            at += 1
            operands[i, k] = left


@njit
def _run(ands: Array, latches: Array, outputs: Array, words: Array, state: Array, seen: Array) -> int:
    """Simulate cycles: words uint64 [cycles, inputs]; state is changed; seen uint64 [cycles, latches], if not empty.

    The number of cycles in which an output is 1 in any of the 64 runs.
    """
    inputs, first = words.shape[1], 1 + words.shape[1] + len(latches)
    values = np.zeros(first + len(ands), np.uint64)
    bad = 0
    for t in range(len(words)):
        values[1 : 1 + inputs] = words[t]
        values[1 + inputs : first] = state
        for i in range(len(ands)):
            a, b = values[ands[i, 0] >> 1], values[ands[i, 1] >> 1]
            if ands[i, 0] & 1:
                a = ~a
            if ands[i, 1] & 1:
                b = ~b
            values[first + i] = a & b
        wrong = False
        for literal in outputs:
            value = values[literal >> 1]
            if (literal & 1 and ~value) or (not literal & 1 and value):
                wrong = True
        bad += wrong
        for i in range(len(latches)):
            value = values[latches[i] >> 1]
            state[i] = ~value if latches[i] & 1 else value
        if len(seen):
            seen[t] = state
    return bad


def simulate(graph: Graph, words: Array, state: Array, seen: Array | None = None) -> int:
    """See `_run`."""
    none = np.zeros((0, len(graph.latches)), np.uint64)
    outputs = np.array(graph.outputs, np.int64)
    return _run(graph.ands, graph.latches, outputs, words, state, none if seen is None else seen)


def stimulus(graph: Graph, cycles: int, seed: int) -> Array:
    """Random inputs of 64 runs, uint64 [cycles, inputs], without resets: streams pause seldom in half of the runs."""
    rng = np.random.default_rng(seed)
    words, more = (rng.integers(0, 1 << 64, (cycles, len(graph.inputs)), np.uint64) for _ in range(2))
    for k, name in enumerate(graph.inputs):
        if name.startswith("rst"):
            words[:, k] = 0
        elif "valid" in name or "ready" in name:
            words[:, k] |= (more[:, k] | more[:, k] << np.uint64(32)) & FEW_PAUSES
    return words


def settled(graph: Graph, cycles: int, resets: int = 4) -> Graph:
    """The graph from the state on in which a reset leaves it after so many cycles of work."""
    words = stimulus(graph, cycles, 1)
    for k, name in enumerate(graph.inputs):
        if name.startswith("rst"):
            words[[0, *range(cycles - resets, cycles)], k] = ~np.uint64(0)
    state = np.where(graph.start, ~np.uint64(0), np.uint64(0))
    simulate(graph, words, state)
    return replace(graph, start=(state & np.uint64(1)).astype(bool))


def vectors(graph: Graph, prefix: str) -> Iterator[list[int]]:
    """Registers whose names begin so, as lists of latches from bit 0 on."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for place, name in graph.names.items():
        match = _ELEMENT.match(name)
        if match and name.startswith(prefix):
            found[match[1]][int(match[2])] = place
    for bits in found.values():
        if 2 <= len(bits) <= MOST_BITS and set(bits) == set(range(len(bits))):
            yield [bits[i] for i in range(len(bits))]


def bounds(graph: Graph, groups: Sequence[Sequence[int]], cycles: int) -> list[int]:
    """The largest value that each vector has in random runs of so many cycles."""
    state = np.where(graph.start, ~np.uint64(0), np.uint64(0))
    most = [0] * len(groups)
    for seed in range(-(-cycles // 256)):
        seen = np.zeros((256, len(graph.latches)), np.uint64)
        simulate(graph, stimulus(graph, 256, 2 + seed), state, seen)
        for k, group in enumerate(groups):
            bits = np.unpackbits(np.ascontiguousarray(seen[:, group].T).view(np.uint8), axis=1)
            values = sum(bit.astype(np.int64) << i for i, bit in enumerate(bits))
            most[k] = max(most[k], int(np.max(values)))
    return most


def with_bounds(graph: Graph, groups: Sequence[Sequence[int]], most: Sequence[int]) -> Graph:
    """The graph with more outputs: whether each vector is at its bound, and whether beyond it.

    They claim nothing; an engine that looks for equivalent nodes finds that some of them are constant.
    """
    ands, outputs, count = [], [], graph.first_and + len(graph.ands)

    def both(a: Literal, b: Literal) -> Literal:
        ands.append((a, b))
        return 2 * (count + len(ands) - 1)

    for group, bound in zip(groups, most, strict=True):
        if bound == (1 << len(group)) - 1 or not bound:
            continue
        same, above = 1, 0
        for i in reversed(range(len(group))):
            bit = 2 * (graph.first_latch + group[i])
            if bound >> i & 1:
                same = both(same, bit)
            else:
                above = both(above ^ 1, both(same, bit) ^ 1) ^ 1
                same = both(same, bit ^ 1)
        outputs += [same, above]
    more = np.array(ands, np.int64).reshape(-1, 2)
    return replace(graph, ands=np.concatenate([graph.ands, more]), outputs=(*graph.outputs, *outputs))
