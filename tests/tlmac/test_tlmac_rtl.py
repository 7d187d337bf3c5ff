"""The circuit equals the network's evaluation, bit for bit, and takes the cycles that the plan says."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from random_networks import random_input

import bitwright as bw
from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Add, Conv2d, Dense, Threshold
from bitwright.simulation import simulate
from bitwright.synthesis import synthesize
from bitwright.targets import get
from bitwright.targets.contract import make_options
from bitwright.targets.tlmac.circuit.patch import variants
from bitwright.targets.tlmac.circuit.units import build_circuit
from bitwright.targets.tlmac.elements import direct, element
from bitwright.tools.model import Stalls

TLMAC = get("tlmac")
STALLS = Stalls(7, 0.3, 0.3)
SLOW = pytest.mark.slow
DIGITS = Path(bw.__file__).parent / "demo" / "digits.onnx"


def plan_of(network, **options):
    chosen = make_options(TLMAC, options)
    assert TLMAC.check(network, chosen) == []
    return TLMAC.plan(network, chosen)


def run(network, plan, x, stalls=None):
    result = simulate(TLMAC.emit(plan), x, stalls=stalls)
    assert result.bit_exact, result.first_mismatch()
    return result


def check_cycles(plan, result):
    """Latency is as estimated, and so is the interval, as far as a few frames tell."""
    assert result.latency_cycles == plan.estimate.latency_cycles
    assert result.interval_cycles == pytest.approx(plan.estimate.interval_cycles, rel=0.01, abs=1)


def conv_network(dtype, weight_type, seed=0, shape=(5, 5, 6), outputs=8, kernel=(3, 3), **conv):
    rng = np.random.default_rng(seed)
    size = (outputs, *kernel, shape[2] // conv.get("groups", 1))
    w = weight_type.values()[rng.integers(0, weight_type.levels, size)]
    op = Conv2d(w, weight_type, bias=rng.integers(-50, 50, outputs), **conv)
    return Network(InputSpec(TensorType(shape, dtype)), (Node("conv", op, ("input",)),), name="conv")


ELEMENTS = [
    ("private", {"lanes": 6, "outputs": 8, "group": 3, "digit": 1, "kernel": (1, 1)}),
    ("private", {"lanes": 2, "outputs": 4, "group": 2, "kernel": (1, 1), "dtype": "uint3"}),
    ("private", {"lanes": 6, "outputs": 8, "group": 6, "kernel": (1, 1), "dtype": "bipolar"}),
    ("products", {"lanes": 3, "outputs": 2, "group": 1, "digit": 3}),
    ("products", {"lanes": 6, "outputs": 4, "group": 2, "dtype": "bipolar"}),
    ("products", {"lanes": 1, "outputs": 2, "group": 1, "digit": 3}),  # more words than one cycle reads of LUTs
    ("gates", {"lanes": 2, "outputs": 8, "dtype": "uint3"}),
    ("shared", {"lanes": 3, "outputs": 4, "group": 3}),
    ("shared", {"lanes": 2, "outputs": 8, "group": 1, "digit": 3}),
    ("shared", {"lanes": 1, "outputs": 2, "group": 1, "digit": 3}),
    ("shared_signed", {"lanes": 6, "outputs": 4, "group": 2, "digit": 2}),
    ("shared_signed", {"lanes": 3, "outputs": 8, "group": 3, "dtype": "bipolar"}),
]


@pytest.mark.parametrize(("element", "fold"), ELEMENTS)
def test_every_element_computes_the_convolution(element, fold):
    fold = dict(fold)
    kernel, dtype = fold.pop("kernel", (3, 3)), IntType.parse(fold.pop("dtype", "int3"))
    pad_value = -1 if dtype.signed else 0
    network = conv_network(dtype, IntType(2, True), kernel=kernel, pads=(1, 1, 1, 0), pad_value=pad_value)
    plan = plan_of(network, layers={"conv": {"element": element, **fold}})
    assert plan.units[0].mac.element.kind == element.removesuffix("_signed")
    result = run(network, plan, random_input(network, 3))
    assert result.interval_cycles == plan.estimate.interval_cycles


@pytest.mark.parametrize(("name", "fold"), [("products", {"lanes": 1, "digit": 3}), ("gates", {"lanes": 3})])
def test_columns_of_a_wide_rom_have_an_address_of_their_own(monkeypatch, name, fold):
    monkeypatch.setattr(element, "MOST_LOADS", 4)
    monkeypatch.setattr(direct, "COLUMNS", 4)
    network = conv_network(IntType(3), IntType(2, True), pads=(1, 1, 1, 0))
    plan = plan_of(network, layers={"conv": {"element": name, "outputs": 4, **fold}})
    mac = plan.units[0].mac
    files = TLMAC.emit(plan).files
    assert files["layer_0_conv2d.sv"].count("tlmac_copy #(") == len(mac.element.roms(mac.rom_styles)) > 1
    check_cycles(plan, run(network, plan, random_input(network, 3), STALLS))


def plan_of_shared_tables(element):
    network = conv_network(IntType(3), IntType(2, True), shape=(4, 4, 16), outputs=16)
    setting = {"element": element, "lanes": 4, "outputs": 8, "group": 2, "digit": 2}
    return network, plan_of(network, layers={"conv": setting})


def test_table_arrays_with_selects_of_their_own():
    network, plan = plan_of_shared_tables("shared")
    assert all(lane.own_select for lane in plan.units[0].mac.element.lanes)
    check_cycles(plan, run(network, plan, random_input(network, 3), STALLS))


@SLOW
@pytest.mark.parametrize("element", ["shared", "shared_signed"])
def test_shared_tables_synthesize_as_estimated(element):
    _, plan = plan_of_shared_tables(element)
    (unit,) = synthesize(TLMAC.emit(plan), "xczu3eg").units
    for kind in ("lut", "ff"):
        assert getattr(unit.estimate, kind) == pytest.approx(getattr(unit.resources, kind), rel=0.05)


@pytest.mark.parametrize(
    ("element", "group"), [("private", 2), ("gates", 1), ("shared", 3), ("shared_signed", 3), ("products", 1)]
)
def test_a_layer_of_zeros_is_its_bias(element, group):
    zeros, bias = np.zeros((2, 3, 3, 3), np.int64), np.array([7, -3])
    conv = Node("conv", Conv2d(zeros, IntType(2, True), bias=bias), ("input",))
    network = Network(InputSpec(TensorType((3, 4, 3), IntType(2))), (conv,), name="zeros")
    layers = {"conv": {"element": element, "lanes": 3, "outputs": 2, "group": group}}
    if element == "products":  # a table of products needs two weights to choose from
        (problem,) = TLMAC.check(network, make_options(TLMAC, {"layers": layers}))
        assert str(problem).startswith("conv: cannot be built as {'element': 'products',")
        return
    result = run(network, plan_of(network, layers=layers), random_input(network, 3))
    assert (result.outputs == bias).all()


WIDE = [  # an inverted sum makes the unrolled accumulators as wide as the result
    [-1, 0, -2, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, -1, -1, 0],
    [0, 0, 0, 1, 0, 0, 0, 0],
    [-1, 1, -1, 0, 1, -2, 0, -1],
    [0, -1, 0, 1, -1, 1, 0, 0],
    [-1, 1, 0, 0, 0, 0, 0, 0],
]


@pytest.mark.parametrize(("rows", "bias"), [(WIDE, None), ([[0] * 8] * 2, None), ([[0] * 8] * 2, [1, 0])])
def test_bipolar_inputs_double_the_accumulators_whatever_their_width(rows, bias):
    fc = Node("fc", Dense(np.array(rows), IntType(3, True), bias=bias), ("input",))
    network = Network(InputSpec(TensorType((8,), BIPOLAR)), (fc,), name="bipolar")
    plan = plan_of(network, layers={"fc": {"element": "unrolled", "lanes": 8, "outputs": len(rows)}})
    (unit,) = plan.units
    assert unit.posts[0].shift == 1
    assert unit.mac.acc_type == unit.posts[0].input, "of equal width"
    run(network, plan, random_input(network, 12))


TAPS = [
    ("columns", {"kernel": (3, 3), "pads": (1, 1, 1, 1)}, 4),
    ("columns+rows", {"kernel": (2, 3), "stride": (2, 1), "pads": (0, 2, 1, 0), "dilation": (1, 2)}, 2),
    ("pairs+columns+rows", {"kernel": (3, 5), "stride": (2, 2), "pads": (1, 2, 1, 2)}, 8),
]


@pytest.mark.parametrize(("taps", "conv", "outputs"), TAPS)
def test_kernel_taps_side_by_side(taps, conv, outputs):
    network = conv_network(IntType(2, True), IntType(3, True), shape=(6, 6, 2), pad_value=1, **conv)
    variant = next(v for v in variants(build_circuit(network).stages[0].mac) if v.name == taps)
    lanes = variant.layer.group_channels
    setting = {"element": "gates", "taps": taps, "lanes": lanes, "outputs": outputs}
    plan = plan_of(network, layers={"conv": setting})
    assert plan.units[0].mac.in_lanes == lanes // variant.taps
    check_cycles(plan, run(network, plan, random_input(network, 4), STALLS))


@pytest.mark.parametrize("blocks", [1, 3])
def test_depthwise_convolution_runs_channels_in_parallel(blocks):
    network = conv_network(IntType(4), IntType(4, True), outputs=6, groups=6, stride=(2, 1), pads=(1, 1, 0, 1))
    plan = plan_of(network, layers={"conv": {"element": "gates", "blocks": blocks}})
    result = run(network, plan, random_input(network, 3), STALLS)
    check_cycles(plan, result)
    assert result.interval_cycles == pytest.approx(2 * 5 * 9 * 4 * 6 // blocks, rel=0.01)


@pytest.mark.parametrize("goal", [20, 784])
def test_folding_goals_are_met_and_cost_less_when_slower(goal):
    network = dense_network()
    plan = plan_of(network, interval=goal)
    assert plan.estimate.interval_cycles <= goal
    result = run(network, plan, random_input(network, 20))
    assert result.interval_cycles == plan.estimate.interval_cycles


def dense_network(sizes=(120, 32, 10), seed=3):
    rng = np.random.default_rng(seed)
    nodes, source = [], "input"
    for i, (a, b) in enumerate(pairwise(sizes)):
        nodes.append(Node(f"dense{i}", Dense(rng.integers(-1, 2, (b, a)), IntType(2, True)), (source,)))
        source = f"dense{i}"
        if i < len(sizes) - 2:
            steps = np.sort(rng.integers(-12, 12, (b, 3)), axis=1)
            nodes.append(Node(f"act{i}", Threshold(steps, IntType(2)), (source,)))
            source = f"act{i}"
    return Network(InputSpec(TensorType((sizes[0],), IntType(2))), tuple(nodes), name="dense")


def test_faster_goals_cost_more_logic():
    luts = [plan_of(dense_network(), interval=goal).estimate.total.lut for goal in (20, 100, 784)]
    assert luts[0] > luts[1] > luts[2]


def test_an_area_goal_is_kept():
    plan = plan_of(dense_network(), lut=1500)
    assert 700 < plan.estimate.total.lut <= 1500
    assert plan.estimate.interval_cycles < plan_of(dense_network(), lut=800).estimate.interval_cycles


def test_goals_out_of_reach_are_refused():
    rule = r"lut=10 is too small: the smallest circuit takes about (\d+) LUTs; legal: lut of at least \1"
    (need,) = re.fullmatch(rule, str(plan_of(dense_network(), lut=10))).groups()
    assert plan_of(dense_network(), lut=int(need)).estimate.total.lut <= int(need)
    network = conv_network(IntType(3), IntType(8, True))
    rule = r"conv: cannot reach interval=3: its fastest circuit takes \d+ cycles a frame"
    (goal,) = re.fullmatch(rf"{rule}; legal: interval of at least (\d+)", str(plan_of(network, interval=3))).groups()
    assert plan_of(network, interval=int(goal)).estimate.interval_cycles <= int(goal)


def residual_network():
    """Two convolutions in one branch, a wire in the other, twice."""
    rng = np.random.default_rng(5)
    nodes, source = [], "input"
    for block in range(2):
        entry = source
        for i, pads in enumerate(((1, 1, 1, 1), (2, 0, 0, 2))):
            w = rng.integers(-2, 2, (4, 3, 3, 4))
            nodes.append(Node(f"conv{block}{i}", Conv2d(w, IntType(2, True), pads=pads), (source,)))
            steps = np.sort(rng.integers(-30, 30, (4, 7)), axis=1)
            nodes.append(Node(f"act{block}{i}", Threshold(steps, IntType(3)), (f"conv{block}{i}",)))
            source = f"act{block}{i}"
        nodes.append(Node(f"add{block}", Add(), (source, entry)))
        nodes.append(Node(f"out{block}", Threshold(np.arange(1, 8)[None], IntType(3)), (f"add{block}",)))
        source = f"out{block}"
    return Network(InputSpec(TensorType((7, 6, 4), IntType(3))), tuple(nodes), name="residual")


@pytest.mark.parametrize("goal", [700, 4000])
def test_residual_branches_flow(goal):
    network = residual_network()
    plan = plan_of(network, interval=goal)
    for stalls in (None, STALLS):
        result = run(network, plan, random_input(network, 4), stalls)
    check_cycles(plan, result)


@pytest.mark.parametrize("goal", [576, pytest.param(1152, marks=SLOW), pytest.param(2304, marks=SLOW)])
def test_a_whole_network_keeps_its_goal(goal):
    network = bw.load(DIGITS)
    plan = plan_of(network, interval=goal)
    result = run(network, plan, random_input(network, 16), STALLS)
    check_cycles(plan, result)
    assert result.interval_cycles <= goal


WAITING = [(103, 24), (132, 160), pytest.param(121, 60, marks=SLOW), pytest.param(131, 144, marks=SLOW)]


@pytest.mark.parametrize(("seed", "goal"), WAITING)
def test_goals_are_kept_where_units_wait_for_each_other(random_network, seed, goal):
    network = random_network(seed, kernel=(1, 5), weight_bits=(1, 4))
    plan = plan_of(network, interval=goal)
    result = run(network, plan, random_input(network, 8), STALLS)
    check_cycles(plan, result)
    assert result.interval_cycles <= goal


def random_case(random_network, seed):
    network = random_network(seed, kernel=(1, 5), weight_bits=(1, 4))
    plan = plan_of(network)
    result = run(network, plan, random_input(network, 5, seed), Stalls(seed, 0.3, 0.3))
    check_cycles(plan, result)


@pytest.mark.parametrize("seed", [6, 12, 29, 103, 108, 121, 177])
def test_random_networks(random_network, seed):
    random_case(random_network, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_random_networks(random_network, seed):
    random_case(random_network, seed)


def reference(shared_data, name, count):
    """Network and model inputs (floats) of a reference network."""
    network = bw.load(shared_data / "qonnx" / f"{name}.onnx")
    if name.startswith("TFC"):
        images = np.load(shared_data / "mnist/dev.npz")["images"][:count, None]
        return network, images.astype(np.float32) / np.float32(255)
    clips = np.load(shared_data / "mlperf_tiny/speech_commands_dev.npz")
    return network, clips["x_int8"][:count].astype(np.float32) * clips["input_scale"]


REFERENCES = ["TFC_1W2A", "TFC_2W2A", "kws_finn_submission_v0.7"]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["TFC_2W2A"])
def test_reference_networks(shared_data, name):
    network, x = reference(shared_data, name, 20)
    run(network, plan_of(network, interval=3000), x)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCES)
def test_reference_networks_on_all_data(shared_data, name):
    network, x = reference(shared_data, name, 5000)
    assert len(x) == (5000 if name.startswith("TFC") else 500)
    plan = plan_of(network, interval=800)
    result = run(network, plan, x)
    assert result.interval_cycles == pytest.approx(plan.estimate.interval_cycles, rel=0.01)
