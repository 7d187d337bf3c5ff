# SPDX-License-Identifier: Apache-2.0
"""Elements with tables or gates of their own for each weight: private tables, LUT6 products, gates.

private   The table is indexed by the step itself, so there is no ROM; equal tables of a lane are shared.
products  One multiplication table for the layer, repeated; the weight's code comes from a ROM.
gates     One activation bit opens or closes a weight of any width that comes from a ROM.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np

from bitwright.hardware.memory import index_bits, rom_latency
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import SizedRows, concat, instance, literal, pack_words, wire
from bitwright.hardware.timing.classes import Path
from bitwright.targets.tlmac.elements.element import (
    COLUMNS,
    Leaf,
    Rom,
    rom_cost,
    rom_instance,
    rom_paths,
    rom_start,
    spread,
)
from bitwright.targets.tlmac.layer import Fold, MacLayer, ordered_weights, per_output

ADDRESS_BITS = 6


def digit_values(fold: Fold) -> np.ndarray:
    """All digits of one table address, [2**address_bits, group]; activation g in bits [g*digit, (g+1)*digit)."""
    address = np.arange(1 << fold.address_bits)
    return (address[:, None] >> (np.arange(fold.group) * fold.digit)) & ((1 << fold.digit) - 1)


def group_offset(w: np.ndarray, digit: int) -> np.ndarray:
    """Smallest sum(w * digit) over all digits; w [..., group]."""
    least: np.ndarray = np.minimum(w, 0).sum(-1)
    return least * ((1 << digit) - 1)


def group_peak(w: np.ndarray, digit: int) -> np.ndarray:
    """Greatest sum(w * digit) minus the smallest."""
    span: np.ndarray = np.abs(w).sum(-1)
    return span * ((1 << digit) - 1)


def entries(w: np.ndarray, fold: Fold) -> np.ndarray:
    """Table entries sum(w * digit) - offset for every address, [..., 2**address_bits]; w [..., group]."""
    found: np.ndarray = w @ digit_values(fold).T - group_offset(w, fold.digit)[..., None]
    return found


def pack_tables(tables: np.ndarray, bits: int) -> SizedRows:
    """LUT contents of tables [arrays, entries <= 64] with `bits` result bits: a row an array, 64 bits a result bit."""
    planes = (tables[:, None, :] >> np.arange(bits)[:, None]) & 1
    planes = np.pad(planes, ((0, 0), (0, 0), (0, 64 - tables.shape[1])))
    words = pack_words(planes.reshape(-1, 64), 1)
    return SizedRows(tuple(tuple(words[i : i + bits]) for i in range(0, len(words), bits)), 64)


def bits_for(peak: int) -> int:
    """Bits of an unsigned number that reaches `peak`, at least 1."""
    return max(1, int(peak).bit_length())


@dataclass(frozen=True, eq=False)
class Direct:
    """Common data of the direct elements; see `Element`. Everything that takes long is computed when asked for.

    select_bits: step or weight bits of a table address. code_bits: bits of a weight's code in the ROM.
    """

    kind: str
    layer: MacLayer = field(repr=False)
    fold: Fold
    leaf_bits: int
    select_bits: int
    code_bits: int
    latency: int = 1
    reads_signed: bool = False

    @property
    def name(self) -> str:
        return self.kind

    @cached_property
    def weights(self) -> np.ndarray:
        return ordered_weights(self.layer, self.fold)

    @cached_property
    def private(self) -> Private | None:
        """Tables that outputs share; None where every output has its own."""
        return share_private(self.weights, self.fold) if self.uses_step else None

    @property
    def uses_step(self) -> bool:
        return self.kind == "private"

    @property
    def word_peak(self) -> int:
        return self.layer.chunk_peak(self.fold.lanes) * ((1 << self.fold.digit) - 1)

    @property
    def output_peak(self) -> int:
        return self.layer.output_peak * ((1 << self.fold.digit) - 1)

    @cached_property
    def offsets(self) -> np.ndarray:
        return per_output(self.layer, self.fold, group_offset(self.weights, self.fold.digit).sum(-1))

    @property
    def arrays(self) -> int:
        """Table arrays (leaves with tables of their own) of the layer."""
        if self.private:
            return len(self.private.groups)
        return self.fold.parallel * self.fold.lane_groups

    @property
    def leaf_counts(self) -> dict[int, int]:
        if self.private:
            return self.private.leaf_counts
        return {self.fold.lane_groups: self.fold.parallel}

    @property
    def leaves(self) -> tuple[tuple[Leaf, ...], ...]:
        return self.private.leaves if self.private else all_leaves(self.fold)

    @property
    def rom_shapes(self) -> dict[str, tuple[int, int]]:
        if not self.code_bits:
            return {}
        depth = self.fold.steps(self.layer) * self.fold.tiles(self.layer)
        return {"weights": (self.fold.parallel * self.fold.lane_groups * self.code_bits, depth)}

    @cached_property
    def products(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct weight groups [U, group], and the code of every group of `weights`."""
        return distinct(self.weights)

    def roms(self, styles: dict[str, int]) -> tuple[Rom, ...]:
        if not self.code_bits:
            return ()
        if self.kind == "products":
            codes = self.products[1]
        else:
            w = self.weights[..., 0]
            codes = np.abs(w) | ((w < 0).astype(np.int64) << self.leaf_bits)
        columns = codes.transpose(0, 1, 3, 2).reshape(len(codes), -1)  # block, lane, output
        if not self._spread(styles):
            return (Rom("weights", columns, self.code_bits),)
        step = self.part_columns // self.code_bits
        parts = range(0, columns.shape[1], step)
        return tuple(Rom(f"weights_{i}", columns[:, k : k + step], self.code_bits) for i, k in enumerate(parts))

    @property
    def part_columns(self) -> int:
        """Columns of the ROM that share an address register where it is spread: whole codes."""
        return -(-COLUMNS // self.code_bits) * self.code_bits

    def _spread(self, styles: dict[str, int]) -> bool:
        return any(spread(*shape, styles[name]) for name, shape in self.rom_shapes.items())

    def cost(self, styles: dict[str, int]) -> dict[str, Resources]:
        """Tables or gates: one LUT and one register a leaf bit; the ROM apart."""
        bits, gates = self.arrays * self.leaf_bits, self.kind == "gates"
        found = {"gates" if gates else "tables": Resources(lut=bits, ff=bits)}
        for name, (width, depth) in self.rom_shapes.items():
            found["rom"] = rom_cost(width, depth, styles[name])
            if self._spread(styles):
                found["addresses"] = Resources(ff=-(-width // self.part_columns) * index_bits(depth))
        return found

    def paths(self, styles: dict[str, int]) -> tuple[Path, ...]:
        """The tables behind digits that all outputs read, behind the step, and behind the ROM."""
        bits, inputs = self.leaf_bits, self.fold.address_bits + self.select_bits
        if self.kind == "gates":
            inputs = 3
        lanes = self.fold.blocks * self.fold.lane_groups
        found = [Path("table behind the digits", (inputs,), max(1, self.arrays * bits // lanes))]
        if self.uses_step and self.select_bits:
            found.append(Path("table behind the step", (inputs,), self.arrays * bits))
        for name, (width, depth) in self.rom_shapes.items():
            start = rom_start(width, depth, styles[name])
            found += [Path("table behind the ROM", (inputs,), bits, start=start)]
            found += rom_paths(name, width, depth, styles[name], self.part_columns if self._spread(styles) else None)
        return tuple(found)

    def waits(self, styles: dict[str, int]) -> int:
        found = (rom_latency(*shape, styles[name]) - 1 for name, shape in self.rom_shapes.items())
        return max(found, default=0) + self._spread(styles)

    def emit(self, prefix: str, styles: dict[str, int]) -> str:
        text = ""
        for name, (width, depth) in self.rom_shapes.items():
            text += f"  logic [{width - 1}:0] code;\n"
            if not self._spread(styles):
                text += rom_instance(name, width, depth, prefix, styles[name], "code")
                continue
            bits = index_bits(depth)
            for i, low in enumerate(range(0, width, self.part_columns)):
                columns, data = min(self.part_columns, width - low), f"addr_{i}"
                ports = {"clk_i": "clk_i", "en_i": "en", "data_i": "addr", "data_o": data}
                text += wire(data, bits) + instance("tlmac_copy", f"i_addr_{i}", {"Bits": bits}, ports)
                text += rom_instance(f"{name}_{i}", columns, depth, prefix, 2, f"code[{low}+:{columns}]", data)
        for lane in range(self.fold.blocks * self.fold.lane_groups):
            text += self._lane(lane)
        return text

    def _lane(self, lane: int) -> str:
        arrays = len(self.private.tables[lane]) if self.private else self.fold.outputs
        if arrays == 0:
            return ""
        width = arrays * self.code_bits
        code = f"code[{lane * width}+:{width}]"
        clock = {"clk_i": "clk_i", "en_i": "en"}
        ports = {"leaf_o": f"leaf_{lane}"}
        text = f"  logic [{arrays * self.leaf_bits - 1}:0] leaf_{lane};\n"
        parameters: dict[str, object]
        if self.kind == "gates":
            parameters = {
                "Arrays": arrays,
                "Bits": self.leaf_bits,
                "Signed": self.code_bits > self.leaf_bits,
            }
            ports = clock | {"bit_i": digits_of(self.fold, lane), "code_i": code} | ports
            return text + instance("tlmac_gates", f"i_gates_{lane}", parameters, ports)
        own = self.private is None
        if self.private is None:
            table = np.repeat(entries(self.products[0], self.fold).reshape(1, -1), arrays, axis=0)
        else:
            table = self.private.tables[lane]
        parameters = {
            "Arrays": arrays,
            "DigitBits": self.fold.address_bits,
            "SelectBits": self.select_bits,
            "OwnSelect": own,
            "Bits": self.leaf_bits,
            "Init": pack_tables(table, self.leaf_bits),
        }
        select = "1'b0" if self.select_bits == 0 else code if own else f"step[{self.select_bits - 1}:0]"
        ports = clock | {"digits_i": digits_of(self.fold, lane), "select_i": select} | ports
        return text + instance("tlmac_tables", f"i_tables_{lane}", parameters, ports)


def digits_of(fold: Fold, lane: int) -> str:
    """The digits that address lane group `lane`, missing activations of the last group being 0."""
    block, q = divmod(lane, fold.lane_groups)
    low = q * fold.group
    count = min(fold.group, fold.lanes - low)
    width = count * fold.digit
    parts = [f"digits[{(block * fold.lanes + low) * fold.digit}+:{width}]"]
    missing = fold.address_bits - width
    return concat([*parts, literal(0, missing)] if missing else parts)


@dataclass(frozen=True, eq=False)
class Private:
    """Step-indexed tables and what each output reads.

    groups [arrays, steps, group]: the weights of every table; those of lane group q are numbers begins[q] up to
    begins[q + 1]. array [lane groups, outputs of a block]: which of the lane's tables an output reads; -1 where that
    is all zeros.
    """

    groups: np.ndarray
    begins: np.ndarray
    array: np.ndarray
    fold: Fold

    @cached_property
    def tables(self) -> tuple[np.ndarray, ...]:
        """Contents [arrays, entries] of every lane group."""
        arrays, steps, _ = self.groups.shape
        content = entries(self.groups, self.fold).reshape(arrays, steps << self.fold.address_bits)
        return tuple(content[a:b] for a, b in pairwise(self.begins))

    @cached_property
    def leaf_counts(self) -> dict[int, int]:
        used = (self.array >= 0).reshape(self.fold.blocks, self.fold.lane_groups, -1).sum(1)
        return {int(n): int(c) for n, c in zip(*np.unique(used, return_counts=True), strict=True)}

    @cached_property
    def leaves(self) -> tuple[tuple[Leaf, ...], ...]:
        q = self.fold.lane_groups
        return tuple(
            tuple(
                Leaf(lane, int(self.array[lane, p]))
                for lane in range(block * q, (block + 1) * q)
                if self.array[lane, p] >= 0
            )
            for block in range(self.fold.blocks)
            for p in range(self.fold.outputs)
        )


def share_private(w: np.ndarray, fold: Fold) -> Private:
    """Tables of ordered weights w [steps, blocks, outputs, lanes, group]; outputs with equal weights share one."""
    lanes = fold.blocks * fold.lane_groups
    narrow = next(t for t in (">i1", ">i2", ">i4") if np.iinfo(t).min <= w.min() and w.max() <= np.iinfo(t).max)
    rows = np.ascontiguousarray(w.astype(narrow).transpose(1, 3, 2, 0, 4)).reshape(lanes * fold.outputs, -1)
    lane_of = np.repeat(np.arange(lanes, dtype=">i4"), fold.outputs)[:, None]
    # Sorts by lane first.
    keys = np.ascontiguousarray(np.concatenate([lane_of.view(np.uint8), rows.view(np.uint8)], axis=1))
    _, first, inverse = np.unique(keys.view(f"V{keys.shape[1]}").reshape(-1), return_index=True, return_inverse=True)
    unique = rows[first].reshape(len(first), len(w), -1).astype(w.dtype)
    lane = first // fold.outputs
    used = unique.reshape(len(first), -1).any(axis=1)
    order = np.cumsum(used) - 1
    begins = np.searchsorted(lane[used], np.arange(lanes + 1))
    array = np.where(used, order - begins[lane], -1)[inverse.reshape(lanes, fold.outputs)]
    return Private(unique[used], begins, array, fold)


def all_leaves(fold: Fold) -> tuple[tuple[Leaf, ...], ...]:
    """One leaf a lane group for every output, in a bundle of its own."""
    q = range(fold.lane_groups)
    return tuple(
        tuple(Leaf(block * fold.lane_groups + lane, p) for lane in q)
        for block in range(fold.blocks)
        for p in range(fold.outputs)
    )


def distinct(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct groups [U, group] of w [..., group], ascending, and each one's index [...]."""
    low = int(w.min())
    radix = (int(w.max()) - low + 1) ** np.arange(w.shape[-1], dtype=np.int64)
    keys, codes = np.unique((w - low) @ radix, return_inverse=True)
    values = keys[:, None] // radix % (int(w.max()) - low + 1) + low
    return values, codes.reshape(w.shape[:-1])


def map_private(layer: MacLayer, fold: Fold) -> Direct | None:
    """Private step-indexed tables, or None where the steps do not fit one LUT6."""
    select_bits = (fold.steps(layer) * fold.tiles(layer) - 1).bit_length()
    if select_bits + fold.address_bits > ADDRESS_BITS:
        return None
    bits = bits_for(int(group_peak(ordered_weights(layer, fold), fold.digit).max()))
    return Direct("private", layer, fold, bits, select_bits, 0)


def map_products(layer: MacLayer, fold: Fold) -> Direct | None:
    """LUT6 products, or None where weight groups and digits do not fit one LUT6."""
    count, peak = layer.group_statistics(fold.lanes, fold.group)
    code_bits = (count - 1).bit_length()
    if code_bits < 1 or code_bits + fold.address_bits > ADDRESS_BITS:
        return None
    bits = bits_for(peak * ((1 << fold.digit) - 1))
    return Direct("products", layer, fold, bits, code_bits, code_bits)


def map_gates(layer: MacLayer, fold: Fold) -> Direct | None:
    """Gated weights; None unless one activation bit enters a time."""
    if fold.group != 1 or fold.digit != 1:
        return None
    bits = bits_for(int(np.abs(layer.weight).max()))
    return Direct("gates", layer, fold, bits, 0, bits + int(layer.weight.min() < 0))
