# SPDX-License-Identifier: Apache-2.0
"""The wiring between a design under test and the fixed ports that the C++ harness drives."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bitwright.errors import OptionError
from bitwright.hardware.shell import control, memory_master
from bitwright.hardware.text import CLOCK, CLOCK_PORTS, Port, instance, module, wire

TOP = "bench"
DUT = "dut"  # the instance of the module under test in it
MAX_STREAMS = 32  # valid and ready of all streams of a direction share one 32-bit port
_SIGNAL = re.compile(r"(\w+)(?:\[(\d+)(?::(\d+))?\])?")
PROTECTION = {"awprot": "'0", "arprot": "'0"}  # which no slave looks at
AXIL = tuple(port for port in control(prefix="") if port.name not in PROTECTION)


def _axil(port: Port) -> str:
    """The harness's port that meets one of the AXI4-Lite slave."""
    return f"axil_{port.name}_{'o' if port.output else 'i'}"


MEMORY = tuple(port for port in memory_master(128, 64, prefix="") if not port.name.endswith(("cache", "prot")))


def _memory(port: Port) -> str:
    """The harness's port that meets one of the AXI4 master."""
    return f"mem_{port.name}_{'o' if port.output else 'i'}"


AXIL_PINS = {f"s_axil_{name}": net for name, net in ({port.name: _axil(port) for port in AXIL} | PROTECTION).items()}


@dataclass(frozen=True)
class StreamPort:
    """One stream of a module: `data` lists (signal, bits) from the lowest bits of the word upwards.

    A signal is a port's name or a part of it, `port[3]` or `port[15:8]`; so is `valid` and `ready`.
    `name` is the stream's name in `Model.run`.
    """

    name: str
    data: tuple[tuple[str, int], ...]
    valid: str
    ready: str

    @property
    def width(self) -> int:
        """Bits of a word."""
        return sum(bits for _, bits in self.data)

    @property
    def words(self) -> int:
        """32-bit words that a stream word takes, the lowest bits first."""
        return math.ceil(self.width / 32)


def inner_input(name: str, width: int, extra: Sequence[tuple[str, int]] = ()) -> StreamPort:
    """Input stream `<name>_data_i, _valid_i, _ready_o`; `extra` signals lie above the data."""
    return StreamPort(name, ((f"{name}_data_i", width), *extra), f"{name}_valid_i", f"{name}_ready_o")


def inner_output(name: str, width: int, extra: Sequence[tuple[str, int]] = ()) -> StreamPort:
    """Output stream `<name>_data_o, _valid_o, _ready_i`; `extra` signals lie above the data."""
    return StreamPort(name, ((f"{name}_data_o", width), *extra), f"{name}_valid_o", f"{name}_ready_i")


def axis_input(width: int, name: str = "s_axis") -> StreamPort:
    """AXI4-Stream slave of a top: tdata of `width` bits, tvalid, tready."""
    return StreamPort(name, ((f"{name}_tdata", width),), f"{name}_tvalid", f"{name}_tready")


def axis_output(width: int, name: str = "m_axis") -> StreamPort:
    """AXI4-Stream master of a top: tdata of `width` bits, tlast in the bit above it."""
    return StreamPort(name, ((f"{name}_tdata", width), (f"{name}_tlast", 1)), f"{name}_tvalid", f"{name}_tready")


@dataclass(frozen=True)
class Tap:
    """Signals inside a module that are recorded in the cycles in which each of `when` has a bit that is 1.

    signals: (path, bits) from the lowest bits upwards. Paths begin in the module: `name`, `instance.name`.
    """

    name: str
    signals: tuple[tuple[str, int], ...]
    when: tuple[str, ...]

    @property
    def width(self) -> int:
        """Bits of a record."""
        return sum(bits for _, bits in self.signals)

    @property
    def words(self) -> int:
        """32-bit words of a record."""
        return math.ceil(self.width / 32)


