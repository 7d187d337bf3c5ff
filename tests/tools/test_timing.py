"""Static timing: paths of hand-made netlists whose delays are known, for each family."""

import json
from itertools import pairwise

import pytest

from bitwright.devices import DEVICES
from bitwright.errors import ToolError
from bitwright.hardware.families import families
from bitwright.hardware.timing import analyze, flatten, read_modules
from bitwright.hardware.timing.delays import table
from bitwright.hardware.timing.routed import routed_path
from bitwright.tools.nextpnr import Segment

FF = {
    "ecp5": ("TRELLIS_FF", "CLK", "DI", "Q"),
    "xc7": ("FDRE", "C", "D", "Q"),
    "xcup": ("FDRE", "C", "D", "Q"),
}
OUTPUTS = {"Q", "Z", "O", "CO", "P", "COUT", "S0", "S1", "DO", "DOADO", "DOUTADOUT", "DOA0", "P0", "DOA", "O5", "O6"}


def cell(kind, parameters=None, **ports):
    """A cell as Yosys writes it; ports: a net, or nets from bit 0 upwards."""
    bits = {name: nets if isinstance(nets, list) else [nets] for name, nets in ports.items()}
    ways = {name: "output" if name in OUTPUTS else "input" for name in ports}
    return {
        "type": kind,
        "parameters": parameters or {},
        "attributes": {},
        "port_directions": ways,
        "connections": bits,
    }


def register(family, d, q):
    kind, clock, data, out = FF[family]
    return cell(kind, **{clock: 2, data: d, out: q})


def netlist(cells, nets, ports=None, **modules):
    """Modules of a top with these cells; nets: names by number; clock is net 2."""
    ports = {"clk_i": ("input", [2])} | (ports or {})
    top = {
        "attributes": {},
        "ports": {name: {"direction": way, "bits": bits} for name, (way, bits) in ports.items()},
        "cells": cells,
        "netnames": {name: {"bits": [net], "attributes": {}} for net, name in nets.items()},
    }
    return flatten({"top": top, **modules}, "top")


def wire(family, fanout=1, block=0):
    """Delay of a wire at the middle estimate."""
    model = families()[family].delays.nets[1]
    return model.base + model.slope * {1: 1, 3: 2, 7: 3, 63: 6, 127: 7}[fanout] + model.block * block


def worst(cells, nets, family, grade, ports=None):
    return analyze(netlist(cells, nets, ports), families()[family], grade).paths[0]


def test_a_path_through_two_luts_of_the_ecp5():
    cells = {
        "a": register("ecp5", 9, 3),
        "l0": cell("LUT4", A=3, Z=4),
        "l1": cell("LUT4", D=4, Z=5),
        "b": register("ecp5", 5, 6),
    }
    path = worst(cells, {3: "a_q", 6: "b_q"}, "ecp5", "6")
    assert path.ns == pytest.approx(0.525 + 2 * (wire("ecp5") + 0.236) + 0.1)  # 0.1: from a LUT to its register
    assert path.net_ns == pytest.approx(2 * wire("ecp5") + 0.1)
    assert (path.levels, path.cells, path.start.name, path.end.name) == (2, {"LUT4": 2}, "a_q", "b_q")
    fast = worst(cells, {3: "a_q", 6: "b_q"}, "ecp5", "8")
    assert fast.ns == pytest.approx(path.ns * families()["ecp5"].delays.grades["8"])


def test_a_carry_chain_of_the_ecp5_and_its_wide_luts():
    cells = {
        "a": register("ecp5", 90, 3),
        "c0": cell("CCU2C", A0=3, COUT=4),
        "c1": cell("CCU2C", CIN=4, COUT=5),
        "c2": cell("CCU2C", CIN=5, S1=6),
        "b": register("ecp5", 6, 7),
        "l": cell("LUT4", A=7, Z=8),
        "m": cell("PFUMX", ALUT=8, Z=10),
        "d": register("ecp5", 10, 11),
    }
    found = analyze(netlist(cells, {3: "a_q", 7: "b_q", 11: "d_q"}), families()["ecp5"], "6")
    chain, wide = found.paths
    assert chain.ns == pytest.approx(0.525 + wire("ecp5") + 0.518 + 0.071 + 0.443 + 0.1)
    assert wide.ns == pytest.approx(0.525 + wire("ecp5") + 0.236 + 0.165 + 0.1)


