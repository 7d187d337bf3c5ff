"""Elements with tables or gates of their own for each weight: private tables, LUT6 products, gates.

private   The table is indexed by the step itself, so there is no ROM; equal tables of a lane are shared.
products  One multiplication table for the layer, repeated; the weight's code comes from a ROM.
gates     One activation bit opens or closes a weight of any width that comes from a ROM.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bitwright.targets.contract import Resources
from bitwright.targets.tlmac import library_cost
from bitwright.targets.tlmac.element import Leaf, Rom, rom_instance
from bitwright.targets.tlmac.layer import Fold, MacLayer, ordered_weights
from bitwright.targets.tlmac.verilog import concat, instance, literal, pack_words

ADDRESS_BITS = 6


def digit_values(fold: Fold) -> np.ndarray:
    """All digits of one table address, [2**address_bits, group]; activation g in bits [g*digit, (g+1)*digit)."""
    address = np.arange(1 << fold.address_bits)
    return (address[:, None] >> (np.arange(fold.group) * fold.digit)) & ((1 << fold.digit) - 1)


def group_offset(w: np.ndarray, digit: int) -> np.ndarray:
    """Smallest sum(w * digit) over all digits; w [..., group]."""
    return np.minimum(w, 0).sum(-1) * ((1 << digit) - 1)


def group_peak(w: np.ndarray, digit: int) -> np.ndarray:
    """Greatest sum(w * digit) minus the smallest."""
    return np.abs(w).sum(-1) * ((1 << digit) - 1)


def entries(w: np.ndarray, fold: Fold) -> np.ndarray:
    """Table entries sum(w * digit) - offset for every address, [..., 2**address_bits]; w [..., group]."""
    return w @ digit_values(fold).T - group_offset(w, fold.digit)[..., None]


def pack_tables(tables: np.ndarray, bits: int) -> str:
    """LUT contents of tables [arrays, entries <= 64] with `bits` result bits, as a sized constant."""
    planes = (tables[:, None, :] >> np.arange(bits)[:, None]) & 1
    planes = np.pad(planes, ((0, 0), (0, 0), (0, 64 - tables.shape[1])))
    value = pack_words(planes.reshape(1, -1), 1)[0]
    return literal(value, 64 * bits * len(tables))


def bits_for(peak: int) -> int:
    """Bits of an unsigned number that reaches `peak`, at least 1."""
    return max(1, int(peak).bit_length())


@dataclass(frozen=True, eq=False)
class Direct:
    """Common data of the direct elements; see `Element`. `select_bits`: weight or step bits of an address."""

    kind: str
    fold: Fold
    leaf_bits: int
    leaves: tuple[tuple[Leaf, ...], ...] = field(repr=False)
    offset: np.ndarray = field(repr=False)
    peak: np.ndarray = field(repr=False)
    select_bits: int
    tables: tuple[np.ndarray, ...] = field(repr=False)  # private: per lane [arrays, entries]; products: one, shared
    rom: Rom | None = None
    code_bits: int = 0
    latency: int = 1

    @property
    def arrays(self) -> int:
        """Table arrays (leaves with tables of their own) of the layer."""
        if self.kind == "private":
            return sum(len(t) for t in self.tables)
        return self.fold.parallel * self.fold.lane_groups

    def roms(self) -> tuple[Rom, ...]:
        return (self.rom,) if self.rom else ()

    def cost(self, styles: dict[str, int]) -> dict[str, Resources]:
        """Tables or gates: one LUT and one register a leaf bit; the ROM apart."""
        bits = self.arrays * self.leaf_bits
        found = {"gates" if self.kind == "gates" else "tables": Resources(lut=bits, ff=bits)}
        if self.rom:
            found["rom"] = library_cost.rom(self.rom.width, self.rom.depth, styles[self.rom.name])
        return found

    def emit(self, prefix: str, styles: dict[str, int]) -> str:
        text = ""
        if self.rom:
            text += f"  logic [{self.rom.width - 1}:0] code;\n"
            text += rom_instance(self.rom, prefix, styles[self.rom.name], "code")
        for lane in range(self.fold.blocks * self.fold.lane_groups):
            text += self._lane(lane)
        return text

    def _lane(self, lane: int) -> str:
        arrays = len(self.tables[lane]) if self.kind == "private" else self.fold.outputs
        if arrays == 0:
            return ""
        width = arrays * self.code_bits
        code = f"code[{lane * width}+:{width}]"
        clock = {"clk_i": "clk_i", "en_i": "en"}
        ports = {"leaf_o": f"leaf_{lane}"}
        text = f"  logic [{arrays * self.leaf_bits - 1}:0] leaf_{lane};\n"
        if self.kind == "gates":
            parameters = {
                "Arrays": arrays,
                "Bits": self.leaf_bits,
                "Signed": self.code_bits > self.leaf_bits,
            }
            ports = clock | {"bit_i": digits_of(self.fold, lane), "code_i": code} | ports
            return text + instance("tlmac_gates", f"i_gates_{lane}", parameters, ports)
        own = self.kind == "products"
        table = np.repeat(self.tables[0], arrays, axis=0) if own else self.tables[lane]
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


def _all_leaves(fold: Fold) -> tuple[tuple[Leaf, ...], ...]:
    q = range(fold.lane_groups)
    return tuple(
        tuple(Leaf(block * fold.lane_groups + lane, p) for lane in q)
        for block in range(fold.blocks)
        for p in range(fold.outputs)
    )


def map_private(layer: MacLayer, fold: Fold) -> Direct | None:
    """Private step-indexed tables, or None where the steps do not fit one LUT6."""
    w = ordered_weights(layer, fold)
    select_bits = (len(w) - 1).bit_length()
    if select_bits + fold.address_bits > ADDRESS_BITS:
        return None
    content = entries(w, fold)  # [steps, blocks, outputs, lanes, entries]
    content = content.transpose(1, 3, 2, 0, 4).reshape(fold.blocks * fold.lane_groups, fold.outputs, -1)
    tables, leaves = [], [[] for _ in range(fold.parallel)]
    for lane, rows in enumerate(content):
        unique, inverse = np.unique(rows, axis=0, return_inverse=True)
        used = unique.any(axis=1)  # a table of zeros is no leaf
        position = np.cumsum(used) - 1
        tables.append(unique[used])
        first = lane // fold.lane_groups * fold.outputs
        for p, u in enumerate(inverse.reshape(-1)):
            if used[u]:
                leaves[first + p].append(Leaf(lane, int(position[u])))
    bits = bits_for(max((int(t.max()) for t in tables if t.size), default=1))
    offset, peak = group_offset(w, fold.digit).sum(-1), group_peak(w, fold.digit).sum(-1)
    return Direct("private", fold, bits, tuple(map(tuple, leaves)), offset, peak, select_bits, tuple(tables))


def _rom(w_codes: np.ndarray, bits: int) -> Rom:
    """ROM of codes [steps, blocks, outputs, lanes], column order block, lane, output."""
    columns = w_codes.transpose(0, 1, 3, 2).reshape(len(w_codes), -1)
    return Rom("weights", columns, bits)


def map_products(layer: MacLayer, fold: Fold) -> Direct | None:
    """LUT6 products, or None where weight groups and digits do not fit one LUT6."""
    w = ordered_weights(layer, fold)
    unique, codes = np.unique(w.reshape(-1, fold.group), axis=0, return_inverse=True)
    code_bits = (len(unique) - 1).bit_length()
    if code_bits < 1 or code_bits + fold.address_bits > ADDRESS_BITS:
        return None
    table = entries(unique, fold).reshape(1, -1)
    rom = _rom(codes.reshape(w.shape[:-1]), code_bits)
    offset, peak = group_offset(w, fold.digit).sum(-1), group_peak(w, fold.digit).sum(-1)
    bits = bits_for(int(table.max()))
    return Direct(
        "products", fold, bits, _all_leaves(fold), offset, peak, code_bits, (table,), rom=rom, code_bits=code_bits
    )


def map_gates(layer: MacLayer, fold: Fold) -> Direct | None:
    """Gated weights; None unless one activation bit enters a time."""
    if fold.group != 1 or fold.digit != 1:
        return None
    w = ordered_weights(layer, fold)
    bits = bits_for(int(np.abs(w).max()))
    code = np.abs(w[..., 0]) | ((w[..., 0] < 0).astype(np.int64) << bits)
    code_bits = bits + int(np.any(w < 0))
    offset, peak = group_offset(w, 1).sum(-1), group_peak(w, 1).sum(-1)
    rom = _rom(code, code_bits)
    return Direct("gates", fold, bits, _all_leaves(fold), offset, peak, 0, (), rom=rom, code_bits=code_bits)
