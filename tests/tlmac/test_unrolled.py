"""Fully unrolled layers: the search keeps the matrix, every adder keeps its layout, the circuit equals the network."""

from itertools import pairwise

import numpy as np
import pytest
from random_networks import random_input

from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Conv2d, Dense, Flatten, Threshold
from bitwright.simulation import simulate
from bitwright.synthesis import synthesize
from bitwright.targets import get
from bitwright.targets.contract import make_options
from bitwright.targets.tlmac.circuit import fold
from bitwright.targets.tlmac.elements.unrolled import element as unrolled_element
from bitwright.targets.tlmac.elements.unrolled import sums as unrolled
from bitwright.targets.tlmac.elements.unrolled import triples as unrolled_triples
from bitwright.targets.tlmac.elements.unrolled.graph import Adder, Builder, Operand, Table
from bitwright.targets.tlmac.elements.unrolled.pairs import share_pairs, signed_digits
from bitwright.targets.tlmac.elements.unrolled.sums import evaluate, unroll
from bitwright.targets.tlmac.elements.unrolled.tree import build_sum
from bitwright.targets.tlmac.elements.unrolled.triples import share_triples
from bitwright.targets.tlmac.model.cost import mac_cost, total
from bitwright.targets.tlmac.search import choice
from bitwright.tools.model import Stalls

TLMAC = get("tlmac")


def graph_of(weights, low, high):
    ones = np.ones(len(weights), np.int64)
    return unroll(weights, low * ones, high * ones)


def random_words(rng, count, low, high, inputs):
    """Random words, and those in which all inputs are at one end."""
    x = rng.integers(low, high + 1, (count, inputs))
    return np.concatenate([x, np.full((1, inputs), low), np.full((1, inputs), high)])


@pytest.mark.parametrize(
    ("inputs", "outputs", "magnitude", "low", "high"),
    [(1, 1, 5, 0, 3), (2, 3, 1, 0, 1), (9, 7, 1, 1, 3), (16, 12, 31, 0, 255), (20, 70, 3, 0, 15), (30, 5, 100, 2, 7)],
)
def test_the_graph_computes_the_matrix(inputs, outputs, magnitude, low, high):
    rng = np.random.default_rng(inputs)
    weights = rng.integers(-magnitude, magnitude + 1, (inputs, outputs))
    x = random_words(rng, 300, low, high, inputs)
    assert np.array_equal(evaluate(graph_of(weights, low, high), x), x @ weights)


def test_large_matrices_are_searched_in_parts(monkeypatch):
    monkeypatch.setattr(unrolled, "MAX_PAIRS", 100)
    monkeypatch.setattr(unrolled_triples, "MAX_INPUTS", 7)
    rng = np.random.default_rng(8)
    for low, high, magnitude in ((0, 2, 1), (0, 15, 7)):
        weights = rng.integers(-magnitude, magnitude + 1, (20, 9))
        x = random_words(rng, 100, low, high, 20)
        assert np.array_equal(evaluate(graph_of(weights, low, high), x), x @ weights)


def test_sums_of_nothing_have_no_value():
    graph = graph_of(np.array([[0, 3], [0, -1]]), 0, 7)
    assert graph.outputs[0] is None
    assert evaluate(graph, np.array([[5, 2]])).tolist() == [[0, 13]]


def test_signed_digits_are_canonical():
    w = np.arange(-300, 301)
    digits = signed_digits(w)
    assert np.array_equal(digits @ (1 << np.arange(digits.shape[-1])), w)
    assert not (digits[:, 1:] & digits[:, :-1] & 1).any()  # no two neighbors are set


def test_a_pair_that_many_sums_share_is_built_once():
    sums = [[(0, 0, 1), (1, 2, -1), (k, 0, 1)] for k in (2, 3, 4)] + [[(0, 1, -1), (1, 3, 1)]]
    left, fresh, forms = share_pairs(sums, np.eye(5, dtype=np.int64), np.full(5, 255))
    assert fresh == [[(0, 0, 1), (1, 2, -1)]]
    assert forms[5].tolist() == [1, -4, 0, 0, 0]
    assert left[3] == [(5, 1, -1)]
    assert all((5, 0, 1) in terms and len(terms) == 2 for terms in left[:3])


def test_triples_are_found_with_either_sign():
    weights = np.zeros((5, 4), np.int64)
    weights[[0, 2, 4], 0] = weights[[0, 2, 4], 3] = 1, -1, 1
    weights[[0, 2, 4], 1] = -1, 1, -1
    weights[1, 2] = 1
    ((inputs, chosen, signs),), left = share_triples(weights)
    assert inputs == (0, 2, 4)
    assert (np.outer(chosen, signs) == weights[[0, 2, 4]]).all()
    assert np.argwhere(left).tolist() == [[1, 2]]


