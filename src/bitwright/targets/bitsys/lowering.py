# SPDX-License-Identifier: Apache-2.0
"""Stages to layer descriptors, weight lines and parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from bitwright.network import IntType, TensorType
from bitwright.network.ops import Add, Concat, SumPool, Weave
from bitwright.network.stages import Result, Stage, Staged, Window
from bitwright.targets.bitsys.array.lines import Lowered, lines
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.model.cycles import TURNS, comparisons, group_items, legal_interval
from bitwright.targets.bitsys.post import PostStage, Sums, post
from bitwright.targets.bitsys.registers import fields as register_fields
from bitwright.targets.bitsys.storage import Layout, Stored
from bitwright.targets.bitsys.units import PLANE_CHANNELS

MOST_COLUMNS = register_fields("layer")["out_w"].limits[1]


@dataclass(frozen=True)
class Part:
    """What a layer does of a stage: all, or a copy of one input into a part of the result.

    source: which input. channel: where its channels begin in the result. column, step: it writes every step-th pixel
    from that one on. rows: how often each row comes. start, stride, size: it takes so many rows and columns in steps.
    lines: its pixels are whole rows.
    """

    source: int = 0
    channel: int = 0
    column: int = 0
    step: int = 1
    rows: int = 1
    start: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)
    size: tuple[int, int] = (0, 0)
    lines: bool = False


@dataclass(frozen=True, eq=False)
class Layer:
    """One descriptor's fields, its weight lines [lines, columns] and its post parameters (bases still 0).

    tiles: the channel tiles of the stage that this layer computes, where it is split; None for all. part: of a copy.
    """

    stage: Stage
    fields: dict[str, int]
    post: PostStage
    sums: Sums
    weights: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.uint64))
    tiles: tuple[int, int] | None = None
    part: Part = Part()

    @property
    def name(self) -> str:
        """The stage's name, with the tiles of a part."""
        return self.stage.name + (f"[{self.tiles[0]}:{self.tiles[1]}]" if self.tiles else "")


def parts(stage: Stage, whole_words: bool = True, frames: int = 1) -> list[Part]:
    """One layer for most stages, one for each input of a Concat and for each column that a copy makes of one.

    A Weave is a copy for every row or column that one of its inputs has in a turn; of rows whose pixels do not fill
    words one for every pixel, as a layer writes its results in equal steps, those of all frames of a batch.
    """
    if isinstance(stage.op, Concat):
        return [Part(), Part(1, stage.input_types[0].channels)]
    if isinstance(stage.op, Weave):
        return _turns(stage, stage.op, whole_words, frames)
    rows, columns = stage.op.repeats or (1, 1) if stage.op else (1, 1)
    return [Part(column=k, step=columns, rows=rows) for k in range(columns)]


def _turns(stage: Stage, op: Weave, whole_words: bool, frames: int) -> list[Part]:
    """The copies of a Weave: the rows of a single frame that are not in turns go as they lie."""
    found, first, whole, width = list[Part](), 0, sum(op.counts), stage.main.shape[1]
    turns = op.turns(stage.input_types[0])
    for k, (t, count) in enumerate(zip(stage.input_types, op.counts, strict=True)):
        h, w, _ = t.shape
        steps = range(count)
        if op.axis == 1:
            found += [Part(k, 0, first + j, whole, 1, (0, j), (1, count), (h, turns)) for j in steps]
        elif turns == 1 and frames == 1:
            found.append(Part(k, column=first * width, size=(h, w)))
        elif whole_words:
            found += [Part(k, 0, first + j, whole, 1, (j, 0), (count, 1), (turns, 1), lines=True) for j in steps]
        else:
            places = [(j, x) for j in steps for x in range(w)]
            ends = [((first + j) * width + x, whole * width) for j, x in places]
            pairs = zip(ends, places, strict=True)
            found += [Part(k, 0, *end, 1, place, (count, 1), (turns, 1)) for end, place in pairs]
        first += count
    return found


def _fills_words(stage: Stage, places: Layout) -> bool:
    """Whether the pixels of all that a stage reads and writes fill words, so that a row lies as one pixel does."""
    values = [places.values[name] for name in (*stage.inputs, stage.value) if name in places.values]
    return all(value.groups % 8 == 0 if value.planes else value.groups * value.bits % 8 == 0 for value in values)


