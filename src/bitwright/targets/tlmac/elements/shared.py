# SPDX-License-Identifier: Apache-2.0
"""The shared element: every lane's tables serve all outputs, which pick theirs through multiplexers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bitwright.hardware.memory import mux, rom_latency
from bitwright.hardware.resources import Resources
from bitwright.hardware.text import concat, instance
from bitwright.hardware.timing import classes
from bitwright.targets.tlmac.elements.direct import (
    ADDRESS_BITS,
    all_leaves,
    bits_for,
    digits_of,
    entries,
    group_offset,
    group_peak,
    pack_tables,
)
from bitwright.targets.tlmac.elements.element import Leaf, Rom, rom_cost, rom_instance, rom_paths, rom_start
from bitwright.targets.tlmac.elements.selects import own_selects
from bitwright.targets.tlmac.elements.sharing import (
    Groups,
    Placement,
    cyclic_clusters,
    find_clusters,
    find_groups,
    place_groups,
)
from bitwright.targets.tlmac.layer import Fold, MacLayer, ordered_weights, per_output

ROUTES, SELECTS = "routes", "selects"  # ROMs
ROM_BITS = 64  # in a LUT


@dataclass(frozen=True, eq=False)
class Lane:
    """Tables of one lane group: contents [arrays, entries]; for every output the arrays that it reads.

    own_select: every array has a select of its own, else all share one.
    """

    tables: np.ndarray = field(repr=False)
    inputs: tuple[np.ndarray, ...] = field(repr=False)
    own_select: bool

    @property
    def selects(self) -> int:
        return len(self.tables) if self.own_select else 1


@dataclass(frozen=True, eq=False)
class Shared:
    """See `Element`. ROM `routes` holds, for every lane and output, the multiplexer's setting and the sign.

    ROM `selects` holds the select values of every lane; without it, there is one a lane, the step modulo their number.
    """

    fold: Fold
    leaf_bits: int
    lanes: tuple[Lane, ...]
    offsets: np.ndarray = field(repr=False)
    word_peak: int
    output_peak: int
    select_bits: int
    signed: bool
    rom_columns: tuple[Rom, ...] = field(repr=False)
    kind: str = "shared"
    latency: int = 2
    uses_step: bool = True
    reads_signed: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind}_signed" if self.signed else self.kind

    @property
    def leaves(self) -> tuple[tuple[Leaf, ...], ...]:
        """Leaf `array` of a lane is the output of that output's multiplexer."""
        return all_leaves(self.fold)

    @property
    def leaf_counts(self) -> dict[int, int]:
        return {self.fold.lane_groups: self.fold.parallel}

    @property
    def rom_shapes(self) -> dict[str, tuple[int, int]]:
        return {rom.name: (rom.codes.shape[1] * rom.bits, len(rom.codes)) for rom in self.rom_columns}

    @property
    def arrays(self) -> int:
        return sum(len(lane.tables) for lane in self.lanes)

    @property
    def routes(self) -> int:
        """Wires from arrays to outputs."""
        return sum(len(used) for lane in self.lanes for used in lane.inputs)

    def roms(self, styles: dict[str, int]) -> tuple[Rom, ...]:
        return self.rom_columns

    def cost(self, styles: dict[str, int]) -> dict[str, Resources]:
        """Arrays, multiplexers and ROM apart."""
        bits = self.leaf_bits
        found = {"tables": Resources(lut=self.arrays * bits, ff=self.arrays * bits)}
        muxes = sum(route_luts(len(used), self.signed) for lane in self.lanes for used in lane.inputs)
        count = sum(len(lane.inputs) for lane in self.lanes)
        found["multiplexers"] = Resources(lut=muxes * bits, ff=count * bits)
        roms = (rom_cost(*shape, styles[name]) for name, shape in self.rom_shapes.items())
        return found | {"rom": sum(roms, Resources())}

    def paths(self, styles: dict[str, int]) -> tuple[classes.Path, ...]:
        """The tables, the widest multiplexer behind them, and the ROMs."""
        bits, inputs = self.leaf_bits, self.fold.address_bits + self.select_bits
        lane = max(len(lane.tables) for lane in self.lanes) * bits
        found = [classes.Path("table behind the digits", (inputs,), lane)]
        if SELECTS not in self.rom_shapes:
            found.append(classes.Path("table behind the step", (inputs,), self.arrays * bits))
        widest = max(len(used) for lane in self.lanes for used in lane.inputs)
        steps = classes.mux(widest, int(self.signed))
        for name, (width, depth) in self.rom_shapes.items():
            start, after = rom_start(width, depth, styles[name]), steps if name == ROUTES else (inputs,)
            what = "multiplexer of tables" if name == ROUTES else "table behind the ROM"
            found += [classes.Path(what, after, lane if name == SELECTS else bits, start=start)]
            found += rom_paths(name, width, depth, styles[name])
        return tuple(found)

    def waits(self, styles: dict[str, int]) -> int:
        return rom_latency(*self.rom_shapes[SELECTS], styles[SELECTS]) - 1 if SELECTS in self.rom_shapes else 0

    def emit(self, prefix: str, styles: dict[str, int]) -> str:
        text, position = "", 0
        for name, (width, depth) in self.rom_shapes.items():
            text += f"  logic [{width - 1}:0] {name};\n"
            address = "addr"
            if name == ROUTES:  # needed a cycle after the selects
                late = rom_latency(width, depth, styles[name]) > 1
                address = ("early" if self.waits(styles) else "addr") if late else "step"
            text += rom_instance(name, width, depth, prefix, styles[name], name, address)
        low = 0
        for number, lane in enumerate(self.lanes):
            width = lane.selects * self.select_bits
            text += self._tables(number, lane, f"{SELECTS}[{low}+:{width}]" if SELECTS in self.rom_shapes else None)
            body, position = self._routes(number, lane, position)
            text, low = text + body, low + width
        return text

    def _tables(self, number: int, lane: Lane, select: str | None) -> str:
        bits, arrays = self.leaf_bits, len(lane.tables)
        parameters = {
            "Arrays": arrays,
            "DigitBits": self.fold.address_bits,
            "SelectBits": self.select_bits,
            "OwnSelect": lane.own_select,
            "Bits": bits,
            "Init": pack_tables(lane.tables, bits),
        }
        ports = {
            "clk_i": "clk_i",
            "en_i": "en",
            "digits_i": digits_of(self.fold, number),
            "select_i": select or f"step[{self.select_bits - 1}:0]",
            "leaf_o": f"array_{number}",
        }
        text = f"  logic [{arrays * bits - 1}:0] array_{number};\n"
        return text + instance("tlmac_tables", f"i_tables_{number}", parameters, ports)

    def _routes(self, number: int, lane: Lane, position: int) -> tuple[str, int]:
        bits, clock = self.leaf_bits, {"clk_i": "clk_i", "en_i": "en"}
        text = f"  logic [{len(lane.inputs) * bits - 1}:0] leaf_{number};\n"
        for p, used in enumerate(lane.inputs):
            width = (len(used) - 1).bit_length()
            select = f"{ROUTES}[{position}+:{width}]" if width else "1'b0"
            sign = f"{ROUTES}[{position + width}]" if self.signed else "1'b0"
            position += width + self.signed
            data = concat([f"array_{number}[{int(e) * bits}+:{bits}]" for e in used])
            ports = {"data_i": data, "select_i": select, "sign_i": sign, "leaf_o": f"leaf_{number}[{p * bits}+:{bits}]"}
            parameters = {"Inputs": len(used), "Bits": bits, "Signed": self.signed}
            text += instance("tlmac_route", f"i_route_{number}_{p}", parameters, clock | ports)
        return text, position


