# SPDX-License-Identifier: Apache-2.0
"""The fully unrolled element: one step holds all inputs, and constant weights are an adder graph of shared sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from bitwright.hardware.resources import Resources
from bitwright.hardware.text import wire
from bitwright.hardware.timing.classes import Path
from bitwright.targets.tlmac.elements.direct import bits_for
from bitwright.targets.tlmac.elements.element import Leaf, Rom
from bitwright.targets.tlmac.elements.unrolled.emit import REGISTER, emit_graph, output_word, registers, stages
from bitwright.targets.tlmac.elements.unrolled.pairs import signed_digits
from bitwright.targets.tlmac.elements.unrolled.paths import graph_paths
from bitwright.targets.tlmac.elements.unrolled.sums import Graph, unroll
from bitwright.targets.tlmac.elements.unrolled.tree import Term
from bitwright.targets.tlmac.layer import Fold, MacLayer

MAX_DIGITS = 100_000  # signed digits of the weights that are unrolled: minutes of search, and more LUTs than a part has
EVERY = 2  # levels of tables and adders between registers, unless a clock asks for others
MOST_LEVELS = 4  # between registers: more save hardly any
CARRY_BITS = 8  # positions of a carry cell


@dataclass(frozen=True, eq=False)
class Unrolled:
    """See `Element`: leaf `o` is the whole sum of parallel output o. every: levels of its graph between registers."""

    layer: MacLayer = field(repr=False)
    fold: Fold
    every: int = EVERY
    kind: str = "unrolled"
    uses_step: bool = False
    reads_signed: bool = True

    @property
    def name(self) -> str:
        return self.kind

    @cached_property
    def graph(self) -> Graph:
        """The adder graph of all blocks."""
        matrix = _matrix(self.layer, self.fold)
        low, high = self.layer.codes
        return _unrolled(matrix.tobytes(), matrix.shape, low, high, self._flips)

    @property
    def _flips(self) -> int:
        return (1 << (self.layer.in_bits - 1)) if self.layer.flips else 0

    @cached_property
    def _peaks(self) -> np.ndarray:
        """Greatest value of every output's pattern, the zeros below it included."""
        return np.array([_high(self.graph, term) for term in self.graph.outputs])

    @property
    def leaf_bits(self) -> int:
        return bits_for(self.output_peak)

    @property
    def leaves(self) -> tuple[tuple[Leaf, ...], ...]:
        return tuple((Leaf(o, 0),) for o in range(self.fold.parallel))

    @property
    def leaf_counts(self) -> dict[int, int]:
        return {1: self.fold.parallel}

    @cached_property
    def offsets(self) -> np.ndarray:
        return np.array([-_offset(self.graph, term) for term in self.graph.outputs])

    @property
    def word_peak(self) -> int:
        return self.output_peak

    @property
    def output_peak(self) -> int:
        return int(self._peaks.max())

    @property
    def rom_shapes(self) -> dict[str, tuple[int, int]]:
        return {}

    @property
    def latency(self) -> int:
        return max(1, stages(self.graph, self.every))

    def roms(self, styles: dict[str, int]) -> tuple[Rom, ...]:
        return ()

    def waits(self, styles: dict[str, int]) -> int:
        return 0

    def cost(self, styles: dict[str, int]) -> dict[str, Resources]:
        """Tables, and adders with the registers between levels."""
        graph, found = self.graph, {}
        used = [v for v in graph.values if v.source is not None]
        last = sum(_width(graph, term) for term in graph.outputs) if stages(graph, self.every) == 0 else 0
        tables = sum(v.luts for v in used if v.is_table)
        found["tables"] = Resources(lut=tables)
        found["sums"] = Resources(
            lut=graph.luts - tables,
            ff=registers(graph, self.every) + last,
            carry=sum(-(-v.carry // CARRY_BITS) for v in used),
        )
        return found

    def paths(self, styles: dict[str, int]) -> tuple[Path, ...]:
        return graph_paths(self.graph, self.every)

    def emit(self, prefix: str, styles: dict[str, int]) -> str:
        graph, bits, digit = self.graph, self.leaf_bits, self.fold.digit
        words = [f"digits[{i * digit}+:{graph.values[i].bits}]" for i in range(self.fold.word_lanes)]
        text, moves = emit_graph(graph, words, self.every), stages(graph, self.every) == 0
        for o, term in enumerate(graph.outputs):
            word, zeros = (output_word(graph, o, self.every)[0], term[1]) if term else ("'0", 0)
            word = f"{bits}'({word}){f' << {zeros}' if zeros else ''}"
            text += wire(f"leaf_{o}", bits)
            text += REGISTER.format(q=f"leaf_{o}", d=word) if moves else f"  assign leaf_{o} = {word};\n"
        return text


def _high(graph: Graph, term: Term | None) -> int:
    """Greatest word of an output."""
    if term is None:
        return 0
    value, zeros, sign = term
    v = graph.values[value]
    return (v.high if sign > 0 else (1 << v.bits) - 1 - v.low) << zeros


def _offset(graph: Graph, term: Term | None) -> int:
    """Word of an output minus its sum."""
    if term is None:
        return 0
    value, zeros, sign = term
    v = graph.values[value]
    return (v.offset if sign > 0 else (1 << v.bits) - 1 - v.offset) << zeros


def _width(graph: Graph, term: Term | None) -> int:
    return 0 if term is None else graph.values[term[0]].bits


def _matrix(layer: MacLayer, fold: Fold) -> np.ndarray:
    """Weights [word lanes, parallel outputs] of a layer of one step: blocks on the diagonal."""
    w = layer.weight.reshape(fold.blocks, fold.outputs, fold.lanes)
    found = np.zeros((fold.blocks, fold.lanes, fold.blocks, fold.outputs), np.int64)
    for block in range(fold.blocks):
        found[block, :, block] = w[block].T
    return found.reshape(fold.word_lanes, fold.parallel)


@lru_cache(maxsize=32)
def _unrolled(weights: bytes, shape: tuple[int, int], low: int, high: int, flips: int) -> Graph:
    """As `unroll`; the planner asks for the same layer again and again."""
    ones = np.ones(shape[0], np.int64)
    return unroll(np.frombuffer(weights, np.int64).reshape(shape), low * ones, high * ones, flips)


def map_unrolled(layer: MacLayer, fold: Fold) -> Unrolled | None:
    """The unrolled element; None unless one word is all there is for an output pixel, and not too large."""
    whole = fold.steps(layer) == fold.tiles(layer) == fold.digits(layer) == 1
    if not whole or fold.group != 1 or fold.digit != layer.in_bits:
        return None
    if layer.weight.size > MAX_DIGITS and np.count_nonzero(signed_digits(layer.weight)) > MAX_DIGITS:
        return None
    return Unrolled(layer, fold)
