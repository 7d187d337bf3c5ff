"""Resources of the library modules, by their structure, as Yosys maps them to LUT6, CARRY4 and memories.

Rules that hold for all: an adder takes one LUT for every bit where both numbers have one (a carry passes for
free); a multiplexer of n inputs ceil((n - 1) / 3) LUTs a bit; a memory in LUTs one LUT a bit and 64 words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from bitwright.rtl.window import Window
from bitwright.targets.contract import Resources

SHALLOW = 16  # words of a ROM that may have equal columns by chance
BLOCK_SHAPES = ((512, 72), (1024, 36), (2048, 18), (4096, 9), (8192, 4), (16384, 2), (32768, 1))


def index_bits(count: int) -> int:
    """Bits that number `count` things, at least 1."""
    return max(1, (count - 1).bit_length())


def mux(inputs: int) -> int:
    """LUTs of a multiplexer, a bit."""
    return math.ceil((inputs - 1) / 3)


def adder(a: int, b: int, out: int) -> Resources:
    """Sum of two unsigned numbers of a and b bits, `out` bits wide, without registers."""
    if max(a, b) == 1:
        return Resources(lut=min(out, 2))
    return Resources(lut=min(a, b, out), carry=math.ceil(out / 4))


def block_ram(width: int, depth: int) -> float:
    """BRAM36 of a memory: the best of the shapes; halves are BRAM18."""
    best = min(math.ceil(depth / d) * math.ceil(2 * width / w) / 2 for d, w in BLOCK_SHAPES)
    return best


def is_block(width: int, depth: int, style: int = 0) -> bool:
    """Whether prim/rom and prim/ram_sdp choose block RAM."""
    return style == 1 or (style == 0 and depth > 64 and width * depth > 4096)


def rom(width: int, depth: int, style: int = 0) -> Resources:
    """Module rom with contents of no regularity."""
    if is_block(width, depth, style):
        return Resources(bram36=block_ram(width, depth))
    if depth == 1:
        return Resources()
    columns = distinct_columns(width, depth)
    return Resources(lut=rom_luts(depth) * columns, ff=columns)


def distinct_columns(width: int, depth: int) -> int:
    """Columns of a ROM in logic that are neither equal nor constant, by expectation: shallow ones have few."""
    if depth > SHALLOW:
        return width
    kinds = 1 << depth
    return round((kinds - 2) * (1 - (1 - 1 / kinds) ** width))


def rom_luts(depth: int) -> int:
    """LUTs of one bit of a ROM in logic; MUXF7 and MUXF8 join up to four LUTs for free."""
    blocks = math.ceil(depth / 64)
    return blocks + mux(math.ceil(blocks / 4))


def rom_contents(words: np.ndarray, width: int, style: int = 0) -> Resources:
    """Module rom with these words: constant columns vanish, equal ones are one, simple ones take fewer LUTs."""
    depth = len(words)
    if is_block(width, depth, style):
        return rom(width, depth, style)
    columns = {((words >> bit) & 1).astype(np.uint8).tobytes() for bit in range(width)}
    luts = [column_luts(np.frombuffer(column, np.uint8)) for column in columns]
    return Resources(lut=sum(luts), ff=sum(bool(np.ptp(np.frombuffer(c, np.uint8))) for c in columns))


def column_luts(column: np.ndarray) -> int:
    """LUTs of one column of a ROM: a function of the address bits that it depends on."""
    bits = index_bits(len(column))
    full = np.resize(column, 1 << bits)
    full[len(column) :] = column[: (1 << bits) - len(column)]
    shape = full.reshape((2,) * bits)
    support = [axis for axis in range(bits) if np.any(shape != np.flip(shape, axis))]
    if len(support) <= 1:
        return int(column[0]) * len(support)  # the bit itself is free, its complement an inverter
    if len(support) <= 6:
        return 1
    reduced = shape[tuple(slice(None) if axis in support else 0 for axis in range(bits))].reshape(-1, 64)
    blocks = {block.tobytes() for block in reduced if np.ptp(block)}
    return max(1, len(blocks)) + mux(math.ceil(len(reduced) / 4))


def lut_ram(width: int, depth: int) -> int:
    """LUTs of a simple dual-port memory in LUT RAM, its read multiplexer included."""
    # RAM32M16 holds 14 bits and RAM64M8 7 bits a word, in 8 LUTs.
    blocks = math.ceil(depth / 64)
    cells = math.ceil(width / (14 if depth <= 32 else 7)) * 8
    return blocks * cells + mux(blocks) * width + (blocks > 1) * blocks


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
        Resources(bram36=block_ram(width, depth))
        if parameters.is_block
        else Resources(lut=lut_ram(width, depth), ff=width)
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
        return control + Resources(bram36=block_ram(width, depth))
    return control + Resources(lut=lut_ram(width, depth), ff=width)


def _memories(files: Mapping[str, str], width: int, prefix: str) -> Resources:
    """All ROMs of a module whose files begin with `prefix`."""
    found = Resources()
    for name, text in files.items():
        if name.startswith(prefix):
            found += rom_contents(np.array([int(word, 16) for word in text.split()], dtype=object), width)
    return found


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
    lanes, acc, out, uniform = p["Lanes"], p["AccBits"], p["OutBits"], p["Uniform"]
    steps = (p["MultBits"] > 0) + (p["BiasBits"] > 0) + (p["Lift"] > 0)
    width = p["MultBits"] + p["BiasBits"] + int(p["Lift"]).bit_length()
    memory = Resources() if uniform else _memories(files, width, p["File"])
    lane = Resources(lut=out + 4, ff=p["InBits"] + out)
    lane += Resources(lut=(p["BiasBits"] > 0) * acc + acc - p["Shift"] + 2, ff=acc * steps + acc - p["Shift"])
    factor = int(str(p["Multiplier"]).split("'h")[-1], 16)
    wired = uniform and factor & (factor - 1) == 0
    dsp = 0 if wired else math.ceil(p["MultBits"] / 18) * (p["MultBits"] > 0)
    lane += Resources(lut=(p["Lift"] > 0) * acc * 2, carry=2 * math.ceil(acc / 4), dsp=dsp)
    tile = Resources() if uniform else counter(p["Tiles"])  # a constant module reads no tile
    return pipe(3 + steps) + tile + memory + _times(lanes, lane)


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


ELEMENTWISE = {"threshold": threshold, "channel_add": channel_add, "lookup": lookup, "requantize": requantize}
MODULES = {
    "tlmac_concat": concat,
    "pool_reduce": pool_reduce,
    "stream_add": stream_add,
    "argmax": argmax,
}
