"""Convolutions whose columns come from neighbors: on a torus the links between opposite edges carry no columns."""

import itertools

import numpy as np
import pytest
from random_networks import random_input

import bitwright as bw
from bitwright.network import INPUT, InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.network.graph import evaluate
from bitwright.targets.contract import accepted
from bitwright.targets.rap.isa.assembler import assemble
from bitwright.targets.rap.isa.machine import Machine
from bitwright.targets.rap.simulator.run import execute
from bitwright.targets.rap.target import TARGET
from bitwright.tools.model import Stalls

FRAMES = 2
PADS = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (1, 2), (2, 2))  # left, right


def conv_network(rng, width, kernel, pads, stride=1, dilation=1, bits=4, pad_value=0):
    """One convolution with `pads` columns left and right of the image."""
    w = rng.integers(-2, 2, (5, kernel[0], kernel[1], 3))
    sides = (kernel[0] // 2, pads[0], kernel[0] // 2, pads[1])
    op = ops.Conv2d(w, IntType(2, True), (1, stride), sides, (1, dilation), pad_value=pad_value)
    return Network(InputSpec(TensorType((3, width, 3), IntType(bits))), (Node("conv", op, (INPUT,)),))


def cases(size, bits, reuse):
    """Convolutions of every kernel width and pad on images that fill the grid's strips, or not."""
    rng = np.random.default_rng(size + bits + reuse)
    for kernel, pads in itertools.product((2, 3, 4, 5), PADS):
        stride, dilation = ((1, 1), (1, 1), (2, 1), (3, 1), (1, 2))[int(rng.integers(5))]
        width = int(rng.choice([size, 2 * size, 3 * size, 4 * size, 2 * size + 1, 3 * size - 1]))
        if width + sum(pads) > dilation * (kernel - 1):
            shape = (int(rng.integers(1, 4)), kernel)
            yield conv_network(rng, width, shape, pads, stride, dilation, bits, pad_value=int(rng.integers(0, 3)))


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("reuse", [True, False])
def test_convolutions_on_a_torus(size, bits, reuse):
    passing = 0
    for network in cases(size, bits, reuse):
        x = random_input(network, FRAMES, size)
        expected = evaluate(network, x)["conv"]
        for torus in (True, False):
            options = TARGET.options(size=size, lane_bits=bits, reuse=reuse, torus=torus)
            plan = accepted(TARGET, network, options)
            done = execute(options.machine, plan.code.program, x.reshape(FRAMES, -1), network.output_type.size)
            y = network.output_type.dtype.decode(done.outputs).reshape(expected.shape)
            assert np.array_equal(y, expected), (torus, network.node("conv").op)
            assert done.counters["cycles"] == FRAMES * plan.estimate.interval_cycles - 1
            passing += any(step.source in ("north", "south") for step in plan.layers[0].body.steps)
    assert (passing > 0) == reuse


@pytest.mark.parametrize("stalls", [None, Stalls(seed=8)], ids=["free", "stalled"])
@pytest.mark.parametrize(("kernel", "pads"), [(2, (1, 0)), (3, (1, 1)), (3, (0, 2))])
def test_convolutions_on_a_torus_in_rtl(kernel, pads, stalls):
    network = conv_network(np.random.default_rng(kernel), 6, (3, kernel), pads, pad_value=1)
    plan = accepted(TARGET, network, TARGET.options(size=2, torus=True))
    assert any(step.source == "north" or step.source == "south" for step in plan.layers[0].body.steps)
    assert bw.simulate(TARGET.emit(plan), random_input(network, FRAMES, 1), stalls=stalls).bit_exact


@pytest.mark.parametrize(("cut", "beyond"), [(0, 22), (1, 7)])
def test_programs_choose_whether_the_edges_are_joined(cut, beyond):
    """The first row gets the register of the last one, or the pad word."""
    machine = Machine(size=2, torus=True)
    text = f"""
      .a 0 0: 11
      .a 1 0: 22
      PAD 7, cut={cut}
      STREAM A, 0
      FETCH afrom=bus, aload=a0
      MOV a1, a0, of=north
      STREAM O0, 1
      ST 0, a1, 0
      WAIT
      STREAM A, 1
      OUT 1, 1, 16, 2
      HALT
    """
    done = execute(machine, assemble(text, machine), np.zeros((1, 1)), 1)
    assert done.outputs.tolist() == [[beyond]]
