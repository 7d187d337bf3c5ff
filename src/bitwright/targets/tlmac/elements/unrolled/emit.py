# SPDX-License-Identifier: Apache-2.0
"""An adder graph as SystemVerilog: an instance for every table and adder, registers between groups of levels."""

from __future__ import annotations

import numpy as np

from bitwright.hardware.text import Sized, concat, instance, literal
from bitwright.targets.tlmac.elements.direct import pack_tables
from bitwright.targets.tlmac.elements.unrolled.graph import ADDRESS_BITS, Adder, Table, Value, operand_flips
from bitwright.targets.tlmac.elements.unrolled.sums import Graph

REGISTER = "  always_ff @(posedge clk_i) if (en) {q} <= {d};\n"


def stage(value: Value, every: int) -> int:
    """Registers between the inputs and a value, with one behind every `every` levels; 0 for no registers at all."""
    return (value.level - 1) // every if every and value.level else 0


def stages(graph: Graph, every: int) -> int:
    """Registers between the inputs and the outputs."""
    return max((stage(graph.values[term[0]], every) for term in graph.outputs if term), default=0)


def last_reads(graph: Graph, every: int) -> list[int]:
    """For every value the latest stage at which it is read; outputs are read at the last one."""
    found = [-1] * len(graph.values)
    for value in graph.values:
        for operand in reads(value):
            found[operand] = max(found[operand], stage(value, every))
    for term in graph.outputs:
        if term is not None:
            found[term[0]] = stages(graph, every)
    return found


def reads(value: Value) -> tuple[int, ...]:
    """Numbers of the values that a value is made of."""
    if value.source is None:
        return ()
    if isinstance(value.source, Table):
        return value.source.inputs
    return tuple(operand.value for operand in value.source.operands)


def registers(graph: Graph, every: int) -> int:
    """Bits of the registers between the inputs and the outputs."""
    lasts = last_reads(graph, every)
    return sum(v.bits * max(0, last - stage(v, every)) for v, last in zip(graph.values, lasts, strict=True))


def emit_graph(graph: Graph, inputs: list[str], every: int) -> str:
    """Wiring from the input words to the values; `en` moves the registers."""
    text, lasts = "", last_reads(graph, every)
    for number, value in enumerate(graph.values):
        if lasts[number] < 0:
            continue
        text += f"  logic [{value.bits - 1}:0] {_name(number, 0)};\n"
        if value.source is None:
            text += f"  assign {_name(number, 0)} = {inputs[number]};\n"
        elif isinstance(value.source, Table):
            text += _table(graph, number, value.source, every)
        else:
            text += _adder(graph, number, value, value.source, every)
        for delay in range(1, lasts[number] - stage(value, every) + 1):
            text += f"  logic [{value.bits - 1}:0] {_name(number, delay)};\n"
            text += REGISTER.format(q=_name(number, delay), d=_name(number, delay - 1))
    return text


def output_word(graph: Graph, output: int, every: int) -> tuple[str, int]:
    """(expression, bits) of an output's pattern, without the zeros below it."""
    term = graph.outputs[output]
    assert term is not None
    number, _, sign = term
    value = graph.values[number]
    flips = value.flips ^ (((1 << value.bits) - 1) if sign < 0 else 0)
    name = _name(number, stages(graph, every) - stage(value, every))
    return f"{name} ^ {literal(flips, value.bits)}" if flips else name, value.bits


def _name(number: int, delay: int) -> str:
    return f"v{number}_{delay}" if delay else f"v{number}"


def _read(graph: Graph, number: int, reader: Value, every: int) -> str:
    return _name(number, stage(reader, every) - stage(graph.values[number], every))


def _table(graph: Graph, number: int, source: Table, every: int) -> str:
    value = graph.values[number]
    parts = [graph.values[i] for i in source.inputs]
    address_bits = sum(part.bits for part in parts)
    ports = {
        "addr_i": concat([_read(graph, i, value, every) for i in source.inputs]),
        "data_o": _name(number, 0),
    }
    init = pack_tables(_contents(graph, value, source), value.bits)
    parameters = {"AddressBits": address_bits, "Bits": value.bits, "Init": init}
    return instance("tlmac_unrolled_table", f"i_{number}", parameters, ports)


def _contents(graph: Graph, value: Value, source: Table) -> np.ndarray:
    """Entries [1, addresses] of a table; addresses that no input reaches repeat others."""
    address, found = np.arange(1 << ADDRESS_BITS), np.full(1 << ADDRESS_BITS, value.offset)
    for i, weight in zip(source.inputs, source.weights, strict=True):
        part = graph.values[i]
        word = (address & ((1 << part.bits) - 1)) ^ part.flips
        address = address >> part.bits
        found = found + weight * np.clip(word, part.low, part.high)
    return found[None, :]


def _adder(graph: Graph, number: int, value: Value, source: Adder, every: int) -> str:
    parameters: dict[str, object] = {"OutBits": value.bits}
    ports = {"a_i": "1'b0", "b_i": "1'b0", "c_i": "1'b0"}
    for k, port in enumerate(ports):
        if k < len(source.operands):
            operand = source.operands[k]
            bits = graph.values[operand.value].bits
            parameters[f"Bits{k}"], parameters[f"Shift{k}"] = bits, operand.shift
            parameters[f"Invert{k}"] = Sized(operand_flips(operand, graph.values), bits)
            ports[port] = _read(graph, operand.value, value, every)
        else:
            parameters[f"Shift{k}"] = value.bits
    if source.constant:
        parameters["Constant"] = Sized(source.constant, value.bits)
    return instance("tlmac_unrolled_add", f"i_{number}", parameters, ports | {"sum_o": _name(number, 0)})
