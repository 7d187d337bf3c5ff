# SPDX-License-Identifier: Apache-2.0
"""Text to program and back. Errors name line, column, rule and what is legal.

label:  LOOP 36                         ; a comment
          MAC c0, a0, b0, afrom=bus     ; operands in the order of the table, then name=value
        ENDL
        .a 0 16: 1 2 0x3                ; words of bank 0 of A from address 16 on; .b likewise
        .param 0: 1 2 3 4               ; parameter words, four 32-bit numbers each
        .memory 64: 1 2 3               ; 16-bit words of external memory
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bitwright.errors import UserError
from bitwright.targets.rap.isa.fields import BY_NAME, decode, encode
from bitwright.targets.rap.isa.machine import ACCUMULATORS, Machine, Program
from bitwright.targets.rap.isa.operand import Field, Instruction
from bitwright.targets.rap.isa.table import LEVELS, LOOP_DEPTH, STREAMS
from bitwright.text import comment
from bitwright.text import label as short

MOST_DIGITS = 80  # of a number
MEMORY_WORDS = 1 << 24  # of external memory, in a text
_LABEL = re.compile(r"\s*([A-Za-z_]\w*):")
_DATA = re.compile(r"\s*\.(a|b|param|memory)\b([^:]*):(.*)")
_TOKEN = re.compile(r"(?:^|,)([^,]*)")
_WORD = re.compile(r"\S+")


class AssemblerError(UserError):
    """A mistake in a program: line, column, rule."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line, self.column = line, column


@dataclass
class _Item:
    """One instruction on its way: operands by name, label operands still as text."""

    line: int
    column: int
    instruction: Instruction
    values: dict[str, int]
    labels: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass
class _Source:
    """What the lines have yielded so far."""

    machine: Machine
    items: list[_Item] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    loops: list[int] = field(default_factory=list)
    data: dict[str, dict[int, list[tuple[int, np.ndarray]]]] = field(default_factory=lambda: {"a": {}, "b": {}})
    params: dict[int, list[int]] = field(default_factory=dict)
    memory: list[tuple[int, np.ndarray]] = field(default_factory=list)


def assemble(text: str, machine: Machine | None = None) -> Program:
    """The program of an assembly text; `AssemblerError` at the first mistake."""
    source = _Source(machine or Machine())
    for number, line in enumerate(text.splitlines(), 1):
        _line(source, number, re.split(r"[;#]", line, maxsplit=1)[0])
    if source.loops:
        item = source.items[source.loops[-1]]
        raise AssemblerError(item.line, item.column, "LOOP without ENDL; legal is one ENDL for each LOOP")
    for item in source.items:
        for name, (label, column) in item.labels.items():
            item.values[name] = _target(source, label, item.line, column)
    code = np.array([encode(i.instruction.name, **i.values) for i in source.items], np.uint64)
    lines = tuple(item.line for item in source.items)
    return Program(code, source.data["a"], source.data["b"], _params(source), lines, _memory(source))


def _line(source: _Source, number: int, line: str) -> None:
    position = 0
    while match := _LABEL.match(line, position):
        name = match[1]
        if name in source.labels:
            raise AssemblerError(number, match.start(1) + 1, f"label {name!r} stands twice")
        source.labels[name] = len(source.items)
        position = match.end()
    rest = line[position:]
    if not rest.strip():
        return
    column = position + len(rest) - len(rest.lstrip()) + 1
    if rest.lstrip().startswith("."):
        _data(source, number, column, line)
    else:
        _instruction(source, number, column, line)


def _instruction(source: _Source, number: int, column: int, line: str) -> None:
    name = _WORD.match(line, column - 1)[0]  # type: ignore[index]
    if name.upper() == "ENDL":
        _end_loop(source, number, column)
        return
    instruction = BY_NAME.get(name.upper())
    if instruction is None:
        raise AssemblerError(number, column, f"unknown mnemonic {name!r}; legal are {', '.join([*BY_NAME, 'ENDL'])}")
    if len(source.items) >= source.machine.program_words:
        rule = f"memory overflow: the program memory holds {source.machine.program_words} instructions"
        raise AssemblerError(number, column, rule)
    item = _Item(number, column, instruction, {})
    if instruction.name == "LOOP":
        if len(source.loops) >= LOOP_DEPTH:
            raise AssemblerError(number, column, f"loops nest at most {LOOP_DEPTH} deep")
        source.loops.append(len(source.items))
    _operands(item, line, column - 1 + len(name))
    _check(item, source.machine)
    source.items.append(item)


def _end_loop(source: _Source, number: int, column: int) -> None:
    if not source.loops:
        raise AssemblerError(number, column, "ENDL without LOOP; legal is one ENDL for each LOOP")
    start, end = source.loops.pop(), len(source.items) - 1
    if end <= start:
        raise AssemblerError(number, column, "the body of a loop has at least one instruction")
    if any(item.instruction.name == "LOOP" and item.values.get("end") == end for item in source.items):
        raise AssemblerError(number, column, "two loops end on the same instruction; a NOP between the ENDLs is legal")
    if source.items[end].instruction.name in ("LOOP", "JUMP", "HALT"):
        raise AssemblerError(number, column, "a loop cannot end on LOOP, JUMP or HALT; a NOP behind it is legal")
    source.items[start].values["end"] = end


