"""What the processor has no room or no instruction for: `check` says what `plan` says, and neither raises."""

import re
import tracemalloc

import numpy as np
import pytest
from random_networks import random_input, random_network

import bitwright as bw
from bitwright.network import INPUT, InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.network.graph import evaluate
from bitwright.network.passes import simplify
from bitwright.targets.contract import Refusal
from bitwright.targets.rap import hardware, planning
from bitwright.targets.rap.compiler import choice, codegen
from bitwright.targets.rap.isa.machine import LIMITS
from bitwright.targets.rap.simulator.run import execute
from bitwright.targets.rap.target import TARGET

FRAMES = 2
ROOMY = {"a_words": 1 << 17, "b_words": 1 << 17, "param_words": 1 << 16, "program_words": 1 << 16}


def chain(node_ops, shape=(6, 6, 4), bits=4, signed=False):
    """The operations one after the other."""
    names = [INPUT, *(f"n{i}" for i in range(len(node_ops)))]
    nodes = tuple(Node(names[i + 1], op, (names[i],)) for i, op in enumerate(node_ops))
    return Network(InputSpec(TensorType(shape, IntType(bits, signed))), nodes)


def dense(outputs, inputs, bits):
    weight = np.random.default_rng(outputs).integers(-(1 << bits - 1), 1 << bits - 1, (outputs, inputs))
    return ops.Dense(weight, IntType(bits, True))


def problems(network, options):
    """What `check` finds; `plan` must find the same."""
    found, made = TARGET.check(network, options), TARGET.plan(network, options)
    assert found == (list(made.problems) if isinstance(made, Refusal) else [])
    for problem in found:
        assert problem.node is None or problem.node in network.types
        assert problem.rule
        assert problem.legal
    return [str(problem) for problem in found]


def run(network, options):
    """The plan, after the simulator computed what the network does in the estimated cycles."""
    assert problems(network, options) == []
    plan, x = TARGET.plan(network, options), random_input(network, FRAMES, 1)
    done = execute(options.machine, plan.code.program, x.reshape(FRAMES, -1), network.output_type.size)
    y = network.output_type.dtype.decode(done.outputs).reshape(FRAMES, *network.output_type.shape)
    assert np.array_equal(y, evaluate(network, x)[network.output_name])
    assert done.counters["cycles"] == FRAMES * plan.estimate.interval_cycles - 1
    return plan


def fan_network(steps, op, shape=(5, 6, 4)):
    """An operation, `steps` different steps on its result, and the sum of all of them and of the result itself."""
    rng = np.random.default_rng(steps)
    nodes, tip = [Node("many", op, (INPUT,))], "many"
    for i in range(steps):
        step = [
            ops.Requantize(IntType(5, True), i + 1, 4),
            ops.Threshold(np.sort(rng.integers(-40, 40, (1, 7)), axis=1), IntType(3)),
            ops.Requantize(IntType(6, True), [3, 5, 7, 1], 5, rounding="stochastic", seed=i + 1),
        ][i % 3]
        nodes += [Node(f"s{i}", step, ("many",)), Node(f"t{i}", ops.Add(), (tip, f"s{i}"))]
        tip = f"t{i}"
    return Network(InputSpec(TensorType(shape, IntType(2))), tuple(nodes))


