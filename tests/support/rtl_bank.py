"""Many instances of library modules in one simulation: each case has its own streams and expected words."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bitwright.hardware import library as rtl
from bitwright.tools import verilator
from bitwright.tools.bench import MAX_STREAMS, Bench, StreamPort
from bitwright.tools.model import Model, Run, Stalls

HEAVY = Stalls(seed=1, input=0.5, output=0.6)
LIGHT = Stalls(seed=2, input=0.15, output=0.1)
STARVED = Stalls(seed=3, input=0.8, output=0.0)


@dataclass(frozen=True)
class Case:
    """One instance: words in by stream name, and the words that must come out.

    Words are Python integers. widths: bits of each stream's word; extra: signals above an output's data.
    """

    module: str
    parameters: Mapping[str, object]
    inputs: Mapping[str, Sequence[int]]
    outputs: Mapping[str, Sequence[int]]
    widths: Mapping[str, int]
    extra: Sequence[tuple[str, int]] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    label: str = ""

    def __str__(self) -> str:
        return f"{self.module}({', '.join(f'{k}={v}' for k, v in self.parameters.items())}) {self.label}"


@dataclass(frozen=True)
class Bank:
    """Compiled cases."""

    cases: tuple[Case, ...]
    model: Model

    def run(self, stalls: Stalls | None = None, idle_cycles: int = 5000) -> Run:
        """Stream all cases; AssertionError names every case whose words differ."""
        words, expect = {}, {}
        for i, case in enumerate(self.cases):
            for name, values in case.inputs.items():
                words[f"c{i}_{name}"] = to_uint32(values, case.widths[name])
            for name, values in case.outputs.items():
                expect[f"c{i}_{name}"] = len(values)
        run = self.model.run(words, expect, stalls=stalls, idle_cycles=idle_cycles)
        wrong = []
        for i, case in enumerate(self.cases):
            for name, values in case.outputs.items():
                got = to_ints(run.outputs[f"c{i}_{name}"])
                if got != [int(v) for v in values]:
                    at = next(k for k, (g, v) in enumerate(zip(got, values, strict=True)) if g != v)
                    wrong.append(f"{case}: {name}[{at}] is {got[at]:#x}, not {int(values[at]):#x}")
        assert not wrong, "\n".join(wrong)
        return run


def build(cases: Sequence[Case], cache_dir, extra_sources: Mapping[str, str] | None = None) -> Bank:
    """One model with an instance of every case; the sources lint without warnings with all these parameters."""
    inputs, outputs, body, files = [], [], [], dict(extra_sources or {})
    ports = ["input logic clk_i", "input logic rst_i"]
    for i, case in enumerate(cases):
        names = [f".{k}({_literal(v)})" for k, v in case.parameters.items()]
        pins = [".clk_i", ".rst_i"]
        for name in case.inputs:
            inputs.append(_stream(f"c{i}_{name}", case.widths[name], "io", ()))
        for name in case.outputs:
            outputs.append(_stream(f"c{i}_{name}", case.widths[name], "oi", case.extra))
        for port, direction in [(p, "io") for p in inputs] + [(p, "oi") for p in outputs]:
            if port.name.startswith(f"c{i}_"):
                ports += _declare(port, direction)
                pins += [f".{s.removeprefix(f'c{i}_')}({s})" for s in _signals(port)]
        body.append(f"  {case.module} #({', '.join(names)}) u_{i} ({', '.join(pins)});")
        library = [] if f"{case.module}.sv" in files else [case.module]
        files |= rtl.sources(library) | dict(case.files)
    assert max(len(inputs), len(outputs)) <= MAX_STREAMS
    files["bank.sv"] = f"module bank ({', '.join(ports)});\n" + "\n".join(body) + "\nendmodule\n"
    with tempfile.TemporaryDirectory() as folder:
        verilator.lint(files | {"waivers.vlt": rtl.WAIVERS.read_text()}, "bank", Path(folder))
    return Bank(tuple(cases), verilator.build(files, Bench("bank", inputs, outputs), cache_dir=cache_dir))


def _stream(name: str, width: int, direction: str, extra: Sequence[tuple[str, int]]) -> StreamPort:
    data, ready = direction
    stem = name.rpartition("_")[0]
    signals = ((f"{name}_data_{data}", width), *((f"{stem}_{signal}", bits) for signal, bits in extra))
    return StreamPort(name, signals, f"{name}_valid_{data}", f"{name}_ready_{ready}")


def _signals(port: StreamPort) -> list[str]:
    return [*(signal for signal, _ in port.data), port.valid, port.ready]


def _declare(port: StreamPort, direction: str) -> list[str]:
    here, back = ("input", "output") if direction == "io" else ("output", "input")
    data = [f"{here} logic [{bits - 1}:0] {signal}" for signal, bits in port.data]
    return [*data, f"{here} logic {port.valid}", f"{back} logic {port.ready}"]


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, str):
        return f'"{value}"'
    return str(value)


def to_uint32(values: Sequence[int], width: int) -> np.ndarray:
    """Words as uint32 [n, ceil(width/32)], lowest bits first."""
    words = -(-width // 32)
    data = b"".join(int(v).to_bytes(4 * words, "little") for v in values)
    return np.frombuffer(data, "<u4").reshape(len(values), words)


def to_ints(words: np.ndarray) -> list[int]:
    """uint32 [n, words] as Python integers."""
    return [int.from_bytes(row.astype("<u4").tobytes(), "little") for row in words]


def pack(elements: np.ndarray, bits: int) -> list[int]:
    """Elements [n, lanes] as words, two's complement, element 0 in the lowest bits."""
    mask = (1 << bits) - 1
    return [sum((int(e) & mask) << bits * k for k, e in enumerate(row)) for row in elements]