def route_luts(inputs: int, signed: bool) -> int:
    """LUTs a bit of a multiplexer of `inputs` wires and the sign behind it."""
    pins = inputs + (inputs - 1).bit_length() + signed
    return 0 if inputs == 1 and not signed else 1 if pins <= 6 else mux(inputs + signed)


def map_shared(layer: MacLayer, fold: Fold, sign_sharing: bool, seed: int = 0) -> Shared | None:
    """Shared tables, or None where no select bit is left or the steps need none."""
    w = ordered_weights(layer, fold)
    select_bits = ADDRESS_BITS - fold.address_bits
    if select_bits < 1 or len(w) <= 1 << select_bits:
        return None
    q = fold.lane_groups
    per_lane = w.transpose(1, 3, 0, 2, 4).reshape(fold.blocks * q, len(w), fold.outputs, fold.group)
    bits = bits_for(int(group_peak(w, fold.digit).max()))
    placed = [_place(lane, fold, bits, sign_sharing, select_bits, seed) for lane in per_lane]
    flips = np.stack([flip for *_, flip in placed]) if sign_sharing else None
    offset, peak = _constants(w, fold, bits, flips)
    word_peak = int(peak.max())
    offset, peak = per_output(layer, fold, offset), per_output(layer, fold, peak)
    columns = [c for _, codes, *_ in placed for c in codes]
    roms = [Rom(ROUTES, np.concatenate(columns, axis=1), 1)] if columns else []
    lanes = tuple(lane for lane, *_ in placed)
    selects = np.concatenate([select for _, _, select, _ in placed], axis=1)
    cyclic = np.all(selects == cyclic_clusters(len(w), 1 << select_bits)[:, None])
    if not cyclic or any(lane.own_select for lane in lanes):
        roms.append(Rom(SELECTS, selects, select_bits))
    return Shared(fold, bits, lanes, offset, word_peak, int(peak.max()), select_bits, sign_sharing, tuple(roms))


