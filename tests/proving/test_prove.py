"""Netlists against RTL, RTL against the network; faults in either are found."""

import json

import numpy as np
import pytest

import bitwright as bw
from bitwright import cli
from bitwright.devices import find_device
from bitwright.errors import OptionError
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, evaluate, ops
from bitwright.proving import equivalence as eq
from bitwright.proving import graph as graphs
from bitwright.proving.deadlock import SHOWN as CERTIFIED
from bitwright.proving.units import EXHAUSTIVE, exhaustive
from bitwright.tools import yosys

PART = find_device("xczu3eg")


def network():
    """A dense layer with thresholds."""
    rng = np.random.default_rng(0)
    nodes = [
        Node("fc", ops.Dense(rng.integers(-2, 2, (4, 6)), IntType(2, True)), ("input",)),
        Node("step", ops.Threshold([[-3, 0, 4]], IntType(2)), ("fc",)),
    ]
    return Network(InputSpec(TensorType((6,), IntType(2))), nodes, name="small")


def sums():
    """A sum of a value and its table: a unit of two operands."""
    t = IntType(2)
    nodes = [
        Node("table", ops.Lookup(t, [[0, 3, 1, 2]], t), ("input",)),
        Node("sum", ops.Add(), ("table", "input")),
    ]
    return Network(InputSpec(TensorType((2, 2, 3), t)), nodes, name="sums")


@pytest.fixture(scope="module")
def design():
    return bw.compile(network(), "tlmac", interval=24, bram36=0, dsp=0)


def chain(start=0, wrap=5):
    """A counter of three bits, 0 to `wrap`, as a graph that says when it is 7."""
    a, b, c = 2, 4, 6
    ands = []

    def both(x, y):
        ands.append((max(x, y), min(x, y)))
        return 2 * (3 + len(ands))

    last = both(both(a if wrap & 1 else a ^ 1, b if wrap & 2 else b ^ 1), c if wrap & 4 else c ^ 1)
    ab = both(a, b)
    odd = both(both(a, b) ^ 1, both(a ^ 1, b ^ 1) ^ 1)
    top = both(both(ab, c) ^ 1, both(ab ^ 1, c ^ 1) ^ 1)
    following = [both(x, last ^ 1) for x in (a ^ 1, odd, top)]
    seven = both(ab, c)
    names = {i: f"u_gold.n[{i}]" for i in range(3)}
    state = np.array([start >> i & 1 for i in range(3)], bool)
    return graphs.Graph((), np.array(following), state, (seven,), np.array(ands, np.int64), names)


def test_graphs_are_written_read_and_simulated(tmp_path):
    graph = chain(start=2)
    graphs.write(graph, tmp_path / "a.aig")
    (tmp_path / "a.map").write_text("".join(f"latch {i} {i} u_gold.n\n" for i in range(3)))
    read = graphs.read(tmp_path / "a.aig", tmp_path / "a.map")
    assert (read.ands == graph.ands).all()
    assert (read.latches == graph.latches).all()
    assert (read.start == graph.start).all()
    assert (read.outputs, read.names) == (graph.outputs, graph.names)
    state = np.where(read.start, ~np.uint64(0), np.uint64(0))
    seen = np.zeros((9, 3), np.uint64)
    assert graphs.simulate(read, np.zeros((9, 0), np.uint64), state, seen) == 0
    assert [int(sum((w & 1) << i for i, w in enumerate(row))) for row in seen] == [3, 4, 5, 0, 1, 2, 3, 4, 5]


def test_bounds_of_registers_are_seen_and_told():
    graph = chain()
    groups = list(graphs.vectors(graph, "u_gold."))
    assert groups == [[0, 1, 2]]
    assert graphs.bounds(graph, groups, 300) == [5]
    more = graphs.with_bounds(graph, groups, [5])
    at_bound, beyond = more.outputs[1:]
    for value in range(8):
        state = np.array([~np.uint64(0) if value >> i & 1 else np.uint64(0) for i in range(3)])
        for literal, expected in ((at_bound, value == 5), (beyond, value > 5)):
            one = graphs.replace(more, outputs=(literal,))
            assert graphs.simulate(one, np.zeros((1, 0), np.uint64), state.copy()) == expected


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tlmac_accumulator.sv", "Bits'(sum_i)", "Bits'(sum_i) + 1'b1"),
        ("layer_0_dense_post0_s00_l000.mem", None, None),
    ],
)
def test_a_wrong_netlist_is_found(design, monkeypatch, name, old, new):
    real = eq.with_vendor

    def damaged(flat, primitives):
        found = dict(real(flat, primitives))
        if old is None:
            found[name] = "".join(f"{int(w, 16) ^ 1:x}\n" for w in found[name].split())
        else:
            assert old in found[name]
            found[name] = found[name].replace(old, new)
        return found

    monkeypatch.setattr(eq, "with_vendor", damaged)
    found = eq.equivalence(design.files, design.units[0].top, PART, 500, yosys.find())
    assert found.status == eq.DIFFERS, found


def test_all_operands_or_not():
    made = sums()
    x = np.random.default_rng(0).integers(0, 4, (200, 2, 2, 3))
    values = {"input": x, **evaluate(made, x)}
    assert exhaustive(made, ["table"], values)
    assert not exhaustive(made, ["table"], {"input": x.clip(1)})
    assert not exhaustive(made, ["sum"], values)  # of its 16 pairs four come
    assert exhaustive(made, ["table", "sum"], values)
    dense = network()
    assert not exhaustive(dense, ["fc", "step"], {"input": np.zeros((1, 6), np.int64)})


def test_the_command(design, tmp_path, capsys):
    bw.save_design(design, tmp_path / "build")
    assert cli.main(["prove", str(tmp_path / "build"), "--frames", "20", "--cycles", "300", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [u["netlist"]["status"] for u in told["units"]] == [eq.PROVEN] * len(told["units"])
    assert all(u["mismatches"] == 0 and u["values"] for u in told["units"] if u["operation"])
    assert all(u["netlist"]["registers"] and u["netlist"]["cycles"] == 300 * 64 for u in told["units"])
    assert told["good"]
    assert told["deadlock"]["status"] == CERTIFIED
    assert told["deadlock"]["channels"]


def test_what_cannot_be_decided_is_said(design):
    found = eq.equivalence(design.files, design.units[0].top, find_device("ecp5-85k"), 100, yosys.find())
    assert (found.status, "ecp5" in found.reason) == (eq.SKIPPED, True)
    with pytest.raises(OptionError, match="legal are 64 to"):
        bw.prove(design, np.zeros((1, 6), np.int64), cycles=1)


def test_a_prover_that_gives_up_leaves_what_was_simulated(design, monkeypatch, tmp_path):
    """As one that runs out of memory."""
    monkeypatch.setattr(eq, "CORRESPONDENCE", "no_such_command")
    found = eq.equivalence(design.files, design.units[0].top, PART, 500, yosys.find(), cache_dir=tmp_path)
    assert (found.status, found.reason) == (eq.TESTED, "ABC ended without an answer")
    assert found.cycles == 500 * eq.LANES


def test_exhaustive_units_are_called_so():
    made = bw.compile(sums(), "tlmac")
    x = np.random.default_rng(0).integers(0, 4, (200, 2, 2, 3))
    found = bw.prove(made, x, cycles=200)
    assert found.good
    assert EXHAUSTIVE in {unit.operation for unit in found.units}
