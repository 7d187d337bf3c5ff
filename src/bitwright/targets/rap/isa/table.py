# SPDX-License-Identifier: Apache-2.0
"""The table of instructions: names, operands, meaning and cost of each. `isa` reads and writes words by it."""

from __future__ import annotations

from bitwright.targets.rap.isa import timing
from bitwright.targets.rap.isa.operand import Field, Instruction

WORD_BITS = 64
NEED_BITS = 8  # beside each word in the program memory: what the issue must know of it
LOOP_DEPTH = 4
ADDRESS_BITS = 17  # of a word in a memory bank
STREAMS = ("A", "B", "O0", "O1", "P0", "P1", "R0", "R1")
LEVELS = {"A": 8, "B": 4, "O0": 7, "O1": 7, "P0": 4, "P1": 4, "R0": 2, "R1": 2}
WIDTHS = {"w16": 0, "w8": 1, "w4": 2}
LANE_BITS = (4, 8, 16)  # that lanes may have
SOURCES = {"none": 0, "bus": 1, "north": 2, "east": 3, "south": 4, "west": 5, "wide": 6}
MODES = {"raw": 0, "requantize": 1, "threshold": 2}
ROUNDINGS = {"floor": 0, "half_up": 1, "half_even": 2, "half_away": 3, "stochastic": 4}
STORES = {"s16": 0, "s8": 1, "s4": 2, "s32": 3}
LIMITS = {"low": 0, "high": 1, "zero": 2}
SIGNS = {"unsigned": 0, "signed": 1, "bipolar": 2}
INTO = {"a": 0, "b": 1, "param": 2}
PLACE_BYTES = 128  # of external memory, whose places count in it
PENDING = 16  # loads that may wait
ENUMS = {
    "stream": {name: i for i, name in enumerate(STREAMS)},
    "width": WIDTHS,
    "source": SOURCES,
    "mode": MODES,
    "rounding": ROUNDINGS,
    "store": STORES,
    "limit": LIMITS,
    "sign": SIGNS,
    "into": INTO,
}
"""The choices that the hardware knows by name."""


def _enum(name: str, choices: dict[str, int], doc: str, default: int | None = None) -> Field:
    bits = max(1, max(choices.values()).bit_length())
    return Field(name, bits, "enum", default, tuple(choices.items()), doc)


def _flag(name: str, doc: str) -> Field:
    return Field(name, 1, "uint", 0, doc=doc)


_STREAM = _enum("stream", ENUMS["stream"], "the stream")
_SLOT = Field("slot", 1, doc="post-processing slot, with streams O, P, R of the same number")
_AD, _AS = Field("ad", 4, "a", doc="destination"), Field("as", 4, "a", doc="operand A")
_BS = Field("bs", 3, "b", doc="operand B")
_C = Field("acc", 4, "c", doc="accumulator; with separate lanes it stands for one accumulator a lane")
_AFROM = _enum("afrom", SOURCES, "source of the word that goes to aload", 0)
_LOADS = (
    _AFROM,
    Field("aload", 4, "a", 0, doc="A register that is loaded before the operation"),
    Field("aread", 4, "a", 0, doc="the neighbor's A register that is passed on"),
    _enum("bfrom", {"none": 0, "bus": 1}, "source of the word that goes to bload", 0),
    Field("bload", 3, "b", 0, doc="B register that is loaded before the operation"),
)
_MAC = (_C, _AS, _BS, *_LOADS)
_SIGN = {name: SIGNS[name] for name in ("unsigned", "signed")}
_PLACE = f"of {PLACE_BYTES} bytes of external memory; the first of them"
_STALL = "1, and waits until no slot is at work"
_STREAM_CYCLES = "1; O, P and R wait until no slot is at work"
_CONFIG, _ALU = str(timing.CONFIG), str(timing.ALU)


def _alu(name: str, opcode: int, fields: tuple[Field, ...], doc: str) -> Instruction:
    return Instruction(name, opcode, "elements", fields, doc, _ALU)


