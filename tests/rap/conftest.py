"""Fixtures of the tests of rap: compiled hardware and how it runs a program."""

import numpy as np
import pytest

from bitwright.targets.rap import hardware
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, axis_input, axis_output


@pytest.fixture(scope="session")
def rap_model():
    """The compiled hardware of a machine."""

    def build(machine):
        bench = Bench(hardware.TOP, [axis_input(32)], [axis_output(32)], axil=True)
        return verilator.build(hardware.sources(machine), bench)

    return build


@pytest.fixture(scope="session")
def run_rtl(rap_model):
    """run(machine, program, stream words, expected output words, stalls) -> (output words, counters) of the RTL.

    model: in place of the machine's.
    """

    def run(machine, program, words=(), expect=0, stalls=None, model=None):
        addresses = hardware.counter_addresses()
        result = (model or rap_model(machine)).run(
            {"s_axis": np.asarray(words, np.uint32).reshape(-1, 1)},
            {"m_axis": expect},
            program=hardware.loading(machine, program),
            counters=tuple(addresses.values()),
            stalls=stalls,
        )
        counters = {name: result.counters[address] for name, address in addresses.items()}
        return result.integers("m_axis") & 0xFFFFFFFF, counters

    return run
