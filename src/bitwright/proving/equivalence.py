# SPDX-License-Identifier: Apache-2.0
"""Whether the netlist that synthesis makes of a unit is its RTL: for all inputs, stalls and any number of cycles.

Both are put side by side as one and-inverter graph. ABC's `scorr` proves registers and gates equal by induction,
`pdr` what is left. Both start where a reset leaves the unit; resets may come at any time. Block memories have no
simulation model in the netlist, so units with them are not decided.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bitwright.devices import Device
from bitwright.errors import ToolError
from bitwright.hardware.closure import closure, flatten
from bitwright.hardware.closure import write as write_files
from bitwright.hardware.families import families
from bitwright.hardware.library import with_vendor
from bitwright.proving import graph as graphs
from bitwright.tools import cache, yosys

PROVEN, TESTED, DIFFERS, SKIPPED = "proven", "random vectors", "differs", "not decided"
RESULT = "result.json"
LANES = 64  # runs of a simulation
_PORT = re.compile(r"(input|output)\s+logic\s*(\[[^\]]*\])?\s*(\w+)")

SYNTHESIS = """read_verilog -sv -defer {files}
scratchpad -copy abc9.script.default.fast abc9.script
{synthesis} -top {top}
setattr -unset src
write_verilog -noattr -noexpr netlist.v
"""
MITER = """read_verilog -sv -defer {files}
prep -flatten -top {top}
memory_map
opt -fast -mux_undef -undriven -fine
async2sync
rename {top} gold
design -stash gold
read_verilog -D_ABC netlist.v
read_verilog -D_ABC +/{models}
hierarchy -top {top}
proc
flatten
opt_clean
memory_map
async2sync
rename {top} gate
design -copy-from gold -as gold gold
read_verilog -sv proof.sv
prep -flatten -top proof
formalff -clk2ff
setundef -undriven -zero
opt -full
techmap
setundef -zero
opt -fast
setundef -init -zero
dffunmap
aigmap
opt_clean
write_aiger -zinit -no-startoffset -map proof.map proof.aig
"""
NOTHING = "module nothing(input a, input b, output c); assign c = a & b; endmodule\n"
ABC = """read_verilog nothing.v
techmap
abc -g AND -script +backup;{commands};restore;strash;map
"""
CORRESPONDENCE = "read_aiger,start.aig;zero;strash;scorr;write_aiger,rest.aig"
REACHABILITY = "read_aiger,rest.aig;cone,-O,0,-R,1;scl;pdr,-T,{seconds};write_status,status.txt"


@dataclass(frozen=True)
class Equivalence:
    """status: PROVEN, TESTED (no difference in so many cycles of random stalls and data), DIFFERS or SKIPPED (reason).

    registers: of RTL and netlist together. cycles: simulated, of all runs together.
    """

    status: str
    registers: int = 0
    cycles: int = 0
    seconds: float = 0.0
    reason: str = ""

    @property
    def tested(self) -> bool:
        """Whether random vectors are all there is."""
        return self.status == TESTED


def equivalence(
    files: Mapping[str, str],
    top: str,
    device: Device,
    cycles: int,
    tool: yosys.Yosys,
    seconds: int = 60,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Equivalence:
    """Compare the RTL of module `top` with what synthesis for the device makes of it; files: of the design.

    Results are cached under the digest of the files that the module needs, device, cycles, seconds and tool.
    """
    flat = flatten(files)
    plain, mapped = closure(flat, top), closure(with_vendor(flat, device.primitives), top)
    given = [tool.version, device.family, str(cycles), str(seconds), SYNTHESIS, MITER, CORRESPONDENCE, REACHABILITY]
    key = cache.digest([top, *given, *(text for side in (plain, mapped) for pair in side.items() for text in pair)])

    def make(folder: Path) -> list[Path]:
        start = time.perf_counter()
        found = _compared(plain, mapped, top, device, folder, cycles, tool, seconds)
        found = replace(found, seconds=round(time.perf_counter() - start, 1))
        (folder / RESULT).write_text(json.dumps(vars(found)))
        return [folder / RESULT]

    entry, _ = cache.entry(cache.folder(cache_dir) / "proofs", key, make, [RESULT])
    return Equivalence(**json.loads((entry / RESULT).read_text()))


def _compared(
    gold: Mapping[str, str],
    mapped: Mapping[str, str],
    top: str,
    device: Device,
    folder: Path,
    cycles: int,
    tool: yosys.Yosys,
    seconds: int,
) -> Equivalence:
    family = families()[device.family]
    if not family.models:
        return Equivalence(SKIPPED, reason=f"no simulation models of the cells of {family.name}")
    (folder / "gold").mkdir()
    plain = write_files(gold, folder / "gold")
    script = SYNTHESIS.format(files=" ".join(write_files(mapped, folder)), synthesis=family.synthesis, top=top)
    _execute(tool, script, folder)
    blocks = "|".join(filter(None, (family.cells.bram18, family.cells.bram36, family.cells.dsp)))
    block = re.search(rf"\b({blocks})\b", (folder / "netlist.v").read_text())
    if block:
        return Equivalence(SKIPPED, reason=f"no simulation model of {block[1]}")
    for memory in (folder / "gold").glob("*.mem"):  # read from where Yosys runs
        (folder / memory.name).write_text(memory.read_text())
    (folder / "proof.sv").write_text(_miter(gold[f"{top}.sv"], top))
    sources = " ".join(f"gold/{name}" for name in plain)
    _execute(tool, MITER.format(files=sources, top=top, models=family.models), folder)
    return _decided(folder, cycles, tool, seconds)


def _execute(tool: yosys.Yosys, script: str, folder: Path) -> None:
    (folder / "run.ys").write_text(script)
    yosys.execute(tool, ["-q", "-s", "run.ys"], folder, folder / "log.txt")


def _miter(text: str, top: str) -> str:
    """RTL (`gold`) and netlist (`gate`) with the same inputs; bad_o where outputs differ that mean anything."""
    head = text[text.index(f"module {top} (") :]
    ports = [match.groups() for match in _PORT.finditer(head[: head.index(");")])]
    names = {name for _, _, name in ports}
    declared, wires, different = ["output bad_o"], [], []
    pins: dict[str, list[str]] = {"gold": [], "gate": []}
    for direction, width, name in ports:
        if direction == "input":
            declared.append(f"input {width or ''} {name}")
        else:
            wires += [f"  wire {width or ''} {side}_{name};" for side in pins]
            different += _differences(name, names)
        for side, own in pins.items():
            inner = "rst" if name == "rst_i" else name if direction == "input" else f"{side}_{name}"
            own.append(f".{name}({inner})")
    lines = [
        f"module proof({', '.join(declared)});",
        "  reg first_q = 1'b1;",
        "  always @(posedge clk_i) first_q <= 1'b0;",
        "  wire rst = first_q || rst_i;",
        *wires,
        *(f"  {side} u_{side}({', '.join(own)});" for side, own in pins.items()),
        f"  assign bad_o = !first_q && ({' || '.join(different)});",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _differences(name: str, names: set[str]) -> list[str]:
    """When an output port differs: data only while they are valid."""
    valid = name.replace("_data_", "_valid_").replace("_last_", "_valid_").replace("_first_", "_valid_")
    meant = f"|gold_{valid} && " if valid != name and valid in names else ""
    return [f"({meant}gold_{name} != gate_{name})"]


def _decided(folder: Path, cycles: int, tool: yosys.Yosys, seconds: int) -> Equivalence:
    whole = graphs.read(folder / "proof.aig", folder / "proof.map")
    graph = graphs.settled(whole, max(cycles, 64))
    state = np.where(graph.start, ~np.uint64(0), np.uint64(0))
    bad = graphs.simulate(graph, graphs.stimulus(graph, cycles, 0), state)
    registers, tried = len(graph.latches), LANES * cycles
    if bad:
        told = f"outputs differ in {bad} of {cycles} simulated cycles"
        return Equivalence(DIFFERS, registers, tried, reason=told)
    groups = list(graphs.vectors(graph, "u_gold."))
    graphs.write(graphs.with_bounds(graph, groups, graphs.bounds(graph, groups, cycles)), folder / "start.aig")
    (folder / "nothing.v").write_text(NOTHING)
    try:
        _execute(tool, ABC.format(commands=CORRESPONDENCE), folder)
        if graphs.constant(folder / "rest.aig"):
            return Equivalence(PROVEN, registers, tried)
        _execute(tool, ABC.format(commands=REACHABILITY.format(seconds=seconds)), folder)
    except ToolError:  # of 4 GiB of memory, which a large unit may need more of
        return Equivalence(TESTED, registers, tried, reason="ABC ended without an answer")
    words = (folder / "status.txt").read_text().split()
    if words[0] == "snl_UNSAT":
        return Equivalence(PROVEN, registers, tried)
    if words[0] == "snl_SAT":
        return Equivalence(DIFFERS, registers, tried, reason=f"a counterexample of {int(words[1]) + 1} cycles")
    return Equivalence(TESTED, registers, tried)
