# SPDX-License-Identifier: Apache-2.0
"""A mapped netlist, read from the JSON that Yosys writes: cells, wires and the names of both, without hierarchy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitwright.errors import ToolError

NO_NET = -1  # what a constant or an unconnected pin is
Modules = Mapping[str, Any]  # Yosys's modules by name
_BITS = re.compile(r"[01]{2,}")
_DERIVED = re.compile(r"_[A-Z][A-Z0-9]+_[A-Z].*|\$.*")  # what Yosys appends: cell type and pin

_STYLE = {"_q": 50_000, "_i": -500}  # registers are named so, and inputs, which say less


@dataclass(frozen=True)
class Cell:
    """One cell. name: with the path of its instance. ports: direction and nets, lowest bit first, by name."""

    name: str
    kind: str
    parameters: Mapping[str, str]
    ports: Mapping[str, tuple[str, tuple[int, ...]]]


@dataclass
class Netlist:
    """Cells, ports of the top, names of nets, and the module of each instance by its path; nets count from 0."""

    cells: list[Cell] = field(default_factory=list)
    ports: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    names: dict[int, tuple[int, str]] = field(default_factory=dict)  # rank and text
    scopes: dict[str, str] = field(default_factory=dict)
    nets: int = 0

    def name(self, net: int) -> str:
        """The name that says most of a net, "" where none has a meaning."""
        return self.names.get(net, (0, ""))[1]


def read_modules(path: Path) -> Modules:
    """The modules of a file, without those of the vendor's library."""
    try:
        modules = json.loads(path.read_text())["modules"]
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(f"{path} is no netlist of Yosys: {error}") from None
    return {name: module for name, module in modules.items() if not _flag(module, "blackbox")}


def flatten(modules: Modules, top: str) -> Netlist:
    """The netlist of module `top`, with the modules that it holds in place of their instances."""
    if top not in modules:
        raise ToolError(f"the netlist has no module {top!r}")
    netlist = Netlist()
    joined = _Joined()
    _add(netlist, joined, modules, top, "", {})
    netlist.nets = len(joined.parent)
    ports = modules[top]["ports"]
    own = joined.top
    netlist.ports = {n: (p["direction"], tuple(own.get(b, NO_NET) for b in p["bits"])) for n, p in ports.items()}
    return _resolved(netlist, joined)


