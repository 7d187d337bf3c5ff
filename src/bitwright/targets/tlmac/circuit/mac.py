# SPDX-License-Identifier: Apache-2.0
"""A folded and mapped multiply-accumulate layer: its numbers, and the wiring of its circuit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bitwright.hardware.modules.converters import StreamRegroup
from bitwright.hardware.modules.stream_fifo import StreamSkid
from bitwright.hardware.modules.window import Window
from bitwright.hardware.text import CLOCK, Stream, concat, instance, literal, wire
from bitwright.network import IntType
from bitwright.targets.tlmac.circuit.patch import ROWS, Patch
from bitwright.targets.tlmac.circuit.reader import emit_reader
from bitwright.targets.tlmac.elements import direct
from bitwright.targets.tlmac.elements.element import Element
from bitwright.targets.tlmac.elements.shared import map_shared
from bitwright.targets.tlmac.elements.unrolled.element import map_unrolled
from bitwright.targets.tlmac.layer import Fold, MacLayer

MAPPERS = {
    "private": direct.map_private,
    "products": direct.map_products,
    "gates": direct.map_gates,
    "shared": lambda layer, fold: map_shared(layer, fold, sign_sharing=False),
    "shared_signed": lambda layer, fold: map_shared(layer, fold, sign_sharing=True),
    "unrolled": map_unrolled,
}


@dataclass(frozen=True, eq=False)
class MacPlan:
    """A layer, as it is computed, with its folding and mapped element; `out_lanes` accumulators leave in a word.

    taps, patches: how kernel taps stand side by side (the option `taps`), and the modules before the layer's own window
    reader that bring them there.
    every: levels of the adder trees between registers.
    rom_styles: 1 block RAM, 2 LUTs, by the name of the element's ROM. candidates: what the planner compared, as
    rows for reports, the cheapest first; remark: what it left out, and why.
    """

    layer: MacLayer
    fold: Fold
    element: Element = field(repr=False)
    out_lanes: int
    rom_styles: dict[str, int] = field(default_factory=dict)
    taps: str = "plain"
    patches: tuple[Patch, ...] = field(default=(), repr=False)
    every: int = 1
    candidates: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    remark: str = field(default="", repr=False)

    @property
    def patch_lanes(self) -> list[int]:
        """Lanes of the words that enter each patch module, and at last the window reader."""
        found = [self.fold.word_lanes]
        for patch in reversed(self.patches):
            found.insert(0, found[0] // patch.taps)
        return found

    @property
    def between_patches(self) -> StreamSkid | None:
        """The register slice between two patch modules, whose moves would depend on each other."""
        if len(self.patches) < 2:
            return None
        return StreamSkid(self.patch_lanes[1] * self.layer.in_bits)

    @property
    def in_lanes(self) -> int:
        """Channels a word as they arrive."""
        return self.patch_lanes[0]

    @property
    def patch_cycles(self) -> int:
        """Cycles a frame of the slowest patch module, and what waits for it.

        Rows without a window of their own follow each other at the end of a frame, and between strided rows, where the
        layer still works on two buffered words; then it stands still.
        """
        found, lanes = 0, self.patch_lanes
        per_word = self.cycles // max(1, self.window.in_words)
        for patch, n in zip(self.patches, lanes, strict=False):
            layer = patch.layer
            chunks = layer.input.channels // n
            found = max(found, patch.cycles * chunks)
            if patch.module == ROWS:
                row, stride = layer.input.shape[1] * chunks, layer.stride[0]
                rows = layer.pads[0] + layer.input.shape[0] + layer.pads[2]
                gap = rows - (layer.out_size[0] - 1) * stride - 1
                idle = gap * row + (layer.out_size[0] - 1) * max(0, (stride - 1) * row - 2 * per_word)
                found = max(found, self.cycles + idle)
        return found

    @property
    def digit_weights(self) -> int:
        """Sum of the digits' weights, 1 + 2**digit + ..."""
        return sum(1 << (self.fold.digit * i) for i in range(self.fold.digits(self.layer)))

    @cached_property
    def constant(self) -> np.ndarray:
        """c[o] with  convolution = code_scale * accumulator + c, [O]."""
        layer = self.layer
        offset = self.element.offsets * self.digit_weights
        weight_sum = layer.weight.reshape(layer.outputs, -1).sum(axis=1)
        constant: np.ndarray = layer.code_scale * offset + layer.code_shift * weight_sum + layer.bias
        return constant

    @cached_property
    def acc_type(self) -> IntType:
        """Type of the finished accumulators: unsigned, as wide as the greatest possible value."""
        return IntType(self.acc_bits)

    @cached_property
    def acc_bits(self) -> int:
        """Bits of the finished accumulators, which the network's types allow up to 32."""
        return direct.bits_for(self.element.output_peak * self.digit_weights)

    @cached_property
    def sum_bits(self) -> int:
        """Bits of the sum of one word's leaves."""
        return min(self.acc_type.bits, direct.bits_for(self.element.word_peak))

    @property
    def levels(self) -> int:
        """Levels of the adder trees."""
        return max(0, max(self.element.leaf_counts) - 1).bit_length()

    @property
    def tree_latency(self) -> int:
        """Registers of the adder trees one after the other."""
        return -(-self.levels // self.every)

    @property
    def waits(self) -> int:
        """Cycles that the digits wait for what a ROM gives."""
        return self.element.waits(self.rom_styles)

    @property
    def delay(self) -> int:
        """Cycles from the first register of the digits to the sums at the accumulators."""
        return self.waits + self.element.latency + self.tree_latency

    @property
    def single(self) -> bool:
        """Every word is a whole result."""
        return self.fold.tile_cycles(self.layer) == 1

    @property
    def parts(self) -> int:
        """Words in which one tile's accumulators leave."""
        return self.fold.parallel // self.out_lanes

    @property
    def held_words(self) -> int:
        """Words of the register of finished accumulators: one takes a word every two cycles, two every cycle.

        None where every word that comes is a whole result and no window waits: then the accumulators' own register
        holds it, and what the unit's stages make of it, which is narrower, passes a register slice.
        """
        if self.single and self.parts == 1 and self.window.is_wire:
            return 0
        return 1 if self.fold.tile_cycles(self.layer) > self.parts else 2

    @property
    def way_out(self) -> StreamRegroup:
        """What cuts the accumulators of a tile into words; where there is time, its ready is a register."""
        sparse = self.fold.tile_cycles(self.layer) >= 2 * self.parts
        return StreamRegroup(self.acc_type.bits, self.fold.parallel, self.out_lanes, sparse=sparse)

    @property
    def cycles(self) -> int:
        """Cycles a frame: the tile's passes, or its way out where that takes longer."""
        layer, fold = self.layer, self.fold
        return layer.pixels * fold.tiles(layer) * max(fold.tile_cycles(layer), self.parts)

    @property
    def frame_cycles(self) -> int:
        """Cycles a frame of the core and what stands in front of it."""
        return max(self.cycles, self.patch_cycles)

    @property
    def window(self) -> Window:
        """The layer's window reader."""
        layer, fold = self.layer, self.fold
        height, width, channels = layer.input.shape
        return Window(
            width=fold.word_lanes * layer.in_bits,
            height=height,
            image_width=width,
            chunks=channels // fold.word_lanes,
            kernel=layer.kernel,
            stride=layer.stride,
            pads=layer.pads,
            dilation=layer.dilation,
            groups=layer.groups // fold.blocks,
            repeats=layer.group_outputs // fold.outputs * fold.digits(layer),
        )

    @property
    def latency(self) -> int:
        """Cycles from the last word of a window's last pass to the first word of accumulators."""
        return self.delay + 2 + (self.held_words > 0) + (self.parts > 1)


def map_layer(layer: MacLayer, fold: Fold, kind: str) -> Element | None:
    """The element of that kind for the layer folded so, or None where they do not fit together."""
    return MAPPERS[kind](layer, fold)


def emit_mac(plan: MacPlan, prefix: str, source: Stream, target: Stream) -> str:
    """Wiring from words of activations to words of accumulators; `target` is declared."""
    layer, fold = plan.layer, plan.fold
    text = ""
    for i, (patch, lanes) in enumerate(zip(plan.patches, plan.patch_lanes, strict=False)):
        taps = Stream.named(f"taps_{i}", source.width * patch.taps)
        ports = CLOCK | source.sink() | taps.source()
        text += taps.declare() + instance(patch.module, f"i_taps_{i}", patch.parameters(lanes), ports)
        source, held = taps, plan.between_patches
        if held is not None and i == 0:
            source = Stream.named("taps_held", taps.width)
            ports = CLOCK | taps.sink() | source.source()
            text += source.declare() + instance(held.rtl, "i_taps_slice", held.parameters(), ports)
    # A reader with a buffer moves with the layer's pipeline, by a register of its own.
    words = Stream("window_data", "window_valid", "!stop" if plan.window.is_wire else "fetch", source.width)
    pad = int(layer.input.dtype.encode(np.array(layer.pad_value)))
    text += wire(words.data, words.width) + "  logic window_valid, window_last, en, fetch, stop;\n"
    text += emit_reader("window", plan.window, pad, fold.word_lanes, source, words, "window_last")
    address_bits = max(1, (fold.steps(layer) * fold.tiles(layer) - 1).bit_length())
    text += wire("acc", fold.parallel * plan.acc_type.bits)
    text += f"  logic valid, clear, shift, last, take;\n  logic [{address_bits - 1}:0] addr, early, step;\n"
    text += wire("digits", fold.word_lanes * fold.digit)
    text += "  assign take = !stop && valid;\n"
    text += instance("tlmac_front", "i_front", _front(plan), _front_ports(words))
    text += plan.element.emit(prefix, plan.rom_styles)
    return text + _sums(plan) + _drain(plan, target)


def _front(plan: MacPlan) -> dict[str, object]:
    layer, fold = plan.layer, plan.fold
    return {
        "Lanes": fold.word_lanes,
        "Bits": layer.in_bits,
        "DigitBits": fold.digit,
        "Digits": fold.digits(layer),
        "Flip": layer.flips and not plan.element.reads_signed,
        "Steps": fold.steps(layer),
        "Tiles": fold.tiles(layer),
        "Delay": plan.delay,
        "Waits": plan.waits,
    }


def _front_ports(words: Stream) -> dict[str, str]:
    outputs = {f"{name}_o": name for name in ("addr", "early", "step", "digits", "valid", "clear", "shift", "last")}
    inputs = {"s_data_i": words.data, "s_valid_i": words.valid, "s_last_i": "window_last"}
    return CLOCK | {"en_i": "en", "stop_i": "stop"} | inputs | outputs


def _sums(plan: MacPlan) -> str:
    """Adder trees and accumulators; output p is part p of the words `acc`."""
    text, fold, element, bits = "", plan.fold, plan.element, plan.acc_type.bits
    n = element.leaf_bits
    for p, leaves in enumerate(element.leaves):
        parts = [f"leaf_{leaf.lane}[{leaf.array * n}+:{n}]" for leaf in leaves] or [literal(0, n)]
        text += wire(f"sum_{p}", plan.sum_bits)
        text += instance(
            "tlmac_sum_tree",
            f"i_tree_{p}",
            {"Lanes": len(parts), "Bits": n, "Levels": plan.levels, "OutBits": plan.sum_bits}
            | ({"Every": plan.every} if plan.every > 1 else {}),
            {"clk_i": "clk_i", "en_i": "en", "leaf_i": concat(parts), "sum_o": f"sum_{p}"},
        )
        text += instance(
            "tlmac_accumulator",
            f"i_acc_{p}",
            {
                "Bits": bits,
                "InBits": plan.sum_bits,
                "DigitBits": fold.digit,
                "Shifts": fold.digits(plan.layer) > 1,
                "Single": plan.single,
            },
            {"clk_i": "clk_i", "en_i": "take", "clear_i": "clear", "shift_i": "shift"}
            | {"sum_i": f"sum_{p}", "acc_o": f"acc[{p * bits}+:{bits}]"},
        )
    return text


def _drain(plan: MacPlan, target: Stream) -> str:
    """The way out: a copy of the accumulators leaves, word by word, while the next tile runs."""
    width = plan.fold.parallel * plan.acc_type.bits
    held = target if plan.parts == 1 else Stream.named("held", width)
    text = held.declare() if plan.parts > 1 else ""
    moves = {"en_o": "en", "fetch_o": "fetch", "stop_o": "stop"}
    ports = CLOCK | {"next_i": "last", "s_data_i": "acc"} | moves | held.source()
    text += instance("tlmac_hold", "i_hold", {"Width": width, "Words": plan.held_words}, ports)
    if plan.parts == 1:
        return text
    way = plan.way_out
    return text + instance(way.rtl, "i_out", way.parameters(), CLOCK | held.sink() | target.source())
