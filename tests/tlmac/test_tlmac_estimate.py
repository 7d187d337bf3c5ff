"""The cost model against synthesis: every layer within 10 % (or a handful of cells, where there are few)."""

import dataclasses
import os
import threading

import numpy as np
import pytest

import bitwright as bw
from bitwright.hardware.memory import block_ram, column_luts, distinct_columns, lut_ram, mux, rom_luts
from bitwright.hardware.modules.pool_reduce import PoolReduce
from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Conv2d, Requantize, Threshold
from bitwright.synthesis import synthesize
from bitwright.targets import get
from bitwright.targets.contract import make_options
from bitwright.targets.tlmac.circuit.stages import post_module
from bitwright.targets.tlmac.circuit.units import Post
from bitwright.targets.tlmac.model.cost import tree

TLMAC = get("tlmac")


def test_adder_trees_are_counted_exactly():
    """Figures of Yosys 0.70 for module tlmac_sum_tree: (lanes, bits, levels, out) to (LUT, FF, CARRY4)."""
    measured = {(16, 2, 4, 6): (41, 56, 18), (13, 1, 4, 4): (26, 35, 6), (7, 5, 3, 8): (33, 45, 12)}
    for shape, cells in measured.items():
        found = tree(*shape)
        assert (found.lut, found.ff, found.carry) == cells


def test_memories_are_counted_as_yosys_builds_them():
    assert [rom_luts(depth) for depth in (49, 64, 100, 128, 256, 500)] == [1, 1, 2, 2, 4, 9]
    assert [lut_ram(32, depth) for depth in (64, 128)] == [40, 80 + 32 + 2]
    assert [mux(n) for n in (1, 2, 4, 16, 32)] == [0, 1, 1, 5, 11]
    assert [block_ram(72, 500).bram36, block_ram(144, 600).bram36] == [1.0, 4.0]


def test_regular_rom_columns_are_cheap():
    address = np.arange(128)
    assert column_luts(np.zeros(128, np.uint8)) == 0
    assert column_luts((address >> 3 & 1).astype(np.uint8)) == 0  # a register of the address bit
    assert column_luts((~address >> 3 & 1).astype(np.uint8)) == 1
    assert column_luts((address % 64 > 40).astype(np.uint8)) == 1
    assert column_luts(np.random.default_rng(0).integers(0, 2, 128).astype(np.uint8)) == 2


def test_shared_thresholds_need_neither_tiles_nor_carries():
    """Levels of 4 bits of which at most 2 vary: one LUT each, whatever the number of channels."""
    op = Threshold(np.arange(1, 15, 2)[None], IntType(3))
    parts = {}
    for channels in (2, 256):
        module = post_module(Post("t", op, channels, IntType(4), IntType(3)), 2, 1)
        parts[channels] = module.cost
    assert parts[2] == parts[256]
    assert (parts[2].lut, parts[2].carry) == (25, 0)  # as in Yosys: 19 of the pipeline, 3 comparisons a lane


def test_narrow_maxima_compare_in_one_lut():
    three, four, eight = (PoolReduce(10, bits, bits, False, False, 9).cost for bits in (3, 4, 8))
    assert four.lut - three.lut == 10
    assert (four.carry - three.carry, eight.carry - three.carry) == (10, 10)


def test_a_constant_power_of_two_needs_no_multiplier():
    """Of 256 channels on 2 lanes: nothing reads the tile, either."""
    parts = {}
    for factor in (4, 5):
        op = Requantize(IntType(8), multiplier=np.array([factor]), shift=np.array([6]))
        module = post_module(Post("q", op, 256, IntType(12), IntType(8)), 2, 1)
        parts[factor] = module.cost
    assert (parts[4].dsp, parts[5].dsp) == (0, 2)