@pytest.mark.parametrize(("family", "lut", "chain"), [("xc7", 0.642, 0.508 + 0.114), ("xcup", 0.150, 0.186 + 0.035)])
def test_a_carry_chain_behind_a_lut(family, lut, chain):
    grade = {"xc7": "1", "xcup": "2"}[family]
    cells = {
        "a": register(family, 90, 3),
        "l": cell("LUT6", I0=3, O=4),
        "c0": cell("CARRY4", CI="0", S=[4, "0", "0", "0"], DI=["0"] * 4, CO=[20, 21, 22, 5], O=[23, 24, 25, 26]),
        "c1": cell("CARRY4", CI=5, S=["0"] * 4, DI=["0"] * 4, CO=[30, 31, 32, 6], O=[33, 34, 35, 36]),
        "c2": cell("CARRY4", CI=6, S=["0"] * 4, DI=["0"] * 4, CO=[40, 41, 42, 43], O=[7, 44, 45, 46]),
        "b": register(family, 7, 8),
    }
    path = worst(cells, {3: "a_q", 8: "b_q"}, family, grade)
    q, setup, last = {"xc7": (0.303, 0.0, 0.222), "xcup": (0.077, 0.025, 0.056)}[family]
    direct = {"xc7": 0.0, "xcup": 0.015 + 0.025}[family]  # LUT to carry, carry to register
    assert path.ns == pytest.approx(q + wire(family) + lut + chain + last + direct + setup)
    assert path.cells == {"LUT6": 1, "CARRY4": 3}
    assert "carry chain" not in path.hint


def test_the_second_output_of_a_pair_of_luts_follows_what_its_table_depends_on():
    """Full adders whose carries go to the next pair's I4, as in ternary adders: no ripple."""
    tables = [[f(v) for v in range(32)] for f in (lambda v: (v & 3) == 3, lambda v: (v & 3) % 3 != v >> 4 & 1)]
    init = "".join(str(int(bit)) for half in reversed(tables) for bit in reversed(half))
    cells = {"a": register("xcup", 90, 3), "b": register("xcup", 44, 45)}
    for i in range(4):
        cells[f"l{i}"] = cell("LUT6_2", {"INIT": init}, I0=3, I4=50 + i, I5="1", O5=51 + i, O6=41 + i)
    path = worst(cells, {3: "a_q", 45: "b_q"}, "xcup", "2")
    assert path.cells == {"LUT6_2": 2}


def test_a_long_carry_chain_is_told():
    """Five cells, as Yosys maps a sum of 20 bits for UltraScale+, too."""
    cells = {"a": register("xcup", 90, 3), "b": register("xcup", 60, 61)}
    zeros = {"S": ["0"] * 4, "DI": ["0"] * 4}
    for i in range(5):
        first = {**zeros, "S": [3, "0", "0", "0"]} if i == 0 else zeros
        carry = [100 + i, 110 + i, 120 + i, 50 + i]
        sums = [60 if i == 4 else 70 + i, 130 + i, 140 + i, 150 + i]
        cells[f"c{i}"] = cell("CARRY4", CI=49 + i if i else "0", CO=carry, O=sums, **first)
    path = worst(cells, {3: "a_q", 61: "b_q"}, "xcup", "2")
    assert (path.levels, path.hint) == (5, "a carry chain of 5 cells: split the sum or the compare")


@pytest.mark.parametrize(
    ("family", "kind", "port", "parameter", "plain", "registered"),
    [
        ("xc7", "RAMB36E1", "DOADO", "DOA_REG", 2.454, 0.882),
        ("xcup", "RAMB36E2", "DOUTADOUT", "DOA_REG", 0.926, 0.220),
        ("ecp5", "DP16KD", "DOA0", "REGMODE_A", 5.609, 0.956),
    ],
)
def test_a_block_ram_with_and_without_its_output_register(family, kind, port, parameter, plain, registered):
    for register_used, launch in ((False, plain), (True, registered)):
        value = {"DOA_REG": "01"[register_used], "REGMODE_A": ("NOREG", "OUTREG")[register_used]}[parameter]
        cells = {"r": cell(kind, {parameter: value}, **{port: 3}), "b": register(family, 3, 4)}
        path = worst(cells, {3: "word", 4: "b_q"}, family, {"xc7": "1", "xcup": "2", "ecp5": "6"}[family])
        setup = 0.025 if family == "xcup" else 0.0
        assert path.ns == pytest.approx(launch + wire(family, block=1) + setup)
        assert ("no output register" in path.hint) is not register_used


@pytest.mark.parametrize(
    ("registers", "ns"),
    [
        ("", [(0.303 + 2.823, 2)]),  # A to P in one stage, two wires
        ("AM", [(0.303 + 0.254, 1), (1.671, 1)]),  # to register A; from register M to P
        ("AMP", [(0.303 + 0.254, 1), (0.329, 1)]),
        ("P", [(0.303 + 2.739, 1), (0.329, 1)]),
    ],
)
def test_a_multiplier_with_some_of_its_registers(registers, ns):
    parameters = {f"{name}REG": str(int(name in registers)) for name in "ABCMP"}
    cells = {
        "a": register("xc7", 90, 3),
        "d": cell("DSP48E1", parameters, A=[3], P=[4]),
        "b": register("xc7", 4, 5),
    }
    found = analyze(netlist(cells, {3: "a_q", 5: "b_q"}), families()["xc7"], "1")
    wires = wire("xc7", block=1)
    assert [path.ns for path in found.paths] == pytest.approx(
        sorted((cells_ns + count * wires for cells_ns, count in ns), reverse=True)
    )


