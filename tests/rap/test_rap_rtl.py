"""The RTL does what the simulator does, cycle by cycle, on random programs with every instruction."""

import numpy as np
import pytest
from rap_programs import random_program

from bitwright.targets.rap.assembler import assemble
from bitwright.targets.rap.machine import Machine
from bitwright.targets.rap.simulator import execute

MACHINES = {
    "4x4": Machine(),
    "2x2": Machine(size=2, a_words=512, b_words=512, param_words=64, program_words=1024, torus=True),
}


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("seed", range(8))
def test_random_programs(run_rtl, name, seed):
    machine = MACHINES[name]
    text, words = random_program(seed, machine)
    program = assemble(text, machine)
    expected = execute(machine, program, np.zeros((1, 1)), 2 * words)
    sent, counters = run_rtl(machine, program, expect=words)
    values = expected.outputs[0] & 0xFFFF
    assert np.array_equal(sent, values[0::2] | values[1::2] << 16)
    assert counters == expected.counters