def _place(
    w: np.ndarray, fold: Fold, bits: int, sign_sharing: bool, select_bits: int, seed: int
) -> tuple[Lane, list[np.ndarray], np.ndarray, np.ndarray]:
    """One lane's tables, ROM columns (bits [steps, 1]), selects and flips, for w [steps, outputs, group]."""
    groups, clusters = find_groups(w, sign_sharing), 1 << select_bits
    common = place_groups(groups, find_clusters(groups, clusters, seed), clusters, seed)
    own = own_selects(groups, common, seed)
    placement = min(common, own, key=lambda found: _luts(found, bits, sign_sharing, select_bits))
    content = entries(groups.values, fold)
    size = 1 << fold.address_bits
    tables = np.zeros((placement.arrays, clusters, size), np.int64)
    for c in range(clusters):
        used = np.flatnonzero(placement.content[c] >= 0)
        tables[used, c] = content[placement.content[c, used]]
    inputs = tuple(np.flatnonzero(placement.routes[:, p]) for p in range(w.shape[1]))
    columns = list(_rom_columns(groups, placement, inputs, sign_sharing))
    lane = Lane(tables.reshape(placement.arrays, -1), inputs, placement is own)
    return lane, columns, placement.select, groups.flips


def _luts(placement: Placement, bits: int, signed: bool, select_bits: int) -> float:
    """LUTs of the multiplexers, and of the ROM if it were built of LUTs."""
    inputs = placement.routes.sum(0)
    muxes = sum(route_luts(int(n), signed) for n in inputs) * bits
    columns = sum((int(n) - 1).bit_length() for n in inputs) + placement.select.shape[1] * select_bits
    return float(muxes + len(placement.select) * columns / ROM_BITS)


def _rom_columns(
    groups: Groups, placement: Placement, inputs: Sequence[np.ndarray], sign_sharing: bool
) -> Iterator[np.ndarray]:
    """Select bits, then the sign, of every output, [steps, bits] each."""
    for p, used in enumerate(inputs):
        setting = np.searchsorted(used, placement.reads[:, p])
        width = (len(used) - 1).bit_length()
        if width:
            yield (setting[:, None] >> np.arange(width)) & 1
        if sign_sharing:
            yield groups.flips[:, p, None].astype(np.int64)


def _constants(w: np.ndarray, fold: Fold, bits: int, flips: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Offset and peak, [steps, blocks, outputs]; a complemented entry is (2**bits - 1) minus it."""
    offset, peak = group_offset(w, fold.digit), group_peak(w, fold.digit)
    if flips is not None:
        # flips [blocks * lanes, steps, outputs] to [steps, blocks, outputs, lanes]
        flips = flips.reshape(fold.blocks, fold.lane_groups, len(w), -1).transpose(2, 0, 3, 1)
        full = (1 << bits) - 1
        # The table holds the negated group v = -w as v*digit - offset(v); its complement is w*digit + full + offset(v).
        offset = np.where(flips, -(full + group_offset(-w, fold.digit)), offset)
        peak = np.where(flips, full, peak)
    return offset.sum(-1), peak.sum(-1)
