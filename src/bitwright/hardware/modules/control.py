# SPDX-License-Identifier: Apache-2.0
"""Costs of the modules that count and that move a pipeline: loop_counter, pipe_control; of adders.

Rules that hold for all modules: an adder takes one LUT for every bit where both numbers have one (a carry passes for
free); a multiplexer of n inputs about (n - 1) / 3 LUTs a bit; a memory in LUTs one LUT a bit and 64 words.
"""

from __future__ import annotations

import math

from bitwright.hardware.memory import index_bits
from bitwright.hardware.resources import Resources
from bitwright.hardware.timing.classes import ENABLE, RESET, Carry, Path, wide


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


def pipe(stages: int, tiles: int = 1, follows: int = 0) -> Resources:
    """Module pipe_control; the index of one of `tiles` words of a pixel is read, and after `follows` stages again."""
    tile = counter(tiles) + Resources(ff=follows * index_bits(tiles)) if tiles > 1 else Resources()
    gates = 2 * stages if stages < 4 else 4 * stages - 5  # "full" of a stage looks at all behind it
    return tile + Resources(lut=gates, ff=2 * stages - 1)


def pipe_paths(stages: int, reach: int, ready: tuple[int | Carry, ...] = ()) -> tuple[Path, ...]:
    """Module pipe_control behind whose output lie the functions `ready`; `reach`: registers of a stage."""
    loads = 4 * stages
    return (
        Path("enable of a stage", (*ready, 3), loads, reach, end=ENABLE),
        Path("reset of a memory's register", (*ready, 2, 2), loads, reach // 4, end=RESET),
        Path("place for a word", (*ready, *wide(2 * stages)), loads if ready else 6),
    )


def counter_paths(count: int, ready: tuple[int | Carry, ...] = ()) -> tuple[Path, ...]:
    """Module loop_counter that steps by the functions `ready`."""
    bits = index_bits(count)
    return (Path("counter", (*ready, 2), 2 * bits, bits + 1, end=ENABLE), Path("counter", wide(bits), 3))
