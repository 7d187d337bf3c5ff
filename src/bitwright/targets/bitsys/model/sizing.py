# SPDX-License-Identifier: Apache-2.0
"""The largest array for a part, with memories that suit it, by the cost model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import product
from typing import Any

from bitwright.devices import Device
from bitwright.errors import OptionError
from bitwright.hardware.text import SPDX
from bitwright.options import as_text, parse_options
from bitwright.targets.bitsys import hardware
from bitwright.targets.bitsys.hardware import LIMITS, MOST_ROWS, UNITS, Hardware
from bitwright.targets.bitsys.model import cost
from bitwright.targets.sizing import Sized

BASE = "ultra96"
PAIR_BITS = 25  # of the packed operand of a dsp unit
ROOMY = 7 / 8  # of the most that an array is worth: what one with larger memories must be
NARROW = 1 / 4  # exponent
STEPS = 6  # of memories, each half of the ones before, around which arrays are tried
WEIGHTS = 1 << 17  # bytes of the largest weight memory
MEMORIES = {  # the largest and the least words of the others; in this order, what is left of the part enlarges them
    "act_words": (1 << 15, 1 << 9),
    "weight_lines": (0, LIMITS["weight_lines"][0]),  # of WEIGHTS by the width of a line
    "row_words": (512, 128),
    "param_groups": (512, 64),
    "table_entries": (1024, 256),
    "output_groups": (256, 64),
}


def sized(device: Device, fill: float, given: Sequence[str]) -> Sized:
    """The hardware that `choose` finds, as a TOML file with what it takes."""
    if not 0 < fill <= 1:
        raise OptionError(f"fill is {fill:g}; legal is more than 0, up to 1")
    values = parse_options(Hardware, given, "hardware of target bitsys")
    if "name" in values:
        raise OptionError("hardware of target bitsys has the name of its file; legal is any other field")
    found = choose(device, fill, values)
    used = cost.resources(found)
    options = "".join(f" -O {text}" for text in given)
    command = f"bitwright targets --fit bitsys --device {device.name} --fill {fill:g}{options}"
    sizes = {name: value for name, value in asdict(found).items() if name != "name"}
    lines = [f"#{SPDX.removeprefix('//')}", f"# {command}", *(f"{name} = {_toml(v)}" for name, v in sizes.items())]
    title = f"{found.rows} x {found.columns} {found.unit} units"
    return Sized("hardware", title, "\n".join(lines) + "\n", used, device.estimated_utilization(used), sizes)


def choose(device: Device, fill: float, given: Mapping[str, Any]) -> Hardware:
    """The array that is worth the most; larger memories are worth some of it."""
    if given.get("unit") == "dsp" and device.traits.multiplier < PAIR_BITS:
        legal = ", ".join(unit for unit in UNITS if unit != "dsp")
        what = f"a DSP block of {device.name} multiplies {device.traits.multiplier} bits, two products need {PAIR_BITS}"
        raise OptionError(f"{what}; legal units are {legal}")
    values = {"weight_stream": not given.get("m_axi"), **given}
    base = replace(hardware.load(BASE), **{"name": device.name, **values})
    steps = [[h for h in _sizes(base, given, step) if _fits(h, device, fill)] for step in range(STEPS)]
    most = max((_worth(h) for step in steps for h in step), default=0.0)
    if not most:
        least = min((h for h in _sizes(base, given, STEPS - 1)), key=lambda h: cost.resources(h).lut)
        shares = device.estimated_utilization(cost.resources(least))
        name, share = max(shares.items(), key=lambda pair: pair[1])
        what = f"the least array of {least.unit} units takes {share:.0%} of its {name}"
        raise OptionError(f"{device.name} is too small: {what}; legal is at most {fill:.0%}")
    return _enlarged(
        next(best for step in steps if step and _worth(best := max(step, key=_worth)) >= ROOMY * most),
        device,
        fill,
        set(MEMORIES) - set(given),
    )


def _worth(h: Hardware) -> float:
    """Products a cycle; less for an array that is wider than high, or twice as high as wide: few layers fill it."""
    return float(h.rows * h.columns * min(1, h.rows / h.columns, 2 * h.columns / h.rows) ** NARROW)


def _enlarged(h: Hardware, device: Device, fill: float, free: Set[str]) -> Hardware:
    """The same array with memories that are doubled, in turn, while the part has room."""
    sizes = [name for name in MEMORIES if name in free]
    while True:
        before = h
        for name in sizes:
            size = 2 * getattr(h, name)
            if size <= _largest(name, h.line_words) and _fits(larger := replace(h, **{name: size}), device, fill):
                h = larger
        if h == before:
            return h


def _largest(name: str, line_words: int) -> int:
    """Words of a memory, or lines of weights of so many words."""
    return MEMORIES[name][0] or WEIGHTS // 8 // line_words


def _fits(h: Hardware, device: Device, fill: float) -> bool:
    return max(device.estimated_utilization(cost.resources(h)).values()) <= fill


def _sizes(base: Hardware, given: Mapping[str, Any], step: int) -> Iterator[Hardware]:
    """Arrays with the memories of a step; legal ones alone."""
    low, high = LIMITS["columns"]
    columns = [1 << k for k in range(low.bit_length() - 1, high.bit_length())]
    arrays = product(
        [given["rows"]] if "rows" in given else range(2, MOST_ROWS + 1, 2),
        [given["columns"]] if "columns" in given else columns,
    )
    for r, c in arrays:
        words = c * base.word_bits // 64
        memories = {n: max(least, _largest(n, words) >> step) for n, (_, least) in MEMORIES.items()}
        with suppress(OptionError):  # given lines of weights, of so many columns
            yield replace(base, **{"rows": r, "columns": c, **memories, **given})


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else as_text(value)
