# SPDX-License-Identifier: Apache-2.0
"""Wiring of everything but the multiply-accumulate core: lane conversion, windows, joins, elementwise stages."""

from __future__ import annotations

import numpy as np

from bitwright.hardware.module import Module
from bitwright.hardware.modules.argmax import ArgMaxModule
from bitwright.hardware.modules.channel_add import ChannelAdd
from bitwright.hardware.modules.lookup import LookupModule
from bitwright.hardware.modules.pool_reduce import PoolReduce
from bitwright.hardware.modules.requantize import RequantizeModule
from bitwright.hardware.modules.requantize_lut import RequantizeLut
from bitwright.hardware.modules.stream_fifo import StreamSkid
from bitwright.hardware.modules.stream_join import StreamJoin
from bitwright.hardware.modules.stream_multiply import StreamMultiply
from bitwright.hardware.modules.threshold import ThresholdModule
from bitwright.hardware.modules.window import Window
from bitwright.hardware.text import CLOCK, Stream, concat, instance, literal, wire
from bitwright.network import IntType, TensorType
from bitwright.network.ops import MaxPool, Mul, Pad, Pool, Requantize, SumPool, Threshold, Weave
from bitwright.network.stages import image
from bitwright.targets.tlmac.circuit.plan import UnitPlan
from bitwright.targets.tlmac.circuit.reader import emit_reader
from bitwright.targets.tlmac.circuit.units import TURNS, Post, Unit


def emit_input(plan: UnitPlan, port: int, source: Stream) -> tuple[str, Stream]:
    """An input's FIFO, its conversion to the unit's words, and the FIFO behind that, where there are any."""
    t, name = plan.unit.input_types[port], f"in{port}"
    text, source = _fifo(source, plan.fifo_words[port], f"{name}_fifo")
    module = plan.converter(port)
    if module is not None:
        converted = Stream.named(f"{name}_words", plan.port_lanes[port] * t.dtype.bits)
        text += converted.declare()
        text += instance(module.rtl, f"i_{name}", module.parameters(), CLOCK | source.sink() | converted.source())
        source = converted
    behind, source = _fifo(source, plan.behind_words[port], f"{name}_behind")
    return text + behind, source


def _fifo(source: Stream, words: int, name: str) -> tuple[str, Stream]:
    """A FIFO, if it has words; text and resulting stream."""
    if not words:
        return "", source
    out = Stream.named(name, source.width)
    parameters = {"Width": source.width, "Depth": words}
    return out.declare() + instance("stream_fifo", f"i_{name}", parameters, CLOCK | source.sink() | out.source()), out


def wire_types(plan: UnitPlan) -> tuple[IntType, ...]:
    """Types of the words that enter the main operation: it takes bipolar lanes as signed ones where it must."""
    types = tuple(t.dtype for t in plan.unit.input_types)
    if plan.unit.kind in ("add", "mul", "sumpool") or (plan.unit.kind in TURNS and types[0] != types[1]):
        return tuple(IntType(2, True) if t.bipolar else t for t in types)
    return types


def readers(plan: UnitPlan) -> tuple[Window, ...]:
    """The window readers of the last input.

    Of a pool, a pad (1x1 windows), an enlargement (rows repeated, then pixels), a factor that is repeated.
    """
    op = plan.unit.op
    if op is None or not (op.repeats or isinstance(op, Pool | Pad | Mul)):
        return ()
    height, width, channels = image(plan.unit.input_types[-1]).shape
    lanes = plan.port_lanes[-1]
    chunks, bits = channels // lanes, lanes * wire_types(plan)[-1].bits
    if isinstance(op, Mul):
        words = plan.unit.main.size // plan.lanes // (height * width * chunks)  # of the result by those of the factor
        return (Window(bits, height, width, chunks, repeats=words),) if words > 1 else ()
    if op.repeats:
        rows = Window(bits, height, 1, width * chunks, repeats=op.repeats[0])
        return rows, Window(bits, height * op.repeats[0], width, chunks, repeats=op.repeats[1])
    if isinstance(op, Pad):
        return (Window(bits, height, width, chunks, pads=op.pads),)
    assert isinstance(op, Pool)
    return (Window(bits, height, width, chunks, op.kernel, op.stride, op.pads, op.dilation, chunks),)


