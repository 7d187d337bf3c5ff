"""Lowering to simpler operations: the output stays for every input, and what should be gone is."""

from functools import partial

import numpy as np
import pytest
from random_networks import random_input

from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, TensorType, evaluate, lowering, ops

U4, I4 = IntType(4), IntType(4, True)


def concat_alike(channels):
    return channels % 8 == 0


CHANGES = {
    "flatten_first": lowering.flatten_first,
    "flatten_by_products": lowering.flatten_by_products,
    "pads_by_sums": lowering.pads_by_sums,
    "products_by_squares": lowering.products_by_squares,
    "concats_by_products": partial(lowering.concats_by_products, aligned=concat_alike),
    "unit_steps": partial(lowering.unit_steps, legal=(-1, 1)),
    "split_thresholds": partial(lowering.split_thresholds, most=6),
    "lookups_to_thresholds": partial(lowering.lower_lookups, table_bits=0, steps=0),
    "lookups_to_tables": partial(lowering.lower_lookups, table_bits=3, steps=5),
}


def image(shape, dtype, *nodes) -> Network:
    return Network(InputSpec(TensorType(shape, dtype)), [Node(*node) for node in nodes])


def same(network, change) -> Network:
    """The lowered network, whose output is that of the network."""
    found = change(network)
    assert found.output_type == network.output_type
    assert found.output_name == network.output_name
    assert {node.origin for node in found.nodes} <= set(network.types)
    x = random_input(network, 20)
    assert np.array_equal(evaluate(found, x)[found.output_name], evaluate(network, x)[network.output_name])
    return found


def kinds(network) -> list[str]:
    return [type(node.op).__name__ for node in network.nodes]


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("seed", range(40))
def test_the_output_stays(random_network, name, seed):
    same(random_network(seed, depth=(3, 10), fan=seed % 2 == 0), CHANGES[name])


def test_flatten_goes_before_what_treats_all_channels_alike():
    step = ops.Threshold([[1, 3]], IntType(2))
    network = image(
        (2, 2, 3),
        U4,
        ("step", step, ("input",)),
        ("flat", ops.Flatten(), ("step",)),
        ("fc", ops.Dense(np.ones((2, 12))), ("flat",)),
    )
    found = same(network, lowering.flatten_first)
    assert [(n.name, n.inputs) for n in found.nodes] == [
        ("flat", ("input",)),
        ("step", ("flat",)),
        ("fc", ("step",)),
    ]
    each = ops.Threshold([[1, 3]] * 3, IntType(2))
    kept = image((2, 2, 3), U4, ("step", each, ("input",)), *[(n.name, n.op, n.inputs) for n in network.nodes[1:]])
    assert lowering.flatten_first(kept) is kept


@pytest.mark.parametrize("dtype", [U4, I4, BIPOLAR])
def test_a_flatten_that_is_no_view_rearranges_by_unit_weights(dtype):
    conv = ops.Conv2d(np.ones((2, 1, 1, 2)), IntType(1))
    step = ops.Threshold([[0]], BIPOLAR, [-1], [2]) if dtype.bipolar else ops.Requantize(dtype)
    network = image(
        (2, 3, 2),
        dtype,
        ("conv", conv, ("input",)),
        ("step", step, ("conv",)),
        ("flat", ops.Flatten(), ("step",)),
        ("sum", ops.Add(), ("flat", "flat")),
    )
    found = same(network, lowering.flatten_by_products)
    assert kinds(found)[2:4] == ["Flatten", "Dense"]
    assert all(node.origin == "flat" for node in found.nodes[2:-1])


@pytest.mark.parametrize(("dtype", "value"), [(U4, 0), (U4, 7), (I4, -3), (BIPOLAR, -1), (BIPOLAR, 1)])
def test_pads_are_sums(dtype, value):
    found = same(image((2, 3, 2), dtype, ("pad", ops.Pad((1, 0, 2, 1), value), ("input",))), lowering.pads_by_sums)
    assert "Pad" not in kinds(found)


@pytest.mark.parametrize("dtype", [U4, I4, BIPOLAR])
@pytest.mark.parametrize("shape", [(2, 3, 5), (5,)])
def test_concats_are_sums_where_channels_are_not_aligned(dtype, shape):
    nodes = [
        ("half", ops.Threshold([[0]], BIPOLAR, [-1], [2]), ("input",)),
        ("both", ops.Concat(), ("input", "half")),
    ]
    found = same(image(shape, dtype, *nodes), CHANGES["concats_by_products"])
    assert "Concat" not in kinds(found)
    whole = image((2, 3, 8), dtype, *nodes)
    assert CHANGES["concats_by_products"](whole) is whole


