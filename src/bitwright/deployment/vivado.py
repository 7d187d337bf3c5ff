# SPDX-License-Identifier: Apache-2.0
"""Vivado projects of a design: reports of the design alone, and an overlay for a board with processors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from bitwright.deployment.rendering import render
from bitwright.devices import BOARDS, DEVICES, Device, find_device
from bitwright.errors import DeviceError
from bitwright.hardware.clock import DEFAULT_MHZ
from bitwright.hardware.closure import flatten, source_order, write
from bitwright.hardware.library import with_vendor
from bitwright.hardware.shell import WEIGHT_STREAM, top_ports
from bitwright.hardware.text import CLOCK_PORTS, Port, instance, module, wired
from bitwright.targets.contract import Design
from bitwright.tools.vivado import Overlay, Reports

WRAPPER = "bitwright_overlay"
MEMORY = "m_axi"
GATED = ("arvalid", "arready", "awvalid", "awready", "wvalid", "wready", "rready", "bready")
LEAST_ADDRESS_BITS = 12  # the smallest page that the interconnect maps


def write_vivado(design: Design, device: str, folder: Path, *, clock_mhz: float = DEFAULT_MHZ) -> list[Path]:
    """Write sources and `reports.tcl`, which measures the design alone on the device; the files' paths.

    Raises `DeviceError` for a device that Vivado does not know.
    """
    part = _for_vivado(device)
    options = Reports(part.part, design.top, clock_mhz)
    sources = with_vendor(flatten(design.files), part.primitives)
    paths = write_sources(sources, folder)
    text = render(
        "reports.tcl.j2",
        **dataclasses.asdict(options),
        sources=source_order(sources),
        memories=[name for name in sorted(sources) if name.endswith(".mem")],
        script="reports.tcl",
    )
    return [*paths, _write(folder / "reports.tcl", text)]


def write_overlay(
    design: Design, board: str, folder: Path, *, clock_mhz: float = DEFAULT_MHZ, jobs: int = 4
) -> list[Path]:
    """Write sources and `overlay.tcl`, which builds bitstream and hardware description for PYNQ; the files' paths.

    Raises `DeviceError` for a board without processors that run PYNQ.
    """
    legal = [name for name, entry in BOARDS.items() if entry.processor]
    if board.lower() not in legal:
        raise DeviceError(f"no overlay for {board!r}; legal are the boards {', '.join(legal)}")
    entry = BOARDS[board.lower()]
    part = DEVICES[entry.device]
    options = Overlay(
        part=part.part,
        board=entry.name,
        board_files=entry.board_files,
        processor=entry.processor,
        name=WRAPPER,
        in_bits=design.input.tdata_bits,
        out_bits=design.output.tdata_bits,
        weights_bits=weights_bits(design),
        memory=design.memory is not None,
        control=design.has_control,
        clock_mhz=clock_mhz,
        jobs=jobs,
    )
    sources = with_vendor(flatten(design.files), part.primitives) | overlay_files(design)
    paths = write_sources(sources, folder)
    return [*paths, _write(folder / "overlay.tcl", render("overlay.tcl.j2", **dataclasses.asdict(options)))]


def overlay_files(design: Design) -> dict[str, str]:
    """Files to add to the design: the Verilog wrapper that Vivado's block design takes, and its helpers."""
    addresses = address_bits(design) if design.has_control else None
    sizes = design.input.tdata_bits, design.output.tdata_bits, weights_bits(design), addresses, memory_bits(design)
    wrapper = _wrapper(design, [port for port in top_ports(*sizes) if port not in CLOCK_PORTS])
    modules = resources.files("bitwright") / "hardware" / "modules"
    helpers = ["axis_batch.sv"] + ["axi_gate.sv"] * (design.memory is not None)
    return {f"{WRAPPER}.v": wrapper} | {name: (modules / name).read_text() for name in helpers}


def _wrapper(design: Design, ports: list[Port]) -> str:
    names = ("s_axis", "m_axis", WEIGHT_STREAM, "s_axil", MEMORY)
    buses = [s for s in names if any(p.name.startswith(f"{s}_") for p in ports)]
    clocked = f'(* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF {":".join(buses)}, ASSOCIATED_RESET aresetn" *)'
    outside = MEMORY in buses
    busy = [Port("busy", True)] if outside else []
    outer = [Port("aclk"), Port("aresetn"), Port("frames", bits=32), *busy, *ports, *side_ports(ports)]
    clock = {"clk_i": "aclk", "rst_i": "reset"}
    batch = {"frames_i": "frames", "valid_i": "m_axis_tvalid", "ready_i": "m_axis_tready"}
    body = "  reg held;\n  always @(posedge aclk) held <= frames == 32'd0;\n"
    body += _gated() if outside else "  wire reset = ~aresetn | held;\n  wire closed = reset;\n"
    body += "  wire last, valid;\n"
    pins = clock | wired(ports) | {"m_axis_tlast": "last", "m_axis_tvalid": "valid"}
    pins |= {f"{MEMORY}_{name}": f"own_{name}" for name in GATED} if outside else {}
    for stream in buses:
        if stream in ("s_axis", WEIGHT_STREAM):
            # In reset a design takes no word, but a DMA engine must get rid of its own; words without bytes are none.
            body += f"  wire {stream}_ready;\n  wire {stream}_drop = closed | ~|{stream}_tkeep;\n"
            body += f"  assign {stream}_tready = {stream}_ready | {stream}_drop;\n"
            body += f"  wire {stream}_unused = {stream}_tlast;\n"
            pins |= {f"{stream}_tready": f"{stream}_ready", f"{stream}_tvalid": f"{stream}_tvalid & ~{stream}_drop"}
    body += "  assign m_axis_tvalid = valid & ~closed;\n"
    body += f"  assign m_axis_tkeep = {{{design.output.tdata_bits // 8}{{1'b1}}}};\n"
    body += instance(design.top, "u_design", {}, pins)
    body += instance("axis_batch", "u_batch", {}, clock | batch | {"last_i": "last", "last_o": "m_axis_tlast"})
    remarks = [
        f"{design.top} as a block of a Vivado block design: active-low reset, one tlast per batch of frames.",
        "frames = 0 resets the design, which takes and drops all words of its streams meanwhile.",
        "Words whose tkeep is 0 are dropped, as a DMA engine or a width converter may send them; others are whole.",
    ]
    remarks += ["busy = 1 while what is under way to memory is awaited before that reset."] if outside else []
    attributes = {"aclk": clocked} | {p.name: _bus_attribute(p) for p in ports if p.name.startswith(f"{MEMORY}_")}
    return module(WRAPPER, outer, body, remarks, net="wire", attributes=attributes)