def main_module(plan: UnitPlan) -> Module | None:
    """The module of the main operation behind its window reader, if it has one."""
    unit, op, lanes, out = plan.unit, plan.unit.op, plan.lanes, plan.main_type.bits
    types = wire_types(plan)
    plain = [IntType(t.bits, t.signed and not t.bipolar) for t in types]
    if isinstance(op, MaxPool | SumPool):
        taps = op.kernel[0] * op.kernel[1]
        return PoolReduce(lanes, plain[0].bits, out, plain[0].signed, isinstance(op, SumPool), taps)
    if unit.kind == "argmax":
        return ArgMaxModule(lanes, plain[0].bits, plain[0].signed, out, unit.input_types[0].channels)
    if isinstance(op, Mul):
        return StreamMultiply.of((plain[0], plain[1]), op.zeros, unit.main.dtype, lanes)
    if unit.kind in ("add", *TURNS):
        a, b = plain
        words = words_in_turns(unit, lanes) if unit.kind in TURNS else []
        return StreamJoin(lanes, out, a.bits, a.signed, b.bits, b.signed, *words)
    return None


def words_in_turns(unit: Unit, lanes: int) -> list[int]:
    """Of each input of a Concat or Weave, the words that follow one another."""
    op = unit.op
    if not isinstance(op, Weave):
        return [t.channels // lanes for t in unit.input_types]
    line = unit.main.shape[1] if op.axis == 0 else 1
    return [count * line * unit.main.channels // lanes for count in op.counts]


def main_slice(plan: UnitPlan) -> StreamSkid | None:
    """The register slice behind a pool of several words, which yields at most every second cycle, or behind a sum."""
    main = main_module(plan)
    if isinstance(main, PoolReduce) and main.taps > 1:
        return StreamSkid(main.lanes * main.out_bits, words=1)
    if isinstance(main, StreamJoin) and not main.a_words:
        return StreamSkid(main.lanes * main.out_bits)
    return None


def leaves_apart(plan: UnitPlan) -> bool:
    """Whether the unit's words leave at most every second cycle, but for those that had to wait."""
    if plan.mac is not None:
        return plan.mac.way_out.sparse if plan.mac.parts > 1 else plan.mac.held_words == 1
    if plan.unit.node is None:
        return 0 in plan.apart
    held = main_slice(plan)
    return held is not None and held.words == 1


def end_slice(plan: UnitPlan) -> StreamSkid | None:
    """The register slice at the end of a unit whose accumulators are not held, and of one without a main operation."""
    if plan.mac.held_words if plan.mac is not None else plan.unit.node is not None or not plan.posts:
        return None
    return StreamSkid(plan.out_lanes * end_bits(plan))


def emit_main(plan: UnitPlan, inputs: list[Stream], target: Stream) -> str:
    """Wiring of the unit's main operation where it is no multiply-accumulate; `target` is declared."""
    text, inputs = "", list(inputs)
    for k, (t, wired) in enumerate(zip(plan.unit.input_types, wire_types(plan), strict=True)):
        if t.dtype != wired:
            body, inputs[k] = _decode(inputs[k], f"in{k}_signed", plan.port_lanes[k])
            text += body
    main, windows = main_module(plan), readers(plan)
    for i, window in enumerate(windows):
        last = main is None and i == len(windows) - 1
        words = target if last else Stream.named(f"window_{i}", window.width)
        text += "" if last else words.declare()
        moves = words
        if (main is None or plan.unit.kind == "mul") and not window.is_wire:  # what waits for a word is offered one
            moves = Stream(words.data, words.valid, f"({words.ready} || !{words.valid})", words.width)
        text += emit_reader(f"window_{i}", window, _pad_lane(plan), plan.port_lanes[-1], inputs[-1], moves)
        inputs[-1] = words
    if main is None:
        return text
    if plan.port_lanes[-1] != plan.lanes:
        one, inputs[-1] = inputs[-1], inputs[-1].carrying("all_lanes", plan.lanes * wire_types(plan)[-1].bits)
        text += (
            wire(inputs[-1].data, inputs[-1].width) + f"  assign {inputs[-1].data} = {{{plan.lanes}{{{one.data}}}}};\n"
        )
    sinks = inputs[0].sink() if len(inputs) == 1 else inputs[0].sink("a") | inputs[1].sink("b")
    held = main_slice(plan)
    if held is None:
        return text + instance(main.rtl, "i_main", main.parameters(), CLOCK | sinks | target.source())
    result = Stream.named("result", held.width)
    text += result.declare() + instance(main.rtl, "i_main", main.parameters(), CLOCK | sinks | result.source())
    return text + instance(held.rtl, "i_slice", held.parameters(), CLOCK | result.sink() | target.source())


def _pad_lane(plan: UnitPlan) -> int:
    """The word of one padding lane: it never wins a maximum and counts as 0 in a sum."""
    op, dtype = plan.unit.op, wire_types(plan)[-1]
    value = op.value if isinstance(op, Pad) else 0 if isinstance(op, SumPool) else dtype.min
    return int(dtype.encode(np.array(value)))


def _decode(source: Stream, name: str, lanes: int) -> tuple[str, Stream]:
    """Bipolar lanes as signed ones."""
    target = source.carrying(name, 2 * lanes)
    ports = {"data_i": source.data, "data_o": target.data}
    return wire(name, target.width) + instance("tlmac_bipolar", f"i_{name}", {"Lanes": lanes}, ports), target


def post_module(post: Post, lanes: int, pixels: int) -> Module:
    """What computes a stage on words of `lanes` channels."""
    t = TensorType((1, pixels, post.channels), post.input)
    if post.op is None:
        assert post.bias is not None
        return ChannelAdd.of(post.bias, t, post.output, lanes)
    if isinstance(post.op, Threshold):
        return ThresholdModule.of(post.op, t, lanes)
    if isinstance(post.op, Requantize):
        return (RequantizeModule if post.dsp else RequantizeLut).of(post.op, t, lanes)
    return LookupModule.of(post.op, t, lanes)


def end_bits(plan: UnitPlan) -> int:
    """Bits of a lane that leaves the last stage."""
    return (plan.posts[-1].output if plan.posts else plan.main_type).bits


def emit_posts(plan: UnitPlan, prefix: str, source: Stream, output: Stream) -> tuple[str, dict[str, str]]:
    """The elementwise stages behind the main operation, the last one to `output`; text and memory files."""
    text, lanes, current = "", plan.out_lanes, plan.main_type
    files: dict[str, str] = {}
    for i, post in enumerate(plan.posts):
        if post.shift or post.input != current:
            resized = source.carrying(f"post_{i}_in", lanes * post.input.bits)
            text += wire(resized.data, resized.width)
            text += resize(source, resized.data, lanes, current.bits, post.input.bits, post.shift)
            source = resized
        module, file = post_module(post, lanes, plan.unit.type.size // post.channels), f"{prefix}_post{i}"
        target = output
        if post is not plan.posts[-1]:
            target = Stream.named(f"post_{i}", lanes * post.output.bits)
            text += target.declare()
        ports = CLOCK | source.sink() | target.source()
        text += instance(module.rtl, f"i_post_{i}", module.parameters(file), ports)
        files |= module.files(file)
        source, current = target, post.output
    return text, files


def resize(source: Stream, data: str, lanes: int, old: int, new: int, shift: int = 0) -> str:
    """Unsigned lanes of `old` bits as lanes of `new` bits: `shift` zeros below, zeros above or the top cut off."""
    kept = min(old, new - shift)
    parts = []
    for lane in range(lanes):
        parts += [literal(0, shift)] * (shift > 0)
        parts += [source.part(lane * old, kept)] * (kept > 0)
        fill = new - shift - kept
        parts += [literal(0, fill)] * (fill > 0)
    return f"  assign {data} = {concat(parts)};\n"
