"""Modules of the library and of the targets with the parameters at which their clock is watched."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import bitwright as bw
from bitwright.devices import Device
from bitwright.hardware.closure import flatten as flat_files
from bitwright.hardware.library import needed, with_vendor
from bitwright.hardware.text import Port
from bitwright.hardware.timing import Timing, analyze, flatten, read_modules
from bitwright.network import INPUT, InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.placement import harness_of
from bitwright.targets import names
from bitwright.tools import yosys
from bitwright.tools.cache import folder as cache_folder

HERE = Path(__file__).parent
MODULES = HERE / "modules.json"
DEVICE = "ecp5-85k"


@dataclass(frozen=True)
class Block:
    """A module with parameters; target: whose RTL holds it, "" for the library's."""

    module: str
    parameters: Mapping[str, int]
    target: str = ""

    @property
    def name(self) -> str:
        values = ",".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.module}({values})" if values else self.module

    def files(self, vendor: str) -> dict[str, str]:
        """Its sources by bare name, with a memory file of zeros where it reads one of a default name."""
        found = needed([self.module], _own(self.target) if self.target else {})
        return with_vendor({Path(name).name: text for name, text in found.items()}, vendor)


@cache
def _own(target: str) -> dict[str, str]:
    """The files of a target by bare name; those that it generates are a small design's."""
    folder = Path(importlib.import_module(f"bitwright.targets.{target}").__file__).parent / "rtl"
    copy = Node("copy", ops.Requantize(IntType(8)), (INPUT,))
    design = bw.compile(Network(InputSpec(TensorType((4, 4, 4), IntType(8))), (copy,)), target=target)
    return {path.name: path.read_text() for path in sorted(folder.rglob("*.sv*"))} | flat_files(design.files)


def blocks() -> list[Block]:
    """All that are watched."""
    known = {"", *names()}
    found = [Block(**entry) for entry in json.loads(MODULES.read_text())]
    assert {block.target for block in found} <= known
    return found


def synthesized(block: Block, device: Device) -> tuple[Timing, tuple[Port, ...], int]:
    """Its timing out of context, its ports and how many cells it has."""
    options = yosys.Synthesis(device.family, block.module, wiring=True, parameters=tuple(block.parameters.items()))
    _, folder, _ = yosys.synthesize_module(block.files(device.primitives), options, yosys.find(), cache_folder(None))
    netlist = flatten(read_modules(folder / yosys.WIRING), block.module)
    ports = tuple(Port(name, way == "output", len(nets)) for name, (way, nets) in netlist.ports.items())
    return analyze(netlist, device.traits, device.grade), ports, len(netlist.cells)


def harnessed(block: Block, device: Device, ports: tuple[Port, ...]) -> dict[str, str]:
    """The sources of the block between shift registers."""
    return block.files(device.primitives) | harness_of(block.module, ports, block.parameters)
