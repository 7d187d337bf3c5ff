"""A clock as a goal: kept by the model, refused with the nearest, exact in simulation; plans without it as before."""

import itertools

import numpy as np
import pytest
from random_networks import random_input

from bitwright.errors import OptionError
from bitwright.hardware.families import families
from bitwright.hardware.timing.classes import BLOCK, DATA, ENABLE, Carry, Path, Speed, mux, table, wide
from bitwright.hardware.timing.delays import table as delays_table
from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Conv2d, Dense, MaxPool, Threshold
from bitwright.simulation import simulate
from bitwright.targets import get
from bitwright.targets.contract import Refusal, make_options
from bitwright.targets.tlmac.model.clock import ClockGoal
from bitwright.tools.model import Stalls

TLMAC = get("tlmac")
DEVICE = "xczu3eg"
LAYER = {"dense": {"element": "unrolled", "lanes": 12, "outputs": 16, "digit": 2}}


def plan_of(network, **options):
    return TLMAC.plan(network, make_options(TLMAC, options))


@pytest.fixture(scope="module")
def dense():
    """A layer whose graph has several levels of adders, with thresholds behind it."""
    rng = np.random.default_rng(5)
    weights = rng.integers(-7, 8, (16, 12))
    steps = np.sort(rng.integers(-60, 60, (16, 3)), axis=1)
    nodes = (
        Node("dense", Dense(weights, IntType(4, True)), ("input",)),
        Node("steps", Threshold(steps, IntType(2)), ("dense",)),
    )
    return Network(InputSpec(TensorType((12,), IntType(2))), nodes, name="dense")


@pytest.fixture(scope="module")
def image():
    """A convolution with padding, thresholds, a pool."""
    rng = np.random.default_rng(9)
    steps = np.sort(rng.integers(-40, 40, (8, 3)), axis=1)
    nodes = (
        Node("conv", Conv2d(rng.integers(-1, 2, (8, 3, 3, 4)), IntType(2, True), pads=(1, 1, 1, 1)), ("input",)),
        Node("steps", Threshold(steps, IntType(2)), ("conv",)),
        Node("pool", MaxPool((2, 2), (2, 2)), ("steps",)),
    )
    return Network(InputSpec(TensorType((6, 6, 4), IntType(2))), nodes, name="image")


def levels(plan):
    return plan.units[0].mac.element.every


def exact(plan, network):
    """Bit-exact under stalls, and in the cycles of the model without."""
    for stalls in (None, Stalls(3, 0.3, 0.3)):
        result = simulate(TLMAC.emit(plan), random_input(network, 5), stalls=stalls)
        assert result.bit_exact, result.first_mismatch()
        if stalls is None:
            assert result.latency_cycles == plan.estimate.latency_cycles
            assert result.interval_cycles == plan.estimate.interval_cycles


@pytest.mark.parametrize("every", [1, 3])
def test_any_number_of_levels_between_registers_is_exact(dense, every):
    plan = plan_of(dense, layers={"dense": LAYER["dense"] | {"every": every}})
    assert levels(plan) == plan.estimate.layers[0].details["every"] == every
    exact(plan, dense)


def test_fewer_levels_between_registers_take_more_cycles_and_flip_flops(dense):
    plans = [plan_of(dense, layers={"dense": LAYER["dense"] | {"every": every}}) for every in (1, 2, 3, 4)]
    for more, fewer in itertools.pairwise(plans):
        assert more.estimate.latency_cycles >= fewer.estimate.latency_cycles
        assert more.estimate.total.ff >= fewer.estimate.total.ff
    speed = ClockGoal.of(make_options(TLMAC, {"clock": 100, "device": DEVICE})).speed
    periods = [speed.slowest(plan.units[0].mac.element.paths({}))[0] for plan in plans]
    assert periods == sorted(periods)
    assert periods[0] < periods[-1]


def test_a_clock_moves_the_registers_of_an_unrolled_layer(dense):
    options = {"interval": 3, "elements": ("unrolled",), "device": DEVICE}
    slow = plan_of(dense, clock=100, **options)
    assert levels(slow) > 2  # a slow clock saves registers
    limit = slow.estimate.clock.mhz
    fast = plan_of(dense, clock=limit + 20, **options)
    assert levels(fast) < levels(slow)
    assert fast.estimate.clock.mhz >= limit + 20
    assert fast.estimate.total.ff > slow.estimate.total.ff
    exact(fast, dense)
    exact(slow, dense)


def test_a_higher_goal_never_gives_a_slower_clock(dense, image):
    for network, interval in ((dense, 3), (image, 200)):
        found = []
        for goal in range(100, 700, 60):
            plan = plan_of(network, interval=interval, device=DEVICE, clock=goal)
            if isinstance(plan, Refusal):
                break
            assert plan.estimate.clock.mhz >= goal
            found.append(plan.estimate.clock.mhz)
        assert len(found) > 2
        assert found == sorted(found)