def test_the_planner_tells_what_it_compared(random_network):
    network = random_network(3, kernel=(3, 3), weight_bits=(2, 2))
    plan = TLMAC.plan(network, make_options(TLMAC, {"interval": 4000}))
    for unit in (unit for unit in plan.units if unit.mac):
        rows = unit.mac.candidates
        assert rows[0]["element"] == unit.mac.element.kind
        assert rows[0]["fold"] == dataclasses.asdict(unit.mac.fold)
        assert [row["price"] for row in rows] == sorted(row["price"] for row in rows)
        assert all(sum(row["lut_of"].values()) == row["lut"] and row["cycles"] <= 4000 for row in rows)
        assert len({(row["element"], row["taps"]) for row in rows}) == len(rows)
    assert any(len(unit.mac.candidates) > 1 for unit in plan.units if unit.mac)


def test_threads_plan_alike(random_network, monkeypatch):
    """A goal for which FIFOs are looked for; where one layer is refused, no thread works on."""
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    network, before = random_network(132, kernel=(1, 5), weight_bits=(1, 4)), threading.active_count()
    plans = [TLMAC.plan(network, make_options(TLMAC, {"interval": 160, "jobs": jobs})) for jobs in (0, 1, 2)]
    assert len({TLMAC.emit(plan).digest for plan in plans}) == 1
    assert all(plan.estimate == plans[0].estimate for plan in plans)
    assert make_options(TLMAC, {"jobs": 8}).threads == 3
    refusal = TLMAC.plan(network, make_options(TLMAC, {"interval": 2, "jobs": 3}))
    assert "cannot reach interval=2: its fastest circuit takes" in str(refusal)
    assert threading.active_count() == before


def test_shallow_roms_have_equal_columns():
    """Of random columns, as many as Yosys keeps: equal ones are one, constant ones none."""
    assert [distinct_columns(3456, depth) for depth in (2, 4, 49)] == [2, 14, 3456]
    bits = np.random.default_rng(0).integers(0, 2, (300, 8))
    kept = {tuple(column) for column in bits if 0 < column.sum() < 8}
    assert distinct_columns(300, 8) == pytest.approx(len(kept), rel=0.1)


@pytest.mark.slow
def test_the_estimate_holds_where_kernel_rows_stand_side_by_side():
    rng, bits = np.random.default_rng(0), IntType(3, True)
    w = bits.values()[rng.integers(0, 8, (32, 3, 3, 16))]
    conv = Node("conv", Conv2d(w, bits, pads=(1, 1, 1, 1)), ("input",))
    steps = np.sort(rng.integers(-200, 200, (32, 7)), axis=1)
    nodes = (conv, Node("act", Threshold(steps, IntType(3)), ("conv",)))
    network = Network(InputSpec(TensorType((14, 14, 16), IntType(3))), nodes, name="rows")
    setting = {"element": "products", "taps": "columns+rows", "lanes": 144, "outputs": 8, "digit": 3}
    plan = TLMAC.plan(network, make_options(TLMAC, {"layers": {"conv": setting}}))
    (unit,) = synthesize(TLMAC.emit(plan), "xczu3eg").units
    for kind in ("lut", "ff"):
        assert getattr(unit.estimate, kind) == pytest.approx(getattr(unit.resources, kind), rel=0.05)


GOALS = {"TFC_1W2A": (784,), "TFC_2W2A": (784, 196), "kws_finn_submission_v0.7": (1960,)}


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(("name", "goal"), [(name, goal) for name, goals in GOALS.items() for goal in goals])
def test_estimates_hold_for_every_layer(shared_data, name, goal):
    network = bw.load(shared_data / "qonnx" / f"{name}.onnx")
    plan = TLMAC.plan(network, make_options(TLMAC, {"interval": goal}))
    result = synthesize(TLMAC.emit(plan), "xczu3eg")
    for unit in result.units:
        for kind in ("lut", "ff"):
            measured, estimate = getattr(unit.resources, kind), getattr(unit.estimate, kind)
            assert estimate == pytest.approx(measured, rel=0.1, abs=10), f"{unit.name} {kind}"
        assert unit.estimate.bram36 == pytest.approx(unit.resources.bram36, rel=0.1, abs=0.5)