def test_the_multiplier_of_the_ecp5():
    inside = {"REG_INPUTA_CLK": "NONE", "REG_PIPELINE_CLK": "NONE", "REG_OUTPUT_CLK": "NONE"}
    for parameters, ns in ((inside, 0.525 + 3.927), ({**inside, "REG_OUTPUT_CLK": "CLK0"}, 0.525 + 3.486)):
        cells = {
            "a": register("ecp5", 90, 3),
            "m": cell("MULT18X18D", parameters, A0=3, P0=4),
            "b": register("ecp5", 4, 5),
        }
        path = worst(cells, {3: "a_q", 5: "b_q"}, "ecp5", "6")
        assert path.ns == pytest.approx(ns + wire("ecp5", block=1) * (2 if parameters is inside else 1))
        assert "multiplier" in path.hint


def test_memories_in_luts():
    """A read is logic, a write a setup time, and what is written leaves at the next edge."""
    ports = {"ADDRA": [3, 3, 3, 3, 3], "DIA": [4, "0"], "DOA": [5, 6]}
    cells = {"a": register("xc7", 90, 3), "r": cell("RAM32M", **ports), "b": register("xc7", 5, 7)}
    found = analyze(netlist(cells, {3: "a_q", 7: "b_q"}, {"d_i": ("input", [4])}), families()["xc7"], "1")
    model = families()["xc7"].delays.nets[1]
    five = model.base + model.slope * 2.584963  # a wire of fan-out 5
    by_end = {(p.start.name, p.end.pin): p.ns for p in found.paths}
    assert by_end["a_q", "D"] == pytest.approx(0.303 + five + 0.642 + wire("xc7"))
    assert by_end["d_i", "DIA"] == pytest.approx(0.303 + wire("xc7") + 0.453)


def test_paths_through_ports_take_a_register_beyond_them():
    cells = {"a": register("ecp5", 3, 4), "l": cell("LUT4", A=4, Z=5)}
    ports = {"d_i": ("input", [3]), "o": ("output", [5])}
    found = analyze(netlist(cells, {4: "a_q"}, ports), families()["ecp5"], "6")
    assert found.inside_mhz is None
    assert found.slowest == pytest.approx(
        {"input to register": 0.525 + wire("ecp5"), "register to output": 0.525 + 2 * wire("ecp5") + 0.236}
    )
    assert found.fmax_mhz.mid == pytest.approx(1e3 / found.slowest["register to output"])
    assert found.fmax_mhz.low < found.fmax_mhz.mid < found.fmax_mhz.high


def test_fan_out_slows_a_wire_and_is_told():
    loads = {f"b{i}": register("ecp5", 3, 10 + i) for i in range(127)}
    path = worst({"a": register("ecp5", 90, 3), **loads}, {3: "enable_q", 10: "b_q"}, "ecp5", "6")
    assert path.ns == pytest.approx(0.525 + wire("ecp5", fanout=127))
    assert (path.fanout, "fan-out of 127 of enable_q" in path.hint) == (127, True)


def test_loops_are_left_out_and_told():
    cells = {
        "a": register("ecp5", 90, 3),
        "l0": cell("LUT4", A=3, B=5, Z=4),
        "l1": cell("LUT4", A=4, Z=5),
        "b": register("ecp5", 4, 6),
    }
    found = analyze(netlist(cells, {3: "a_q", 4: "ring", 5: "back", 6: "b_q"}), families()["ecp5"], "6")
    assert found.loops == ("back", "ring")
    fanout_two = wire("ecp5") + families()["ecp5"].delays.nets[1].slope * 0.584963
    assert found.slowest["register to register"] == pytest.approx(0.525 + wire("ecp5") + 0.236 + fanout_two)


def test_cells_without_delays_are_told():
    cells = {"a": register("xcup", 90, 3), "x": cell("MYSTERY", A=3, Q=4), "b": register("xcup", 4, 5)}
    found = analyze(netlist(cells, {3: "a_q", 5: "b_q"}), families()["xcup"], "2")
    assert found.unknown == {"MYSTERY": 1}
    assert found.paths[0].ns == pytest.approx(0.077 + wire("xcup") + 0.025)


def inner(passed=False):
    """A module with a register between its ports; with `passed`, its input leaves it, too."""
    ports = {"clk_i": ("input", [2]), "d": ("input", [3]), "o": ("output", [4])} | (
        {"same": ("output", [3])} if passed else {}
    )
    return {
        "attributes": {},
        "ports": {name: {"direction": way, "bits": bits} for name, (way, bits) in ports.items()},
        "cells": {"r": register("ecp5", 3, 4)},
        "netnames": {"data_q": {"bits": [4], "attributes": {}}},
    }


