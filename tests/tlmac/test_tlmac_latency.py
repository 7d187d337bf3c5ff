"""A goal of latency: kept, exactly as estimated, with less hardware than one goal for all layers takes."""

import numpy as np
import pytest

from bitwright.errors import OptionError
from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Add, Conv2d, Dense, Flatten, Requantize
from bitwright.simulation import simulate
from bitwright.targets import get
from bitwright.targets.contract import Refusal, make_options
from bitwright.targets.goals import Goals, reach
from bitwright.tools.model import Stalls

TLMAC = get("tlmac")
INT3, UINT4 = IntType(3, True), IntType(4)


def plan_of(network, **options):
    return TLMAC.plan(network, make_options(TLMAC, options))


def dense(rng, name, source, inputs, outputs):
    weight = Dense(rng.integers(-4, 4, (outputs, inputs)), INT3, bias=rng.integers(-99, 99, outputs))
    scale = Requantize(UINT4, rng.integers(900, 3000, outputs), 16)
    return Node(name, weight, (source,)), Node(f"{name}_scale", scale, (name,))


@pytest.fixture(scope="module")
def uneven():
    """A large layer in front of small ones."""
    rng = np.random.default_rng(5)
    nodes = (
        *dense(rng, "large", "input", 192, 96),
        *dense(rng, "middle", "large_scale", 96, 32),
        *dense(rng, "small", "middle_scale", 32, 8),
    )
    return Network(InputSpec(TensorType((192,), UINT4)), nodes, name="uneven")


@pytest.fixture(scope="module")
def branches():
    """Two convolutions that meet again, and a layer behind them."""
    rng = np.random.default_rng(6)

    def conv(name, source, channels, outputs, kernel):
        pads = (kernel // 2,) * 4
        weight = Conv2d(rng.integers(-4, 4, (outputs, kernel, kernel, channels)), INT3, pads=pads)
        return Node(name, weight, (source,)), Node(f"{name}_scale", Requantize(UINT4, 5000, 18), (name,))

    nodes = (
        *conv("a", "input", 4, 8, 3),
        *conv("b", "a_scale", 8, 8, 3),
        Node("sum", Add(), ("b_scale", "a_scale")),
        Node("sum_scale", Requantize(UINT4, 1 << 15, 16), ("sum",)),
        Node("flat", Flatten(), ("sum_scale",)),
        *dense(rng, "last", "flat", 6 * 6 * 8, 10),
    )
    return Network(InputSpec(TensorType((6, 6, 4), UINT4)), nodes, name="branches")


@pytest.mark.parametrize("latency", [150, 400, 1200])
def test_layers_share_the_latency_so_that_the_least_hardware_is_needed(uneven, latency):
    found = plan_of(uneven, latency=latency)
    assert found.estimate.latency_cycles <= latency
    alike = [plan_of(uneven, interval=interval) for interval in np.geomspace(8, latency, 24).astype(int).tolist()]
    kept = [plan.estimate.total.lut for plan in alike if plan.estimate.latency_cycles <= latency]
    assert kept
    assert found.estimate.total.lut <= min(kept)
    own = {unit.unit.name: unit.mac.cycles for unit in found.units if unit.mac}
    assert own["large"] > 2 * own["small"]


@pytest.mark.slow
@pytest.mark.parametrize(("net", "latency"), [("uneven", 300), ("branches", 500)])
def test_the_circuit_takes_the_cycles_that_were_planned(net, latency, request):
    network = request.getfixturevalue(net)
    plan = plan_of(network, latency=latency)
    x = np.random.default_rng(1).integers(0, 16, (5, *network.input.type.shape))
    found = simulate(TLMAC.emit(plan), x)
    assert found.bit_exact
    assert found.latency_cycles == plan.estimate.latency_cycles <= latency
    assert simulate(TLMAC.emit(plan), x, stalls=Stalls(2, 0.3, 0.3)).bit_exact


def test_an_interval_is_kept_too(branches):
    plan = plan_of(branches, latency=2000, interval=300)
    assert plan.estimate.latency_cycles <= 2000
    assert plan.estimate.interval_cycles <= 300


def test_a_goal_in_microseconds_is_one_of_latency(uneven):
    options, plan = reach(uneven, "tlmac", {}, Goals(latency_us=2.0))
    assert options["latency"] == 400
    assert plan.estimate.latency_cycles <= 400
    assert plan.estimate.total.lut == plan_of(uneven, latency=400).estimate.total.lut


@pytest.mark.parametrize("elements", [None, ("shared",)])
def test_what_is_out_of_reach_names_the_nearest(uneven, elements):
    found = plan_of(uneven, latency=5, elements=elements)
    assert isinstance(found, Refusal)
    (problem,) = found.problems
    assert "latency=5 is out of reach" in problem.rule
    nearest = int(problem.legal.removeprefix("latency of at least "))
    assert nearest > 5
    assert plan_of(uneven, latency=nearest, elements=elements).estimate.latency_cycles <= nearest


@pytest.mark.parametrize("latency", [0, -3, 2.5, True, "soon"])
def test_only_whole_numbers_are_cycles(latency):
    with pytest.raises(OptionError, match="latency must be a whole number of at least 1"):
        make_options(TLMAC, {"latency": latency})


def test_it_is_no_goal_beside_luts():
    with pytest.raises(OptionError, match="latency and lut are two goals"):
        make_options(TLMAC, {"latency": 100, "lut": 100})
