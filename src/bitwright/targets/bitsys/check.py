# SPDX-License-Identifier: Apache-2.0
"""Why a network cannot run on a hardware configuration: its operations, its widths, its memories."""

from __future__ import annotations

from collections.abc import Sequence

from bitwright.network import Network, TensorType
from bitwright.network.ops import (
    Concat,
    Conv2d,
    Dense,
    Lookup,
    Op,
    Pad,
    Requantize,
    Rounding,
    Threshold,
)
from bitwright.network.stages import Stage, Staged
from bitwright.targets.bitsys.array.lines import weight_lines
from bitwright.targets.bitsys.array.windows import buffer_words
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.lowering import Layer, pads_are_words
from bitwright.targets.bitsys.post import HIGH, LOW
from bitwright.targets.bitsys.program import Program
from bitwright.targets.bitsys.registers import fields as register_fields
from bitwright.targets.bitsys.storage import Layout, stored
from bitwright.targets.contract import Problem, unstaged

MOST_THRESHOLDS = 255
STORED_BITS = 16  # of a value that layers read
TABLE_BITS = 8
POST_BITS = 58  # of products, biases and their sums in the post stage
MOST_GROUPS = 4095  # groups of eight channels of a pixel, which addresses count in 12 bits
MOST_PIXELS = 65535  # of a frame that leaves
MOST_TENSORS, MOST_WORDS = 32, 65535  # inputs or outputs of a frame; words of an input where there are several
FAR_TOO_MANY = 2  # times the lines of all packets: then no layers are made to count their descriptors
MOST_REACH = 8191  # columns or rows from the first to the last tap of a frame


def unsuited(network: Network) -> list[Problem]:
    """Operations that no configuration of the hardware computes, node by node."""
    found = unstaged(network)
    for node in network.nodes:
        reason = _unsupported(node.op, network.types[node.inputs[0]])
        found += [Problem(node.name, *reason)] if reason else []
    return found


def _unsupported(op: Op, source: TensorType) -> tuple[str, str] | None:
    """(rule, what is legal) where no configuration computes the operation on a value of type `source`."""
    if isinstance(op, (Conv2d, Dense)) and op.weight_type.bits > 8:
        return f"weights have {op.weight_type.bits} bits", "at most 8 bits"
    if isinstance(op, Threshold) and op.thresholds.shape[1] > MOST_THRESHOLDS:
        return f"{op.thresholds.shape[1]} thresholds a channel", f"at most {MOST_THRESHOLDS}"
    if isinstance(op, Lookup) and op.domain.bits > TABLE_BITS:
        return f"a table over {op.domain}", f"inputs of at most {TABLE_BITS} bits, or sums of tables in 32 bits"
    if isinstance(op, Pad):
        return f"it pads {source} with {op.value}", "values of at most 31 bits"
    if isinstance(op, Concat) and source.channels % 8:
        return f"its first value is {source}", "multiples of 8 channels, or sums of both values in 32 bits"
    if not isinstance(op, Requantize):
        return None
    if op.rounding is Rounding.STOCHASTIC:
        return "tiles are not computed in the order of the random draws", "floor, half_up, half_even, half_away"
    for name, bits in (("multiplier", 31), ("bias", 57)):
        most = max(abs(int(v)) for v in (getattr(op, name).min(), getattr(op, name).max()))
        if most >> bits:
            return f"a {name} is {most}", f"less than 2^{bits}"
    return None