def _operands(item: _Item, line: str, start: int) -> None:
    """Read the operands that begin at `start` of the line."""
    fields = [f for f in item.instruction.fields if not (item.instruction.name == "LOOP" and f.name == "end")]
    by_name = {f.name: f for f in fields}
    position = 0
    for match in _TOKEN.finditer(line[start:]) if line[start:].strip() else ():
        token = match[1].strip()
        column = start + match.start(1) + len(match[1]) - len(match[1].lstrip()) + 1
        if not token:
            raise AssemblerError(item.line, start + match.start(1) + 1, "an operand is empty; one comma separates two")
        name, equals, value = token.partition("=")
        if equals:
            f = by_name.get(name.strip())
            if f is None:
                legal = ", ".join(by_name) or "none"
                raise AssemblerError(
                    item.line, column, f"{item.instruction.name} has no operand {name!r}; legal: {legal}"
                )
        else:
            if position >= len(fields):
                rule = f"{item.instruction.name} takes {len(fields)} operands"
                raise AssemblerError(item.line, column, rule)
            f, value, position = fields[position], token, position + 1
        if f.name in item.values or f.name in item.labels:
            raise AssemblerError(item.line, column, f"operand {f.name} is given twice")
        _operand(item, f, value.strip(), column)
    missing = [f.name for f in fields if f.default is None and f.name not in item.values and f.name not in item.labels]
    if missing:
        rule = f"{item.instruction.name} lacks operand {', '.join(missing)}"
        raise AssemblerError(item.line, item.column, rule)


def _check(item: _Item, machine: Machine) -> None:
    """Rules between operands, and those of the size of the grid."""
    name, values, rule = item.instruction.name, item.values, ""
    if name == "LEVEL":
        stream = STREAMS[values["stream"]]
        if values["level"] >= LEVELS[stream]:
            rule = f"stream {stream} has no level {values['level']}; legal are 0 to {LEVELS[stream] - 1}"
    elif name == "DRAIN":
        if values["pixels"] * values["words"] > ACCUMULATORS:
            rule = f"pixels * words is {values['pixels'] * values['words']}; legal are 1 to {ACCUMULATORS} accumulators"
        elif values["cols"] > machine.size:
            rule = f"cols is {values['cols']}; legal are 1 to {machine.size}, the columns of the grid"
    elif name == "ST" and values["col"] >= machine.size:
        rule = f"col is {values['col']}; legal are 0 to {machine.size - 1}, the columns of the grid"
    if rule:
        raise AssemblerError(item.line, item.column, rule)


def _operand(item: _Item, f: Field, text: str, column: int) -> None:
    """Note the value of one operand; labels are resolved at the end."""
    choices = dict(f.choices)
    if f.choices:
        if text not in choices:
            raise AssemblerError(item.line, column, f"{f.name} cannot be {text!r}; legal are {', '.join(choices)}")
        item.values[f.name] = choices[text]
        return
    if f.kind == "target":
        item.labels[f.name] = (text, column)
        return
    if f.kind in ("a", "b", "c"):
        if not re.fullmatch(rf"{f.kind}\d+", text):
            rule = f"{f.name} cannot be {text!r}; legal are {f.kind}0 to {f.kind}{f.high}"
            raise AssemblerError(item.line, column, rule)
        text = text[1:]
    value = _number(text, item.line, column)
    if not f.low <= value <= f.high:
        prefix = f.kind if f.kind in ("a", "b", "c") else ""
        rule = f"operand {f.name} = {prefix}{value} out of range; legal are {prefix}{f.low} to {prefix}{f.high}"
        raise AssemblerError(item.line, column, rule)
    item.values[f.name] = value


def _number(text: str, line: int, column: int) -> int:
    try:
        if len(text) <= MOST_DIGITS:
            return int(text, 0)
    except ValueError:
        pass
    raise AssemblerError(line, column, f"{short(text)!r} is no number; legal are 12, -3, 0x1f, 0b101")


def _target(source: _Source, label: str, line: int, column: int) -> int:
    number = label.isascii() and label.isdigit() and len(label) <= MOST_DIGITS
    if label not in source.labels and not number:
        raise AssemblerError(
            line, column, f"branch to unknown label {short(label)!r}; legal: {', '.join(source.labels) or 'none'}"
        )
    target = int(label) if number else source.labels[label]
    if target >= len(source.items):
        rule = f"branch out of range: {label} is instruction {target}; legal are 0 to {len(source.items) - 1}"
        raise AssemblerError(line, column, rule)
    return target


def _numbers(line: int, match: re.Match[str], group: int) -> list[tuple[int, int]]:
    """(value, column) of the words of a group."""
    words = [(word[0], match.start(group) + word.start() + 1) for word in _WORD.finditer(match[group])]
    return [(_number(word, line, column), column) for word, column in words]


