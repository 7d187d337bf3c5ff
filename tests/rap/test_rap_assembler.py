"""Assembler, disassembler and the table of the instruction set."""

from pathlib import Path

import numpy as np
import pytest

import bitwright as bw
from bitwright.targets.rap.isa.assembler import AssemblerError, assemble, disassemble
from bitwright.targets.rap.isa.fields import decode, encode
from bitwright.targets.rap.isa.machine import Machine
from bitwright.targets.rap.isa.operand import OPCODE_BITS
from bitwright.targets.rap.isa.table import LEVELS, STREAMS, TABLE, WORD_BITS
from bitwright.targets.rap.target import TARGET

TEXT = """\
start:
  WIDTH w4, signed, unsigned
  STREAM A, 5, x=-1
  LOOP 3
    LOOP 36
      MAC c3, a2, b1, afrom=bus, aload=a2, bfrom=bus, bload=b1   ; a comment
    ENDL
    DRAIN 0, 1, 4, 2, keep=1
  ENDL
  JUMP start
"""


# What the size of the grid and the number of accumulators allow.
LIMITS = {"DRAIN": {"pixels": 4, "words": 4, "cols": 4}, "ST": {"col": 3}}


def random_values(instruction, rng):
    values = {}
    for f in instruction.fields:
        legal = [v for _, v in f.choices] or [f.low, f.high, int(rng.integers(f.low, f.high + 1))]
        values[f.name] = int(rng.choice(legal))
    return values


def test_table_is_consistent():
    assert len({i.opcode for i in TABLE}) == len(TABLE)
    assert max(OPCODE_BITS + sum(f.bits for f in i.fields) for i in TABLE) <= WORD_BITS


@pytest.mark.parametrize("instruction", TABLE, ids=lambda i: i.name)
def test_encode_and_decode_are_inverse(instruction):
    rng = np.random.default_rng(instruction.opcode)
    for _ in range(20):
        values = random_values(instruction, rng)
        assert decode(encode(instruction.name, **values)) == (instruction, values)


@pytest.mark.parametrize("instruction", [i for i in TABLE if i.name not in ("LOOP", "JUMP")], ids=lambda i: i.name)
def test_disassembly_assembles_to_the_same_words(instruction):
    rng = np.random.default_rng(instruction.opcode + 100)
    words = []
    for _ in range(20):
        values = random_values(instruction, rng)
        if instruction.name == "LEVEL":
            values["level"] %= LEVELS[STREAMS[values["stream"]]]
        for name, high in LIMITS.get(instruction.name, {}).items():
            values[name] = min(values[name], high)
        words.append(encode(instruction.name, **values))
    assert assemble(disassemble(np.array(words, np.uint64))).code.tolist() == words


def test_program_with_loops_and_labels():
    program = assemble(TEXT)
    names = [decode(int(w))[0].name for w in program.code]
    assert names == ["WIDTH", "STREAM", "LOOP", "LOOP", "MAC", "DRAIN", "JUMP"]
    assert decode(int(program.code[2]))[1] == {"count": 3, "end": 5}
    assert decode(int(program.code[3]))[1] == {"count": 36, "end": 4}
    assert decode(int(program.code[6]))[1] == {"target": 0}
    assert program.lines == (2, 3, 4, 5, 6, 8, 10)
    assert assemble(disassemble(program.code)).code.tolist() == program.code.tolist()


def test_data_directives():
    program = assemble(".a 1 16: 1 -1 0x7fff\n.b 3 0: 5\n.param 2: 1 2 3 4 5\nHALT\n")
    (address, words) = program.a[1][0]
    assert address == 16
    assert words.tolist() == [1, 65535, 0x7FFF]
    assert program.b[3][0][1].tolist() == [5]
    assert program.params.tolist() == [[0] * 4, [0] * 4, [1, 2, 3, 4], [5, 0, 0, 0]]


