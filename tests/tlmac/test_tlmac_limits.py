"""Limits on block RAM and DSP blocks: kept, used, and by the cheapest choice; without DSP blocks all stays exact."""

import itertools
import re

import numpy as np
import pytest
from random_networks import random_input

from bitwright.errors import DeviceError, OptionError
from bitwright.hardware.resources import Resources
from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Add, Conv2d, Requantize, Rounding, SumPool
from bitwright.simulation import simulate
from bitwright.synthesis import synthesize
from bitwright.targets import get
from bitwright.targets.contract import make_options
from bitwright.targets.tlmac.circuit import fold
from bitwright.targets.tlmac.refusal import OutOfReach
from bitwright.targets.tlmac.search.limits import Alternative, Limits, select
from bitwright.tools.model import Stalls

TLMAC = get("tlmac")
INT8 = IntType(8, True)


def plan_of(network, **options):
    return TLMAC.plan(network, make_options(TLMAC, options))


def convolution(rng, name, source, channels, outputs):
    weight = IntType(4, True)
    values, bias = rng.integers(-8, 8, (outputs, 3, 3, channels)), rng.integers(-99, 99, outputs)
    conv = Conv2d(values, weight, bias=bias, pads=(1, 1, 1, 1))
    scale = Requantize(INT8, rng.integers(900, 8000, outputs), 18, zero_point=3, rounding=Rounding.HALF_AWAY)
    return Node(name, conv, (source,)), Node(f"{name}_scale", scale, (name,))


@pytest.fixture(scope="module")
def network():
    """A residual block with a scale for each channel, a common one behind the sum, and one behind a pool."""
    rng = np.random.default_rng(3)
    nodes = (
        *convolution(rng, "a", "input", 8, 32),
        *convolution(rng, "b", "a_scale", 32, 32),
        Node("sum", Add(), ("b_scale", "a_scale")),
        Node("sum_scale", Requantize(INT8, 11000, 14, rounding=Rounding.HALF_UP), ("sum",)),
        Node("pool", SumPool((4, 4), (4, 4)), ("sum_scale",)),
        Node("pool_scale", Requantize(INT8, 257, 12), ("pool",)),
    )
    return Network(InputSpec(TensorType((8, 8, 8), INT8)), nodes, name="block")


@pytest.fixture(scope="module")
def free(network):
    return plan_of(network, interval=4000)


@pytest.mark.parametrize("dsp", [0, 2])
def test_without_dsp_blocks_every_value_stays_and_the_estimates_hold(network, free, dsp):
    plan = plan_of(network, interval=4000, dsp=dsp)
    assert free.estimate.total.dsp > 2 >= plan.estimate.total.dsp >= 0
    assert plan.estimate.total.dsp <= dsp
    assert plan.estimate.total.lut > free.estimate.total.lut
    for stalls in (None, Stalls(5, 0.3, 0.3)):
        result = simulate(TLMAC.emit(plan), random_input(network, 3), stalls=stalls)
        assert result.bit_exact, result.first_mismatch()
        if stalls is None:
            assert result.latency_cycles == plan.estimate.latency_cycles
            assert result.interval_cycles == pytest.approx(plan.estimate.interval_cycles, rel=0.01)


def test_block_rams_up_to_the_limit_save_luts(network):
    limits = (1, 4, 12, 40)
    found = [plan_of(network, interval=20000, bram36=limit).estimate.total for limit in limits]
    assert all(total.bram36 <= limit for total, limit in zip(found, limits, strict=True))
    assert all(a.lut >= b.lut for a, b in itertools.pairwise(found))
    assert found[0].lut > 1.05 * found[-1].lut
    assert found[2].bram36 > 4, "what is allowed is used where it saves LUTs"