def test_shared_sums_cost_less_than_separate_trees():
    rng = np.random.default_rng(4)
    weights = rng.integers(-7, 8, (24, 16))
    digits = signed_digits(weights)
    apart = Builder(np.zeros(24, np.int64), np.full(24, 15))
    for o in range(16):
        build_sum(apart, [(int(i), int(d), int(digits[i, o, d])) for i, d in np.argwhere(digits[:, o])], True)
    assert graph_of(weights, 0, 15).luts < 0.9 * sum(value.luts for value in apart.values)


def test_constants_stand_where_an_operand_is_missing():
    """a + (b << 3) + (c << 3) + 5: the constant's two bits lie below the other operands and cost a LUT each at most."""
    graph = Builder(np.zeros(3, np.int64), np.full(3, 15))
    operands = (Operand(0, 0, False), Operand(1, 3, True), Operand(2, 3, False))
    plain, shifted = graph.values[graph.add(operands)], graph.values[graph.add(operands, 5)]
    assert shifted.offset == plain.offset + 5
    assert plain.luts < shifted.luts <= plain.luts + 3
    assert isinstance(shifted.source, Adder)


def dense_network(rng, sizes, weight_type, input_type):
    nodes, name, dtype = [], "input", IntType(2, True)
    for k, (a, b) in enumerate(pairwise(sizes)):
        w = weight_type.values()[rng.integers(0, weight_type.levels, (b, a))]
        nodes.append(Node(f"dense_{k}", Dense(w, weight_type), (name,)))
        name = f"dense_{k}"
        if k < len(sizes) - 2:
            t = np.sort(rng.integers(-6, 7, (b, 2)), axis=1)
            op = Threshold(t, dtype, base=np.array([-1]), step=np.array([1]))
            nodes.append(Node(f"act_{k}", op, (name,)))
            name = f"act_{k}"
    return Network(InputSpec(TensorType((sizes[0],), input_type)), tuple(nodes), name="dense")


def plan_of(network, **options):
    chosen = make_options(TLMAC, options)
    assert TLMAC.check(network, chosen) == []
    return TLMAC.plan(network, chosen)


CASES = [("int2", "int2"), ("uint3", "int6"), ("int8", "int4"), ("bipolar", "int3"), ("uint1", "bipolar")]


@pytest.mark.parametrize(("activations", "weights"), CASES)
def test_unrolled_layers_in_simulation(activations, weights):
    rng = np.random.default_rng(3)
    network = dense_network(rng, (14, 9, 5), IntType.parse(weights), IntType.parse(activations))
    plan = plan_of(network, interval=1, elements=["unrolled"])
    assert [unit.mac.element.kind for unit in plan.units] == ["unrolled"] * 2
    result = simulate(TLMAC.emit(plan), random_input(network, 40), stalls=Stalls(5, 0.3, 0.3))
    assert result.bit_exact, result.first_mismatch()
    free = simulate(TLMAC.emit(plan), random_input(network, 20))
    assert (free.latency_cycles, free.interval_cycles) == (plan.estimate.latency_cycles, 1)


def test_inputs_whose_sign_never_changes():
    """-3 and -2 in four bits: the inverted sign is no bit of the codes 5 and 6, neither of adders' nor of tables'."""
    rng = np.random.default_rng(4)
    negative = Threshold(np.array([[2]]), IntType(4, True), base=np.array([-3]), step=np.array([1]))
    dense = Dense(rng.integers(-4, 4, (9, 5)), IntType(3, True))
    nodes = (Node("act", negative, ("input",)), Node("dense", dense, ("act",)))
    network = Network(InputSpec(TensorType((5,), IntType(2))), nodes, name="negative")
    plan = plan_of(network, interval=1, elements=["unrolled"])
    sources = [type(value.source) for value in plan.units[1].mac.element.graph.values]
    assert {Table, Adder} <= set(sources)
    result = simulate(TLMAC.emit(plan), random_input(network, 40))
    assert result.bit_exact, result.first_mismatch()


def test_an_unrolled_convolution_takes_a_pixel_a_cycle():
    rng = np.random.default_rng(2)
    dtype, weight_type = IntType(4), IntType(3, True)
    w = weight_type.values()[rng.integers(0, 8, (4, 3, 3, 4))]
    setting = {"element": "unrolled", "taps": "columns+rows", "lanes": 36, "outputs": 4, "digit": 4}
    conv = Conv2d(w, weight_type, pads=(1, 1, 1, 1), pad_value=3)
    network = Network(InputSpec(TensorType((6, 6, 4), dtype)), (Node("conv", conv, ("input",)),), name="conv")
    plan = plan_of(network, layers={"conv": setting})
    result = simulate(TLMAC.emit(plan), random_input(network, 3), stalls=Stalls(5, 0.3, 0.3))
    assert result.bit_exact, result.first_mismatch()
    assert plan.units[0].mac.cycles == 36