def layers(staged: Staged[Stage], places: Layout, hardware: Hardware) -> list[Layer]:
    """All layers in order, without the places of weights, parameters and tables."""
    found = [
        _layer(stage, part, places, hardware)
        for stage in staged.stages
        for part in parts(stage, _fills_words(stage, places), places.batch)
    ]
    reading = [k for k, layer in enumerate(found) if layer.fields["src_input"] or layer.fields.get("srcb_input")]
    for k, layer in enumerate(found):
        layer.fields.update(last=int(k == len(found) - 1), release_input=int(k == reading[-1]))
    return found


def _layer(stage: Stage, part: Part, places: Layout, hardware: Hardware) -> Layer:
    target = places.values.get(stage.value)
    lower = _array if stage.window.multiplies else _vector
    fields, sums, weights = lower(stage, part, places, hardware)
    coded = stage.type.dtype.bipolar if target is None else target.coded
    made = post(stage.results[0].op, sums, stage.type.dtype, coded)
    first = places.leaving.get(stage.value, 0) if target is None else target.base
    fields |= _source(stage, part, places) | _target(stage, part, target, first) | _post_fields(made)
    fields["interval"] = _interval(fields, hardware)
    return Layer(stage, fields, made, sums, weights, part=part)


def copied(name: str, words: int, ends: tuple[int, int], fed: bool, hardware: Hardware) -> Layer:
    """A layer that copies so many words that value `name` lies in; ends: first words of source and result.

    fed: the source lies in the current input buffer. A word is taken as eight bytes of eight channels, two as their
    halves where several are read at once; on bit planes eight words, or fewer, are as many bits of 64 channels.
    """
    together = math.gcd(words, 8 if hardware.planes else min(2, hardware.port_words))
    pixels, bits = words // together, together if hardware.planes else 8 * together
    rows = next(rows for rows in range(1, pixels + 1) if pixels % rows == 0 and pixels // rows <= MOST_COLUMNS)
    t = TensorType((rows, pixels // rows, PLANE_CHANNELS if hardware.planes else 8), IntType(bits))
    stage = Stage(None, (name,), (t,), t, Window(), (Result(f"{name} kept", t),))
    source, target = (Stored(t, bits, False, hardware.planes, base) for base in ends)
    places = Layout({name: replace(source, fed=fed), stage.value: target}, (), {}, 1, 0, 0, 0)
    layer = _layer(stage, Part(), places, hardware)
    return replace(layer, fields=layer.fields | {"last": 0, "release_input": 0})


def _source(stage: Stage, part: Part, places: Layout) -> dict[str, int]:
    """The walk over the windows of the source. Rows that come several times are frames of one row."""
    name, window = stage.inputs[part.source], stage.window
    source, frames = places.values[name], places.batch
    h, w, _ = source.type.shape
    oh, ow, _ = (h, w, 0) if copies(stage) else stage.main.shape
    kernel, (sy, sx), (dy, dx), (top, left) = window.kernel, window.stride, window.dilation, window.pads[:2]
    if any(part.size):
        (oh, ow), (sy, sx) = part.size, part.stride
    pixels = w if part.lines else 1  # that are copied as one
    if part.rows > 1:
        frames, h, oh, sy = frames * h, 1, part.rows, 0
    pitch, kw, w = source.pitch * pixels, kernel[1], w // pixels
    row = w * pitch
    across, down = (ow - 1) * sx * pitch, (oh - 1) * sy * row
    pad = pad_word(source, window.pad_value) if window.multiplies else 0
    return {
        "src_input": int(source.fed),
        # of the first tap, maybe outside the image
        "src_base": (source.base + (part.start[0] - top) * row + (part.start[1] - left) * pitch) & 0xFFFF,
        "wide_a": int(source.wide),
        "signed_a": int(source.signed),
        "stored_a": 0 if source.wide else source.bits,
        "frames": frames,
        "step_x": sx * pitch,
        "step_y": sy * row - across,
        "step_f": h * row - down - across,
        "tap_x": dx * pitch,
        "tap_y": dy * row - (kw - 1) * dx * pitch,
        "out_w": ow,
        "out_h": oh,
        "kernel_h": kernel[0],
        "kernel_w": kw,
        "stride_y": sy if oh > 1 else 0,
        "stride_x": sx if ow > 1 else 0,
        "dilation_y": dy if kernel[0] > 1 else 0,
        "dilation_x": dx if kw > 1 else 0,
        "in_h": h,
        "in_w": w,
        "pad_top": top,
        "pad_left": left,
        "pad_low": pad & 0xFFFFFFFF,
        "pad_high": pad >> 32,
    }


def copies(stage: Stage) -> bool:
    """Whether its layers write parts of its result."""
    return stage.op is not None and (isinstance(stage.op, Concat | Weave) or stage.op.repeats is not None)


def _target(stage: Stage, part: Part, target: Stored | None, first: int) -> dict[str, int]:
    """Where the results go, from word `first` on: to memory, or to the output buffer, a group of channels a word."""
    pitch = math.ceil(stage.type.channels / 8) if target is None else target.pitch
    pitch *= stage.type.shape[1] if part.lines else 1
    ahead = part.channel // 8 if target is None else part.channel * target.bits // 64
    return {
        "to_output": int(target is None),
        "wide_out": int(target is not None and target.wide),
        "stored_out": 0 if target is None or target.wide else target.bits,
        "out_base": first + ahead + part.column * pitch,
        "out_pitch": part.step * pitch,
    }


def pad_code(source: Stored, value: int) -> int:
    """The stored code of a value that pads a window."""
    return (value + 1) // 2 if source.coded else value & ((1 << source.bits) - 1)


def pads_are_words(source: Stored, value: int) -> bool:
    """Whether one word can stand outside the image: any for containers; all planes of `value` alike for bit planes."""
    return not source.planes or pad_code(source, value) in (0, (1 << source.bits) - 1)


def pad_word(source: Stored, value: int) -> int:
    """The word that a tap outside the image yields; `pads_are_words` must hold."""
    code = pad_code(source, value)
    if source.wide or code == 0:
        return 0
    if source.planes:
        return (1 << 64) - 1
    return sum(code << shift for shift in range(0, 64, source.bits))


def _post_fields(made: PostStage) -> dict[str, int]:
    return {
        "table_bits": made.table_bits,
        "lookup": int(made.lookup),
        "rounding": made.rounding,
        "zero_point": made.zero_point,
        "clamp_low": made.low,
        "clamp_high": made.high,
    }


def _interval(fields: dict[str, int], hardware: Hardware) -> int:
    """Cycles between groups that the search and the two writes of a 16-bit group need; reading may take longer."""
    least = 1 + int(fields["wide_out"] and hardware.port_words == 1)
    if fields.get("vector"):
        least = max(least, min(group_items(fields, hardware), TURNS * comparisons(fields)))
    return legal_interval(fields, least)


def _vector(stage: Stage, part: Part, places: Layout, hardware: Hardware) -> Lowered:
    """Fields of a vector layer, its sums."""
    sources = [places.values[name] for name in stage.inputs[part.source :]]
    pixels = sources[0].type.shape[1] if part.lines else 1
    groups, channels = sources[0].groups * pixels, sources[0].type.channels
    channels = 8 * groups if part.lines else channels
    fields = {"vector": 1, "maximum": int(stage.window.maximum), "groups": groups}
    k, c = (2, -1) if sources[0].coded else (1, 0)
    low, high = sources[0].limits
    if isinstance(stage.op, SumPool):
        taps = math.prod(stage.window.kernel)
        c, low, high = c * taps, min(low, 0) * taps, max(high, 0) * taps
    if isinstance(stage.op, Add):
        b = sources[1]
        fields |= {
            "add": 1,
            "srcb_input": int(b.fed),
            "srcb_base": b.base,
            "wide_b": int(b.wide),
            "signed_b": int(b.signed),
            "stored_b": 0 if b.wide else b.bits,
            "srcb_pitch": b.pitch,
        }
        low, high = low + b.limits[0], high + b.limits[1]
    sums = Sums(k, np.full(channels, c, np.int64), low, high)
    return fields, sums, np.zeros((0, 0), np.uint64)


def _array(stage: Stage, part: Part, places: Layout, hardware: Hardware) -> Lowered:
    """Fields, sums and weight lines of an array layer."""
    source = places.values[stage.inputs[0]]
    fields, sums, weights = lines(stage, source, hardware)
    fields |= {"inner": source.pitch} | pixel_tiles(places.batch * stage.main.pixels, hardware)
    return fields, sums, weights


def pixel_tiles(pixels: int, hardware: Hardware) -> dict[str, int]:
    """Fields of so many pixels in tiles."""
    tiles = math.ceil(pixels / hardware.rows)
    return {"tiles_m": tiles, "rows_last": pixels - (tiles - 1) * hardware.rows}
