"""Fixtures of the tests of rap: compiled hardware and how it runs a program."""

import numpy as np
import pytest

from bitwright.targets.rap import hardware
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, axis_input, axis_output


@pytest.fixture(scope="session")
def run_rtl():
    """run(machine, program, stream words, expected output words, stalls) -> (output words, counters) of the RTL."""

    def run(machine, program, words=(), expect=0, stalls=None):
        model = verilator.build(
            hardware.sources(machine), Bench(hardware.TOP, [axis_input(32)], [axis_output(32)], axil=True)
        )
        addresses = hardware.counter_addresses()
        result = model.run(
            {"s_axis": np.asarray(words, np.uint32).reshape(-1, 1)},
            {"m_axis": expect},
            program=hardware.loading(machine, program),
            counters=tuple(addresses.values()),
            stalls=stalls,
        )
        counters = {name: result.counters[address] for name, address in addresses.items()}
        return result.integers("m_axis") & 0xFFFFFFFF, counters

    return run
