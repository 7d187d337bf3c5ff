"""Why a network cannot run on a hardware configuration: its operations, its widths, its memories."""

from __future__ import annotations

from bitwright.network import Network
from bitwright.network.graph import INPUT
from bitwright.network.ops import Add, Conv2d
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.lowering import Layer
from bitwright.targets.bitsys.program import Program
from bitwright.targets.bitsys.registers import layer_fields
from bitwright.targets.bitsys.stages import Staged, image, problems, stage
from bitwright.targets.bitsys.storage import Layout, stored
from bitwright.targets.contract import Problem

BIAS_BITS = 58


def unsuited(network: Network, hardware: Hardware) -> list[Problem]:
    """Operations and widths that the hardware does not have."""
    found = problems(network)
    return found or _widths(stage(network), hardware)


def _widths(staged: Staged, hardware: Hardware) -> list[Problem]:
    found = []
    output = staged.stages[-1].name
    for name, t in staged.types.items():
        if name == output:
            continue
        readers = [s for s in staged.stages if name in s.sources]
        arrays = [s for s in readers if s.is_array]
        if t.dtype.bits > 16:
            found.append(Problem(name, f"the stored value is {t.dtype}", "at most 16 bits between layers"))
        elif arrays and t.dtype.bits > 8:
            found.append(Problem(name, f"a convolution reads {t.dtype}", "operands of at most 8 bits"))
        elif name == INPUT and t.dtype.bits > 8:
            found.append(Problem(name, f"the input is {t.dtype}", "at most 8 bits"))
        elif t.dtype.bipolar:
            found += _bipolar(name, readers, stored(name, image(t), readers, hardware).coded)
    return found + [p for s in staged.stages for p in _stage_widths(s, hardware)]


def _bipolar(name: str, readers, coded: bool) -> list[Problem]:
    if any(isinstance(s.op, Add) for s in readers):
        return [Problem(name, "a bipolar value is added", "Add of other types")]
    if name == INPUT and not coded:
        return [Problem(name, "a bipolar input meets weights of several bits", "bipolar weights, or an int2 input")]
    return []


def _stage_widths(s, hardware: Hardware) -> list[Problem]:
    if not isinstance(s.op, Conv2d):
        return []
    bits = s.source.dtype
    if hardware.planes and any(s.op.pads) and s.op.pad_value not in (0, -1) and not bits.bipolar:
        return [
            Problem(s.name, f"padding with {s.op.pad_value}", "padding with 0 or -1 where activations are bit planes")
        ]
    return []


def fits(hardware: Hardware, staged: Staged, places: Layout, program: Program) -> list[Problem]:
    """Memories and descriptor fields that are too small."""
    usage, found = program.usage, _weights_fit(hardware, program)
    result = staged.stages[-1].result
    output = places.batch * result.pixels * -(-result.channels // 8)
    for what, need, have, unit in (
        ("activations of a batch", places.words, hardware.act_words, "64-bit words"),
        ("parameters", usage.param_groups, hardware.param_groups, "channel groups"),
        ("thresholds and tables", usage.table_entries, hardware.table_entries, "entries"),
        ("results of a batch", output, hardware.output_groups, "channel groups"),
        ("layers", usage.layers, hardware.layers, "descriptors"),
    ):
        if need > have:
            legal = f"at most {have} in hardware {hardware.name}"
            if what == "layers" and program.packets:
                legal += ", whose weight memory splits layers"
            found.append(Problem(None, f"{what} need {need} {unit}", legal))
    for layer in program.layers:
        found += _layer_fits(layer, hardware)
    return found


def _weights_fit(hardware: Hardware, program: Program) -> list[Problem]:
    """All weights are on chip, or come through a stream in packets that the memory holds."""
    need, have = program.usage.weight_lines, hardware.weight_lines
    if need > have and not hardware.weight_stream:
        legal = f"at most {have} in hardware {hardware.name}, which has no weight_stream"
        return [Problem(None, f"weights need {need} lines", legal)]
    return [
        Problem(
            program.layers[packet.layer].name,
            f"weights of {hardware.columns} output channels need {packet.lines} lines",
            f"at most {have} in hardware {hardware.name}",
        )
        for packet in program.packets
        if packet.lines > have
    ]


def _layer_fits(layer: Layer, hardware: Hardware) -> list[Problem]:
    name, fields, found = layer.name, layer.fields, []
    window = fields.get("taps", 0) * fields.get("inner", 0)
    if window > hardware.row_words:
        found.append(
            Problem(name, f"a window takes {window} words", f"at most {hardware.row_words} in hardware {hardware.name}")
        )
    for key, value in fields.items():
        f = layer_fields()[key]
        if not -(1 << (f.bits - 1)) <= value < 1 << f.bits:
            found.append(Problem(name, f"{f.doc} is {value}", f"{f.bits} bits"))
    limit = 1 << (hardware.multiplier_bits - 1)
    most = int(max(layer.post.multiplier.max(), -layer.post.multiplier.min()))
    if most >= limit:
        found.append(Problem(name, f"a multiplier is {most}", f"less than {limit} in hardware {hardware.name}"))
    if max(int(layer.post.bias.max()), -int(layer.post.bias.min())) >= 1 << (BIAS_BITS - 2):
        found.append(Problem(name, "a bias passes the post stage's width", f"{BIAS_BITS - 1} bits"))
    return found
