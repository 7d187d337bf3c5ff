"""Resources of the library modules, by their structure, as Yosys maps them to LUT6, CARRY4 and memories.

Rules that hold for all: an adder takes one LUT for every bit where both numbers have one (a carry passes for
free); a multiplexer of n inputs about (n - 1) / 3 LUTs a bit; a memory in LUTs one LUT a bit and 64 words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from bitwright.hardware.memory import block_ram, index_bits, is_block, lut_ram, mux, rom_contents
from bitwright.hardware.modules.window import Window
from bitwright.targets.contract import Resources


def adder(a: int, b: int, out: int) -> Resources:
    """Sum of two unsigned numbers of a and b bits, `out` bits wide, without registers."""
    if max(a, b) == 1:
        return Resources(lut=min(out, 2))
    return Resources(lut=min(a, b, out), carry=math.ceil(out / 4))


def counter(count: int) -> Resources:
    """Module loop_counter, last_o used."""
    bits = index_bits(count)
    if count <= 1:
        return Resources()
    if bits <= 2:
        return Resources(lut=2 * bits, ff=bits + 1)
    return Resources(lut=bits + 3, ff=bits + 1, carry=math.ceil(bits / 4))


def pipe(stages: int) -> Resources:
    """Module pipe_control."""
    return Resources(lut=2 * stages, ff=stages)


def window(parameters: Window) -> Resources:
    """Module window_reader."""
    if parameters.is_wire:
        return counter(parameters.chunks // parameters.groups)
    depth, width = parameters.depth, parameters.width
    memory = (
        block_ram(width, depth, written=True) if parameters.is_block else Resources(lut=lut_ram(width, depth), ff=width)
    )
    return memory + _window_control(parameters)


def _window_control(p: Window) -> Resources:
    """Loops, positions and flags of a window reader."""
    rows, columns = p.output
    loops = (p.chunks // p.groups, p.kernel[1], p.kernel[0], p.repeats, p.groups, columns, rows)
    # Where only words and repetitions step, two of the three bits that name the loop are equal.
    found = sum((counter(n) for n in loops), Resources(lut=17 if max(p.kernel) > 1 or columns * rows > 1 else 0, ff=3))
    address = index_bits(p.depth)
    lead = 2 + index_bits(max(p.depth, p.image_width * p.chunks) + 2)
    positions = 2 * lead + 1
    found += Resources(
        lut=positions + address + 6 + address // 2,
        ff=positions + 2 * address + 6,
        carry=2 * math.ceil(lead / 4) + 2 * math.ceil(address / 4),
    )
    if p.depth & (p.depth - 1):
        found += Resources(lut=2 * address, carry=math.ceil(address / 4))
    if any(p.pads):
        bits = 2 + index_bits(p.image_width + p.pads[1] + 1) + index_bits(p.height + p.pads[0] + 1)
        found += Resources(lut=3 * bits + 4 + p.width, ff=bits + 2, carry=2 * math.ceil(bits / 8) + 2)
    return found


def converter(module: str, p: Mapping[str, int]) -> Resources:
    """Modules stream_narrow, stream_widen, stream_pack."""
    bits, a, b = p["LaneBits"], p["InLanes"], p["OutLanes"]
    if module == "stream_narrow":
        return counter(a // b) + Resources(lut=mux(a // b) * b * bits + 2, ff=b * bits + 1)
    if module == "stream_widen":
        return counter(b // a) + Resources(lut=2, ff=b * bits + 1)
    unit = math.gcd(a, b)
    size = (a + b) // unit - 1
    shifts = mux(min(a, b) // unit + 1) + 1
    return Resources(lut=size * unit * bits * shifts + 12, ff=size * unit * bits + 12)


def fifo(width: int, depth: int) -> Resources:
    """Module stream_fifo."""
    if depth == 1:
        return Resources(lut=2, ff=width + 1)
    address = index_bits(depth)
    fill = index_bits(depth + 1)
    control = Resources(lut=2 * address + 2 * fill + 4, ff=2 * address + fill + 2, carry=3 * math.ceil(fill / 4))
    if is_block(width, depth):
        return control + block_ram(width, depth, written=True)
    return control + Resources(lut=lut_ram(width, depth), ff=width)


def _memories(files: Mapping[str, str], width: int, prefix: str) -> Resources:
    """All ROMs of a module whose files begin with `prefix`."""
    found = Resources()
    for name, text in files.items():
        if name.startswith(prefix):
            found += rom_contents(np.array([int(word, 16) for word in text.split()], dtype=object), width)
    return found


def _delays(files: Mapping[str, str], prefix: str, low: int, width: int) -> Resources:
    """Registers behind `width` bits, from bit `low` on, of all ROMs of a module: of different columns alone."""
    found = 0
    for name, text in files.items():
        if name.startswith(prefix):
            words = [int(word, 16) >> low for word in text.split()]
            columns = {tuple(word >> bit & 1 for word in words) for bit in range(width)}
            found += sum(len(set(column)) > 1 for column in columns)
    return Resources(ff=found)


def _lifts(files: Mapping[str, str], prefix: str, low: int, bits: int) -> Resources:
    """Shifters of all lanes, to the left by what the ROM holds from bit `low` on: a LUT a bit for two bits of that.

    Of the bits above the greatest lift of a lane, which repeat the sign, there is one.
    """
    found = Resources()
    for name, text in files.items():
        if name.startswith(prefix):
            lifts = [int(word, 16) >> low for word in text.split()]
            wide = bits + max(lifts)
            steps = _delays({name: text}, prefix, low, max(lifts).bit_length()).ff
            found += Resources(lut=wide * math.ceil(steps / 2), ff=wide)
    return found


def constant(text: object) -> int:
    """Value of a sized hexadecimal parameter, without its sign."""
    return int(str(text).split("'h")[-1], 16)


def trailing_zeros(value: int) -> int:
    """Zeros below the lowest 1 of a number, 0 of 0."""
    return (value & -value).bit_length() - 1 if value else 0


def _times(count: int, part: Resources) -> Resources:
    return Resources(count * part.lut, count * part.ff, count * part.carry, count * part.bram36, count * part.dsp)


def threshold(p: Mapping[str, object], files: Mapping[str, str]) -> Resources:
    """Module threshold."""
    lanes, tiles, stages, bits = p["Lanes"], p["Tiles"], p["CountBits"], p["InBits"]
    level = bits + p["Wide"]
    adjust = not p["Uniform"] or (p["OutBits"] > 1 and (p["Falling"] or not p["Base"].endswith("'h0")))
    found = pipe(stages + 1 + adjust)
    if tiles > 1 and not (p["Shared"] and p["Uniform"]):  # else nothing reads the tile
        found += counter(tiles) + Resources(ff=stages * index_bits(tiles))
    found += _times(lanes if p["Shared"] else 1, _memories(files, level, f"{p['File']}_s"))
    for s in range(stages):
        varying = min(level, s) if tiles == 1 or p["Shared"] else level  # bits of a level that are no constants
        compare = Resources(lut=math.ceil(level / 2) + 2 * (varying > 0), carry=math.ceil(level / 8))
        if level + varying <= 6:
            compare = Resources(lut=1)
        found += _times(lanes, compare + Resources(ff=bits + s + 1))
    if adjust:
        found += Resources(lut=lanes * p["OutBits"], ff=lanes * p["OutBits"])
        found += _memories(files, p["OutBits"] + 1, f"{p['File']}_b")
    return found


def channel_add(p: Mapping[str, object], files: Mapping[str, str]) -> Resources:
    """Module channel_add."""
    lanes, bits, out = p["Lanes"], p["InBits"], p["OutBits"]
    lane = Resources(lut=out, ff=bits + out, carry=math.ceil(out / 4))
    return pipe(2) + counter(p["Tiles"]) + _times(lanes, lane) + _memories(files, out, p["File"])


def lookup(p: Mapping[str, object], files: Mapping[str, str]) -> Resources:
    """Module lookup."""
    tables = _memories(files, p["OutBits"], p["File"])
    return pipe(1) + counter(1 if p["Shared"] else p["Tiles"]) + _times(p["Lanes"] if p["Shared"] else 1, tables)


def requantize(p: Mapping[str, object], files: Mapping[str, str]) -> Resources:
    """Module requantize; a multiplier becomes DSP blocks, but a constant power of two is wiring."""
    stages = 3 + (p["MultBits"] > 0) + (p["BiasBits"] > 0) + (p["Lift"] > 0)
    found = Resources(lut=stages, ff=stages)
    if not p["Uniform"]:  # a constant module reads no tile
        lift = int(p["Lift"]).bit_length()
        found += counter(p["Tiles"]) + _memories(files, p["MultBits"] + p["BiasBits"] + lift, p["File"])
        if p["MultBits"]:  # bias and lift wait for the product, the lift for the sum, too
            found += _delays(files, p["File"], p["MultBits"], p["BiasBits"] + lift)
        if p["BiasBits"]:
            found += _delays(files, p["File"], p["MultBits"] + p["BiasBits"], lift)
        if p["Lift"]:
            found += _lifts(files, p["File"], p["MultBits"] + p["BiasBits"], p["AccBits"])
    return found + _times(p["Lanes"], _requantize_lane(p))


def _requantize_lane(p: Mapping[str, object]) -> Resources:
    """Registers of all stages but the lift, multiplier and bias; rounding and what is behind it."""
    factor = constant(p["Multiplier"]) if p["Uniform"] and p["MultBits"] else int(p["Uniform"])
    zeros = trailing_zeros(factor)  # low bits of the product that are constants
    positive = not p["InSigned"] and not p["BiasBits"] and 0 < factor < 1 << 63
    acc = p["AccBits"] - positive
    found = Resources(ff=p["InBits"])
    if p["MultBits"]:
        wired = factor and factor & (factor - 1) == 0
        product = min(acc, p["InBits"] + (not p["InSigned"]) + p["MultBits"])  # the others repeat its sign
        found += Resources(ff=product - zeros, dsp=0 if wired else math.ceil(p["MultBits"] / 18))
    if p["BiasBits"]:
        bias = constant(p["Bias"]) & ((1 << acc) - 1) if p["Uniform"] else (1 << acc) - 1
        carry, zeros = math.ceil((acc - trailing_zeros(bias)) / 4), min(zeros, trailing_zeros(bias))
        found += Resources(lut=bias.bit_count(), ff=acc - zeros, carry=carry)
    return found + _rounded(p, acc + p["Lift"], zeros, positive)


def _rounded(p: Mapping[str, object], acc: int, zeros: int, positive: bool) -> Resources:
    """Rounding, zero point and clamp of a number of `acc` bits whose lowest `zeros` are 0."""
    shift, zero_point, out = p["Shift"], p["ZeroPoint"], p["OutBits"]
    fraction = max(0, shift - zeros) * (p["Rounding"] > 0)
    low = max(0, zeros - shift) * (not zero_point)  # constant bits of the result
    bits = max(1, acc - shift)
    found = Resources()
    if zero_point:
        found += Resources(lut=(zero_point & ((1 << bits) - 1)).bit_count())
        bits, positive = max(bits + positive, abs(zero_point).bit_length() + 1), False
    if fraction:
        # The carry and its complement are a LUT each behind the bits that decide on it.
        others = fraction - 1 if p["Rounding"] in (2, 3) else 0
        found += Resources(lut=2 + (others + 2) // 4 * (others > 4), carry=math.ceil((bits + 2) / 4))
    elif zero_point:
        found += Resources(carry=math.ceil((bits + 1 - trailing_zeros(zero_point)) / 4))
    bits += bool(fraction or zero_point)
    over = bits - out + (p["OutSigned"])  # top bits that decide whether the result fits
    clamps = over > p["OutSigned"] if positive == (not p["OutSigned"]) else over > 0 or not p["OutSigned"]
    if clamps and positive:
        found += Resources(lut=math.ceil(over / 5))  # resets or sets the registers
    elif clamps:
        found += Resources(lut=out + math.ceil(over / 6) * (over > 5))
    return found + Resources(ff=bits - low + (out if clamps else min(out, bits - low)))


def requantize_lut(p: Mapping[str, object], files: Mapping[str, str]) -> Resources:
    """Module requantize_lut: a multiplication in LUTs in front of a requantizer of the products."""
    name, product = p["File"], {"InBits": p["ProductBits"], "InSigned": True, "MultBits": 0, "Multiplier": "64'h1"}
    own = {file: text for file, text in files.items() if not file.startswith(f"{name}_m_")}
    return channel_multiply(p, files, f"{name}_m") + requantize(p | product, own)


def channel_multiply(p: Mapping[str, object], files: Mapping[str, str], name: str) -> Resources:
    """Module channel_multiply with the memories that begin with `name`."""
    rows, bits, lanes = p["Rows"], p["InBits"] + (not p["InSigned"]), p["Lanes"]
    stages = [k for k in range(rows) if k % 2 or k == rows - 1]  # the rows with registers behind them
    found = pipe(1 + len(stages))
    words = {word for file, text in files.items() if file.startswith(name) for word in text.split()}
    if len(words) > 1:
        ff = sum(bits + 2 * (k + 1) + (bits + 3 * (rows - k - 1)) * (k + 1 < rows) for k in stages)
        lane = Resources(lut=rows * (bits + 2), ff=p["InBits"] + ff, carry=rows * math.ceil((bits + 2) / 8))
        return found + counter(p["Tiles"]) + _memories(files, 3 * rows, name) + _times(lanes, lane)
    # one constant: rows of digit 0 vanish, and the first of the others has nothing to add to
    (word,) = words
    used = [k for k in range(rows) if int(word, 16) >> 3 * k & 7] or [0]
    ff = sum(bits + 2 * (k + 1 - used[0]) + bits * (k < used[-1]) for k in stages if k >= used[0])
    adders = len(used) - 1
    lane = Resources(adders * (bits + 2), p["InBits"] + ff, adders * math.ceil((bits + 2) / 8))
    return found + _times(lanes, lane)


def pool_reduce(p: Mapping[str, object]) -> Resources:
    """Module pool_reduce."""
    lanes, bits, out = p["Lanes"], p["InBits"], p["OutBits"]
    if p["Op"]:
        lane = Resources(lut=out, ff=out, carry=math.ceil(out / 4))
    elif 2 * bits <= 6:  # two numbers compare in one LUT
        lane = Resources(lut=2, ff=out)
    else:
        lane = Resources(lut=math.ceil(bits / 2) + 1, ff=out, carry=math.ceil(bits / 8))
    return counter(p["Taps"]) + Resources(lut=3, ff=1) + _times(lanes, lane)


def stream_add(p: Mapping[str, object]) -> Resources:
    """Module stream_add."""
    lanes, out = p["Lanes"], p["OutBits"]
    return Resources(lut=lanes * max(p["ABits"], p["BBits"]) + 3, ff=lanes * out + 1, carry=lanes * math.ceil(out / 4))


def argmax(p: Mapping[str, object]) -> Resources:
    """Module argmax."""
    lanes, bits, out = p["Lanes"], p["InBits"], p["OutBits"]
    tiles = math.ceil(p["Channels"] / lanes)
    levels = (lanes - 1).bit_length()
    nodes = max(0, lanes - 1)
    total = pipe(levels + 1) + counter(tiles) + counter(tiles)
    total += Resources(lut=nodes * (math.ceil(bits / 2) + bits + levels), ff=(lanes + nodes) * bits + nodes * levels)
    return total + Resources(lut=math.ceil(bits / 2) + 4, ff=bits + out + 1, carry=(nodes + 1) * math.ceil(bits / 8))


def concat(p: Mapping[str, object]) -> Resources:
    """Module tlmac_concat."""
    return counter(p["AWords"]) + counter(p["BWords"]) + Resources(lut=p["Lanes"] * p["OutBits"] + 7, ff=1)


ELEMENTWISE = {
    "threshold": threshold,
    "channel_add": channel_add,
    "lookup": lookup,
    "requantize": requantize,
    "requantize_lut": requantize_lut,
}
MODULES = {
    "tlmac_concat": concat,
    "pool_reduce": pool_reduce,
    "stream_add": stream_add,
    "argmax": argmax,
}