@dataclass(frozen=True)
class Bench:
    """A module under test: its name, its streams, and parameters of its own.

    axil: whether it has the AXI4-Lite slave s_axil_*. memory: bits of a beat of its AXI4 master m_axi_*, 64 or 128; 0
    where it has none. Besides these it has clk_i and rst_i and no other port. taps: what is recorded inside; they share
    the outputs' vector.
    """

    top: str
    inputs: Sequence[StreamPort]
    outputs: Sequence[StreamPort]
    axil: bool = False
    parameters: Mapping[str, object] = field(default_factory=dict)
    memory: int = 0
    taps: Sequence[Tap] = ()

    @property
    def text(self) -> str:
        """SystemVerilog of module `bench`: one instance of the module and wires, nothing else.

        All input words stand in one vector `in_data_i`, each from a multiple of 32 bits on, and at least 96
        bits, so that the C++ type of the port is always the wide one; outputs likewise.
        """
        sinks: list[StreamPort | Tap] = [*self.outputs, *self.taps]
        if max(len(self.inputs), len(sinks)) > MAX_STREAMS:
            raise OptionError(f"{self.top}: at most {MAX_STREAMS} streams a direction can be driven")
        widths: dict[str, int] = {}
        assigns = _connect(self.inputs, "in", widths) + _connect(self.outputs, "out", widths)
        assigns += _tapped(self.taps, self.outputs)
        assigns += _ties(self.inputs, "in") + _ties(sinks, "out")
        if not self.axil:
            assigns += [(f"axil_{port.name}_o", "'0") for port in AXIL if port.output]
        if not self.memory:
            assigns += [(_memory(port), "'0") for port in MEMORY if port.output]
        pins = CLOCK | {name: name for name in widths} | (AXIL_PINS if self.axil else {})
        body = "".join(wire(name, bits) for name, bits in widths.items())
        body += "".join(f"  assign {target} = {source};\n" for target, source in assigns)
        body += "  // verilator lint_off WIDTHTRUNC\n"  # an address port may be narrower than the harness's 32 bits
        if self.memory:
            pins |= {f"m_axi_{port.name}": _memory(port) for port in MEMORY}
            pins |= {f"m_axi_{name}": "" for name in ("arcache", "arprot", "awcache", "awprot")}
            body += "  // verilator lint_off WIDTHEXPAND\n"  # the port may be narrower than the harness's
        body += instance(self.top, DUT, self.parameters, pins) + "  // verilator lint_on WIDTHTRUNC\n"
        return module(TOP, _ports(self.inputs, sinks), body)


def vector_words(ports: Sequence[StreamPort | Tap]) -> int:
    """32-bit words of `in_data_i` or `out_data_o`."""
    return max(3, sum(port.words for port in ports))


def _ports(inputs: Sequence[StreamPort], outputs: Sequence[StreamPort | Tap]) -> list[Port]:
    return [
        *CLOCK_PORTS,
        Port("in_data_i", bits=32 * vector_words(inputs)),
        Port("in_valid_i", bits=32),
        Port("in_ready_o", True, 32),
        Port("out_data_o", True, 32 * vector_words(outputs)),
        Port("out_valid_o", True, 32),
        Port("out_ready_i", bits=32),
        *(Port(_axil(port), port.output, port.bits) for port in AXIL),
        *(Port(_memory(port), port.output, port.bits) for port in MEMORY),
    ]


def _connect(ports: Sequence[StreamPort], side: str, widths: dict[str, int]) -> list[tuple[str, str]]:
    """(target, source) of every assignment for the streams of one side; notes the ports' widths."""
    drives = side == "in"
    pairs, base = [], 0
    for index, port in enumerate(ports):
        bit = 32 * base
        for signal, bits in port.data:
            pairs.append((_note(signal, bits, widths), f"{side}_data_{'i' if drives else 'o'}[{bit} +: {bits}]"))
            bit += bits
        pairs.append((_note(port.valid, 1, widths), f"{side}_valid_{'i' if drives else 'o'}[{index}]"))
        base += port.words
        if not drives and bit < 32 * base:
            pairs.append(("'0", f"out_data_o[{32 * base - 1}:{bit}]"))
        ready = (_note(port.ready, 1, widths), f"{side}_ready_{'o' if drives else 'i'}[{index}]")
        pairs.append(ready[::-1])
    return pairs if drives else [pair[::-1] for pair in pairs]


def _tapped(taps: Sequence[Tap], before: Sequence[StreamPort]) -> list[tuple[str, str]]:
    """(target, source) of every assignment for what is recorded, behind the outputs' words."""
    pairs, base = [], sum(port.words for port in before)
    for index, tap in enumerate(taps, len(before)):
        bit = 32 * base
        for path, bits in tap.signals:
            pairs.append((f"out_data_o[{bit} +: {bits}]", f"{DUT}.{path}"))
            bit += bits
        base += tap.words
        if bit < 32 * base:
            pairs.append((f"out_data_o[{32 * base - 1}:{bit}]", "'0"))
        pairs.append((f"out_valid_o[{index}]", " && ".join(f"|{DUT}.{path}" for path in tap.when)))
    return pairs


def _ties(ports: Sequence[StreamPort | Tap], side: str) -> list[tuple[str, str]]:
    """Zeros for the bits of the shared output ports that no stream drives."""
    count, words = len(ports), sum(port.words for port in ports)
    ties = []
    if count < MAX_STREAMS:
        ties.append((f"{'in_ready_o' if side == 'in' else 'out_valid_o'}[31:{count}]", "'0"))
    if side == "out" and words < 3:
        ties.append((f"out_data_o[95:{32 * words}]", "'0"))
    return ties


def _note(signal: str, bits: int, widths: dict[str, int]) -> str:
    """Remember the width of the port behind `signal`; the signal itself."""
    match = _SIGNAL.fullmatch(signal)
    if not match:
        raise OptionError(f"{signal!r} is no signal; legal are port, port[bit] and port[high:low]")
    name, high, low = match[1], match[2], match[3]
    if high is None:
        if name in widths:
            raise OptionError(f"port {name} is named twice as a whole")
        widths[name] = bits
    else:
        selected = int(high) - int(low if low is not None else high) + 1
        if selected != bits:
            raise OptionError(f"{signal!r} has {selected} bits, not {bits}")
        widths[name] = max(widths.get(name, 0), int(high) + 1)
    return signal