class _Joined:
    """Nets that a module connects from one of its ports to another are one."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.top: dict[object, int] = {}

    def new(self) -> int:
        self.parent.append(len(self.parent))
        return len(self.parent) - 1

    def find(self, net: int) -> int:
        while self.parent[net] != net:
            self.parent[net] = self.parent[self.parent[net]]
            net = self.parent[net]
        return net

    def join(self, a: int, b: int) -> None:
        self.parent[self.find(a)] = self.find(b)


def _add(netlist: Netlist, joined: _Joined, modules: Modules, name: str, path: str, outer: dict[object, int]) -> None:
    """The cells of a module at `path`; outer: nets of its ports by its own bits."""
    module, nets = modules[name], dict(outer)

    def net(bit: object) -> int:
        if not isinstance(bit, int):
            return NO_NET
        if bit not in nets:
            nets[bit] = joined.new()
        return nets[bit]

    for cell_name, cell in module["cells"].items():
        kind, full = _module(cell["type"], modules), _join(path, _path(cell_name, cell))
        if kind == "$scopeinfo":
            netlist.scopes[full] = cell["attributes"].get("module_hdlname", cell["attributes"]["module"])
        elif kind in modules:
            netlist.scopes[full] = modules[kind]["attributes"].get("hdlname", kind)
            inner: dict[object, int] = {}
            for port, bits in cell["connections"].items():
                for bit, own in zip(bits, modules[kind]["ports"][port]["bits"], strict=True):
                    _connect(joined, inner, own, net(bit))
            _add(netlist, joined, modules, kind, full, inner)
        elif cell["port_directions"]:
            ways = cell["port_directions"]
            ports = {p: (ways[p], tuple(net(b) for b in bits)) for p, bits in cell["connections"].items()}
            netlist.cells.append(Cell(full, kind, _parameters(cell["parameters"]), ports))
    _name(netlist, module["netnames"], path, nets)
    if not path:
        joined.top = nets


def _connect(joined: _Joined, inner: dict[object, int], own: object, outer: int) -> None:
    if isinstance(own, int) and outer != NO_NET:
        if own in inner:
            joined.join(inner[own], outer)
        inner.setdefault(own, outer)


def _resolved(netlist: Netlist, joined: _Joined) -> Netlist:
    """With one number for nets that are joined."""
    if all(joined.parent[net] == net for net in range(netlist.nets)):
        return netlist

    def found(ports: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, tuple[str, tuple[int, ...]]]:
        return {p: (way, tuple(joined.find(n) if n != NO_NET else n for n in nets)) for p, (way, nets) in ports.items()}

    cells = [Cell(c.name, c.kind, c.parameters, found(c.ports)) for c in netlist.cells]
    names: dict[int, tuple[int, str]] = {}
    for net, named in netlist.names.items():
        root = joined.find(net)
        names[root] = max(named, names.get(root, named))
    return Netlist(cells, found(netlist.ports), names, netlist.scopes, netlist.nets)


def _name(netlist: Netlist, names: Mapping[str, Any], path: str, nets: Mapping[object, int]) -> None:
    """Remember the best name of each net: one of the source, deep in the hierarchy, of a register by our style.

    A net that the source does not name is called after the one that it is made for: that name and "~".
    """
    for name, entry in names.items():
        if entry.get("hide_name"):
            continue
        text = _join(path, _path(name, entry))
        made = _DERIVED.search(name)
        text = _DERIVED.sub("~", text) if made else text
        rank = -len(text) if made else 1000 * (text.count(".") + 1) + _STYLE.get(text[-2:], 0) - len(text)
        bits = entry["bits"]
        for i, bit in enumerate(bits):
            net = nets.get(bit)
            if net is not None and rank > netlist.names.get(net, (-1_000_000, ""))[0]:
                netlist.names[net] = rank, text if made or len(bits) == 1 else f"{text}[{i}]"


def _path(name: str, entry: Any) -> str:
    """The name with dots between the levels of hierarchy."""
    return ".".join(entry.get("attributes", {}).get("hdlname", name).split(" "))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _module(kind: str, modules: Modules) -> str:
    """The module of an instance: by its own name, or that of what it is a variant of, $paramod\\NAME\\..."""
    if kind in modules or not kind.startswith("$paramod"):
        return kind
    return kind.split("\\")[1]


def _flag(module: Any, name: str) -> bool:
    return "1" in str(module["attributes"].get(name, ""))


def _parameters(found: Mapping[str, object]) -> dict[str, str]:
    """Numbers as decimals, short texts as they are; contents of memories left out, those of look-up tables not."""
    return {name: value(str(text)) for name, text in found.items() if len(str(text)) <= 64}


def value(text: str) -> str:
    """A parameter as people write it: bits as a decimal number, other texts as they are."""
    return str(int(text, 2)) if _BITS.fullmatch(text) else text.strip()


def holders(netlist: Netlist, name: str) -> list[str]:
    """The paths of the instances that hold a named net or cell, the innermost first."""
    parts = name.split(".")
    paths = (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
    return [path for path in paths if path in netlist.scopes]


def widths(cell: Cell) -> dict[str, tuple[str, int]]:
    """Direction and width by port."""
    return {name: (way, len(nets)) for name, (way, nets) in cell.ports.items()}


def pins(ports: Mapping[str, tuple[str, Sequence[int]]], output: bool) -> Iterator[tuple[str, int, int]]:
    """Port, bit and net of all connected inputs or outputs."""
    for port, (way, nets) in ports.items():
        if (way == "output") == output:
            yield from ((port, i, net) for i, net in enumerate(nets) if net != NO_NET)
