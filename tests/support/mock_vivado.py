"""The commands of Vivado that `overlay.tcl` uses, over a model of the block design: it checks what Vivado would refuse.

Cells have the pins and interfaces of their IP; a module's are those of its Verilog file. Nets join existing pins,
interfaces a master and a slave of one protocol and one width; properties are those that the IP has.
"""

from __future__ import annotations

import re
import tkinter
from dataclasses import dataclass, field
from pathlib import Path

AXIS, AXI, LITE = "axis", "axi", "axi4lite"
PROPERTIES = {
    "axi_dma": "c_include_sg c_include_s2mm c_sg_length_width c_m_axis_mm2s_tdata_width c_m_axi_mm2s_data_width "
    "c_m_axi_s2mm_data_width c_mm2s_burst_size c_s2mm_burst_size",
    "axi_gpio": "C_GPIO_WIDTH C_ALL_OUTPUTS C_DOUT_DEFAULT C_IS_DUAL C_GPIO2_WIDTH C_ALL_INPUTS_2",
    "axis_dwidth_converter": "S_TDATA_NUM_BYTES M_TDATA_NUM_BYTES HAS_TLAST HAS_TKEEP",
    "axis_register_slice": "",
    "processing_system7": "PCW_USE_M_AXI_GP0 PCW_USE_S_AXI_HP0 PCW_USE_S_AXI_HP1 PCW_USE_S_AXI_HP2 PCW_USE_S_AXI_HP3 "
    "PCW_FPGA0_PERIPHERAL_FREQMHZ",
    "zynq_ultra_ps_e": "PSU__USE__M_AXI_GP0 PSU__USE__M_AXI_GP1 PSU__USE__M_AXI_GP2 PSU__USE__S_AXI_GP2 "
    "PSU__USE__S_AXI_GP3 PSU__USE__S_AXI_GP4 PSU__USE__S_AXI_GP5 "
    "PSU__FPGA_PL0_ENABLE PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ",
}
# What switches a port of the processors on.
SWITCHES = {
    "M_AXI_GP0": "PCW_USE_M_AXI_GP0",
    **{f"S_AXI_HP{i}": f"PCW_USE_S_AXI_HP{i}" for i in range(4)},
    "M_AXI_HPM0_FPD": "PSU__USE__M_AXI_GP0",
    **{f"S_AXI_HP{i}_FPD": f"PSU__USE__S_AXI_GP{i + 2}" for i in range(4)},
}


class Refused(Exception):
    """What Vivado would stop at."""


@dataclass
class Cell:
    """pins: name to (is output, bits). ports: interface to (is master, protocol)."""

    name: str
    ip: str
    pins: dict[str, tuple[bool, int]]
    ports: dict[str, tuple[bool, str]]
    config: dict[str, str] = field(default_factory=dict)

    def width(self, port: str) -> int | None:
        """Bits of a stream; None where the IP takes any."""
        if self.ip == "axi_dma":
            if port == "M_AXIS_MM2S":
                return int(self.config["c_m_axis_mm2s_tdata_width"])
            return int(self.config.get("c_m_axi_s2mm_data_width", 32))
        if self.ip == "axis_dwidth_converter":
            return 8 * int(self.config[f"{port[0]}_TDATA_NUM_BYTES"])
        return self.pins[f"{port}_tdata"][1] if self.ip == "module" else None


