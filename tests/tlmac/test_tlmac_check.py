"""What the target refuses, and how it says so."""

import numpy as np
import pytest

from bitwright.errors import OptionError
from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Conv2d, Dense, Requantize, Threshold, window_output
from bitwright.targets import get
from bitwright.targets.contract import Refusal, make_options
from bitwright.targets.tlmac.circuit.patch import variants
from bitwright.targets.tlmac.circuit.units import build_circuit
from bitwright.targets.tlmac.options import ELEMENTS

TLMAC = get("tlmac")


def problems(*ops, bits=8):
    nodes, source = [], "input"
    for i, op in enumerate(ops):
        nodes.append(Node(f"n{i}", op, (source,)))
        source = f"n{i}"
    network = Network(InputSpec(TensorType((4,), IntType(bits))), tuple(nodes))
    return [str(problem) for problem in TLMAC.check(network, make_options(TLMAC, {}))]


def test_all_problems_are_told_at_once():
    found = problems(
        Requantize(IntType(8), zero_point=-1 << 31),
        Requantize(IntType(8), zero_point=1 << 31),
    )
    assert found == [
        "n0: zero point -2147483648; legal: less than 2**31 in magnitude",
        "n1: zero point 2147483648; legal: less than 2**31 in magnitude",
    ]


@pytest.mark.parametrize(("base", "step"), [(0, 2), (9, -2), (5, 0)])
def test_steps_of_any_size_are_steps_of_one(base, step):
    assert problems(Threshold(np.array([[3, 5]]), IntType(4), base, step)) == []


def test_a_plain_network_passes():
    assert problems(Dense(np.ones((3, 4)), IntType(1))) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interval": 0}, "interval must be a whole number of at least 1, not 0"),
        ({"lut": 2.5}, "lut must be a whole number of at least 1, not 2.5"),
        ({"lut": 5, "interval": 5}, "interval and lut are two goals; give one of them"),
        (
            {"elements": ("magic",)},
            "unknown element 'magic'; legal are private, products, gates, shared, shared_signed, unrolled",
        ),
        ({"bram36": -1}, "bram36 must be a number of at least 0, not -1"),
        ({"bram36": float("nan")}, "bram36 must be a number of at least 0, not nan"),
        ({"elements": ()}, "elements must name at least one element"),
        (
            {"speed": 3},
            "target tlmac has no option 'speed'; "
            "legal are interval, lut, latency, clock, elements, bram36, dsp, device, fill, layers, jobs",
        ),
    ],
)
def test_options_are_validated(options, message):
    with pytest.raises(OptionError) as error:
        make_options(TLMAC, options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"n0": {"lanes": "x"}}, "layers: n0 has lanes 'x'; legal is a whole number of at least 1"),
        (
            {"n0": {"element": 3}},
            "layers: n0 has element 3; legal are private, products, gates, shared, shared_signed, unrolled",
        ),
        ({"n0": 3}, "layers: n0 is 3; legal is a mapping of lanes, outputs, blocks, group, digit, element"),
        (5, "layers is 5; legal is a mapping from layer names to their settings"),
        ({"x": {}}, "layers: no multiply-accumulate layer 'x'; legal are n0"),
        (
            {"n0": {"pe": 3}},
            "layers: n0 has no setting 'pe'; legal are lanes, outputs, blocks, group, digit, element, taps, every",
        ),
    ],
)
def test_layer_settings_are_validated(layers, message):
    network = Network(
        InputSpec(TensorType((4,), IntType(8))), (Node("n0", Dense(np.ones((3, 4)), IntType(1)), ("input",)),)
    )
    with pytest.raises(OptionError) as error:
        TLMAC.plan(network, make_options(TLMAC, {"layers": layers}))
    assert str(error.value).startswith(message)


def dense(outputs, inputs):
    node = Node("n0", Dense(np.ones((outputs, inputs)), IntType(1)), ("input",))
    return Network(InputSpec(TensorType((inputs,), IntType(8))), (node,))


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (
            dense(3, 4),
            {"layers": {"n0": {"lanes": 3}}},
            "n0: cannot be built as {'lanes': 3}; legal: lanes of 1, 2, 4, outputs of 1, 3, group up to the lanes, "
            "digit up to 8",
        ),
        (
            dense(3, 4),
            {"layers": {"n0": {"taps": "rows"}}},
            "n0: cannot be built as {'taps': 'rows'}; legal: taps plain",
        ),
        (
            dense(3, 4),
            {"layers": {"n0": {"element": "shared", "digit": 8}}},
            "n0: cannot be built as {'element': 'shared', 'digit': 8}; legal: another folding for element shared, or "
            "element gates with group and digit 1",
        ),
        (
            dense(1, 2),  # fewer steps than one LUT takes
            {"elements": ("shared", "shared_signed")},
            "n0: has no circuit of elements shared, shared_signed; legal: gates, which fit every layer",
        ),
    ],
)
def test_what_no_goal_makes_buildable_is_refused_by_check_and_plan_alike(network, options, message):
    settings = make_options(TLMAC, options)
    assert [str(problem) for problem in TLMAC.check(network, settings)] == [message]
    assert str(TLMAC.plan(network, settings)) == message