@pytest.mark.parametrize(
    ("text", "line", "column", "rule"),
    [
        ("NOP\n  FOO a1", 2, 3, "unknown mnemonic 'FOO'; legal are NOP"),
        ("MAC c0, a16, b0", 1, 9, "operand as = a16 out of range; legal are a0 to a15"),
        ("MAC c0, b1, b0", 1, 9, "as cannot be 'b1'; legal are a0 to a15"),
        ("SHR a0, a1, 16", 1, 13, "operand shift = 16 out of range; legal are 0 to 15"),
        ("LOOP 0\nNOP\nENDL", 1, 6, "operand count = 0 out of range; legal are 1 to 65536"),
        ("WIDTH w5, signed, signed", 1, 7, "width cannot be 'w5'; legal are w16, w8, w4"),
        ("MAC c0, a0", 1, 1, "MAC lacks operand bs"),
        ("NOP a0", 1, 5, "NOP takes 0 operands"),
        ("MAC c0, a0, b0, afrm=bus", 1, 17, "MAC has no operand 'afrm'"),
        ("MAC c0, a0, b0, bs=b1", 1, 17, "operand bs is given twice"),
        ("JUMP nowhere", 1, 6, "branch to unknown label 'nowhere'"),
        ("JUMP end\nend:", 1, 6, "branch out of range: end is instruction 1; legal are 0 to 0"),
        ("JUMP 7", 1, 6, "branch out of range: 7 is instruction 7"),
        ("x:\nx: NOP", 2, 1, "label 'x' stands twice"),
        ("LOOP 2\nNOP", 1, 1, "LOOP without ENDL"),
        ("NOP\nENDL", 2, 1, "ENDL without LOOP"),
        ("LOOP 2\nENDL", 2, 1, "the body of a loop has at least one instruction"),
        ("LOOP 2\nLOOP 2\nNOP\nENDL\nENDL", 5, 1, "two loops end on the same instruction"),
        ("LOOP 2\nHALT\nENDL", 3, 1, "a loop cannot end on LOOP, JUMP or HALT"),
        ("LOOP 2\n" * 5, 5, 1, "loops nest at most 4 deep"),
        ("NOP\n" * 9, 9, 1, "memory overflow: the program memory holds 8 instructions"),
        ("MAC c0,, b0", 1, 8, "an operand is empty; one comma separates two"),
        ("MAC c0, a0, b0,", 1, 16, "an operand is empty"),
        ("DRAIN 0, 5, 4, 1", 1, 1, "pixels * words is 20; legal are 1 to 16 accumulators"),
        ("DRAIN 0, 4, 4, 5", 1, 1, "cols is 5; legal are 1 to 4, the columns of the grid"),
        ("ST 0, a1, 4", 1, 1, "col is 4; legal are 0 to 3, the columns of the grid"),
        ("LEVEL R0, 2, 2, 3", 1, 1, "stream R0 has no level 2; legal are 0 to 1"),
        (".a 0 62: 1 2 3", 1, 1, "memory overflow: words 62 to 64; legal are 0 to 63"),
        (".a 4 0: 1", 1, 1, "bank 4 out of range; legal are 0 to 3"),
        (".c 4 0: 1", 1, 1, "unknown directive"),
        (".a 0 0: 1 70000", 1, 11, "word 70000 out of range; legal are 16 bits"),
        (".a 0 0: x", 1, 9, "'x' is no number"),
    ],
)
def test_errors_name_line_column_and_rule(text, line, column, rule):
    with pytest.raises(AssemblerError) as caught:
        assemble(text, Machine(a_words=64, program_words=8))
    assert (caught.value.line, caught.value.column) == (line, column)
    assert f"line {line}, column {column}: {rule}" in str(caught.value)


def test_tabs_separate_like_spaces():
    assert assemble("\tMAC\tc0,\ta1,\tb2\n").code.tolist() == assemble("MAC c0, a1, b2").code.tolist()


def test_a_compiled_program_survives_disassembly():
    digits = bw.load(str(Path(bw.__file__).parent / "demo/digits.onnx"))
    code = TARGET.plan(digits, TARGET.options()).code.program.code
    assert {"LOOP", "JUMP", "IN", "OUT", "DRAIN"} <= {decode(int(word))[0].name for word in code}
    assert assemble(disassemble(code)).code.tolist() == code.tolist()


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000, "a" + "9" * 5000, "\u00b2"])
@pytest.mark.parametrize("text", ["LOOP {}", "MAC c0, {}, b0", "JUMP {}", ".a 0 0: {}"])
def test_numbers_beyond_any_word(text, number):
    with pytest.raises(AssemblerError, match="line 1, column"):
        assemble(text.format(number))