def test_modules_take_the_place_of_their_instances():
    """Names get the path of the instance, layers the unit's name; a port that is passed on is one net."""
    ports = {"d_i": ("input", [9])}
    cells = {
        "u_0": cell("stage", clk_i=2, d=9, o=10) | {"port_directions": {"clk_i": "input", "d": "input", "o": "output"}},
        "u_1": cell("last", clk_i=2, d=10, o=11, same=12)
        | {"port_directions": {"clk_i": "input", "d": "input", "o": "output", "same": "output"}},
        "l": cell("LUT4", A=12, Z=13),
        "b": register("ecp5", 13, 14),
    }
    whole = netlist(cells, {14: "end_q"}, ports, stage=inner(), last=inner(passed=True))
    layers = {"": "top", "stage": "first", "last": "second"}
    paths = {p.end.name: p for p in analyze(whole, families()["ecp5"], "6", layers).paths}
    assert paths["u_1.data_q"].start.name == "u_0.data_q"
    assert (paths["u_1.data_q"].start.layer, paths["u_1.data_q"].end.layer) == ("first", "second")
    assert (paths["u_1.data_q"].end.module, paths["u_1.data_q"].end.instance) == ("last", "u_1")
    assert "leaves first for second" in paths["u_1.data_q"].hint
    slope = families()["ecp5"].delays.nets[1].slope
    assert paths["end_q"].ns == pytest.approx(0.525 + wire("ecp5", fanout=3) - slope * 0.415037 + 0.236 + 0.1)
    assert paths["end_q"].end.layer == "top"


def test_a_routed_path_has_the_same_form():
    cells = {"a": register("ecp5", 90, 3), "l": cell("LUT4", A=3, Z=4), "b": register("ecp5", 4, 5)}
    flat = netlist(cells, {3: "a_q", 5: "b_q"})
    segments = [
        Segment("clk-to-q", 0.5, "a", "Q"),
        Segment("routing", 1.0, "l", "A"),
        Segment("logic", 0.2, "l", "F"),
        Segment("routing", 0.3, "b", "DI"),
        Segment("setup", 0.1, "b", "DI"),
    ]
    path = routed_path(flat, segments, families()["ecp5"], {"": "top"})
    assert (path.routed_ns, path.logic_ns, path.net_ns) == pytest.approx((2.1, 0.8, 1.3))
    assert (path.start.name, path.end.name, path.cells, path.exact) == ("a_q", "b_q", {"LUT4": 1}, True)
    assert routed_path(flat, [], families()["ecp5"], {}) is None


def test_ends_after_routing_come_first():
    """The estimate says b, the router c."""
    cells = {
        "a": register("ecp5", 90, 3),
        "l": cell("LUT4", A=3, Z=4),
        "b": register("ecp5", 4, 5),
        "c": register("ecp5", 3, 6),
    }
    flat = netlist(cells, {3: "a_q", 5: "b_q", 6: "c_q"})
    routed = {("b", "DI"): 2.0, ("c", "DI"): 3.5}
    found = analyze(flat, families()["ecp5"], "6", routed=routed).paths
    assert [(p.end.name, p.routed_ns) for p in found] == [("c_q", 3.5), ("b_q", 2.0)]
    assert analyze(flat, families()["ecp5"], "6").paths[0].end.name == "b_q"


def test_every_device_has_a_speed_grade_with_a_factor():
    for device in DEVICES.values():
        assert device.grade in device.traits.delays.grades
        assert device.grade in device.part
    for family in families().values():
        low, mid, high = family.delays.nets
        for slow, fast in pairwise((low, mid, high)):
            assert (slow.base, slow.slope, slow.block) >= (fast.base, fast.slope, fast.block)


@pytest.mark.parametrize("name", sorted(families()))
def test_the_tables_are_whole(name):
    """Every row has arcs, and each kind of cell that counts has delays."""
    delays = families()[name].delays
    lines = [line.split() for line in delays.cells.splitlines() if line.strip()]
    assert all(any(">" in word for word in words[1:]) for words in lines)
    assert table(delays.cells, delays.direct)
    with pytest.raises(ValueError, match="no delay"):
        table("LUT4 A>Z", "")


def test_what_is_no_netlist_is_refused(tmp_path):
    for text in ("", "{", "[]", json.dumps({"cells": 1})):
        (tmp_path / "wiring.json").write_text(text)
        with pytest.raises(ToolError, match="no netlist"):
            read_modules(tmp_path / "wiring.json")
    with pytest.raises(ToolError, match="no module 'top'"):
        flatten({}, "top")