def wide_accumulators():
    """Inputs of 11 bits, whose digits fill up to 12 and more: accumulators of 33 bits with any digit but 1 or 11."""
    rng = np.random.default_rng(3)
    node = Node("n0", Dense(rng.integers(52000, 52300, (3, 40)), IntType(16)), ("input",))
    return Network(InputSpec(TensorType((40,), IntType(11, True))), (node,), name="wide")


@pytest.mark.parametrize(
    "options", [{}, {"elements": ("products", "private", "gates")}, {"interval": 30}, {"lut": 99999}]
)
def test_accumulators_of_more_than_32_bits_are_folded_otherwise(options):
    network, settings = wide_accumulators(), make_options(TLMAC, options)
    assert network.types["n0"].dtype.bits == 32
    assert TLMAC.check(network, settings) == []
    (unit,) = TLMAC.plan(network, settings).units
    assert unit.mac.acc_bits <= 32
    wide = {"layers": {"n0": {"element": "gates", "lanes": 40, "outputs": 3}}}
    assert TLMAC.check(network, make_options(TLMAC, wide)) == []
    wide["layers"]["n0"] |= {"element": "private", "digit": 2}
    assert "n0: cannot be built as" in str(TLMAC.plan(network, make_options(TLMAC, wide)))


@pytest.mark.parametrize("element", ELEMENTS)
def test_the_folding_of_an_estimate_is_a_setting(element):
    """For every element: a design's options, and the folding that its estimate tells, make the same circuit."""
    rng = np.random.default_rng(2)
    conv = Conv2d(rng.integers(-2, 2, (4, 3, 3, 3)), IntType(2, True), stride=(1, 2), pads=(1, 1, 1, 1))
    steps = Threshold(np.sort(rng.integers(-20, 20, (4, 3)), axis=1), IntType(2))
    network = Network(
        InputSpec(TensorType((6, 6, 3), IntType(2))), (Node("conv", conv, ("input",)), Node("act", steps, ("conv",)))
    )
    taps = set()
    for options in ({"elements": (element,)}, {"elements": (element,), "interval": 60, "dsp": 0}):
        plan = TLMAC.plan(network, make_options(TLMAC, options))
        if isinstance(plan, Refusal):
            continue
        design = TLMAC.emit(plan)
        assert dict(design.options) == options
        (layer,) = (e for e in design.estimate.layers if "fold" in e.details)
        folding = layer.details["fold"] | {name: layer.details[name] for name in ("element", "taps")}
        assert folding["element"] == element
        again = TLMAC.emit(TLMAC.plan(network, make_options(TLMAC, {**options, "layers": {"conv": folding}})))
        assert again.digest == design.digest
        taps.add(folding["taps"])
    assert taps - {"plain"} or element in ("shared", "shared_signed")


def test_every_rewriting_keeps_the_output_size(random_network):
    checked = 0
    for seed in range(40):
        for unit in build_circuit(random_network(seed, image=True, kernel=(1, 5))).stages:
            for variant in variants(unit.mac) if unit.mac else ():
                layer = variant.layer
                height, width, channels = layer.input.shape
                size = (height, width)
                for axis in (0, 1):
                    pads = layer.pads[axis], layer.pads[axis + 2]
                    found = window_output(
                        size[axis], layer.kernel[axis], layer.stride[axis], *pads, layer.dilation[axis]
                    )
                    assert found == layer.out_size[axis], variant.name
                assert layer.group_channels * layer.groups == channels
                checked += variant.name != "plain"
    assert checked > 20


def test_a_saved_configuration_makes_the_same_design(random_network, tmp_path):
    """Without the goal: the folding of every layer is in it."""
    from bitwright import api
    from bitwright.design.config import config, read_config, write_config

    network = random_network(3, image=True)
    design = api.compile(network, "tlmac", interval=200, cache_dir=tmp_path)
    write_config(design, tmp_path / "folding.json")
    target, options = read_config(tmp_path / "folding.json")
    assert target == "tlmac"
    assert api.compile(network, target, cache_dir=tmp_path, **options).digest == design.digest
    assert set(config(design)["options"]["layers"]) == {r.name for r in design.estimate.layers if "fold" in r.details}
