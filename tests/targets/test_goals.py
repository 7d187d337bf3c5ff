"""Goals in plain words: every target reaches them with the least hardware, or says which are in reach."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

import bitwright as bw
from bitwright.cli import app
from bitwright.errors import ModelError, OptionError
from bitwright.hardware.clock import Clock
from bitwright.network import INPUT, InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.targets.goals import Goals, reach

TARGETS = ("bitsys", "rap", "tlmac")


@pytest.fixture(scope="module")
def small():
    """One convolution: plans of it take no time."""
    weight = np.random.default_rng(0).integers(-2, 2, (8, 3, 3, 4))
    node = Node("conv", ops.Conv2d(weight, IntType(2, True), pads=(1, 1, 1, 1)), (INPUT,))
    return Network(InputSpec(TensorType((6, 6, 4), IntType(2))), (node,))


@pytest.mark.parametrize("target", TARGETS)
def test_without_bounds_the_smallest_design_is_chosen(small, target):
    _, least = reach(small, target, {}, Goals(size="smallest"))
    usual = bw.compile(small, target).estimate
    assert least.estimate.total.lut <= usual.total.lut


@pytest.mark.parametrize("target", TARGETS)
def test_frames_a_second(small, target):
    """Twice the frames of the smallest design, where the target has faster ones; its own speed costs no more."""
    _, least = reach(small, target, {}, Goals(size="smallest"))
    clock = Clock(150.0)
    own = clock.frames_per_second(least.estimate.interval_cycles)
    _, same = reach(small, target, {}, Goals(fps=0.999 * own, clock=clock))
    assert same.estimate.total.lut == least.estimate.total.lut
    try:
        options, faster = reach(small, target, {}, Goals(fps=2 * own, clock=clock))
    except ModelError:
        assert target != "tlmac"
        return
    assert clock.frames_per_second(faster.estimate.interval_cycles) >= 2 * own
    assert bw.compile(small, target, **options).estimate.interval_cycles == faster.estimate.interval_cycles


@pytest.mark.parametrize("target", TARGETS)
def test_more_than_the_fastest_names_the_nearest(small, target):
    with pytest.raises(ModelError, match=r"fps=1e\+12 is out of reach: .* legal is fps of at most \d+") as told:
        reach(small, target, {}, Goals(fps=1e12))
    nearest = int(re.search(r"at most (\d+)", str(told.value))[1])
    _, plan = reach(small, target, {}, Goals(fps=nearest))
    assert Clock(200.0).frames_per_second(plan.estimate.interval_cycles) >= nearest


@pytest.mark.parametrize("target", TARGETS)
def test_a_latency_that_nothing_has_names_the_nearest(small, target):
    with pytest.raises(ModelError, match=r"latency_us=0\.001 is out of reach: .* latency_us of at least") as told:
        reach(small, target, {}, Goals(latency_us=0.001))
    nearest = float(re.search(r"at least ([\d.]+)", str(told.value))[1])
    goals = Goals(latency_us=nearest)
    assert goals.prompt(reach(small, target, {}, goals)[1])


def test_the_latency_of_a_larger_circuit_is_not_shorter_than_needed(small):
    """tlmac: a goal between the extremes is kept, by less hardware than that of the fastest."""
    clock = Clock(200.0)
    slow = reach(small, "tlmac", {}, Goals(size="smallest"))[1].estimate
    goals = Goals(latency_us=clock.microseconds(slow.latency_cycles) / 2)
    found = reach(small, "tlmac", {}, goals)[1]
    fast = reach(small, "tlmac", {}, Goals(size="fastest", device="xczu3eg"))[1]
    assert goals.prompt(found)
    assert slow.total.lut <= found.estimate.total.lut <= fast.estimate.total.lut


def test_the_fastest_design_fills_the_part_and_no_more(small):
    shares = []
    for fill in (0.015, 0.03):
        goals = Goals(device="xc7a35t", size="fastest", fill=fill)
        plan = reach(small, "tlmac", {"elements": ("products",)}, goals)[1]
        assert goals.fullest(plan)[1] <= fill
        shares.append((goals.fullest(plan)[1], plan.estimate.interval_cycles))
    assert shares[0][0] < shares[1][0]
    assert shares[0][1] > shares[1][1]


@pytest.mark.parametrize("target", ["bitsys", "rap"])
def test_a_part_that_is_too_small(small, target):
    with pytest.raises(
        ModelError, match=r"the smallest design takes [\d.]+ % of the bram36 of xc7a35t.* a larger device"
    ):
        reach(small, target, {}, Goals(device="xc7a35t"))


def test_a_part_that_more_of_would_do(small):
    with pytest.raises(ModelError, match=r"of which 0.1 % may be used; legal is fill of at least 0\.\d+") as told:
        reach(small, "tlmac", {"elements": ("products",)}, Goals(device="xc7a35t", fill=0.001))
    fill = float(re.search(r"at least ([\d.]+)", str(told.value))[1])
    goals = Goals(device="xc7a35t", fill=fill)
    assert goals.fits(reach(small, "tlmac", {"elements": ("products",)}, goals)[1])


def test_what_the_user_chose_stays(small):
    options, _ = reach(small, "bitsys", {"hardware": "ultra96"}, Goals(size="smallest"))
    assert options == {"hardware": "ultra96"}
    options, _ = reach(small, "rap", {"size": 8}, Goals(fps=10))
    assert options["size"] == 8
    with pytest.raises(OptionError, match="interval is a goal by itself"):
        reach(small, "tlmac", {"interval": 100}, Goals(fps=10))


def test_a_refused_network_is_refused():
    node = Node("pool", ops.MaxPool((2, 2), (2, 2)), (INPUT,))
    wide = Network(InputSpec(TensorType((64, 64, 4096), IntType(8))), (node,))
    with pytest.raises(ModelError, match="target bitsys refuses the network: "):
        reach(wide, "bitsys", {}, Goals(size="smallest"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fps": 0.0}, "fps is 0; legal are numbers above 0"),
        ({"latency_us": -1.0}, "latency_us is -1; legal are"),
        ({"fill": 1.5}, "fill is 1.5; legal are shares above 0 and up to 1"),
        ({"size": "tiny"}, "size is 'tiny'; legal are fastest and smallest"),
        ({"size": "fastest"}, "device must name it"),
    ],
)
def test_goals_that_are_none(values, message):
    with pytest.raises(OptionError, match=message):
        Goals(**values)


def test_the_command_says_what_it_chose(small, tmp_path):
    bw.save(small, tmp_path / "small.bw")
    words = ["compile", str(tmp_path / "small.bw"), "-o", str(tmp_path / "build")]
    found = CliRunner().invoke(app, [*words, "--fps", "100000", "--device", "arty-a7-35"])
    assert found.exit_code == 0, found.output
    assert "chosen: -O interval=2000 -O device=arty-a7-35 -O fill=0.8" in found.output
    assert re.search(r"of xc7a35t: [\d.]+ % lut", found.output)
    found = CliRunner().invoke(app, [*words, "--smallest", "--target", "bitsys"])
    assert "chosen: -O hardware=small\n" in found.output
    both = CliRunner().invoke(app, [*words, "--fastest", "--smallest"])
    assert isinstance(both.exception, OptionError)
    assert str(both.exception).startswith("--fastest and --smallest contradict each other")


def test_comparing_for_goals(small, tmp_path):
    bw.save(small, tmp_path / "small.bw")
    found = CliRunner().invoke(app, ["compare", str(tmp_path / "small.bw"), "--fps", "1e12"])
    assert found.exit_code == 0, found.output
    for target in TARGETS:
        assert f"target {target}: fps=1e+12 is out of reach" in found.output
