# SPDX-License-Identifier: Apache-2.0
"""The program of a whole network: a section for each input, each layer and each output of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bitwright.network.ops import Requantize, Threshold
from bitwright.network.stages import Staged
from bitwright.targets.contract import FrameSpec, StreamSpec
from bitwright.targets.rap.compiler import images
from bitwright.targets.rap.compiler.layers import Layer
from bitwright.targets.rap.compiler.mapping import (
    LayerPlan,
    is_shared,
    is_stochastic,
    param_words,
    seed_words,
    weight_words,
)
from bitwright.targets.rap.compiler.storage import Storage, element_words, words_of
from bitwright.targets.rap.compiler.writer import Level, Writer
from bitwright.targets.rap.isa.machine import Machine, Program
from bitwright.targets.rap.isa.table import ADDRESS_BITS
from bitwright.targets.rap.isa.timing import PARAM_LANES

_WIDTH = {16: "w16", 8: "w8", 4: "w4", 32: "w16"}


@dataclass(frozen=True, eq=False)
class Code:
    """A program with its memory contents; marks: (instruction, what begins there)."""

    program: Program
    marks: tuple[tuple[int, str], ...]
    weight_words: int
    param_words: int


def generate(
    layered: Staged[Layer],
    plans: Sequence[LayerPlan],
    stored: Mapping[str, Storage],
    machine: Machine,
    frame_in: FrameSpec,
    frame_out: FrameSpec,
) -> Code:
    """Instructions, weights and parameters of all layers."""
    writer = Writer()
    for name, spec in zip(layered.network.input_names, frame_in.tensors, strict=True):
        writer.mark("input" if len(frame_in.tensors) == 1 else f"input {name}")
        receive(writer, stored[name], spec)
    weights = [np.zeros((machine.size, 0), np.uint16)]
    params = [np.zeros((0, PARAM_LANES), np.uint32)]
    weights_at = params_at = 0
    for plan in plans:
        writer.mark(f"{plan.layer.kind} {plan.layer.name}")
        write_layer(writer, plan, weights_at, params_at)
        words = images.weights(plan)
        weights.append(np.pad(words, [(0, machine.size - len(words)), (0, 0)]))
        params += layer_parameters(plan)
        weights_at += weight_words(plan)
        params_at += sum(param_words(plan, s) + seed_words(plan, s) for s in range(len(plan.target)))
    for number, (output, spec) in enumerate(zip(layered.network.outputs, frame_out.tensors, strict=True)):
        writer.mark("output" if len(frame_out.tensors) == 1 else f"output {output.name}")
        send(writer, layered, stored, number, spec)
    image = np.concatenate(weights, axis=1)
    table = np.concatenate(params)
    assert (image.shape[1], len(table)) == (weights_at, params_at)
    banks = {c: [(0, image[c])] for c in range(machine.size)} if image.shape[1] else {}
    return Code(Program(writer.code(), {}, banks, table), tuple(writer.marks), image.shape[1], len(table))


def layer_parameters(plan: LayerPlan) -> list[np.ndarray]:
    """Parameters, then seeds, of every slot of a layer."""
    parts = []
    for slot, result in enumerate(plan.layer.results):
        parts.append(images.parameters(plan, slot))
        if is_stochastic(result):
            parts.append(images.seeds(plan, slot))
    return parts


def _shape(writer: Writer, stream: str, value: Storage) -> None:
    h, w, _ = value.shape
    writer.add("SHAPE", stream=stream, strip=value.strip, width=w, height=h, span=value.span)


def _raster(value: Storage) -> list[Level]:
    """All words of a value, pixel by pixel as in a stream of elements."""
    h, w, _ = value.shape
    return [Level(value.pixel_words, 1), Level(w, value.pitch, 1), Level(h, value.span, 0, 1)]


def receive(writer: Writer, value: Storage, spec: StreamSpec) -> None:
    """IN of a frame."""
    dtype = value.dtype
    writer.add("WIDTH", width=_WIDTH[value.bits], asign=int(dtype.signed), bsign="unsigned")
    _shape(writer, "O0", value)
    writer.stream("O0", value.address, _raster(value))
    sign = "bipolar" if dtype.bipolar else "signed" if dtype.signed else "unsigned"
    writer.add("IN", count=spec.type.size, channels=value.shape[2], bits=dtype.bits, lanes=spec.lanes, sign=sign)


def send(writer: Writer, layered: Staged[Layer], stored: Mapping[str, Storage], number: int, spec: StreamSpec) -> None:
    """OUT of an output, or of the places of the largest elements of its pixels; after the last from the start again."""
    last = number == len(layered.outputs) - 1
    send_value(writer, stored[layered.outputs[number]], spec, bool(layered.argmaxes[number]), not last)
    if last:
        writer.add("JUMP", target=0)


def send_value(writer: Writer, value: Storage, spec: StreamSpec, argmax: bool, more: bool) -> None:
    """OUT of a value or of some of its rows; more: the frame goes on."""
    writer.add("WIDTH", width=_WIDTH[value.bits], asign=int(value.dtype.signed), bsign="unsigned")
    _shape(writer, "A", value)
    writer.stream("A", value.address, _raster(value))
    h, w, c = value.shape
    writer.add(
        "OUT", count=h * w * c, channels=c, bits=spec.type.dtype.bits, lanes=spec.lanes,
        wide=int(value.bits == 32), bipolar=int(spec.type.dtype.bipolar), argmax=int(argmax),
        more=int(more),
    )  # fmt: skip


def write_layer(writer: Writer, plan: LayerPlan, weights_at: int = 0, params_at: int = 0) -> None:
    """Set-up and loops of one layer, whose weights and parameters begin at the given words."""
    source, window = plan.source[0], plan.layer.window
    signed = any(s.dtype.signed for s in plan.source)
    negative = window.weight is not None and int(window.weight.min()) < 0
    writer.add("WIDTH", width=_WIDTH[source.bits], asign=int(signed), bsign=int(negative))
    writer.add("MASK", rows=(1 << plan.rows) - 1, cols=(1 << plan.cols) - 1)
    pad = np.full(source.lanes, window.pad_value, np.int64)
    writer.add("PAD", word=int(images.pack_lanes(pad, source.bits)[0]), cut=1)
    _shape(writer, "A", source)
    _stream_a(writer, plan)
    if window.weight is None:
        ones = images.pack_lanes(np.ones(source.lanes, np.int64), source.bits)
        writer.add("LDB", bd=0, word=int(ones[0]))
    else:
        _stream_b(writer, plan, weights_at)
    for slot in range(len(plan.layer.results)):
        params_at = _slot(writer, plan, slot, params_at)
    with writer.loop(plan.tiles):
        with writer.loop(plan.inner):
            _body(writer, plan)
        for slot in range(len(plan.layer.results)):
            writer.add(
                "DRAIN", slot=slot, pixels=plan.pixels, words=plan.words, cols=plan.cols, lanes=int(plan.lanes),
                keep=int(slot > 0),
            )  # fmt: skip


def _body(writer: Writer, plan: LayerPlan) -> None:
    name = ("MAXL" if plan.layer.window.maximum else "MACL") if plan.lanes else "MAC"
    for step in plan.body.steps:
        values: dict[str, int | str] = {"acc": step.acc, "as": step.a, "bs": 0}
        if step.source != "none":
            values |= {"afrom": step.source, "aload": step.load, "aread": step.passed}
        if step.load_b:
            values |= {"bfrom": "bus", "bload": 0}
        writer.add(name, **values)


def _stream_a(writer: Writer, plan: LayerPlan) -> None:
    source, window, body = plan.source[0], plan.layer.window, plan.body
    (sy, sx), (dy, dx), (top, left, _, _) = window.stride, window.dilation, window.pads
    pitch, span = source.pitch, source.span
    words = (plan.words, plan.cols) if plan.lanes else (plan.k_words, 1)
    levels = [Level(body.columns, sx * pitch, sx), Level(body.phases, pitch, 1), Level(*words)]
    if len(plan.source) == 2:
        levels.append(Level(2, plan.source[1].address - source.address))
    if not plan.rowwise:
        levels.append(Level(window.kernel[1], dx * pitch, dx))
    levels.append(Level(window.kernel[0], dy * span, 0, dy))
    levels.append(Level(plan.channel_tiles, plan.words * plan.cols if plan.lanes else 0))
    levels.append(Level(plan.groups, plan.k_words))
    levels.append(Level(plan.x_tiles, plan.pixels * sx * pitch, plan.pixels * sx))
    levels.append(Level(plan.layer.shape[0], sy * span, 0, sy))
    x, y = body.first - left, -top
    writer.stream("A", _wrapped(source, x, y), levels, x, y)


def _wrapped(source: Storage, x: int, y: int) -> int:
    """Address of the first word; it may lie before the memory as long as padding is read there."""
    return (source.address + y * source.span + x * source.pitch) % (1 << ADDRESS_BITS)


def _stream_b(writer: Writer, plan: LayerPlan, address: int) -> None:
    """The weights in their order, anew for every place of the image."""
    per_tile, tiles = plan.loads_b, plan.channel_tiles * plan.groups
    writer.stream("B", address, [Level(per_tile, 1), Level(tiles, per_tile), Level(plan.tiles // tiles, 0)])


def _slot(writer: Writer, plan: LayerPlan, slot: int, params_at: int) -> int:
    """Set up a slot and its streams; the address behind its parameters."""
    result, target = plan.layer.results[slot], plan.target[slot]
    words = element_words(result, target.bits)
    mode = {Requantize: "requantize", Threshold: "threshold"}.get(type(result.op), "raw")
    post: dict[str, int | str] = {"slot": slot, "mode": mode, "store": f"s{target.bits}", "words": words}
    if isinstance(result.op, Requantize):
        post["rounding"] = str(result.op.rounding)
        writer.add("LIMIT", slot=slot, which="low", value=result.op.dtype.min)
        writer.add("LIMIT", slot=slot, which="high", value=result.op.dtype.max)
        writer.add("LIMIT", slot=slot, which="zero", value=result.op.zero_point)
    writer.add("POST", **post)
    _shape(writer, f"O{slot}", target)
    pixel_words = words_of(plan.elements, target.bits)
    tiles = plan.channel_tiles * plan.groups
    places = plan.x_tiles * plan.layer.shape[0]
    (dy, dx), (y, x) = plan.layer.scale, plan.layer.origin
    address = target.address + y * target.span + x * target.pitch + words_of(plan.layer.channel, target.bits)
    columns = plan.pixels * dx
    levels = [
        Level(pixel_words, 1),
        Level(plan.pixels, dx * target.pitch, dx),
        Level(tiles, pixel_words),
        Level(plan.x_tiles, columns * target.pitch, columns),
        Level(plan.layer.shape[0], dy * target.span, 0, dy),
    ]
    writer.stream(f"O{slot}", address, levels, x, y)
    if result.op is None:
        return params_at
    element = plan.elements * words
    levels = [Level(element, 1), Level(plan.pixels, 0), Level(tiles, element), Level(places, 0)]
    if is_shared(plan, slot):
        levels = [Level(words, 1), Level(plan.elements * plan.pixels, 0), Level(tiles * places, 0)]
    writer.stream(f"P{slot}", params_at, levels)
    params_at += param_words(plan, slot)
    if is_stochastic(result):
        writer.stream(f"R{slot}", params_at, [Level(seed_words(plan, slot), 1)])
    return params_at + seed_words(plan, slot)