PRODUCT = ops.Conv2d(np.random.default_rng(1).integers(-2, 2, (4, 2, 2, 4)), IntType(2, True), bias=[1, -2, 3, 0])


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("steps", [2, 3, 4, 7])
@pytest.mark.parametrize("op", [PRODUCT, ops.SumPool((2, 2)), ops.Pad((1, 0, 0, 1), 1)], ids=["conv", "pool", "pad"])
def test_more_results_than_slots(op, steps, reuse):
    plan = run(fan_network(steps, op), TARGET.options(reuse=reuse))
    many = [layer for layer in plan.layers if layer.layer.name == "many"]
    assert [len(layer.target) for layer in many] == [2] * ((steps + 1) // 2) + [1] * (steps % 2 == 0)


def test_lookups_are_results_of_their_input():
    """Every lookup becomes two results of the operation before it."""
    rng = np.random.default_rng(5)
    nodes = [Node("pool", ops.MaxPool((2, 2)), (INPUT,))]
    for i in range(3):
        table = rng.integers(-4, 4, (1, 8))
        nodes.append(Node(f"l{i}", ops.Lookup(IntType(3), table, IntType(3, True)), ("pool",)))
    nodes += [Node("a", ops.Add(), ("l0", "l1")), Node("b", ops.Add(), ("a", "l2"))]
    run(Network(InputSpec(TensorType((4, 5, 4), IntType(3))), tuple(nodes)), TARGET.options())


@pytest.mark.parametrize(("steps", "legal"), [(4095, True), (4096, True), (1 << 31, False)])
def test_steep_tables_are_refused_before_they_are_unrolled(steps, legal):
    low = -(steps // 2)
    network = chain([ops.Lookup(IntType(2), [[low, low, low + steps, low + steps]], IntType(32, True))], bits=2)
    found = problems(network, TARGET.options(param_words=1 << 16))
    if legal:
        assert found == []
    else:
        assert found[0].startswith(
            "n0: its table takes 536870913 words of parameters, more than 65536; legal: param_words"
        )


def test_tables_of_many_channels_are_refused_before_they_are_unrolled():
    """Written out, the thresholds would take 2 GB."""
    table = np.zeros((65536, 2), np.int64)
    table[7] = 0, 4095
    network = chain([ops.Lookup(IntType(1), table, IntType(12))], (65536,), 1)
    tracemalloc.start()
    found = problems(network, TARGET.options())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    rule = "n0: its table takes 67108864 words of parameters, more than 4096; legal: param_words up to 65536"
    assert found == [f"{rule}, or fewer steps or channels"]


ALONE = {
    "ArgMax": (ops.ArgMax(), (7,)),
    "ArgMax of pixels": (ops.ArgMax(), (3, 2, 5)),
    "Flatten": (ops.Flatten(), (3, 4, 5)),
    "Flatten of one pixel": (ops.Flatten(), (1, 1, 5)),
    "Pad": (ops.Pad((0, 1, 2, 0), 3), (1, 1, 1)),
    "Resize": (ops.Resize((2, 3)), (1, 1, 1)),
    "large Resize": (ops.Resize((11, 17)), (1, 1, 1)),
    "one step": (ops.Requantize(IntType(16, True), 3, 1), (1,)),
    "no threshold": (ops.Threshold(np.zeros((1, 0)), IntType(1)), (1, 1, 3)),
    "one weight": (ops.Dense([[1]], IntType(1)), (1,)),
}


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("name", ALONE)
def test_networks_of_one_node(name, size):
    op, shape = ALONE[name]
    run(chain([op], shape), TARGET.options(size=size))


@pytest.mark.parametrize(
    ("layers", "input_bits", "options", "expected"),
    [
        ([(256, 2000, 8)], 8, {}, "64000 words of weights do not fit 32768; legal: b_words of at least 64000"),
        ([(2000, 256, 8)], 8, {}, "64000 words of weights do not fit 32768; legal: b_words of at least 64000"),
        ([(2000, 256, 8)], 8, {"b_words": 2}, "64000 words of weights do not fit 2; legal: b_words of at least 64000"),
        ([(2000, 256, 8), (256, 2000, 8)], 8, {"b_words": 1 << 17}, None),
        ([(2000, 1024, 8)], 8, {}, "256000 words of weights do not fit 32768; legal: b_words is at most 131072"),
        (
            [(2000, 1024, 8)] * 2,
            8,
            ROOMY,
            "512000 words of weights do not fit 131072; legal: b_words is at most 131072",
        ),
    ],
)
def test_weights_that_do_not_fit_are_counted(layers, input_bits, options, expected):
    if expected and expected.startswith("512000"):
        first = dense(*layers[0])
        network = chain([first, ops.Requantize(IntType(8), 1, 9), dense(1024, 2000, 8)], (1024,), input_bits)
    else:
        chosen = [dense(*layer) for layer in layers]
        steps = [op for layer in chosen for op in (layer, ops.Requantize(IntType(8), 1, 12))]
        network = chain(steps, (layers[0][1],), input_bits)
    found = problems(network, TARGET.options(**({"param_words": 1 << 13} | options)))
    assert found == ([expected] if expected else [])


def test_every_memory_that_is_too_small_is_named():
    network = fan_network(3, PRODUCT)
    assert problems(network, TARGET.options(a_words=2))[0].startswith("its values need ")
    tiny = problems(network, TARGET.options(b_words=2, param_words=2, program_words=2))
    assert [text.split(";")[1].split(" of ")[0] for text in tiny] == [
        " legal: b_words",
        " legal: param_words",
        " legal: program_words",
    ]
    needed = {text.split("legal: ")[1].split(" of ")[0]: int(text.split()[-1]) for text in tiny}
    run(network, TARGET.options(**needed))
    for name, words in needed.items():
        (problem,) = problems(network, TARGET.options(**(needed | {name: words - 1})))
        assert problem.endswith(f"legal: {name} of at least {words}")


@pytest.mark.parametrize(
    ("op", "shape", "expected"),
    [
        (ops.MaxPool((1, 2)), (2, 514, 1), "input: it has 514 columns, .*legal: up to 513 columns, or a single row"),
        (
            ops.Conv2d(np.ones((1, 3, 1, 1)), IntType(1), (700, 1), (2049, 0, 0, 0)),
            (4, 4, 1),
            "n0: its program needs y = -2049 to -.* in stream A; legal: -2048",
        ),
        (ops.SumPool((700, 1)), (700, 8, 33), "n0: its program needs LEVEL dy = -699; legal: -512 to 511"),
        (
            ops.Resize((40, 40)),
            (1, 1, 1),
            "n0: its factor takes 1600 copies .*legal: at most 372 with program_words=4096",
        ),
        (
            ops.Conv2d(np.ones((8, 1, 1, 16411)), IntType(1)),
            (2, 1, 16411),
            "input: .* a loop of 16411 passes in stream O0; legal: up to 16384",
        ),
    ],
    ids=["columns", "padding", "window", "copies", "prime"],
)
def test_what_no_instruction_says_is_refused_by_node_and_limit(op, shape, expected):
    options = {**ROOMY, "program_words": 4096, "lane_bits": 16}
    found = problems(chain([op], shape, 1), TARGET.options(**options))
    assert re.match(expected, found[0])


def odd_memories():
    """(network, memories of odd numbers of words, those of the weights full)."""
    weight = np.arange(4 * 9 * 4).reshape(4, 3, 3, 4) % 5 - 2
    network = chain([ops.Conv2d(weight, IntType(3, True)), ops.Requantize(IntType(4), 3, 4)], (5, 5, 4))
    return network, TARGET.options(a_words=101, b_words=9, param_words=5, program_words=101)


def test_odd_numbers_of_words_are_loaded():
    network, options = odd_memories()
    plan = run(network, options)
    data = [value for address, value in TARGET.emit(plan).program.tolist() if address == hardware.DATA.address]
    code, params = len(plan.code.program.code), len(plan.code.program.params)
    assert plan.code.weight_words % 2 == 1
    assert len(data) == 2 * code + 4 * params + options.size * ((plan.code.weight_words + 1) // 2)


@pytest.mark.slow
def test_odd_numbers_of_words_in_rtl():
    network, options = odd_memories()
    assert bw.simulate(TARGET.emit(TARGET.plan(network, options)), random_input(network, FRAMES, 3)).bit_exact


def test_a_mapping_that_can_be_coded_is_taken(monkeypatch):
    """Where no field holds a number of the best mapping the next one is taken."""
    network = chain([PRODUCT])
    best = run(network, TARGET.options()).layers[0]

    def write(writer, plan, *at):
        if plan.pixels == best.pixels:
            writer.add("LEVEL", stream="A", level=0, count=1 << 20, step=0)
        codegen.write_layer(writer, plan, *at)

    planning.make_plan.cache_clear()
    monkeypatch.setattr(choice, "write_layer", write)
    network = chain([PRODUCT])
    assert run(network, TARGET.options()).layers[0].pixels != best.pixels
    planning.make_plan.cache_clear()


@pytest.mark.parametrize(
    ("op", "shape", "reuse"),
    [
        (ops.SumPool((300, 300)), (300, 300, 1), True),  # 90,000 passes over a body
        (ops.Threshold([[1]], IntType(1)), (1, 1, 16411), True),  # a prime number of words
        (ops.Conv2d(np.arange(12).reshape(12, 1, 1, 1), IntType(4)), (256, 256, 1), False),  # 98,304 tiles
    ],
    ids=["window", "words", "tiles"],
)
def test_loops_longer_than_one_counter(op, shape, reuse):
    size, step = (4, []) if isinstance(op, ops.SumPool) else (2, [ops.Requantize(IntType(4), 1, 0)])
    network = chain([op, *step], shape, 4 if isinstance(op, ops.SumPool) else 1)
    plan = run(network, TARGET.options(size=size, reuse=reuse, **ROOMY))
    assert max(plan.layers[0].inner, plan.layers[0].tiles, 4 * plan.received[0].pixel_words) > 1 << 14


def test_wide_sums_with_a_bias():
    """The accumulators hold no bias: they must fit 32 bits without it."""
    weight = np.full((4, 40000), 1)
    network = chain([ops.Dense(weight, IntType(1), [-(1 << 31)] * 4)], (40000,), 16)
    (problem,) = problems(network, TARGET.options(b_words=1 << 17))
    assert problem.startswith("n0: its accumulators reach from 0 to 2621400000 without the bias; legal: 32 signed bits")
    run(chain([ops.Dense(weight[:, :30000], IntType(1), [5] * 4)], (30000,), 16), TARGET.options(a_words=1 << 16))


def test_thresholds_far_outside_the_accumulators():
    far = np.array([[-(1 << 63), -5, 3, (1 << 63) - 1]])
    product = ops.Conv2d(np.ones((4, 1, 1, 4)), bias=[7, -7, 1 << 20, -(1 << 20)])
    run(chain([product, ops.Threshold(far, IntType(3))]), TARGET.options())


OPTIONS = [
    {**dict.fromkeys(LIMITS, 2)}, ROOMY, {"size": 8, "torus": True, **ROOMY}, {"size": 2, "program_words": 64},
    {"size": 2, "a_words": 64, "reuse": False}, {"param_words": 16, "lane_bits": 16}, {"b_words": 16, "lane_bits": 8},
]  # fmt: skip


@pytest.mark.parametrize("block", range(4))
def test_check_and_plan_agree(block):
    """Random networks with every set of options: planned or refused, never an exception."""
    planned = 0
    for seed in range(25 * block, 25 * block + 25):
        shape = [{}, {"fan": True}, {"input_bits": (1, 32), "activation_bits": (1, 16), "weight_bits": (1, 20)}][
            seed % 3
        ]
        network = simplify(random_network(seed, **shape))
        planned += not problems(network, TARGET.options(**OPTIONS[seed % len(OPTIONS)]))
    assert 2 <= planned <= 20
