# SPDX-License-Identifier: Apache-2.0
"""A design as a block for others' projects: sources, file lists, FuseSoC, IP-XACT, project scripts, a cocotb bench."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from bitwright.deployment.prefix import prefixed
from bitwright.deployment.rendering import Code, render
from bitwright.design.io import as_json
from bitwright.design.packing import pack_frames
from bitwright.hardware.closure import flatten, source_order, write
from bitwright.hardware.memory_port import MemoryPort
from bitwright.hardware.shell import WEIGHT_STREAM
from bitwright.network import evaluate
from bitwright.network.bundles import bundled, parts
from bitwright.targets.contract import Design, FrameSpec

VECTORS = 3  # frames
STREAMS = ("s_axis", "m_axis", WEIGHT_STREAM)
MEMORY = "m_axi"
MEMORY_BASE = 0x12_0000_0000  # where the bench puts external memory


def write_ip(design: Design, folder: Path, prefix: str = "", seed: int = 0) -> list[Path]:
    """Write the block into a folder; the files' paths.

    rtl/ holds all sources, every module, source and memory with the prefix; `<top>.f` lists them; `<top>.core` is for
    FuseSoC, component.xml IP-XACT (IEEE 1685-2014), project.tcl for Vivado, quartus.tcl for Quartus; bench/ a cocotb
    test with vectors that the network computed.
    """
    made = prefixed(design, prefix)
    flat = {name: text for name, text in flatten(made.files).items() if not name.endswith(".vlt")}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rtl").mkdir(exist_ok=True)
    write(flat, folder / "rtl")
    order = source_order(flat)
    values = {
        "top": made.top,
        "sources": order,
        "headers": sorted(name for name in flat if name.endswith(".svh")),
        "memories": sorted(name for name in flat if name.endswith(".mem")),
    }
    bench = folder / "bench"
    bench.mkdir(exist_ok=True)
    texts = {
        folder / f"{made.top}.f": "".join(f"rtl/{name}\n" for name in order),
        folder / f"{made.top}.core": render("ip.core.j2", **values),
        folder / "component.xml": _component(made, order, flat),
        folder / "project.tcl": render("ip_vivado.tcl.j2", **values),
        folder / "quartus.tcl": render("ip_quartus.tcl.j2", **values),
        bench / "vectors.json": as_json(_vectors(made, seed)),
        bench / f"test_{made.top}.py": render(
            "ip_bench.py.j2", control=made.has_control, memory=made.memory is not None
        ),
        bench / "run.py": render("ip_run.py.j2", **values),
    }
    for path, text in texts.items():
        path.write_text(text)
    return [*(folder / "rtl" / name for name in sorted(flat)), *texts]


def _vectors(design: Design, seed: int) -> dict[str, object]:
    """Words of some random frames and of what the network makes of them, in hexadecimal; program and weights."""
    network, rng = design.network, np.random.default_rng(seed)
    x = {}
    for spec in network.inputs:
        codes = rng.integers(0, 1 << spec.type.dtype.bits, (VECTORS, *spec.type.shape))
        x[spec.name] = spec.type.dtype.decode(codes)
    y = parts(network.leaving(evaluate(network, bundled(x))), [end.name for end in network.outputs])
    program = np.zeros((0, 2), np.uint32) if design.program is None else design.program
    weights = None if design.weights is None else design.weights.passes(VECTORS)
    return {
        "top": design.top,
        "frames": VECTORS,
        "program": np.asarray(program, np.uint32).tolist(),
        "control": design.has_control,
        "counters": dict(design.counters or {}),
        "s_axis": _hex(design.input, pack_frames(design.input, list(x.values()))),
        "m_axis": _hex(design.output, pack_frames(design.output, list(y.values()))),
        "weights": None if weights is None else _rows(weights, weights.shape[1] * 4),
        "memory": None if design.memory is None else _memory(design.memory),
    }


def _memory(port: MemoryPort) -> dict[str, object]:
    """Where external memory lies, how the design learns of it, its bytes, and what it begins with."""
    image = np.ascontiguousarray(port.image, "<u4").reshape(-1, 1)
    return {
        "base": MEMORY_BASE,
        "size": port.size,
        "registers": [list(pair) for pair in port.placed(MEMORY_BASE)],
        "image": _rows(image, 4),
    }


def _hex(frame: FrameSpec, words: np.ndarray) -> list[str]:
    return _rows(words, frame.tdata_bits // 8)


def _rows(words: np.ndarray, size: int) -> list[str]:
    """Each word's bytes, the lowest first."""
    raw = np.ascontiguousarray(words, "<u4").view(np.uint8).reshape(len(words), 4 * words.shape[1])[:, :size]
    return [row.tobytes().hex() for row in raw]


def _component(design: Design, order: list[str], flat: dict[str, str]) -> str:
    """component.xml: bus interfaces, ports, files."""
    ports = [{"name": p.name, "way": "out" if p.output else "in", "high": p.bits - 1} for p in design.ports]
    streams = [
        {"name": name, "way": "master" if name == "m_axis" else "slave", "signals": _signals(design, name)}
        for name in STREAMS
        if any(p.name.startswith(f"{name}_t") for p in design.ports)
    ]
    files = [{"name": f"rtl/{name}", "type": "systemVerilogSource"} for name in order]
    files += [{"name": f"rtl/{name}", "type": "unknown"} for name in sorted(flat) if name not in order]
    summary = escape(f"{design.target}: a network as an AXI4-Stream block")
    registers = _signals(design, "s_axil") if design.has_control else []
    memory = _signals(design, MEMORY) if design.memory is not None else []
    text = render(
        "component.xml.j2",
        top=design.top,
        summary=Code(summary),
        ports=ports,
        streams=streams,
        files=files,
        registers=registers,
        memory=memory,
    )
    return text


def _signals(design: Design, name: str) -> list[str]:
    """The signals of an interface, as AMBA calls them in upper case."""
    own = [port.name for port in design.ports if port.name.startswith(f"{name}_")]
    return [port.removeprefix(f"{name}_") for port in own if not (name == "s_axis" and WEIGHT_STREAM in port)]