def ip_cell(name: str, ip: str) -> Cell:
    clocks = {"axi_dma": ["s_axi_lite_aclk", "axi_resetn"], "axi_gpio": ["s_axi_aclk", "s_axi_aresetn"]}
    pins = dict.fromkeys(clocks.get(ip, ["aclk", "aresetn"]), (False, 1))
    ports: dict[str, tuple[bool, str]] = {}
    if ip == "axi_dma":
        ports = {"S_AXI_LITE": (False, LITE), "M_AXI_MM2S": (True, AXI), "M_AXI_S2MM": (True, AXI)}
        ports |= {"M_AXIS_MM2S": (True, AXIS), "S_AXIS_S2MM": (False, AXIS)}
    elif ip == "axi_gpio":
        ports, pins["gpio_io_o"] = {"S_AXI": (False, LITE)}, (True, 32)
        pins["gpio2_io_i"] = (False, 1)
    elif ip in ("axis_dwidth_converter", "axis_register_slice"):
        ports = {"S_AXIS": (False, AXIS), "M_AXIS": (True, AXIS)}
    elif ip in ("processing_system7", "zynq_ultra_ps_e"):
        zynq7 = ip == "processing_system7"
        pins = {"FCLK_CLK0" if zynq7 else "pl_clk0": (True, 1)}
        own = [p for p in SWITCHES if (SWITCHES[p].startswith("PCW")) == zynq7]
        ports = {p: (p.startswith("M"), AXI) for p in own}
    else:
        raise Refused(f"no IP {ip}")
    return Cell(name, ip, pins, ports)


def module_cell(name: str, file: Path) -> Cell:
    text = file.read_text()
    found = re.findall(r"(input |output) wire (?:\[(\d+):0\] )?(\w+)", text)
    pins = {pin: (way == "output", int(high or 0) + 1) for way, high, pin in found}
    ports = {}
    for pin, (output, _) in pins.items():
        if pin.endswith("_tvalid"):
            ports[pin.removesuffix("_tvalid")] = (output, AXIS)
        elif pin.endswith("_awvalid"):
            bus = pin.removesuffix("_awvalid")
            ports[bus] = (output, AXI if f"{bus}_awlen" in pins else LITE)
            check_names(text, bus, [p for p in pins if p.startswith(f"{bus}_")], ports[bus])
    buses = re.search(r'ASSOCIATED_BUSIF ([\w:]+), ASSOCIATED_RESET (\w+)"', text)
    if buses is None or sorted(buses[1].split(":")) != sorted(ports) or buses[2] not in pins:
        raise Refused(f"{file.name}: its clock does not name its interfaces {sorted(ports)}")
    return Cell(name, "module", pins, ports)


AXI_PINS = "id addr len size burst cache prot valid ready"
BUS_PINS = [f"{way}{pin}" for way in ("ar", "aw") for pin in AXI_PINS.split()]
BUS_PINS += [f"r{pin}" for pin in ("id", "data", "resp", "last", "valid", "ready")]
BUS_PINS += [f"w{pin}" for pin in ("data", "strb", "last", "valid", "ready")]
BUS_PINS += [f"b{pin}" for pin in ("id", "resp", "valid", "ready")]


def check_names(text: str, name: str, pins: list[str], port: tuple[bool, str]) -> None:
    """`Refused` where a bus with bursts lacks a signal, or its attribute says another."""
    if port[1] != AXI:
        return
    if sorted(pins) != sorted(f"{name}_{pin}" for pin in BUS_PINS):
        raise Refused(f"{name} has the pins {sorted(pins)}")
    said = dict(re.findall(r'aximm:1\.0 \w+ (\w+)".*\n.* (\w+)[,\n]', text))
    if said != {pin.upper(): f"{name}_{pin}" for pin in BUS_PINS}:
        raise Refused(f"{name}: its attributes say {said}")


