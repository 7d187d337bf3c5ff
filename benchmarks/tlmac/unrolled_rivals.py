"""Constant matrices as da4ml and alkaid solve them, each through its own solver and tracer.

Neither is a dependency: `pip install bitwright[compare]` brings both. A solution is emitted in one of two ways: by the
tool's own Verilog generator ("plain"), or adder by adder on the primitives that bitwright's own adders use ("mapped",
`carry_sums`), alkaid's with its adders fused in threes, as it hands them to vendor tools by default.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from carry_sums import Operand, Step, emit_steps, sites

TOOLS = ("da4ml", "alkaid")
# What is tried for every layer; the best result counts. The solvers search every decomposition by themselves.
SETTINGS = {"da4ml": ("plain", "mapped"), "alkaid": ("plain", "mapped")}
NEGATE, INPUT, ADD, SUBTRACT, LOOKUP, SUM = -2, -1, 0, 1, 8, 11  # operations of either tool


@dataclass(frozen=True)
class Emitted:
    """A combinational module `core` (model_inp, model_out) and the files that it needs.

    Element k of either port has `in_bits[k]` or `out_bits[k]` bits, the first in the lowest bits;
    result k is its word, signed where `out_signed[k]`, times 2**out_shift[k], negated where `out_negated[k]`.
    adders: of the emitted circuit. sites: LUT sites by the rule of `carry_sums.sites`.
    """

    files: dict[str, str]
    in_bits: tuple[int, ...]
    out_bits: tuple[int, ...]
    out_signed: tuple[bool, ...]
    out_shift: tuple[int, ...]
    adders: int
    sites: int


def available(tool: str) -> bool:
    """Whether the package can be imported."""
    return importlib.util.find_spec(tool) is not None


def solve(tool: str, weights: np.ndarray, low: int, high: int, path: Path) -> None:
    """Solve the matrix [inputs, sums] for inputs within [low, high], and save the tool's own file."""
    shape = np.ones(len(weights))
    trace = importlib.import_module(f"{tool}.trace")
    array, traced = (trace.FixedVariableArray, trace.comb_trace) if tool == "da4ml" else (trace.FVArray, trace.trace)
    x = array.from_lhs(low * shape, high * shape, shape, solver_options={})
    traced(x, x @ weights.astype(np.float64)).save(path)


def emit(tool: str, setting: str, path: Path, weights: np.ndarray, low: int, high: int) -> Emitted:
    """The circuit of a saved solution; every sum is checked on random inputs."""
    types = importlib.import_module(f"{tool}.types")
    logic = types.CombLogic.load(path)
    if tool == "alkaid" and setting == "mapped":
        logic = importlib.import_module("alkaid.trace.passes").fuse_ternary_adders(logic)
    _check(logic, weights, low, high)
    reader = Reader(tool, types, logic)
    steps = list(reader.steps())
    if setting == "mapped":
        files = emit_steps(steps, reader.outputs(), sum(map(sum, reader.kifs("inp"))))
    else:
        files = _plain(tool, logic)
    outs = reader.kifs("out")
    return Emitted(
        files,
        tuple(sum(kif) for kif in reader.kifs("inp")),
        tuple(sum(kif) for kif in outs),
        tuple(bool(k) for k, _, _ in outs),
        tuple(-f for _, _, f in outs),
        sum(len(step.operands) > 1 for step in steps),
        sum(sites(step) for step in steps),
    )


def _plain(tool: str, logic: Any) -> dict[str, str]:
    """The tool's own Verilog, lookup tables included."""
    verilog = importlib.import_module(f"{tool}.codegen.rtl.verilog")
    sources = Path(importlib.import_module(tool).__file__).parent / "codegen/rtl/verilog/source"
    files = {path.name: path.read_text() for path in sorted(sources.glob("*.v"))}
    files["core.v"] = verilog.comb_logic_gen(logic, "core")
    if tool == "alkaid":
        tables = importlib.import_module("alkaid.codegen.rtl.verilog.lookup").lookup_source([logic])
        files |= {"tables.v": tables} if tables else {}
    return files


