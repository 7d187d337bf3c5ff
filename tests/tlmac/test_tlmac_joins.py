"""FIFO depths at joins, against closed forms."""

import re

import numpy as np
import pytest

from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Add, Concat, Conv2d, Flatten, Pad
from bitwright.targets.tlmac.circuit.joins import SLACK_PIXELS, align, fifo_pixels
from bitwright.targets.tlmac.circuit.units import build_circuit


def join_depths(shape, branch, join):
    network = Network(InputSpec(TensorType(shape, IntType(2))), (*branch, join))
    circuit = build_circuit(network)
    return [pixels - SLACK_PIXELS for pixels, _ in fifo_pixels(circuit)[join.name]]


def conv(name, source, kernel, pads, dilation=(1, 1)):
    return Node(name, Conv2d(np.ones((2, *kernel, 2)), IntType(2), (1, 1), pads, dilation), (source,))


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_same_convolution_delays_by_half_its_window(kernel):
    half, width = kernel // 2, 9
    branch = [conv("c", "input", (kernel, kernel), (half,) * 4)]
    wire, other = join_depths((8, width, 2), branch, Node("sum", Add(), ("input", "c")))
    assert wire == half * width + half
    assert other == 0


def test_delays_of_a_branch_add_up():
    branch = [conv("c", "input", (3, 3), (1,) * 4), conv("d", "c", (3, 3), (1,) * 4)]
    wire, _ = join_depths((8, 9, 2), branch, Node("sum", Add(), ("input", "d")))
    assert wire == 2 * (9 + 1)


def test_a_burst_behind_a_fork_is_held():
    """The last pixel of the input frees two rows of padding at once; the fork stands behind them."""
    branch = [
        Node("pad", Pad((0, 0, 2, 0)), ("input",)),
        conv("c", "pad", (5, 1), (4, 0, 0, 0)),
        conv("d", "pad", (5, 1), (0, 0, 4, 0)),
    ]
    down, up = join_depths((3, 4, 2), branch, Node("sum", Concat(), ("c", "d")))
    assert (down, up) == (16, 0)


def test_a_flattened_stream_keeps_its_pixels():
    branch = [conv("c", "input", (3, 3), (1,) * 4), Node("f", Flatten(), ("c",)), Node("g", Flatten(), ("input",))]
    wire, _ = join_depths((4, 5, 2), branch, Node("sum", Add(), ("g", "f")))
    assert wire == 6


def test_streams_of_different_pixels_are_aligned():
    a, b = align(np.array([1, 2, 3, 4]), np.array([5, 6]), 8)
    assert list(a) == [1, 2, 3, 4]
    assert list(b) == [5, 5, 6, 6]


def test_the_report_shows_the_depths_of_the_hardware():
    from bitwright import compile
    from bitwright.reporting.layers import choice

    nodes = (conv("c", "input", (3, 3), (1,) * 4), Node("sum", Add(), ("input", "c")))
    design = compile(Network(InputSpec(TensorType((8, 9, 2), IntType(2))), nodes))
    (words,) = (row.details["fifo_words"] for row in design.estimate.layers if row.name == "sum")
    built = [int(depth) for text in design.files.values() for depth in re.findall(r"\.Depth\((\d+)\)", text)]
    assert sorted(depth for depth in words if depth) == sorted(built)
    assert choice({"fifo_words": words}) == f"FIFO of {' and '.join(map(str, filter(None, words)))} words"