TABLE: tuple[Instruction, ...] = (
    Instruction("NOP", 0, "control", (), "Nothing."),
    Instruction(
        "HALT",
        1,
        "control",
        (),
        "Halt. Write 1 to the control register to restart.",
        f"{_CONFIG}, and waits until no slot is at work",
    ),
    Instruction(
        "JUMP",
        2,
        "control",
        (Field("target", 16, "target", doc="instruction"),),
        "Go on at target. All loops that are open end.",
        str(timing.JUMP),
    ),
    Instruction(
        "LOOP",
        3,
        "control",
        (Field("count", 16, "count", doc="passes"), Field("end", 16, "target", doc="last instruction of the body")),
        f"Run the instructions behind it up to and including `end` count times, without overhead. At most {LOOP_DEPTH} "
        "loops nest; each ends on an instruction of its own. In assembly ENDL stands behind the last instruction.",
        str(timing.LOOP),
    ),
    Instruction("WAIT", 4, "control", (), "Wait until both slots have written all results.", _STALL),
    Instruction(
        "WIDTH",
        5,
        "control",
        (
            _enum("width", WIDTHS, "lanes of 16, 8 or 4 bits"),
            _enum("asign", _SIGN, "lanes of A"),
            _enum("bsign", _SIGN, "lanes of B"),
        ),
        "Set the width and the signedness of the lanes.",
        _CONFIG,
    ),
    Instruction(
        "MASK",
        6,
        "control",
        (Field("rows", 8, doc="bit r enables row r"), Field("cols", 8, doc="bit c: column c")),
        "Only enabled elements load or write registers and accumulators, and only enabled rows write results. All are "
        "enabled after reset.",
        _CONFIG,
    ),
    Instruction(
        "STREAM",
        8,
        "streams",
        (
            _STREAM,
            Field("addr", ADDRESS_BITS, doc="word address"),
            Field("x", 12, "int", 0, doc="column"),
            Field("y", 12, "int", 0, doc="row"),
        ),
        "Place a stream; all its levels get count 1.",
        _STREAM_CYCLES,
    ),
    Instruction(
        "LEVEL",
        9,
        "streams",
        (
            _STREAM,
            Field("level", 3, doc="0 is the innermost"),
            Field("count", 14, "count", doc="passes"),
            Field("step", ADDRESS_BITS + 1, "int", doc="added to the address"),
            Field("dx", 10, "int", 0, doc="added to x"),
            Field("dy", 10, "int", 0, doc="added to y"),
        ),
        "Set one of the nested loops of a stream: when the loops below it have finished, its steps are added once, "
        "count - 1 times. The steps therefore contain the way back of the loops below. The loop begins anew.",
        _STREAM_CYCLES,
    ),
    Instruction(
        "SHAPE",
        10,
        "streams",
        (
            _enum("stream", {"A": 0, "O0": 2, "O1": 3}, "the stream"),
            Field("strip", 10, doc="columns a bank holds"),
            Field("width", 12, doc="columns of the image"),
            Field("height", 12, doc="rows of the image"),
            Field("span", 15, doc="words of one row of the image in one bank"),
        ),
        "How an image lies in the banks: bank r holds columns r * strip to (r + 1) * strip - 1. Columns and rows "
        "outside the image read as the pad word and are not written. Strip 0: no image, every row has its own bank.",
        "1; O0 and O1 wait until no slot is at work",
    ),
    Instruction(
        "PAD",
        11,
        "streams",
        (Field("word", 16, doc="pad word"), _flag("cut", "1: links end at the edges of a torus, too")),
        "Set the word that stream A reads outside the image and that stands beyond the edges of the grid.",
        _CONFIG,
    ),
    Instruction(
        "MAC",
        16,
        "elements",
        _MAC,
        "acc += sum over the lanes of A * B. The first operation on an accumulator behind a DRAIN overwrites it.",
    ),
    Instruction("MACL", 17, "elements", _MAC, "acc[l] += A[l] * B[l] for every lane l. The first one overwrites."),
    Instruction(
        "MAXL", 18, "elements", _MAC, "acc[l] = max(acc[l], A[l] * B[l]) for every lane l. The first one overwrites."
    ),
    Instruction(
        "FETCH",
        19,
        "elements",
        _LOADS,
        "Load registers from the streams or a neighbor, with post-increment. Of stream A all columns take the same "
        "word; with afrom=wide column c takes word c of its line: as many words as the grid has columns, the first at "
        "a multiple of that.",
    ),
    Instruction("LDA", 20, "elements", (_AD, Field("word", 16, doc="bits")), "A register = the word."),
    Instruction(
        "LDB",
        21,
        "elements",
        (Field("bd", 3, "b", doc="destination"), Field("word", 16, doc="bits")),
        "B register = the word.",
    ),
    Instruction(
        "MOV",
        24,
        "elements",
        (_AD, _AS, _enum("of", {"self": 0, "north": 2, "east": 3, "south": 4, "west": 5}, "whose register", 0)),
        "ad = A register of the element itself or of a neighbor. Beyond the edge stands the pad word, or, on a torus "
        "whose links PAD has not cut, the element of the opposite edge.",
    ),
    _alu("MOVB", 25, (Field("bd", 3, "b", doc="destination"), _AS), "B register = A register."),
    _alu(
        "ADD",
        26,
        (_AD, _AS, _BS, _flag("sat", "1 saturates, 0 wraps")),
        "ad = as + bs, lane by lane, with the signedness of A.",
    ),
    _alu(
        "SUB",
        27,
        (_AD, _AS, _BS, _flag("sat", "1 saturates, 0 wraps")),
        "ad = as - bs, lane by lane, with the signedness of A.",
    ),
    _alu("MAX", 28, (_AD, _AS, _BS), "ad = max(as, bs), lane by lane, with the signedness of A."),
    _alu("MIN", 29, (_AD, _AS, _BS), "ad = min(as, bs), lane by lane, with the signedness of A."),
    _alu("SHR", 30, (_AD, _AS, Field("shift", 4, doc="bits")), "ad = floor(as / 2**shift), lane by lane."),
    _alu("SHL", 31, (_AD, _AS, Field("shift", 4, doc="bits")), "ad = as * 2**shift, lane by lane, wrapping."),
    _alu(
        "SAT",
        32,
        (_AD, _AS, Field("bits", 4, "count", doc="bits of the result")),
        "ad = as clamped to the range of that many bits, lane by lane, with the signedness of A.",
    ),
    _alu(
        "PACK",
        33,
        (_AD, _AS, _BS),
        "Twice as wide lanes become lanes of the current width, saturated: those of as the "
        "lower half of ad, those of bs the upper half. At width 16 ad = as.",
    ),
    _alu("UNPL", 34, (_AD, _AS), "The lower half of the lanes, extended to twice the width. At width 16 ad = as."),
    _alu("UNPH", 35, (_AD, _AS), "The upper half of the lanes, extended to twice the width. At width 16 ad = as."),
    Instruction(
        "GET",
        36,
        "elements",
        (_AD, _C, Field("shift", 5, "uint", 0, doc="bits"), _flag("lanes", "1: separate lanes")),
        "ad = floor(acc / 2**shift), saturated to a signed or unsigned lane as A has them; one accumulator fills "
        "lane 0 and clears the others.",
        str(timing.GET),
    ),
    Instruction(
        "POST",
        40,
        "results",
        (
            _SLOT,
            _enum("mode", MODES, "what happens to an accumulator"),
            _enum("rounding", ROUNDINGS, "of requantize", 0),
            _enum("store", STORES, "bits of a stored element", 0),
            Field("words", 10, "count", 1, doc="parameter words an element"),
        ),
        "Set up a slot. requantize: clamp(round((acc * multiplier + bias) / 2**shift) + zero); threshold: base + step "
        "* (number of thresholds not above acc), step one of -2, -1, 1, 2; raw: acc. Store s32 takes words >= 2.",
        _STALL,
    ),
    Instruction(
        "LIMIT",
        41,
        "results",
        (_SLOT, _enum("which", LIMITS, "limit or zero point"), Field("value", 33, "int", doc="value")),
        "Set the range that requantize clamps to, or its zero point.",
        _STALL,
    ),
    Instruction(
        "DRAIN",
        42,
        "results",
        (
            _SLOT,
            Field("pixels", 4, "count", doc="pixels an element holds"),
            Field("words", 4, "count", doc="accumulators a pixel"),
            Field("cols", 4, "count", doc="columns that hold channels"),
            _flag("lanes", "1: separate lanes are the channels"),
            _flag("keep", "1: process again what the last DRAIN has taken"),
        ),
        "Hand the accumulators 0 to pixels * words - 1 to the slot and go on with the other half of the accumulator "
        "file. Order: pixel, accumulator, column, lane; every row writes packed elements into its own bank along "
        "stream O.",
        "1, and waits until the last DRAIN has read its accumulators",
    ),
    Instruction(
        "ST",
        43,
        "results",
        (_SLOT, _AS, Field("col", 3, doc="column")),
        "Every row writes the A register of one column into its bank, along stream O of the slot.",
        _STALL,
    ),
    Instruction(
        "IN",
        48,
        "frames",
        (
            Field("count", 20, "count", doc="elements"),
            Field("channels", 16, "count", doc="elements a pixel"),
            Field("bits", 4, "count", doc="bits an element"),
            Field("lanes", 5, "count", doc="elements a stream word"),
            _enum("sign", SIGNS, "elements"),
        ),
        "Receive elements and write them, packed in lanes of the current width, along stream O0; a pixel begins "
        "a new word.",
        f"{timing.IN_START}, one a stream word, one an element, and waits for the stream",
    ),
    Instruction(
        "OUT",
        49,
        "frames",
        (
            Field("count", 20, "count", doc="elements"),
            Field("channels", 16, "count", doc="elements a pixel"),
            Field("bits", 5, "count", doc="bits an element"),
            Field("lanes", 5, "count", doc="elements a stream word"),
            _flag("wide", "1: an element is two words, low first"),
            _flag("bipolar", "1: +1 becomes 1 and -1 becomes 0"),
            _flag("argmax", "1: a pixel is sent as one element, the place of its first largest element"),
            _flag("more", "1: the frame goes on with the next OUT"),
        ),
        "Send elements that lie in lanes of the current width along stream A; a pixel begins a new word. The last "
        "stream word carries tlast, unless the frame goes on. count is that of the elements that are read.",
        f"{timing.OUT_START}, {timing.OUT_WORD} a word, one an element, one a pixel with argmax, one a stream word, "
        "and waits for the stream",
    ),
    Instruction(
        "LDM",
        56,
        "external memory",
        (
            _enum("into", INTO, "banks A, banks B or parameters"),
            Field("addr", ADDRESS_BITS, doc="first address"),
            Field("count", 16, "count", doc="addresses"),
            Field("place", 23, doc=_PLACE),
        ),
        "Load from external memory, beside what follows: all banks at the same addresses, or parameter words. Loads "
        f"are done in their order; at most {PENDING} wait. What they bring is there behind the next WAITM; until then "
        "nothing may read these addresses, nor, with into=a, write banks A.",
        "1; into=a waits until no slot is at work",
    ),
    Instruction(
        "STM",
        57,
        "external memory",
        (
            Field("addr", ADDRESS_BITS, doc="first address"),
            Field("count", 16, "count", doc="addresses"),
            Field("place", 23, doc=_PLACE),
        ),
        "Store addresses of all banks A to external memory. No load into banks A may wait.",
        "until the memory has answered the last word",
    ),
    Instruction(
        "WAITM",
        58,
        "external memory",
        (),
        "Wait until all loads are done.",
        f"{timing.WAITM} at least",
    ),
)