class Vivado:
    """An interpreter with these commands; `run` reads a script to its end, `check` looks at what it has made."""

    def __init__(self, folder: Path, boards: tuple[str, ...]) -> None:
        self.folder, self.boards = folder, boards
        self.cells: dict[str, Cell] = {}
        self.nets: dict[str, str] = {}  # pin to its driver
        self.links: dict[str, str] = {}  # interface to its partner, both ways
        self.memory_map: list[str] = []
        self.spaces: dict[str, list[str]] = {}  # what each master reaches
        self.done: list[str] = []
        self.project: dict[str, str] = {}
        self.tcl = tkinter.Tcl()
        for name in dir(self):
            if name.startswith("do_"):
                self.tcl.createcommand(name[3:], self._called(getattr(self, name)))
        self.tcl.eval("rename file tcl_file")
        self.tcl.createcommand("copied", lambda *a: self.done.append(f"copy {a[-1]}"))
        self.tcl.eval(
            'proc file {what args} { if {$what eq "copy"} { copied {*}$args } else { tcl_file $what {*}$args } }'
        )
        self.tcl.eval("rename glob tcl_glob")
        self.tcl.eval(
            "proc glob {pattern} { if {[string match project/* $pattern]} { return $pattern }; tcl_glob $pattern }"
        )

    def _called(self, command):
        def call(*arguments):
            try:
                found = command(*[str(a) for a in arguments])
                return "" if found is None else found
            except Refused as error:
                self.refusal = str(error)
                raise

        return call

    def run(self, script: Path) -> None:
        """Source it; `Refused` with the reason where a command stops it."""
        self.refusal = ""
        try:
            self.tcl.eval(f"source {{{script}}}")
        except tkinter.TclError as error:
            raise Refused(self.refusal or str(error)) from None

    def check(self) -> None:
        """`Refused` where an interface, a clock or a reset of the design is open, or a slave has no address."""
        for cell in self.cells.values():
            if cell.ip in ("processing_system7", "zynq_ultra_ps_e"):
                continue
            unused = ("S_AXIS_S2MM", "M_AXI_S2MM") if cell.config.get("c_include_s2mm") == "0" else ()
            for port in cell.ports:
                if f"{cell.name}/{port}" not in self.links and port not in unused:
                    raise Refused(f"{cell.name}/{port} is open")
            for pin, (output, _) in cell.pins.items():
                if cell.ip == "module" and any(pin.startswith(f"{port}_") for port in cell.ports):
                    continue
                if pin == "gpio2_io_i" and cell.config.get("C_IS_DUAL") != "1":
                    if f"{cell.name}/{pin}" in self.nets:
                        raise Refused(f"{cell.name}/{pin} is off: C_IS_DUAL")
                    continue
                if not output and f"{cell.name}/{pin}" not in self.nets:
                    raise Refused(f"{cell.name}/{pin} has no driver")

    def _cell(self, path: str) -> tuple[Cell, str]:
        name, _, end = path.removeprefix("/").partition("/")
        if name not in self.cells:
            raise Refused(f"no cell {name}")
        return self.cells[name], end

    # Project
    def do_create_project(self, *words):
        self.done.append("project")

    def do_current_project(self):
        return "project"

    def do_current_fileset(self):
        return "sources_1"

    def do_add_files(self, *words):
        self.project["files"] = words[-1]

    def do_get_files(self, pattern):
        return pattern

    def do_update_compile_order(self, *words):
        pass

    def do_save_bd_design(self):
        pass

    def do_create_bd_design(self, name):
        self.done.append(name)

    def do_make_wrapper(self, *words):
        return "wrapper"

    def do_launch_runs(self, *words):
        self.done.append(" ".join(words))

    def do_wait_on_run(self, run):
        pass

    def do_get_runs(self, run):
        return run

    def do_open_run(self, run):
        pass

    def do_report_utilization(self, *words):
        self.done.append("utilization")

    def do_report_timing_summary(self, *words):
        self.done.append("timing")

    def do_get_property(self, name, of):
        return "100%" if name == "PROGRESS" else ""

    def do_get_board_parts(self, *words):
        pattern = re.escape(words[-1]).replace(r"\*", ".*")
        return self.tcl.eval("list " + " ".join(b for b in self.boards if re.fullmatch(pattern, b)))

    def do_get_ipdefs(self, flag, condition):
        name = condition.split()[-1]
        if name not in PROPERTIES:
            raise Refused(f"no IP {name}")
        return f"xilinx.com:ip:{name}:1.0"

    # Block design
    def do_create_bd_cell(self, *words):
        options = dict(zip(words[:-1:2], words[1::2], strict=False))
        name = words[-1]
        if name in self.cells:
            raise Refused(f"a second cell {name}")
        if options["-type"] == "module":
            self.cells[name] = module_cell(name, self.folder / "sources" / f"{options['-reference']}.v")
        else:
            self.cells[name] = ip_cell(name, options["-vlnv"].split(":")[2])
        return f"/{name}"

    def do_set_property(self, *words):
        if words[0] != "-dict":
            return
        cell, _ = self._cell(words[2])
        pairs = self.tcl.splitlist(words[1])
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            name = str(key).removeprefix("CONFIG.")
            if name not in PROPERTIES[cell.ip].split():
                raise Refused(f"{cell.ip} has no property {name}")
            cell.config[name] = str(value)

    def do_get_bd_pins(self, *words):
        if words[0] == "-filter":
            return "/reset/peripheral_aresetn"
        cell, pin = self._cell(words[0])
        if pin not in cell.pins:
            raise Refused(f"{cell.name} has no pin {pin}")
        return f"/{cell.name}/{pin}"

    def do_get_bd_intf_pins(self, path):
        cell, port = self._cell(path)
        if port not in cell.ports:
            raise Refused(f"{cell.name} has no interface {port}")
        return f"/{cell.name}/{port}"

    def do_get_bd_nets(self, *words):
        pin = words[-1].removeprefix("/")
        return pin if pin in self.nets else ""

    def do_connect_bd_net(self, source, *pins):
        for pin in pins:
            cell, name = self._cell(pin)
            if cell.pins[name][0] or f"{cell.name}/{name}" in self.nets:
                raise Refused(f"{pin} is driven already")
            own = source.removeprefix("/").partition("/")
            bits = self.cells[own[0]].pins[own[2]][1] if own[0] in self.cells else 1
            if bits != cell.pins[name][1]:
                raise Refused(f"{pin} has {cell.pins[name][1]} bits, {source} {bits}")
            self.nets[f"{cell.name}/{name}"] = source

    def do_connect_bd_intf_net(self, one, other):
        (a, port), (b, partner) = self._cell(one), self._cell(other)
        if a.ports[port] != (True, AXIS) or b.ports[partner] != (False, AXIS):
            raise Refused(f"{one} and {other} are no master and slave of one protocol")
        widths = a.width(port), b.width(partner)
        if None not in widths and widths[0] != widths[1]:
            raise Refused(f"{one} has {widths[0]} bits, {other} {widths[1]}")
        self._join(f"{a.name}/{port}", f"{b.name}/{partner}")

    def _join(self, one: str, other: str) -> None:
        for end in (one, other):
            if end in self.links and not end.startswith("ps/"):
                raise Refused(f"{end} is connected already")
        self.links[one], self.links[other] = other, one

    def do_apply_bd_automation(self, *words):
        options = dict(zip(words[::2], words[1::2], strict=False))
        rule, target = options["-rule"], words[-1]
        cell, port = self._cell(target)
        if rule != "xilinx.com:bd_rule:axi4":
            if rule.rsplit(":", 1)[1] != cell.ip:
                raise Refused(f"{rule} is no rule for {cell.ip}")
            return
        pairs = [str(word) for word in self.tcl.splitlist(options["-config"])]
        master, end = self._cell(dict(zip(pairs[::2], pairs[1::2], strict=True))["Master"])
        if not master.ports[end][0] or cell.ports[port][0]:
            raise Refused(f"{master.name}/{end} and {target} are no master and slave")
        for own, used in ((master, end), (cell, port)):
            if used in SWITCHES and own.config.get(SWITCHES[used]) != "1":
                raise Refused(f"{own.name}/{used} is off: {SWITCHES[used]}")
        self._join(f"{master.name}/{end}", f"{cell.name}/{port}")
        for own in (master, cell):  # it also connects clock and reset of both
            for pin, (output, bits) in own.pins.items():
                if not output and bits == 1 and (pin.endswith(("aclk", "aresetn", "resetn")) and own.ip != "module"):
                    self.nets.setdefault(f"{own.name}/{pin}", "automation")

    def do_assign_bd_address(self):
        self.memory_map = [
            end
            for end in self.links
            if not self._cell(end)[0].ports[end.partition("/")[2]][0]
            and self._cell(end)[0].ports[end.partition("/")[2]][1] != AXIS
        ]
        for end in self.memory_map:
            self.spaces.setdefault(self.links[end], []).append(end)

    def do_validate_bd_design(self):
        if not self.memory_map:
            raise Refused("no slave has an address")
        self.check()
