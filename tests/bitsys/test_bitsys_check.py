"""`check` and `plan` agree on every legal network, and say why where the answer is no."""

from pathlib import Path

import numpy as np
import pytest

from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.network.passes import simplify
from bitwright.targets import get
from bitwright.targets.bitsys import planning
from bitwright.targets.contract import Refusal

TARGET = get("bitsys")
TOML = Path(__file__).parent / "hardware"
HARDWARE = ("small", "ultra96_planes", str(TOML / "fixed.toml"), str(TOML / "container_stream.toml"))
INT2, INT8, UINT8 = IntType(2, True), IntType(8, True), IntType(8)


def network(shape, *operations, dtype=UINT8):
    names = ["input", *(f"n{k}" for k in range(len(operations)))]
    nodes = [Node(names[k + 1], op, (names[k],)) for k, op in enumerate(operations)]
    return Network(InputSpec(TensorType(shape, dtype)), nodes)


def ones(*shape):
    return np.ones(shape, np.int64)


def answers(net, hardware, batch=0):
    """The problems of a network; `check` and `plan` give the same, about nodes that there are."""
    options = TARGET.options(hardware=hardware, batch=batch)
    problems, plan = TARGET.check(net, options), TARGET.plan(net, options)
    assert bool(problems) == isinstance(plan, Refusal)
    if isinstance(plan, Refusal):
        assert list(plan.problems) == problems
    else:
        TARGET.emit(plan)
    for problem in problems:
        assert problem.node is None or problem.node in net.types, problem
    return problems


CONCAT = Network(
    InputSpec(TensorType((2, 2, 3), UINT8)),
    [Node("a", ops.Concat(), ("input", "input")), Node("b", ops.Concat(), ("a", "input"))],
)
ALL = {  # network: what is said of it, where it cannot run
    "argmax": (network((5,), ops.ArgMax()), None),
    "argmax of an image": (network((3, 2, 5), ops.ArgMax()), None),
    "flatten": (network((3, 2, 5), ops.Flatten()), None),
    "flatten, argmax": (network((3, 2, 5), ops.Flatten(), ops.ArgMax()), None),
    "flatten of a vector": (network((5,), ops.Flatten(), ops.Flatten()), None),
    "flattened pixel": (network((1, 1, 5), ops.SumPool((1, 1)), ops.Flatten(), ops.Requantize(UINT8)), None),
    "flattened input": (network((3, 2, 5), ops.Flatten(), ops.Requantize(UINT8, [1] * 30)), None),
    "one element": (network((1, 1, 1), ops.Requantize(UINT8)), None),
    "identity": (network((4,), ops.Requantize(UINT8)), None),
    "wide dense": (network((256,), ops.Dense(ones(2000, 256), INT2)), "results of a batch need 250 channel groups"),
    "wider dense": (network((5000,), ops.Dense(ones(16, 5000), INT2)), "a window takes"),
    "many outputs": (
        network((4,), ops.Dense(ones(40000, 4), INT2)),
        "40000 channels; legal: at most 32760",
    ),
    "many channels": (network((70000,), ops.Requantize(UINT8)), "a pixel has 70000 channels"),
    "many pixels": (network((300, 300, 1), ops.MaxPool((2, 2))), "pixels"),
    "long image": (network((9000, 1, 1), ops.Requantize(UINT8)), "rows"),
    "depthwise": (
        network((1, 1, 4096), ops.Conv2d(ones(4096, 1, 1, 1), INT2, groups=4096)),
        "parameters need 512",
    ),
    "stride": (network((40, 40, 1), ops.MaxPool((2, 2), (17, 1))), "rows between windows: 17; legal: 0 to 15"),
    "dilation": (
        network((40, 40, 1), ops.Conv2d(ones(1, 2, 2, 1), INT2, dilation=(1, 16))),
        "between taps: 16",
    ),
    "pads": (network((4, 4, 1), ops.Conv2d(ones(1, 1, 1, 1), INT2, pads=(0, 300, 0, 0))), "padding on the left: 300"),
    "reach": (
        network((4, 4, 1), ops.SumPool((1, 1), (1, 15), (0, 0, 0, 9000))),
        "its windows span 9001 rows or columns; legal: at most 8192",
    ),
    "kernel": (network((300, 1, 1), ops.SumPool((300, 1))), "rows of the window: 300"),
    "heavy": (network((1, 1, 64), ops.Conv2d(ones(2048, 1, 1, 64), INT8)), "results of a batch need 256"),
    "too heavy": (network((8, 8, 512), ops.Conv2d(ones(512, 8, 8, 512), INT2)), "weights need 2097152 lines"),
    "concat of concat": (CONCAT, None),
    "pad": (network((2, 2, 2), ops.Pad((1, 1, 1, 1))), None),
    "resize": (network((2, 2, 2), ops.Resize((2, 2))), None),
    "argmax first": (network((4,), ops.ArgMax(), ops.Requantize(UINT8)), "ArgMax stands before the output"),
    "32 bits": (network((4,), ops.Requantize(UINT8), dtype=IntType(32)), "the stored value is uint32"),
    "32-bit result": (network((4,), ops.Requantize(IntType(32, True))), None),
    "unsigned 32-bit result": (network((4,), ops.Requantize(IntType(32))), "greatest result: 4294967295"),
    "large zero point": (network((4,), ops.Requantize(UINT8, zero_point=1 << 40)), "added after rounding"),
    "large multiplier": (network((4,), ops.Requantize(UINT8, [1 << 52])), f"a multiplier is {1 << 52}"),
    "multiplier of the hardware": (network((4,), ops.Requantize(UINT8, [1 << 25])), "less than 16777216"),
    "large bias": (network((4,), ops.Requantize(UINT8, bias=[1 << 60])), f"a bias is {1 << 60}"),
    "bias and product": (
        network((4,), ops.Requantize(UINT8, [1 << 22], bias=[(1 << 57) - 1])),
        "a sum times its multiplier and with its bias reaches",
    ),
    "large thresholds": (network((4,), ops.Threshold([[-(1 << 61), 1 << 61]], INT2, -1)), None),
    "large threshold": (network((4,), ops.Threshold([[1 << 62]], IntType(1))), None),
    "no threshold": (network((4,), ops.Threshold(np.zeros((1, 0)), UINT8, [7, 1, 2, 3])), None),
    "many thresholds": (network((4,), ops.Threshold([range(256)], IntType(9))), None),
    "bipolar": (network((3,), ops.Dense(ones(2, 3), BIPOLAR), dtype=BIPOLAR), None),
    "twice": (Network(InputSpec(TensorType((4,), UINT8)), [Node("y", ops.Add(), ("input", "input"))]), None),
}