def too_wide(staged: Staged[Stage], hardware: Hardware) -> list[Problem]:
    """Values, windows and copies that the hardware's widths do not hold."""
    found = []
    inputs = staged.network.input_names
    for what, names in (("inputs", inputs), ("outputs", staged.outputs)):
        if len(names) > MOST_TENSORS:
            found.append(Problem(None, f"it has {len(names)} {what}", f"at most {MOST_TENSORS}"))
    for name, t in staged.types.items():
        if -(-t.channels // 8) > MOST_GROUPS:
            found.append(Problem(name, f"a pixel has {t.channels} channels", f"at most {8 * MOST_GROUPS}"))
        if name in staged.outputs:
            if t.pixels > MOST_PIXELS:
                found.append(Problem(name, f"the output has {t.pixels} pixels", f"at most {MOST_PIXELS}"))
            continue
        if name in inputs and len(inputs) > 1 and t.size > 8 * MOST_WORDS:
            found.append(Problem(name, f"one of several inputs has {t.size} elements", f"at most {8 * MOST_WORDS}"))
        arrays = [s for s in staged.stages if name in s.inputs and s.window.multiplies]
        if t.dtype.bits > STORED_BITS:
            found.append(Problem(name, f"the stored value is {t.dtype}", f"at most {STORED_BITS} bits between layers"))
        elif arrays and t.dtype.bits > 8:
            found.append(Problem(name, f"{_reading(arrays[0])} reads {t.dtype}", "operands of at most 8 bits"))
        elif name in inputs and t.dtype.bits > 8:
            found.append(Problem(name, f"the input is {t.dtype}", "at most 8 bits"))
    return found + [p for s in staged.stages for p in (*_reach(s), *_pads(s, staged, hardware))]


def _reading(s: Stage) -> str:
    assert s.node is not None
    return "a convolution" if s.node.name == s.node.origin else f"the convolution that computes {s.node.origin}"


def _reach(s: Stage) -> list[Problem]:
    """The window's coordinates wrap where taps are too far apart."""
    w, size = s.window, s.main.shape
    spans = [(size[i] - 1) * w.stride[i] + (w.kernel[i] - 1) * w.dilation[i] for i in (0, 1)]
    if max(spans) <= MOST_REACH:
        return []
    return [Problem(s.name, f"its windows span {max(spans) + 1} rows or columns", f"at most {MOST_REACH + 1}")]


def _pads(s: Stage, staged: Staged[Stage], hardware: Hardware) -> list[Problem]:
    if not s.window.multiplies or not any(s.window.pads) or s.input_types[0].dtype.bits > 8:
        return []
    source, value = stored(s.inputs[0], staged, hardware), s.window.pad_value
    if pads_are_words(source, value):
        return []
    legal = "0 or -1" if source.signed else f"0 or {source.type.dtype.max}"
    if source.type.dtype.bipolar:
        legal = "-1, where the value is also added"
    return [Problem(s.name, f"padding with {value}", f"padding with {legal} where activations are bit planes")]


def too_heavy(staged: Staged[Stage], places: Layout, hardware: Hardware) -> list[Problem]:
    """Weights that are far too many for any program, found before they are laid out."""
    arrays = [s for s in staged.stages if s.window.multiplies]
    sizes = [weight_lines(s, places.values[s.inputs[0]], hardware) for s in arrays]
    need, have = sum(lines * tiles for lines, tiles in sizes), hardware.weight_lines
    if not hardware.weight_stream:
        legal = f"at most {have} in hardware {hardware.name}, which has no weight_stream"
        return [Problem(None, f"weights need {need} lines", legal)] if need > have else []
    if need <= FAR_TOO_MANY * hardware.layers * have:
        return []
    legal = f"at most {hardware.layers * have} in hardware {hardware.name}, a packet of {have} for each layer"
    return [Problem(None, f"weights need {need} lines", legal)]


def fits(hardware: Hardware, staged: Staged[Stage], places: Layout, program: Program) -> list[Problem]:
    """Memories and descriptor fields that are too small."""
    usage, found = program.usage, []
    for what, need, have, unit in (
        ("activations of a batch", places.words, hardware.act_words, "64-bit words"),
        ("parameters", usage.param_groups, hardware.param_groups, "channel groups"),
        ("thresholds and tables", usage.table_entries, hardware.table_entries, "entries"),
        ("results of a batch", places.output_groups, hardware.output_groups, "channel groups"),
        ("layers", usage.layers, hardware.layers, "descriptors"),
    ):
        if need > have:
            legal = f"at most {have} in hardware {hardware.name}"
            if what == "layers" and program.packets:
                legal += ", whose weight memory splits layers"
            found.append(Problem(None, f"{what} need {need} {unit}", legal))
    found += _packets(hardware, program)
    for layer in program.layers:
        found += layer_fits(layer, hardware)
    return found


def _packets(hardware: Hardware, program: Program) -> list[Problem]:
    """All weights are on chip, or come through a stream in packets that the memory holds."""
    return [
        Problem(
            program.layers[packet.layer].stage.name,
            f"weights of {hardware.columns} output channels need {packet.lines} lines",
            f"at most {hardware.weight_lines} in hardware {hardware.name}",
        )
        for packet in program.packets
        if packet.lines > hardware.weight_lines
    ]


def layer_fits(layer: Layer, hardware: Hardware) -> list[Problem]:
    """Windows, fields and numbers of a layer that pass what the hardware holds."""
    name, fields, found = layer.stage.name, layer.fields, []
    window = 0 if fields.get("vector") else buffer_words(fields, fields["inner"], hardware)
    if window > hardware.row_words:
        found.append(
            Problem(name, f"a window takes {window} words", f"at most {hardware.row_words} in hardware {hardware.name}")
        )
    known = register_fields("layer")
    for key, value in fields.items():
        low, high = known[key].limits
        if not low <= value <= high:
            found.append(Problem(name, f"{known[key].doc}: {value}", f"{low} to {high}"))
    limit = 1 << (hardware.multiplier_bits - 1)
    most = max(int(layer.post.multiplier.max()), -int(layer.post.multiplier.min()))
    if most >= limit:
        found.append(Problem(name, f"a multiplier is {most}", f"less than {limit} in hardware {hardware.name}"))
    return [*found, *_numbers(layer)]


def _numbers(layer: Layer) -> Sequence[Problem]:
    """Sums and products that pass the widths of the datapath."""
    name, sums, half = layer.stage.name, layer.sums, 1 << 31  # half: the greatest addend that rounds
    found = []
    if sums.low < LOW or sums.high >= HIGH:
        found.append(Problem(name, f"sums span [{sums.low}, {sums.high}]", f"{LOW} to {HIGH - 1}"))
    if layer.post.most + half >= 1 << (POST_BITS - 1):
        reach = f"a sum times its multiplier and with its bias reaches {layer.post.most}"
        found.append(Problem(name, reach, f"less than 2^{POST_BITS - 1} - 2^31"))
    return found
