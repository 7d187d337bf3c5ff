"""Estimates by the nodes of the network: every target says what its units compute, and the search books by that."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contract_network import image_network

from bitwright import api, targets
from bitwright.explore.costs import Cost, layer_costs
from bitwright.models.graph import FloatGraph, FloatNode
from bitwright.models.graph import ops as float_ops
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.network.passes import simplify
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.ptq import prepare, resolve_widths
from bitwright.targets.contract import Refusal

OPTIONS = {"bitsys": {"hardware": "small"}, "rap": {"size": 2, "param_words": 1 << 15}}
STREAMED = Path(__file__).parents[1] / "bitsys" / "hardware" / "container_stream.toml"
VIEWS = (ops.Flatten, ops.ArgMax)


@pytest.mark.parametrize("name", targets.names())
@pytest.mark.parametrize("seed", range(16))
def test_units_name_what_they_compute(name, seed, random_network):
    """Every operation is in one unit, or in the parts of one; views may be in none, shared hardware has none."""
    network = image_network() if seed == 0 else random_network(seed)
    plan = api.plan(network, name, OPTIONS.get(name, {}))
    if isinstance(plan, Refusal):
        pytest.skip("refused")
    layers, nodes = plan.estimate.layers, plan.network.nodes
    assert {n for layer in layers for n in layer.nodes} >= {n.name for n in nodes if not isinstance(n.op, VIEWS)}
    assert {n for layer in layers for n in layer.nodes} <= {n.name for n in nodes}
    units = Counter(n for group in {layer.nodes for layer in layers} for n in group)
    several = {n.name for n in nodes if name == "rap" and len(plan.network.consumers[n.name]) > 1}
    several |= {n.name for n in nodes if isinstance(n.op, ops.Lookup) and name == "rap"}
    assert {n for n, count in units.items() if count > 1} <= several
    assert plan.estimate.shared is None or plan.estimate.shared.nodes == ()
    design = targets.get(name).emit(plan)
    known = [unit for unit in design.units if unit.row is not None]
    assert [plan.estimate.rows[unit.row].name for unit in known] == [unit.name for unit in known]
    assert known


@pytest.mark.parametrize(("name", "overlap"), [("bitsys", False), ("rap", False), ("tlmac", True)])
def test_whether_layers_overlap(name, overlap):
    """Where they do, the interval is less than what the layers take together, else it is no less."""
    estimate = api.plan(image_network(), name, OPTIONS.get(name, {})).estimate
    assert estimate.overlap == overlap
    assert (estimate.interval_cycles < sum(layer.cycles for layer in estimate.layers)) == overlap


def test_an_operation_and_what_follows_are_one_unit():
    names = {name: api.plan(image_network(), name, OPTIONS.get(name, {})).estimate.layers for name in targets.names()}
    for layers in names.values():
        assert [n for n in (layer.nodes for layer in layers) if n] == [
            ("conv", "step"),
            ("pool",),
            ("mix", "scale"),
            ("fc",),
        ]


def test_a_lookup_that_becomes_thresholds_is_the_networks():
    table = np.array([[0, 3, 1, 2]])
    nodes = [
        Node("fc", ops.Dense(np.ones((1, 4), int), IntType(2, True)), ("input",)),
        Node("act", ops.Threshold([[1, 2, 3]], IntType(2)), ("fc",)),
        Node("look", ops.Lookup(IntType(2), table, IntType(2)), ("act",)),
    ]
    network = simplify(Network(InputSpec(TensorType((4,), IntType(1))), nodes))
    for name in targets.names():
        plan = api.plan(network, name, OPTIONS.get(name, {}))
        found = {n for layer in plan.estimate.layers for n in layer.nodes}
        assert found == {node.name for node in plan.network.nodes}


def split_model() -> FloatGraph:
    rng = np.random.default_rng(3)
    nodes = [
        FloatNode("first", float_ops.Dense(weight=rng.normal(size=(64, 64)), bias=rng.normal(size=64)), ("input",)),
        FloatNode("relu", float_ops.Relu(), ("first",)),
        FloatNode("fc", float_ops.Dense(weight=rng.normal(size=(256, 64)), bias=rng.normal(size=256)), ("relu",)),
    ]
    return FloatGraph.build(nodes, input_shape=(64,), input_layout="C")


def test_the_search_books_split_layers_under_their_layer():
    """A layer that is split, as its weights do not fit at once, costs what its parts cost."""
    graph, x = split_model(), np.random.default_rng(4).normal(size=(32, 64)).astype(np.float32)
    prepared = prepare(graph, x, QuantizeOptions(weight_bits=8, activation_bits=8))
    widths = resolve_widths(prepared.graph, prepared.options)
    pairs = {name: (pair,) for name, pair in widths.layers.items()}
    cost = Cost("cycles", "bitsys", {"hardware": str(STREAMED), "batch": 1})
    costs = layer_costs(prepared, replace(widths, layers={n: p[0] for n, p in pairs.items()}), pairs, cost)
    assert costs.table["fc"][pairs["fc"][0]] > costs.table["first"][pairs["first"][0]] > 0
    assert not costs.bottleneck
