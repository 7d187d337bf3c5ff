"""The shared element: every lane's tables serve all outputs, which pick theirs through multiplexers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bitwright.targets.contract import Resources
from bitwright.targets.tlmac import library_cost
from bitwright.targets.tlmac.direct import (
    ADDRESS_BITS,
    all_leaves,
    bits_for,
    digits_of,
    entries,
    group_offset,
    group_peak,
    pack_tables,
)
from bitwright.targets.tlmac.element import Leaf, Rom, rom_instance
from bitwright.targets.tlmac.layer import Fold, MacLayer, ordered_weights, per_output
from bitwright.targets.tlmac.sharing import Placement, cyclic_clusters, find_clusters, find_groups, place_groups
from bitwright.targets.tlmac.verilog import concat, instance

ROUTES, CLUSTERS = "routes", "clusters"  # ROMs


@dataclass(frozen=True, eq=False)
class Lane:
    """Tables of one lane group: contents [arrays, entries]; for every output the arrays that it reads."""

    tables: np.ndarray = field(repr=False)
    inputs: tuple[np.ndarray, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Shared:
    """See `Element`. ROM `routes` holds, for every lane and output, the multiplexer's setting and the sign.

    ROM `clusters` holds the select value of every lane; without it, that is the step modulo their number.
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

    def roms(self) -> tuple[Rom, ...]:
        return self.rom_columns

    def cost(self, styles: dict[str, int]) -> dict[str, Resources]:
        """Arrays, multiplexers and ROM apart."""
        bits = self.leaf_bits
        found = {"tables": Resources(lut=self.arrays * bits, ff=self.arrays * bits)}
        muxes = sum(route_luts(len(used), self.signed) for lane in self.lanes for used in lane.inputs)
        count = sum(len(lane.inputs) for lane in self.lanes)
        found["multiplexers"] = Resources(lut=muxes * bits, ff=count * bits)
        roms = (library_cost.rom(*shape, styles[name]) for name, shape in self.rom_shapes.items())
        return found | {"rom": sum(roms, Resources())}

    def emit(self, prefix: str, styles: dict[str, int]) -> str:
        text, position = "", 0
        for name, (width, depth) in self.rom_shapes.items():
            text += f"  logic [{width - 1}:0] {name};\n"
            address = "step" if name == ROUTES else "addr"  # clusters are needed a cycle before
            text += rom_instance(name, width, depth, prefix, styles[name], name, address)
        for number, lane in enumerate(self.lanes):
            body, position = self._lane(number, lane, position)
            text += body
        return text

    def _lane(self, number: int, lane: Lane, position: int) -> tuple[str, int]:
        bits, arrays = self.leaf_bits, len(lane.tables)
        text = f"  logic [{arrays * bits - 1}:0] array_{number};\n"
        text += f"  logic [{len(lane.inputs) * bits - 1}:0] leaf_{number};\n"
        parameters = {
            "Arrays": arrays,
            "DigitBits": self.fold.address_bits,
            "SelectBits": self.select_bits,
            "Bits": bits,
            "Init": pack_tables(lane.tables, bits),
        }
        low = number * self.select_bits if CLUSTERS in self.rom_shapes else 0
        select = f"{CLUSTERS if CLUSTERS in self.rom_shapes else 'step'}[{low}+:{self.select_bits}]"
        ports = {"digits_i": digits_of(self.fold, number), "select_i": select, "leaf_o": f"array_{number}"}
        clock = {"clk_i": "clk_i", "en_i": "en"}
        text += instance("tlmac_tables", f"i_tables_{number}", parameters, clock | ports)
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
    return 0 if inputs == 1 and not signed else 1 if pins <= 6 else library_cost.mux(inputs + signed)


def map_shared(layer: MacLayer, fold: Fold, sign_sharing: bool, seed: int = 0) -> Shared | None:
    """Shared tables, or None where no select bit is left or the steps need none."""
    w = ordered_weights(layer, fold)
    select_bits = ADDRESS_BITS - fold.address_bits
    if select_bits < 1 or len(w) <= 1 << select_bits:
        return None
    q = fold.lane_groups
    per_lane = w.transpose(1, 3, 0, 2, 4).reshape(fold.blocks * q, len(w), fold.outputs, fold.group)
    bits = bits_for(int(group_peak(w, fold.digit).max()))
    placed = [_place(groups, fold, sign_sharing, select_bits, seed) for groups in per_lane]
    flips = np.stack([flip for *_, flip in placed]) if sign_sharing else None
    offset, peak = _constants(w, fold, bits, flips)
    word_peak = int(peak.max())
    offset, peak = per_output(layer, fold, offset), per_output(layer, fold, peak)
    columns = [c for _, codes, *_ in placed for c in codes]
    roms = [Rom(ROUTES, np.concatenate(columns, axis=1), 1)] if columns else []
    clusters = np.stack([cluster for _, _, cluster, _ in placed], axis=1)
    if np.any(clusters != cyclic_clusters(len(w), 1 << select_bits)[:, None]):
        roms.append(Rom(CLUSTERS, clusters, select_bits))
    lanes = tuple(lane for lane, *_ in placed)
    return Shared(fold, bits, lanes, offset, word_peak, int(peak.max()), select_bits, sign_sharing, tuple(roms))


def _place(w: np.ndarray, fold: Fold, sign_sharing: bool, select_bits: int, seed: int):
    """One lane's tables, ROM columns (bits [steps, 1]), clusters and flips, for w [steps, outputs, group]."""
    groups, clusters = find_groups(w, sign_sharing), 1 << select_bits
    placement = place_groups(groups, find_clusters(groups, clusters, seed), clusters, seed)
    content = entries(groups.values, fold)
    size = 1 << fold.address_bits
    tables = np.zeros((placement.arrays, clusters, size), np.int64)
    for c in range(clusters):
        used = np.flatnonzero(placement.content[c] >= 0)
        tables[used, c] = content[placement.content[c, used]]
    inputs = tuple(np.flatnonzero(placement.routes[:, p]) for p in range(w.shape[1]))
    columns = list(_rom_columns(groups, placement, inputs, sign_sharing))
    return Lane(tables.reshape(placement.arrays, -1), inputs), columns, placement.cluster, groups.flips


def _rom_columns(groups, placement: Placement, inputs, sign_sharing: bool):
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