@pytest.mark.parametrize("name", ALL)
def test_any_legal_network(name):
    net, rule = ALL[name]
    for hardware in HARDWARE:
        for variant in (net, simplify(net)):
            problems = answers(variant, hardware)
            assert all(problem.legal for problem in problems)
    found = "; ".join(map(str, answers(net, "small")))
    assert found == "" if rule is None else rule in found


@pytest.mark.parametrize("shape", [{}, {"input_bits": (1, 32), "activation_bits": (1, 32)}, {"bipolar_share": 0.8}])
def test_random_networks(shape, random_network):
    for seed in range(60):
        net = random_network(seed, **shape)
        answers(net, HARDWARE[seed % len(HARDWARE)], seed % 5)


def test_the_batch_that_is_chosen_fits():
    """Without `batch`, dense layers take as many frames as there is room for."""
    wide = network((2000,), ops.Dense(ones(10, 2000), INT2), dtype=INT8)
    plans = [TARGET.plan(wide, TARGET.options(hardware=h)) for h in ("small", str(TOML / "container.toml"))]
    assert [plan.layout.batch for plan in plans] == [8, 4]
    assert TARGET.check(wide, TARGET.options(hardware=str(TOML / "container.toml"), batch=9)) != []


def test_check_and_plan_lower_a_network_once(monkeypatch):
    """Also with other options in between: the second answer is that of the second options."""
    calls = []
    layers = planning.lowering.layers
    monkeypatch.setattr(planning.lowering, "layers", lambda *given: calls.append(1) or layers(*given))
    net = network((4, 4, 8), ops.Conv2d(ones(3, 2, 2, 8), INT2))
    options = TARGET.options(hardware="small", batch=2)
    assert TARGET.check(net, options) == []
    assert TARGET.plan(net, options).layout.batch == 2
    assert len(calls) == 1
    assert TARGET.plan(net, TARGET.options(hardware="small", batch=3)).layout.batch == 3
    assert len(calls) == 2