@pytest.mark.parametrize("zeros", [(0, 0), (3, -2)])
@pytest.mark.parametrize("factor", [(2, 3, 4), (1, 1, 4), (2, 3, 1), (1, 1, 1)])
@pytest.mark.parametrize(("first", "second"), [(U4, I4), (BIPOLAR, U4), (BIPOLAR, BIPOLAR), (IntType(8), IntType(8))])
def test_products_are_differences_of_squares(first, second, factor, zeros):
    table = second.values()[np.random.default_rng(3).integers(0, second.levels, (1, first.levels))]
    nodes = [("map", ops.Lookup(first, table, second), ("input",))]
    if factor[:2] == (1, 1):
        nodes.append(("pixel", ops.MaxPool((2, 3)), (nodes[-1][0],)))
    if factor[2] == 1:
        nodes.append(("channel", ops.Conv2d(np.eye(1, 4).reshape(1, 1, 1, 4), IntType(1)), (nodes[-1][0],)))
    nodes.append(("product", ops.Mul(zeros), ("input", nodes[-1][0])))
    found = same(image((2, 3, 4), first, *nodes), CHANGES["products_by_squares"])
    assert "Mul" not in kinds(found)


def test_products_of_wide_factors_stay():
    network = image((2, 3, 4), IntType(12), ("product", ops.Mul(), ("input", "input")))
    assert CHANGES["products_by_squares"](network) is network


def test_steps_of_any_size_become_steps_of_one():
    step = ops.Threshold([[1, 4], [2, 9], [3, 3]], IntType(4, True), base=[5, -3, 2], step=[-2, 2, 0])
    found = same(image((3,), U4, ("step", step, ("input",))), CHANGES["unit_steps"])
    assert set(np.unique(found.nodes[0].op.step)) <= {-1, 1}
    flat = ops.Threshold([[3], [4]], BIPOLAR, base=[1, -1], step=[0, 2])
    assert kinds(same(image((2,), U4, ("step", flat, ("input",))), CHANGES["unit_steps"])) == ["Threshold"]


def test_many_thresholds_are_counted_in_parts():
    rows = np.sort(np.random.default_rng(0).integers(-120, 120, (2, 20)), axis=1)
    step = ops.Threshold(rows, IntType(6, True), base=[-3, 5], step=[1, -1])
    found = same(image((2,), IntType(8, True), ("step", step, ("input",))), CHANGES["split_thresholds"])
    assert kinds(found) == [*["Threshold"] * 4, "Add", "Add", "Add", "Requantize"]


def test_a_table_that_rises_or_falls_in_each_channel_is_one_threshold():
    table = np.stack([np.arange(16) // 2, 9 - np.arange(16) // 3])
    found = same(image((2,), U4, ("map", ops.Lookup(U4, table, U4), ("input",))), CHANGES["lookups_to_thresholds"])
    assert kinds(found) == ["Threshold"]
    sign = np.where(np.arange(16) < [[4], [9]], 1, -1)
    bits = ops.Lookup(U4, sign * [[1], [-1]], BIPOLAR)
    assert kinds(same(image((2,), U4, ("map", bits, ("input",))), CHANGES["lookups_to_thresholds"])) == ["Threshold"]


@pytest.mark.parametrize("dtype", [IntType(8, True), BIPOLAR])
def test_any_table_is_rises_and_falls_or_shorter_tables(dtype):
    table = dtype.values()[np.random.default_rng(1).integers(0, dtype.levels, (2, 64))]
    source = IntType(6, True)
    network = image((2,), source, ("map", ops.Lookup(source, table, dtype), ("input",)))
    assert "Lookup" not in kinds(same(network, CHANGES["lookups_to_thresholds"]))
    parts = same(network, CHANGES["lookups_to_tables"])
    assert all(n.op.domain == IntType(3) for n in parts.nodes if isinstance(n.op, ops.Lookup))
    assert {node.origin for node in parts.nodes} == {"map"}
    assert "map/part0" in parts.types


def test_names_of_parts_are_new_and_never_too_long():
    table = ops.Lookup(U4, [[*range(8), *range(8)]], U4)
    nodes = [("map", table, ("input",)), ("map/rises", table, ("map",)), ("x" * 4096, table, ("map/rises",))]
    same(image((2,), U4, *nodes), CHANGES["lookups_to_thresholds"])
