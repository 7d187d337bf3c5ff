# SPDX-License-Identifier: Apache-2.0
"""What each module of a circuit of streams is sure to do, whatever its neighbors do and when.

A contract says from which words on a module takes the next one, and offers the next result. Where the module may do
more, in pipelines above all, nothing is taken for granted: a module with registers holds one result here, a FIFO
its words.

MOVES   a table of moves in turns; each may need an offered word of every input, take it, and yield a result. A move
        happens once fewer than `room` results wait.
PASS    passes words on, from its inputs in turns, and holds none.
FORK    offers each word to all outputs, and takes it once all have.
WINDOW  takes words as long as there is room for them, and yields words of windows that have arrived (window_reader).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from bitwright.network.types import Ints
from bitwright.proving.streams import NotUnderstood

MOVES, PASS, FORK, WINDOW = range(4)
NEEDS, TAKES, YIELDS = 1, 2, 4
WORD = NEEDS | TAKES
EACH = (WORD | YIELDS,)
Numbers = Mapping[str, int]


@dataclass(frozen=True)
class Contract:
    """Parameters by kind. MOVES: table of flags, room. PASS: table of the inputs that words come from.

    WINDOW: table of the last word that each word of a frame's windows waits for, -1 for none, a pass of a window after
    the other; oldest: word from which on a window needs the buffer; room: words of the buffer; words of a `frame`;
    `length`, words of a pass; `repeats` of each.
    """

    kind: int
    table: tuple[int, ...] | Ints = (0,)
    room: int = 1
    oldest: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    frame: int = 0
    length: int = 1
    repeats: int = 1


def _gather(words: int) -> Contract:
    return Contract(MOVES, (WORD,) * (words - 1) + EACH)


def _fifo(p: Numbers) -> Contract:
    return Contract(MOVES, EACH, p["Depth"] + 1 if p["Depth"] > 1 else 1)


def _join(p: Numbers) -> Contract:
    a, b = p.get("AWords", 0), p.get("BWords", 0)
    return Contract(PASS, (0,) * a + (1,) * b) if a else Contract(MOVES, EACH)


def _regroup(p: Numbers) -> Contract:
    wide, narrow = max(p["InLanes"], p["OutLanes"]), min(p["InLanes"], p["OutLanes"])
    if wide == narrow:
        return Contract(PASS)
    if p["InLanes"] == narrow:
        return _gather(wide // narrow)
    return Contract(MOVES, (NEEDS | YIELDS,) * (wide // narrow - 1) + EACH)


def _pack(p: Numbers) -> Contract:
    """Nothing is taken while a result waits; the last word of a frame is given out with what is there."""
    moves: list[int] = []
    elements, given = p["FrameElements"], 0
    for word in range(-(-elements // p["InLanes"])):
        have = min((word + 1) * p["InLanes"], elements)
        last = have == elements
        results = -(-have // p["OutLanes"]) - given if last else have // p["OutLanes"] - given
        given += results
        moves += [WORD | YIELDS if results else WORD] + [YIELDS] * (results - 1)
    return Contract(MOVES, tuple(moves))


def _argmax(p: Numbers) -> Contract:
    return _gather(-(-p["Channels"] // p["Lanes"]))


def _pool(p: Numbers) -> Contract:
    return _gather(p["Taps"])


def _part(p: Numbers) -> Contract:
    first, size = p["First"], p["Size"]
    return Contract(MOVES, tuple(WORD | YIELDS * (first <= n < first + size) for n in range(p["Words"])))


def _axis(p: Numbers, words: int, span: int) -> Contract:
    """Modules columns, rows: padding in front waits for a word, that behind does not."""
    before, size, moves = p["PadBefore"], p["Size"], []
    for x in range(before + size + p["PadAfter"]):
        word = NEEDS if x < before else WORD if x < before + size else 0
        moves += [word | YIELDS * (x >= span and (x - span) % p["Stride"] == 0)] * words
    return Contract(MOVES, tuple(moves))


def _columns(p: Numbers) -> Contract:
    return _axis(p, p["Chunks"], p["Dilation"] * (p["Kernel"] - 1))


def _rows(p: Numbers) -> Contract:
    return _axis(p, p["RowWords"], p["Kernel"] - 1)


def pass_length(p: Numbers) -> int:
    """Words of a pass of a window_reader."""
    return p["KernelH"] * p["KernelW"] * (p["Chunks"] // p["Groups"])


def _window(p: Numbers) -> Contract:
    """Module window_reader, by the arithmetic of its own parameters."""
    (kh, kw), (sh, sw) = (p["KernelH"], p["KernelW"]), (p["StrideH"], p["StrideW"])
    top, left, bottom, right = (p[f"Pad{side}"] for side in ("Top", "Left", "Bottom", "Right"))
    if kh * kw * sh * sw * p["Repeats"] == 1 and not (top or left or bottom or right):
        return Contract(PASS)
    height, width, chunks, groups = p["Height"], p["ImageWidth"], p["Chunks"], p["Groups"]
    span_h, span_w = p["DilationH"] * (kh - 1), p["DilationW"] * (kw - 1)
    rows, columns = (height + top + bottom - span_h - 1) // sh + 1, (width + left + right - span_w - 1) // sw + 1
    y0, x0 = np.arange(rows) * sh - top, np.arange(columns) * sw - left
    early = max(0, int(x0[-1]) - width, int(y0[-1]) * width + int(x0[-1]) - height * width)
    y = y0[:, None] + np.arange(kh) * p["DilationH"]
    x = x0[:, None] + np.arange(kw) * p["DilationW"]
    y, x = y[:, None, None, :, None, None], x[None, :, None, None, :, None]
    chunk = np.arange(chunks).reshape(1, 1, groups, 1, 1, chunks // groups)
    position = np.where((y >= 0) & (y < height) & (x >= 0) & (x < width), (y * width + x) * chunks + chunk, -1)
    table = position.reshape(-1)
    table[0] = max(table[0], 0)  # a frame waits for its first word
    oldest = ((y0[:, None] * width + x0 - early) * chunks).reshape(-1)
    taps = kh * kw * p["Repeats"]
    next_row = sh * width - (columns - 1) * sw
    next_frame = height * width - (rows - 1) * sh * width - (columns - 1) * sw
    ahead = max(sw, next_row) if columns * taps > width else sw
    gap = max(0, next_frame - ahead)
    hidden = taps > height * width // (rows * columns) and gap * 64 // (rows * columns) >= taps
    reach = max(span_h * width + span_w, top * width + left) + 1
    words = (reach + early + ahead + gap * hidden) * chunks
    unit = 512 if words > 64 and words > 4096 // p["Width"] else 64 if words > 32 else 32
    room = -(-words // unit) * unit
    return Contract(WINDOW, table, room, oldest, height * width * chunks, pass_length(p), p["Repeats"])


# By module; `own_` stands for the prefix of a target's modules. Parameters that another target's module of such a name
# does not have make its design one that is not understood.
CONTRACTS: dict[str, Callable[[Numbers], Contract]] = {
    "stream_skid": lambda p: Contract(MOVES, EACH, p.get("Words", 2)),
    "stream_fifo": _fifo,
    "stream_fork": lambda p: Contract(FORK),
    "stream_join": _join,
    "stream_regroup": _regroup,
    "stream_pack": _pack,
    "argmax": _argmax,
    "pool_reduce": _pool,
    "own_part": _part,
    "own_columns": _columns,
    "own_rows": _rows,
    "window_reader": _window,
    "own_frame_end": lambda p: Contract(PASS),
}
CONTRACTS |= dict.fromkeys(
    ("threshold", "requantize", "requantize_lut", "lookup", "channel_add", "channel_multiply", "stream_multiply"),
    lambda p: Contract(MOVES, EACH),
)
CORE = ("own_front", "own_hold")  # a multiply-accumulate core: what enters it, and what leaves it
PATIENT = ("pool_reduce", *CORE)  # what is ready without regard to whether a word is offered


def contract(module: str, parameters: Numbers) -> Contract:
    """Of an instance; `NotUnderstood` for parameters that it does not have."""
    try:
        return CONTRACTS[module](parameters)
    except (KeyError, ValueError, ZeroDivisionError, IndexError) as error:
        raise NotUnderstood(f"module {module} with parameters {dict(parameters)}: {error!r}") from None


def core(front: Numbers, passed: int) -> Contract:
    """A result for every `Steps` words of each of `Digits` passes; passed: words of the passes that come."""
    steps, digits = front.get("Steps", 1), front.get("Digits", 1)
    if steps != passed:
        raise NotUnderstood(f"a multiply-accumulate core of {steps} steps behind a window of passes of {passed} words")
    return _gather(math.prod((steps, digits)))
