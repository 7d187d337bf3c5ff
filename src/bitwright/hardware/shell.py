# SPDX-License-Identifier: Apache-2.0
"""The ports of every design's top module: the one table that RTL, benches and board files are written from."""

from __future__ import annotations

from bitwright.hardware.text import CLOCK_PORTS, Port

WEIGHT_STREAM = "s_axis_weights"
ADDRESS_BITS = 32
MEMORY_ADDRESS_BITS = 40
MEMORY_PREFIX = "m_axi_"


def stream_slave(name: str, bits: int) -> tuple[Port, ...]:
    """An AXI4-Stream that enters."""
    return (Port(f"{name}_tdata", bits=bits), Port(f"{name}_tvalid"), Port(f"{name}_tready", True))


def stream_master(name: str, bits: int) -> tuple[Port, ...]:
    """An AXI4-Stream that leaves, with tlast."""
    ready = (Port(f"{name}_tdata", True, bits), Port(f"{name}_tvalid", True), Port(f"{name}_tready"))
    return (*ready, Port(f"{name}_tlast", True))


def control(address_bits: int = ADDRESS_BITS, prefix: str = "s_axil_") -> tuple[Port, ...]:
    """An AXI4-Lite slave with 32-bit data; it takes every access, whatever its protection."""
    ports = (
        Port("awaddr", bits=address_bits),
        Port("awprot", bits=3),
        Port("awvalid"),
        Port("awready", True),
        Port("wdata", bits=32),
        Port("wstrb", bits=4),
        Port("wvalid"),
        Port("wready", True),
        Port("bresp", True, 2),
        Port("bvalid", True),
        Port("bready"),
        Port("araddr", bits=address_bits),
        Port("arprot", bits=3),
        Port("arvalid"),
        Port("arready", True),
        Port("rdata", True, 32),
        Port("rresp", True, 2),
        Port("rvalid", True),
        Port("rready"),
    )
    return tuple(Port(prefix + port.name, port.output, port.bits) for port in ports)


def memory_master(
    data_bits: int, address_bits: int = MEMORY_ADDRESS_BITS, prefix: str = MEMORY_PREFIX
) -> tuple[Port, ...]:
    """An AXI4 master: whole beats, INCR bursts, two IDs that read and one that writes (`axi_master`)."""
    sizes = {"id": 1, "addr": address_bits, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3, "valid": 1}
    address = [Port(name, True, bits) for name, bits in sizes.items()]
    ports = (
        *(Port(f"ar{port.name}", True, port.bits) for port in address),
        Port("arready"),
        Port("rid"),
        Port("rdata", bits=data_bits),
        Port("rresp", bits=2),
        Port("rlast"),
        Port("rvalid"),
        Port("rready", True),
        *(Port(f"aw{port.name}", True, port.bits) for port in address),
        Port("awready"),
        Port("wdata", True, data_bits),
        Port("wstrb", True, data_bits // 8),
        Port("wlast", True),
        Port("wvalid", True),
        Port("wready"),
        Port("bid"),
        Port("bresp", bits=2),
        Port("bvalid"),
        Port("bready", True),
    )
    return tuple(Port(prefix + port.name, port.output, port.bits) for port in ports)


def memory_bus(present: bool, data_bits: int = 64) -> dict[str, str]:
    """Connections of a core whose AXI4 master is two buses, m_axi_o and m_axi_i, or of one without it."""
    pins = {}
    for name, output in (("m_axi_o", True), ("m_axi_i", False)):
        own = [port for port in memory_master(data_bits) if port.output == output]
        unused = "" if output else f"{sum(port.bits for port in own)}'d0"
        pins[name] = f"{{{', '.join(port.name for port in own)}}}" if present else unused
    return pins


def top_ports(
    in_bits: int, out_bits: int, weight_bits: int = 0, address_bits: int | None = None, memory_bits: int = 0
) -> tuple[Port, ...]:
    """Clock, reset, input, output, and where there are any: weights, control (address_bits), external memory."""
    weights = stream_slave(WEIGHT_STREAM, weight_bits) if weight_bits else ()
    registers = () if address_bits is None else control(address_bits)
    memory = memory_master(memory_bits) if memory_bits else ()
    streams = (*stream_slave("s_axis", in_bits), *stream_master("m_axis", out_bits), *weights)
    return (*CLOCK_PORTS, *streams, *registers, *memory)