def _gated() -> str:
    """The gate between design and memory, which resets the design when nothing is under way."""
    wires = ", ".join(f"own_{name}" for name in GATED)
    body = f"  wire {wires}, gate_reset, gate_drain;\n  wire reset = ~aresetn | gate_reset;\n"
    body += "  wire closed = reset | gate_drain | held;\n"
    pins = {"clk_i": "aclk", "rst_i": "~aresetn", "stop_i": "held"}
    pins |= {"reset_o": "gate_reset", "drain_o": "gate_drain", "busy_o": "busy"}
    for channel in ("ar", "aw", "w"):
        pins |= {f"s_{channel}valid_i": f"own_{channel}valid", f"s_{channel}ready_o": f"own_{channel}ready"}
        pins |= {f"m_{channel}valid_o": f"{MEMORY}_{channel}valid", f"m_{channel}ready_i": f"{MEMORY}_{channel}ready"}
    pins["m_wlast_i"] = f"{MEMORY}_wlast"
    pins["r_end_i"] = f"{MEMORY}_rvalid & {MEMORY}_rready & {MEMORY}_rlast"
    pins["b_end_i"] = f"{MEMORY}_bvalid & {MEMORY}_bready"
    body += f"  assign {MEMORY}_rready = own_rready | gate_drain;\n"
    body += f"  assign {MEMORY}_bready = own_bready | gate_drain;\n"
    return body + instance("axi_gate", "u_gate", {}, pins)


def _bus_attribute(port: Port) -> str:
    """What Vivado reads of a port of the AXI4 master; the first one says what the bus carries at most."""
    name = port.name.removeprefix(f"{MEMORY}_")
    known = f'X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 {MEMORY} {name.upper()}"'
    most = {"MAX_BURST_LENGTH": 16, "NUM_READ_OUTSTANDING": 16, "NUM_WRITE_OUTSTANDING": 8, "SUPPORTS_NARROW_BURST": 0}
    values = ", ".join(f"{key} {value}" for key, value in most.items())
    return f'(* {known}, X_INTERFACE_PARAMETER = "{values}" *)' if name == "arid" else f"(* {known} *)"


def side_ports(ports: Sequence[Port]) -> list[Port]:
    """What the wrapper's streams have beside the design's: tkeep of all, tlast of those that enter."""
    data = [port for port in ports if port.name.endswith("_tdata")]
    keep = [Port(p.name.removesuffix("data") + "keep", p.output, p.bits // 8, vector=True) for p in data]
    return keep + [Port(p.name.removesuffix("data") + "last") for p in data if not p.output]


def weights_bits(design: Design) -> int:
    """Bits of the weight stream, 0 without one."""
    return design.weights.tdata_bits if design.weights is not None else 0


def memory_bits(design: Design) -> int:
    """Bits of a beat of external memory, 0 without one."""
    return design.memory.tdata_bits if design.memory is not None else 0


def address_bits(design: Design) -> int:
    """Address bits of the AXI4-Lite slave: enough for every program and counter address."""
    addresses = [0, *(design.counters or {}).values()]
    if design.program is not None and len(design.program):
        addresses.append(int(design.program[:, 0].max()))
    addresses += design.memory.registers if design.memory is not None else ()
    return max(LEAST_ADDRESS_BITS, (max(addresses) + 3).bit_length())


def _for_vivado(name: str) -> Device:
    part = find_device(name)
    if not part.traits.vivado:
        legal = ", ".join(d.name for d in DEVICES.values() if d.traits.vivado)
        raise DeviceError(f"Vivado does not know {name}; legal are {legal} and boards with them")
    return part


def write_sources(sources: Mapping[str, str], folder: Path) -> list[Path]:
    """The sources and memories in a folder of their own; their paths."""
    target = folder / "sources"
    target.mkdir(parents=True, exist_ok=True)
    kept = {name: text for name, text in sources.items() if not name.endswith(".vlt")}
    write(kept, target)
    return [target / name for name in sorted(kept)]


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
