# SPDX-License-Identifier: Apache-2.0
"""The top of a board whose host is at a serial line: clock, link and design."""

from __future__ import annotations

from bitwright.deployment.vivado import address_bits, weights_bits
from bitwright.errors import OptionError
from bitwright.hardware import library
from bitwright.hardware.shell import WEIGHT_STREAM, control, stream_master, stream_slave
from bitwright.hardware.text import Port, Sized, instance, module, wire, wired
from bitwright.targets.contract import Design

TOP, CLOCK = "board_top", "board_clock"
RATES = (115_200, 230_400, 460_800, 500_000, 921_600, 1_000_000, 2_000_000, 3_000_000)
LEAST_STEP, MOST_STEP = 512, 16_384
PORTS = (Port("clk_i"), Port("rx_i"), Port("tx_o", True), Port("led_o", True))
CLOCK_PORTS = (Port("osc_i"), Port("clk_o", True), Port("rst_o", True), Port("step_o", True, 16))


def step_of(baud: int, mhz: float) -> int:
    """What the UARTs add a cycle; `OptionError` where the clock is too slow, or too fast, for the rate."""
    check_rate(baud)
    step = round(65536 * baud / (mhz * 1e6))
    if not LEAST_STEP <= step <= MOST_STEP:
        low, high = 4 * baud / 1e6, 128 * baud / 1e6
        raise OptionError(f"{baud} baud need a clock of {low:g} to {high:g} MHz, not {mhz:.4g}")
    return step


def check_rate(baud: int) -> None:
    """Raise `OptionError` for a rate that serial ports do not have."""
    if baud not in RATES:
        raise OptionError(f"baud is {baud}; legal are {', '.join(map(str, RATES))}")


def check_serial(design: Design) -> None:
    """Raise `OptionError` for a design that a serial line cannot feed."""
    if design.memory is not None:
        rule = "legal are designs without external memory, or boards with processors"
        raise OptionError(
            f"{design.network.name!r} needs external memory, which boards with a serial line do not connect; {rule}"
        )
    if design.weights is not None and len(design.weights.words):
        rule = "legal are designs that hold their weights"
        raise OptionError(f"the weights of {design.network.name!r} come by a stream, which a serial link lacks; {rule}")


def top_files(design: Design, tied: tuple[str, ...] = ()) -> dict[str, str]:
    """The files of the link and of the top, but not its clock's; tied: further outputs, which are 1."""
    own = library.sources(["serial_link"])
    return {name.rpartition("/")[2]: text for name, text in own.items()} | {f"{TOP}.sv": _top(design, tied)}


def _top(design: Design, tied: tuple[str, ...]) -> str:
    in_bits, out_bits = design.input.tdata_bits, design.output.tdata_bits
    ports = [*PORTS, *(Port(name, True) for name in tied)]
    streams = [*stream_slave("s_axis", in_bits), *stream_master("m_axis", out_bits)]
    registers = control(address_bits(design)) if design.has_control else ()
    body = "  logic clk, reset, design_reset;\n" + wire("step", 16)
    for port in streams:
        body += wire(port.name, port.bits) if port.bits > 1 else f"  logic {port.name};\n"
    body += "".join(wire(name, 32) for name in ("axil_addr", "axil_wdata", "axil_rdata"))
    body += wire("axil_bresp", 2) + wire("axil_rresp", 2)
    body += f"  logic {', '.join(f'axil_{name}' for name in HANDSHAKES)};\n"
    body += "".join(f"  assign {name} = 1'b1;\n" for name in tied)
    body += instance(CLOCK, "u_clock", {}, {"osc_i": "clk_i", "clk_o": "clk", "rst_o": "reset", "step_o": "step"})
    body += instance("serial_link", "u_link", _link_parameters(design), _link_pins())
    pins = {"clk_i": "clk", "rst_i": "design_reset"} | wired(streams)
    if registers:
        pins |= _register_pins(registers)
    else:
        body += "  assign {axil_awready, axil_wready, axil_bvalid, axil_arready, axil_rvalid} = '0;\n"
        body += "  assign {axil_bresp, axil_rresp, axil_rdata} = '0;\n"
    bits = weights_bits(design)
    if bits:
        pins |= {
            f"{WEIGHT_STREAM}_tdata": f"{bits}'d0",
            f"{WEIGHT_STREAM}_tvalid": "1'b0",
            f"{WEIGHT_STREAM}_tready": "",
        }
    body += instance(design.top, "u_design", {}, pins)
    body += "  assign led_o = s_axis_tready;\n"
    return module(TOP, ports, body, [f"{design.top} behind a serial line; see serial_link."])


HANDSHAKES = ("awvalid", "awready", "wvalid", "wready", "bvalid", "bready", "arvalid", "arready", "rvalid", "rready")


def _link_parameters(design: Design) -> dict[str, object]:
    identity = int.from_bytes(bytes.fromhex(design.digest)[:8], "little")
    sizes = {"InBytes": design.input.tdata_bits // 8, "OutBytes": design.output.tdata_bits // 8}
    return {**sizes, "Control": int(design.has_control), "Identity": Sized(identity, 64)}


def _link_pins() -> dict[str, str]:
    pins = {
        "clk_i": "clk",
        "rst_i": "reset",
        "step_i": "step",
        "rx_i": "rx_i",
        "tx_o": "tx_o",
        "reset_o": "design_reset",
    }
    for own, other in (("m_axis", "s_axis"), ("s_axis", "m_axis")):
        pins |= {f"{own}_{name}": f"{other}_{name}" for name in ("tdata", "tvalid", "tready")}
    for name in ("addr", "wdata", "awvalid", "wvalid", "bready", "arvalid", "rready"):
        pins[f"axil_{name}_o"] = f"axil_{name}"
    for name in ("awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid"):
        pins[f"axil_{name}_i"] = f"axil_{name}"
    return pins


def _register_pins(registers: tuple[Port, ...]) -> dict[str, str]:
    bits = next(port.bits for port in registers if port.name == "s_axil_awaddr")
    address = f"axil_addr[{bits - 1}:0]"
    fixed = {"awaddr": address, "araddr": address, "awprot": "3'd0", "arprot": "3'd0", "wstrb": "4'hf"}
    names = [port.name.removeprefix("s_axil_") for port in registers]
    return {f"s_axil_{name}": fixed.get(name, f"axil_{name}") for name in names}