def test_every_unit_says_its_clock_and_its_limit(image):
    plan = plan_of(image, interval=200, device=DEVICE, clock=200)
    for layer in plan.estimate.layers:
        assert layer.details["clock_mhz"] >= 200
        assert layer.details["clock_limit"]
    assert plan.estimate.clock.basis == "estimated"
    exact(plan, image)


def test_a_clock_out_of_reach_is_refused_with_the_nearest(image):
    refused = plan_of(image, interval=200, device=DEVICE, clock=900)
    assert isinstance(refused, Refusal)
    problem = refused.problems[0]
    assert problem.node in ("conv", "pool")
    assert f"clock=900 on {DEVICE}" in problem.rule
    nearest = int(problem.legal.removeprefix("clock of at most "))
    assert isinstance(plan_of(image, interval=200, device=DEVICE, clock=1.03 * nearest + 1), Refusal)
    kept = plan_of(image, interval=200, device=DEVICE, clock=nearest)
    assert kept.estimate.clock.mhz >= nearest


def test_without_a_clock_the_plan_is_the_same_and_tells_none(image):
    plain, told = plan_of(image, interval=200), plan_of(image, interval=200, device=DEVICE)
    assert all("clock_mhz" not in layer.details for layer in (*plain.estimate.layers, *told.estimate.layers))
    assert plain.estimate.clock is None
    assert TLMAC.emit(plain).files == TLMAC.emit(told).files


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"clock": 200}, "device"),
        ({"clock": 0.5, "device": DEVICE}, "legal are 1 to 1000"),
        ({"clock": "fast", "device": DEVICE}, "number"),
        ({"layers": {"dense": {"every": 0}}}, "whole number"),
    ],
)
def test_illegal_options(options, said):
    with pytest.raises(OptionError, match=said):
        make_options(TLMAC, options)


@pytest.mark.parametrize("every", [2, 3])
def test_trees_with_fewer_registers_are_exact_and_take_fewer_cycles(image, every):
    fold = {"element": "gates", "lanes": 4, "outputs": 8, "taps": "columns+rows" if every == 3 else "plain"}
    fold |= {"lanes": 36} if every == 3 else {}
    usual, plan = (plan_of(image, layers={"conv": fold | more}) for more in ({}, {"every": every}))
    assert plan.estimate.layers[0].details["every"] == every
    assert plan.estimate.layers[0].resources.ff < usual.estimate.layers[0].resources.ff
    assert plan.estimate.latency_cycles < usual.estimate.latency_cycles
    exact(plan, image)


def test_a_slow_clock_saves_registers_of_trees(image):
    slow, fast = (plan_of(image, interval=200, device=DEVICE, clock=clock, elements=("gates",)) for clock in (80, 340))
    assert slow.estimate.total.ff < fast.estimate.total.ff
    assert slow.units[0].mac.every > 1


@pytest.mark.parametrize("family", families().values(), ids=families())
def test_longer_paths_take_longer(family):
    grade = next(iter(family.delays.grades))
    speed = Speed(family.delays, grade)
    chains = [speed.ns(Path("", (Carry(n),))) for n in (2, 8, 32)]
    assert chains == sorted(chains)
    functions = [speed.ns(Path("", (n,))) for n in range(1, 9)]
    assert functions == sorted(functions)
    assert speed.ns(Path("", (3, 3), 100)) > speed.ns(Path("", (3,), 100)) > speed.ns(Path("", (3,), 1))
    assert speed.ns(Path("", (3,), start=BLOCK)) > speed.ns(Path("", (3,), end=DATA))
    assert speed.ns(Path("", (3,), 1, 500, end=ENABLE)) > speed.ns(Path("", (3,), 1, 1, end=ENABLE))


@pytest.mark.parametrize("family", families().values(), ids=families())
def test_the_times_of_a_family_are_those_of_its_cells(family):
    """Launch and setup of flip-flops and block RAM stand in the table of cells, too."""
    logic, cells = family.delays.logic, family.delays.cells
    stated = {float(word.rpartition("=")[2]) for word in cells.split() if ">" in word and "/" not in word}
    assert logic.launch["register"] == family.delays.register[0]
    blocks = "-nodsp" not in family.synthesis  # else multipliers are logic, and no cell has their time
    assert {ns for name, ns in logic.launch.items() if blocks or name != "multiplier"} <= stated
    assert {ns for name, ns in logic.setup.items() if name not in ("data", "write", "enable")} <= stated
    assert delays_table(cells, family.delays.direct)


def test_functions_of_many_inputs():
    assert wide(6) == (6,)
    assert wide(20) == (6, 4)
    assert mux(1) == ()
    assert mux(4) == (6,)
    assert mux(16) == (6, 6)
    assert table(6) == (6,)
    assert len(table(10)) == 2