def test_a_choice_under_limits_of_ram_is_exact(network):
    plan = plan_of(network, interval=20000, bram36=4, dsp=1)
    assert plan.estimate.total.bram36 > 1 >= plan.estimate.total.dsp
    assert simulate(TLMAC.emit(plan), random_input(network, 2), stalls=Stalls(1, 0.2, 0.2)).bit_exact


def wide_rows():
    """A convolution whose rows are too long for LUT memories."""
    op = Conv2d(np.ones((2, 3, 3, 16), int), IntType(2, True))
    return Network(InputSpec(TensorType((3, 200, 16), INT8)), (Node("conv", op, ("input",)),), name="rows")


def random_units(rng, units, count):
    def option():
        cost = Resources(float(rng.integers(50, 900)), bram36=rng.integers(0, 9) / 2, dsp=float(rng.integers(0, 4)))
        return Alternative(None, True, cost)

    return [[option() for _ in range(count)] for _ in range(units)]


@pytest.mark.parametrize("seed", range(8))
def test_the_choice_is_the_cheapest_of_all(seed):
    rng = np.random.default_rng(seed)
    units, rest = random_units(rng, 5, 4), Resources(bram36=1.5, dsp=1)
    limits = Limits(bram36=float(rng.integers(6, 12)), dsp=float(rng.integers(4, 9)), bram_price=30)
    allowed = []
    for choice in itertools.product(*units):
        used = sum((option.cost for option in choice), rest)
        if limits.hold(used):
            allowed.append(sum(fold.price(option.cost, 30) for option in choice))
    if not allowed:
        with pytest.raises(OutOfReach):
            select(units, rest, limits)
        return
    found = select(units, rest, limits)
    assert limits.hold(sum((option.cost for option in found), rest))
    assert sum(fold.price(option.cost, 30) for option in found) == pytest.approx(min(allowed), rel=1e-3)


def test_a_device_limits_all_kinds(network):
    limits = Limits.of(make_options(TLMAC, {"device": "xc7a35t", "dsp": 30, "bram36": 80}))
    assert (limits.lut, limits.bram36, limits.dsp) == (20_800, 50, 30)
    small = Limits.of(make_options(TLMAC, {"device": "ecp5-25k"}))
    assert small.lut == float("inf"), "its LUTs are not what the cost model counts"
    assert small.bram36 < 60
    refusal = str(plan_of(network, interval=700, device="xc7a35t", elements=("private",)))
    rule = r"device xc7a35t \(20800 LUTs\) is too small: the circuit needs at least [\d.]+ LUTs at interval=700"
    (goal,) = re.fullmatch(rf"{rule}; legal: interval of at least (\d+)", refusal).groups()
    kept = plan_of(network, interval=int(goal), device="xc7a35t", elements=("private",))
    assert limits.hold(kept.estimate.total)


def test_limits_out_of_reach_are_refused(network):
    with pytest.raises(DeviceError, match="nosuch"):
        plan_of(network, device="nosuch")
    with pytest.raises(OptionError, match="dsp must be a number of at least 0, not -1"):
        plan_of(network, dsp=-1)
    rule = r"bram36=0 is too small: the circuit needs at least ([\d.]+) block RAMs; legal: bram36 of at least \1"
    (need,) = re.fullmatch(rule, str(plan_of(wide_rows(), bram36=0))).groups()
    assert plan_of(wide_rows(), bram36=float(need)).estimate.total.bram36 <= float(need)


@pytest.mark.slow
def test_synthesis_finds_no_dsp_blocks_and_the_estimated_luts(network):
    plan = plan_of(network, interval=4000, dsp=0)
    result = synthesize(TLMAC.emit(plan), "xczu3eg")
    assert result.total.dsp == 0
    for unit in (unit for unit in result.units if unit.estimate):
        assert unit.resources.lut == pytest.approx(unit.estimate.lut, rel=0.1, abs=12), unit.name
        assert unit.resources.ff == pytest.approx(unit.estimate.ff, rel=0.12, abs=48), unit.name