def _data(source: _Source, number: int, column: int, line: str) -> None:
    """One directive of memory contents."""
    match = _DATA.match(line, column - 1)
    if not match:
        raise AssemblerError(
            number,
            column,
            "unknown directive; legal are .a BANK ADDRESS: ..., .b ..., .param ADDRESS: ..., .memory",
        )
    place = [value for value, _ in _numbers(number, match, 2)]
    words = _numbers(number, match, 3)
    single = match[1] in ("param", "memory")
    if len(place) != (1 if single else 2):
        raise AssemblerError(number, column, f".{match[1]} takes {'ADDRESS' if single else 'BANK ADDRESS'}")
    bits = 32 if match[1] == "param" else 16
    for value, at in words:
        if not -(1 << (bits - 1)) <= value < 1 << bits:
            raise AssemblerError(number, at, f"word {value} out of range; legal are {bits} bits")
    values, machine = [value for value, _ in words], source.machine
    size = {"a": machine.a_words, "b": machine.b_words, "param": machine.param_words, "memory": MEMORY_WORDS}[match[1]]
    count = -(-len(values) // 4) if match[1] == "param" else len(values)
    if place[-1] < 0 or place[-1] + count > size:
        rule = f"memory overflow: words {place[-1]} to {place[-1] + count - 1}; legal are 0 to {size - 1}"
        raise AssemblerError(number, column, rule)
    if match[1] == "param":
        for i, value in enumerate(values):
            source.params.setdefault(place[0] + i // 4, [0] * 4)[i % 4] = value & 0xFFFFFFFF
        return
    segment = (place[-1], np.array([v & 0xFFFF for v in values], np.uint16))
    if match[1] == "memory":
        source.memory.append(segment)
        return
    if not 0 <= place[0] < machine.size:
        raise AssemblerError(number, column, f"bank {place[0]} out of range; legal are 0 to {machine.size - 1}")
    source.data[match[1]].setdefault(place[0], []).append(segment)


def _params(source: _Source) -> np.ndarray:
    params = np.zeros((max(source.params, default=-1) + 1, 4), np.uint32)
    for address, words in source.params.items():
        params[address] = words
    return params


def _memory(source: _Source) -> np.ndarray:
    memory = np.zeros(max((at + len(words) for at, words in source.memory), default=0), np.uint16)
    for at, words in source.memory:
        memory[at : at + len(words)] = words
    return memory


def disassemble(code: np.ndarray, marks: Sequence[tuple[int, str]] = ()) -> str:
    """Assembly text of instruction words; `assemble` of it gives the same words.

    marks: (instruction, what begins there), as comments.
    """
    decoded = [decode(int(word)) for word in code]
    targets = sorted({values["target"] for i, values in decoded if i.name == "JUMP"})
    ends = [values["end"] for i, values in decoded if i.name == "LOOP"]
    lines, depth = [], 0
    for index, (instruction, values) in enumerate(decoded):
        lines += [f"; {comment(text)}" for at, text in marks if at == index]
        if index in targets:
            lines.append(f"L{index}:")
        shown = {k: v for k, v in values.items() if not (instruction.name == "LOOP" and k == "end")}
        lines.append("  " * (depth + 1) + _show(instruction, shown))
        depth += instruction.name == "LOOP"
        for _ in range(ends.count(index)):
            depth -= 1
            lines.append("  " * (depth + 1) + "ENDL")
    return "\n".join(lines) + "\n"


def listing(program: Program, marks: Sequence[tuple[int, str]] = ()) -> str:
    """Assembly text of a program and its memory contents; `assemble` of it gives the same."""
    lines = []
    for kind, segments in (("a", program.a), ("b", program.b)):
        for bank, parts in sorted(segments.items()):
            for first, words in parts:
                lines += [f".{kind} {bank} {first + at}: {text}" for at, text in _rows(words, 16, 4)]
    lines += [f".param {at // 4}: {text}" for at, text in _rows(program.params.reshape(-1), 4, 8)]
    lines += [f".memory {at}: {text}" for at, text in _rows(program.memory, 32, 4)]
    return disassemble(program.code, marks) + "".join(f"  {line}\n" for line in lines)


def _rows(words: np.ndarray, count: int, digits: int) -> Iterator[tuple[int, str]]:
    """(first word, words in hexadecimal) of rows of `count` words."""
    for at in range(0, len(words), count):
        yield at, " ".join(f"0x{int(word):0{digits}x}" for word in words[at : at + count])


def _show(instruction: Instruction, values: dict[str, int]) -> str:
    parts = []
    for f in instruction.fields:
        if f.name not in values or values[f.name] == f.default:
            continue
        parts.append((f"{f.name}=" if f.default is not None else "") + _value(f, values[f.name]))
    return f"{instruction.name} {', '.join(parts)}".rstrip()


def _value(f: Field, value: int) -> str:
    if f.choices:
        return next((name for name, v in f.choices if v == value), str(value))
    if f.kind == "target":
        return f"L{value}"
    return f"{f.kind}{value}" if f.kind in ("a", "b", "c") else str(value)
