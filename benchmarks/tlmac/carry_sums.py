"""Sums of two or three signed numbers on carry chains, for circuits of other tools: how to count and to map them.

The rule (`sites`): a sum's chain starts at the lowest position that two operands reach, or one that is subtracted. From
there on, every position that an operand's bit, its sign extension or the majority bit of the position below reaches is
one LUT site, for two operands and for three. A position that only the carry reaches is none, and wiring is none.
A table of at most 5 address bits takes one site for two result bits, else 2^(n - 6) sites for each result bit.

The mapping (`emit_steps`): each sum is an instance of `carry_sum.sv`, on the primitives lut6_2 and carry_chain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bitwright.hardware.text import Sized, instance, literal

LIBRARY = "carry_sum.sv"
_LUT = re.compile(r"LUT[1-6]|LUT6_2|INV")


@dataclass(frozen=True)
class Operand:
    """A value of `bits` bits, two's complement where `signed`, times 2**shift, subtracted where `negate`."""

    value: int
    bits: int
    signed: bool
    shift: int
    negate: bool


@dataclass(frozen=True)
class Step:
    """Value `number` of `bits` bits (`signed`): an input word from bit `first_input`, a table of one operand, or a sum.

    The sum of the operands and the constant is a multiple of 2**lowest; the value holds its bits from there on.
    """

    number: int
    bits: int
    signed: bool
    lowest: int = 0
    operands: tuple[Operand, ...] = ()
    first_input: int | None = None
    table: tuple[int, ...] | None = None
    constant: int = 0


@dataclass(frozen=True)
class Layout:
    """A sum's positions, from the lowest bit of any operand on: `width` of them, the first `dropped` are no result.

    counts: operands at each. start: of the chain. constant, carry_in, majority_in: what completes the complements
    of subtracted operands: bits at positions, one at the chain's start as its carry, one there as a majority bit.
    """

    step: Step

    @cached_property
    def base(self) -> int:
        return min(operand.shift for operand in self.step.operands)

    @property
    def fixed(self) -> int:
        """The step's own constant, by position."""
        return self.step.constant >> self.base if self.step.constant else 0

    @property
    def dropped(self) -> int:
        return self.step.lowest - self.base

    @property
    def width(self) -> int:
        return self.step.bits + self.dropped

    def span(self, operand: Operand) -> range:
        """Positions that the operand reaches, sign extension included."""
        low = operand.shift - self.base
        return range(low, self.width if operand.signed else min(self.width, low + operand.bits))

    @cached_property
    def counts(self) -> list[int]:
        return [sum(p in self.span(o) for o in self.step.operands) for p in range(self.width)]

    @cached_property
    def start(self) -> int:
        begins = [p for p, n in enumerate(self.counts) if n + (n and self.fixed >> p & 1) >= 2]
        begins += [self.span(o).start for o in self.step.operands if o.negate]
        return min(begins, default=self.width)

    @cached_property
    def completion(self) -> tuple[int, bool, bool]:
        """(constant, carry_in, majority_in): no bit of the constant stands where three operands do."""
        constant, carry, majority = self.fixed, False, False
        for low in sorted((self.span(o).start for o in self.step.operands if o.negate), reverse=True):
            if not carry:  # 2**low is a carry at the start and ones from there to below `low`
                carry, constant = True, constant + (1 << low) - (1 << self.start)
            elif low == self.start and not majority:
                majority = True
            else:
                constant += 1 << low
        for o in self.step.operands:  # the complement of an operand without sign has ones above it
            if o.negate and not o.signed:
                constant -= 1 << self.span(o).stop
        return constant % (1 << self.width), carry, majority

    @cached_property
    def majorities(self) -> list[bool]:
        """Whether a majority bit of the position below enters each position, and the one above the last."""
        constant, _, majority = self.completion
        found = [False] * (self.width + 1)
        for p in range(self.width):
            entering = found[p] or (majority and p == self.start)
            fixed = self.counts[p] + (constant >> p & 1)
            found[p + 1] = p >= self.start and fixed >= 2 and fixed + entering >= 3
        return found


