"""Deadlock freedom from the emitted text; planted faults are found, and what cannot be read is never certified."""

import re
from dataclasses import replace

import numpy as np
import pytest

import bitwright as bw
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.proving.deadlock import STOPS, UNKNOWN, certify
from bitwright.tools.model import DeadlockError, Stalls

T = IntType(2)
DEPTH = re.compile(r"\.Depth\((\d+)\)\n  \) i_in0_fifo \(")


def network():
    """A sum of the input and of a convolution of it, which needs two rows before its first result."""
    rng = np.random.default_rng(0)
    nodes = [
        Node("conv", ops.Conv2d(rng.integers(-2, 2, (2, 3, 3, 2)), IntType(2, True), pads=(1, 1, 1, 1)), ("input",)),
        Node("step", ops.Threshold([[-3, 0, 4]], T), ("conv",)),
        Node("sum", ops.Add(), ("input", "step")),
    ]
    return Network(InputSpec(TensorType((6, 6, 2), T)), nodes, name="branches")


@pytest.fixture(scope="module")
def design():
    return bw.compile(network(), "tlmac", interval=60)


def changed(design, path, old, new, count=1):
    text = design.files[path]
    assert old in text
    return replace(design, files={**design.files, path: text.replace(old, new, count)})


def joining(design):
    """The file with the buffers of the sum, and the depth of the buffer on the short way."""
    found = [(p, int(m[1])) for p, text in design.files.items() if (m := DEPTH.search(text))]
    assert len(found) == 1
    return found[0]


def with_depth(design, depth):
    path, now = joining(design)
    return changed(design, path, f".Depth({now})\n  ) i_in0_fifo (", f".Depth({depth})\n  ) i_in0_fifo (")


def test_a_fork_and_a_join_are_certified(design):
    found = certify(design)
    assert found.shown, found
    assert {c.words for c in found.channels if c.driver == "top"} == {design.input.words}
    assert {c.words for c in found.channels if c.reader == "top"} == {design.output.words}
    depth = joining(design)[1]
    assert [c.room for c in found.channels if c.driver.endswith("i_in0_fifo")] == [depth + 1]


def test_a_buffer_that_is_too_small_is_found_and_named(design):
    found = certify(with_depth(design, 2))
    assert found.status == STOPS
    assert "words do not come out" in found.reason
    assert "in0_fifo" in found.reason


def least_depth(design):
    """The least depth that is certified; more is certified, too."""
    shown = [certify(with_depth(design, depth)).shown for depth in range(2, joining(design)[1] + 1)]
    assert shown == sorted(shown)
    assert shown[-1]
    assert not shown[0]
    return 2 + shown.index(True)


@pytest.mark.slow
def test_the_least_depth_that_is_certified_is_that_of_simulation(design):
    x = np.random.default_rng(1).integers(0, 4, (3, 6, 6, 2))
    least = with_depth(design, least_depth(design))
    result = bw.simulate(least, x, stalls=Stalls(seed=1, input=0.2, output=0.4))
    assert not result.mismatches
    less = with_depth(design, least_depth(design) - 1)
    with pytest.raises(DeadlockError):
        bw.simulate(less, x, stalls=Stalls(seed=1, input=0.2, output=0.4))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("rtl/stream_fifo.sv", "Depth - 1", "Depth - 2"),  # no module of the library
        (None, ".s_ready_o(s0_ready_o)", ".s_ready_o(s1_ready_o)"),
        (None, "stream_fifo #(", "my_fifo #("),
        (None, ".Depth(", ".Depth(2*"),
    ],
)
def test_what_is_not_understood_is_not_certified(design, path, old, new):
    found = certify(changed(design, path or joining(design)[0], old, new))
    assert found.status == UNKNOWN
    assert found.reason
    assert not found.shown


def test_other_targets_are_not_certified():
    found = certify(bw.compile(network(), "bitsys"))
    assert found.status == UNKNOWN
    assert str(found).startswith("not certified: ")
