"""A target says yes or no, and why: `check` and `plan` agree, at the edges of what a network may be, too."""

import re
from pathlib import Path

import numpy as np
import pytest
from edge_networks import edge_networks

import bitwright as bw
from bitwright import targets
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.network.passes import simplify
from bitwright.targets.contract import Refusal, make_options

TARGETS = targets.names()
HARDWARE = str(Path(__file__).parents[1] / "bitsys/hardware/container.toml")  # without a stream of weights
SMALL = {  # options that limit every memory of a target, and the limit that a large network meets
    "bitsys": ({"hardware": HARDWARE}, r"weights need 64000 lines; legal: at most 4096 in hardware container"),
    "rap": ({}, r"\d+ words of weights do not fit 32768; legal: b_words of at least \d+"),
    "tlmac": (
        {"device": "xc7a35t"},
        r"device xc7a35t \(20800 LUTs\) is too small: the circuit needs at least \d+ LUTs",
    ),
}


def dense(outputs, inputs, bits=8):
    weight = np.random.default_rng(0).integers(-(1 << bits >> 1), 1 << bits >> 1, (outputs, inputs))
    node = Node("fc", ops.Dense(weight, IntType(bits, True)), ("input",))
    return Network(InputSpec(TensorType((inputs,), IntType(8))), (node,), name="dense")


def verdict(name, network, options=None):
    """(problems of `check`, the plan or refusal); both are asked, whatever the other says."""
    target = targets.get(name)
    settings = make_options(target, options or {})
    return target.check(network, settings), target.plan(network, settings)


def agreed(name, network, options=None):
    """Whether the target accepts, of which `check` and `plan` have one opinion; a refusal owes a rule and the legal."""
    problems, made = verdict(name, network, options)
    assert bool(problems) == isinstance(made, Refusal), (network.name, problems, made)
    for problem in (*problems, *(made.problems if problems else ())):
        assert problem.node is None or problem.node in network.types
        assert problem.rule
        assert problem.legal
    return not problems


@pytest.mark.parametrize("name", TARGETS)
def test_check_accepts_what_plan_accepts_and_nothing_else(name, random_network):
    """Narrow and wide types, small and tight memories."""
    found = [agreed(name, simplify(random_network(seed, size=(1, 6), depth=(1, 5)))) for seed in range(100, 140)]
    assert any(found)


@pytest.mark.parametrize("name", TARGETS)
def test_networks_of_one_node_are_planned_or_refused(name):
    accepted = 0
    for network in list(edge_networks(channels=20))[:: 1 if name == "bitsys" else 7]:
        simple = simplify(network)
        if agreed(name, simple):
            accepted += 1
            assert targets.get(name).emit(verdict(name, simple)[1]).output.only.type == simple.output_type
    assert accepted > 20


@pytest.mark.parametrize("name", TARGETS)
def test_a_network_too_large_for_every_memory_is_refused_by_the_limit(name):
    options, limit = SMALL[name]
    (candidate,) = (c for c in bw.compare(dense(256, 2000), {name: options}) if c.target == name)
    assert candidate.estimate is None
    assert re.search(limit, candidate.refusal), candidate.refusal


def test_refusals_stand_beside_acceptances():
    found = {c.target: c for c in bw.compare(dense(256, 2000), {"tlmac": SMALL["tlmac"][0]})}
    assert sorted(name for name, c in found.items() if c.estimate is None) == ["rap", "tlmac"]
    assert found["bitsys"].estimate.interval_cycles > 0
    assert all(bool(c.refusal) == (c.estimate is None) for c in found.values())


@pytest.mark.parametrize("name", TARGETS)
def test_the_options_of_a_design_make_it_again(name):
    design = bw.compile(dense(6, 10, bits=2), target=name)
    again = bw.compile(dense(6, 10, bits=2), target=name, **design.options)
    assert again.digest == design.digest
    assert dict(again.options) == dict(design.options)


@pytest.mark.parametrize("name", ["bitsys", "rap"])
def test_products_of_wide_factors_name_their_bits(name):
    network = Network(
        InputSpec(TensorType((2, 3, 4), IntType(12))), (Node("product", ops.Mul(), ("input", "input")),), name="wide"
    )
    problems, refusal = verdict(name, network)
    assert isinstance(refusal, Refusal)
    assert problems[0].rule.startswith("sums of its factors take 14 bits")
    assert problems[0].legal == "factors with sums of at most 12 bits"
    assert problems[0].node == "product"