def sites(step: Step) -> int:
    """LUT sites of a step, by the rule above."""
    if step.table is not None:
        address = step.operands[0].bits
        return -(-step.bits // 2) if address <= 5 else step.bits << (address - 6)
    if step.first_input is not None or not step.operands:
        return 0
    layout = Layout(step)
    return sum(layout.counts[p] > 0 or layout.majorities[p] for p in range(layout.start, layout.width))


def route_throughs(cells: dict[str, dict]) -> int:
    """Positions of carry chains in a netlist (`write_json`) that a signal reaches without a LUT of its own.

    The select input of a position comes from one LUT and no other place, so a LUT passes such a signal through.
    """
    free = {bit for cell in cells.values() if _LUT.fullmatch(cell["type"]) for bit in _outputs(cell)}
    found = 0
    for cell in cells.values():
        if cell["type"] not in ("CARRY4", "CARRY8"):
            continue
        for bit in cell["connections"]["S"]:
            if bit in free:
                free.remove(bit)
            elif isinstance(bit, int):  # a string is a constant
                found += 1
    return found


def _outputs(cell: dict) -> list[int]:
    return [bit for name in ("O", "O6") for bit in cell["connections"].get(name, [])]


def emit_steps(steps: list[Step], outputs: list[tuple[int, int, bool]], in_bits: int) -> dict[str, str]:
    """Module `core` (model_inp, model_out) and carry_sum.sv; outputs: (value, bits, negated), value -1 for 0."""
    known = {step.number: step for step in steps}
    steps, words = list(steps), []
    for value, bits, negated in outputs:
        if value in known and negated:
            own = known[value]
            steps.append(Step(1 + steps[-1].number, bits, True, 0, (Operand(value, own.bits, own.signed, 0, True),)))
            value = steps[-1].number
        if bits:
            words.append(f"v{value}[{bits - 1}:0]" if value >= 0 else literal(0, bits))
    out_bits = sum(bits for _, bits, _ in outputs)
    text = f"module core (input logic [{in_bits - 1}:0] model_inp, output logic [{out_bits - 1}:0] model_out);\n"
    text += "".join(f"  logic [{step.bits - 1}:0] v{step.number};\n" + _line(step) for step in steps)
    text += f"  assign model_out = {{{', '.join(reversed(words))}}};\nendmodule\n"
    return {"core.sv": text, LIBRARY: Path(__file__).with_name(LIBRARY).read_text()}


def _line(step: Step) -> str:
    name = f"v{step.number}"
    if step.first_input is not None:
        return f"  assign {name} = model_inp[{step.first_input}+:{step.bits}];\n"
    if step.table is not None:
        address = step.operands[0].bits
        entries = "".join(f"{address}'d{n}: {name} = {literal(v, step.bits)};\n" for n, v in enumerate(step.table))
        return f"  always_comb case (v{step.operands[0].value})\n{entries}    default: {name} = 'x;\n  endcase\n"
    return _instance(step)


def _instance(step: Step) -> str:
    layout = Layout(step)
    constant, carry, majority = layout.completion
    parameters: dict[str, object] = {"Width": layout.width, "Dropped": layout.dropped, "Start": layout.start}
    parameters |= {"Constant": Sized(constant, layout.width), "CarryIn": int(carry), "MajorityIn": int(majority)}
    parameters["Majority"] = Sized(sum(bit << p for p, bit in enumerate(layout.majorities)), layout.width + 1)
    ports = {}
    for k, operand in enumerate(step.operands):
        span = layout.span(operand)
        here = sum(1 << p for p in span)
        parameters[f"Here{k}"] = Sized(here, layout.width)
        parameters[f"Invert{k}"] = Sized(here if operand.negate else 0, layout.width)
        ports[f"x{k}_i"] = _word(operand, span, layout.width)
    for k in range(len(step.operands), 3):
        ports[f"x{k}_i"] = literal(0, layout.width)
    return instance("carry_sum", f"i_{step.number}", parameters, ports | {"sum_o": f"v{step.number}"})


def _word(operand: Operand, span: range, width: int) -> str:
    """An operand's bits at their positions."""
    bits = min(operand.bits, len(span))
    parts = [f"v{operand.value}[{bits - 1}:0]"]
    if len(span) > operand.bits:
        parts.insert(0, f"{{{len(span) - operand.bits}{{v{operand.value}[{operand.bits - 1}]}}}}")
    if span.stop < width:
        parts.insert(0, literal(0, width - span.stop))
    if span.start:
        parts.append(literal(0, span.start))
    return f"{{{', '.join(parts)}}}"