@dataclass(frozen=True)
class Reader:
    """A solution of either tool as steps of `carry_sums`: what each operation reads, shifted, negated or looked up."""

    tool: str
    types: Any
    logic: Any

    def kifs(self, side: str) -> list[tuple[int, int, int]]:
        """(sign bit, integer bits, fractional bits) of every input or output."""
        if self.tool == "da4ml":
            return [tuple(map(int, self.types.minimal_kif(q))) for q in getattr(self.logic, f"{side}_qint")]
        return [tuple(map(int, kif)) for kif in np.array(getattr(self.logic, f"{side}_kifs")).T]

    def outputs(self) -> list[tuple[int, int, bool]]:
        """(value, bits, negated) of every output; value -1 where it is always 0."""
        bits = [sum(kif) for kif in self.kifs("out")]
        negated = map(bool, self.logic.out_negs)
        return list(zip(map(int, self.logic.out_idxs), bits, negated, strict=True))

    def steps(self) -> Iterator[Step]:
        """All operations that something reads, in order."""
        low = np.cumsum([0, *(sum(kif) for kif in self.kifs("inp"))])
        for number, (op, readers) in enumerate(zip(self.logic.ops, self.logic.ref_count, strict=True)):
            sign, integers, fraction = self._kif(number)
            if readers == 0 or sign + integers + fraction == 0:
                continue
            bits = int(sign + integers + fraction)
            if op.opcode == INPUT:
                index = op.data[0] if self.tool == "alkaid" else op.id0
                yield Step(number, bits, bool(sign), first_input=int(low[index]))
            elif op.opcode == LOOKUP:
                yield Step(
                    number, bits, bool(sign), table=self._table(op), operands=(self._operand(op.addr[0], 0, False),)
                )
            else:
                yield Step(number, bits, bool(sign), -fraction, self._operands(op))

    def _kif(self, number: int) -> tuple[int, int, int]:
        interval = self.logic.ops[number].qint
        return tuple(map(int, self.types.minimal_kif(interval) if self.tool == "da4ml" else interval.kif))

    def _operand(self, value: int, shift: int, negate: bool) -> Operand:
        """`shift` is the place of the value's lowest bit."""
        sign, integers, fraction = self._kif(value)
        return Operand(value, sign + integers + fraction, bool(sign), shift - fraction, negate)

    def _operands(self, op: Any) -> tuple[Operand, ...]:
        """What a sum adds up, from the operations of either tool."""
        if op.opcode == SUM:
            terms = zip(op.addr, op.data[1::2], op.data[::2], strict=False)
            found = [self._operand(value, shift, not plus) for value, shift, plus in terms]
        elif op.opcode in (ADD, SUBTRACT):
            ids, shift = (op.addr, op.data[0]) if self.tool == "alkaid" else ((op.id0, op.id1), op.data)
            found = [self._operand(ids[0], 0, False), self._operand(ids[1], shift, op.opcode == SUBTRACT)]
        elif op.opcode == NEGATE and self.tool == "alkaid":
            found = [self._operand(op.addr[0], 0, True)]
        else:
            raise AssertionError(f"no circuit for operation {op.opcode} of {self.tool}")
        return tuple(operand for operand in found if operand.bits)

    def _table(self, op: Any) -> tuple[int, ...]:
        lookup = importlib.import_module("alkaid.codegen.rtl.verilog.lookup")
        return tuple(int(line.replace("X", "0"), 16) for line in lookup.table_hex(self.logic, op))


def _check(logic: Any, weights: np.ndarray, low: int, high: int) -> None:
    x = np.random.default_rng(0).integers(low, high + 1, (64, len(weights)))
    got = np.asarray(logic.predict(x.astype(np.float64)))
    if not np.array_equal(got, x @ weights):
        raise AssertionError("the emitted logic does not compute the matrix")