FOLDED = ["private", "products", "gates"]


@pytest.mark.parametrize(("goal", "kind"), [(1, "unrolled"), (3, "unrolled"), (8, "private")])
def test_the_planner_unrolls_where_that_is_cheapest(goal, kind):
    network = dense_network(np.random.default_rng(3), (48, 24, 10), IntType(3, True), IntType(4))
    plan, folded = plan_of(network, interval=goal), plan_of(network, interval=goal, elements=FOLDED)
    assert {unit.mac.element.kind for unit in plan.units} == {kind}
    assert plan.estimate.interval_cycles <= goal
    for unit in plan.units:
        rows = unit.mac.candidates
        assert rows[0]["element"] == kind
        assert {"unrolled", "private"} <= {row["element"] for row in rows}
        assert [row["price"] for row in rows] == sorted(row["price"] for row in rows)
    if kind == "unrolled":
        assert plan.estimate.total.lut < 0.6 * folded.estimate.total.lut
    else:
        assert TLMAC.emit(plan).files == TLMAC.emit(folded).files


def test_a_freely_unrolled_layer_in_simulation():
    """A convolution whose goal leaves two cycles a position, before a dense layer with few weights a cycle."""
    rng = np.random.default_rng(6)
    narrow, bits = IntType(3, True), IntType(3)
    conv = Conv2d(narrow.values()[rng.integers(0, 8, (8, 3, 3, 4))], narrow, pads=(1, 1, 1, 1))
    steps = np.sort(rng.integers(-60, 60, (8, 7)), axis=1)
    dense = Dense(narrow.values()[rng.integers(0, 8, (6, 7 * 6 * 8))], narrow)
    nodes = (
        Node("conv", conv, ("input",)),
        Node("act", Threshold(steps, bits), ("conv",)),
        Node("flat", Flatten(), ("act",)),
        Node("dense", dense, ("flat",)),
    )
    network = Network(InputSpec(TensorType((7, 6, 4), bits)), nodes, name="mixed")
    plan = plan_of(network, interval=100)
    assert [unit.mac.element.kind for unit in plan.units] == ["unrolled", "products"]
    assert plan.estimate.total.lut < plan_of(network, interval=100, elements=FOLDED).estimate.total.lut
    stalled = simulate(TLMAC.emit(plan), random_input(network, 8), stalls=Stalls(5, 0.3, 0.3))
    assert stalled.bit_exact, stalled.first_mismatch()
    free = simulate(TLMAC.emit(plan), random_input(network, 8))
    estimate = plan.estimate
    assert (free.latency_cycles, free.interval_cycles) == (estimate.latency_cycles, estimate.interval_cycles)
    assert estimate.interval_cycles <= 100


def test_the_search_for_shared_sums_is_bounded(monkeypatch):
    """Where there is nothing to gain, or too much to search, there is no search."""
    network = dense_network(np.random.default_rng(3), (48, 24), IntType(3, True), IntType(4))

    def search(*_):
        raise AssertionError("searched")

    monkeypatch.setattr(unrolled_element, "_unrolled", search)
    mac = plan_of(network, interval=48).units[0].mac
    assert mac.remark.startswith("unrolled: plain not considered, its price is at least 1,0")
    monkeypatch.setattr(choice, "FREE_WEIGHTS", 200)
    mac = plan_of(network, interval=1).units[0].mac
    assert mac.remark == "unrolled: not considered, 1,152 weights; beyond 200 only where the option elements names it"
    with pytest.raises(AssertionError, match="searched"):
        plan_of(network, interval=1, elements=[*FOLDED, "unrolled"])


def test_the_floor_is_below_the_price():
    rng = np.random.default_rng(1)
    for inputs, outputs, weight, activation in (
        (20, 9, "int2", "uint1"),
        (64, 64, "int2", "int2"),
        (30, 16, "int8", "uint8"),
    ):
        network = dense_network(rng, (inputs, outputs), IntType.parse(weight), IntType.parse(activation))
        mac = plan_of(network, interval=1, elements=["unrolled"]).units[0].mac
        floor = choice.floor_price(mac, fold.LUTS_PER_BRAM36)
        assert 0.2 < floor / fold.price(total(mac_cost(mac))) < 0.8


def test_the_estimate_is_what_yosys_finds():
    network = dense_network(np.random.default_rng(3), (20, 12, 6), IntType(5, True), IntType(8, True))
    plan = plan_of(network, interval=1, elements=["unrolled"])
    measured = synthesize(TLMAC.emit(plan), "xczu3eg")
    assert plan.estimate.total.lut == pytest.approx(measured.lut, rel=0.05)
    first = measured.units[0]  # of its cells, the LUT pairs are the adders'
    assert first.estimate.lut == pytest.approx(first.resources.lut, rel=0.05)
    assert first.cells["LUT6_2"] == plan.units[0].mac.element.graph.luts
