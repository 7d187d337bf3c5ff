"""A hand-written kernel of the array processor: assemble, simulate, compare with NumPy, look into the pipeline.

Run it with

    python examples/rap_matmul.py

It needs no tool beside bitwright.
"""

from pathlib import Path

import numpy as np

from bitwright.network.ops import Requantize, Rounding
from bitwright.network.types import IntType
from bitwright.targets.rap.compiler.images import pack_lanes
from bitwright.targets.rap.isa.assembler import assemble
from bitwright.targets.rap.isa.machine import Machine
from bitwright.targets.rap.simulator.run import execute
from bitwright.targets.rap.simulator.trace import trace

KERNEL = Path(__file__).with_suffix(".asm")


def program_text(x: np.ndarray, w: np.ndarray, multiplier: np.ndarray, shift: int) -> str:
    """The kernel with its data: x uint4 [16, 64], w int4 [64, 8]."""
    lines = [KERNEL.read_text()]
    words_x, words_w = pack_lanes(x, 4), pack_lanes(w.T, 4)
    for bank in range(4):
        rows = words_x[4 * bank : 4 * bank + 4].reshape(-1)
        columns = words_w[[bank, 4 + bank]].T.reshape(-1)
        lines.append(f".a {bank} 0: {' '.join(map(str, rows))}")
        lines.append(f".b {bank} 0: {' '.join(map(str, columns))}")
    lines += [f".param {i}: {m} {shift} 0 0" for i, m in enumerate(multiplier)]
    return "\n".join(lines) + "\n"


def main() -> None:
    rng = np.random.default_rng(1)
    x, w = rng.integers(0, 16, (16, 64)), rng.integers(-8, 8, (64, 8))
    multiplier, shift = rng.integers(1000, 4000, 8), 14
    machine = Machine()
    program = assemble(program_text(x, w, multiplier, shift), machine)
    done = execute(machine, program, np.zeros((1, 1)), 128)
    y = IntType(8, True).decode(done.outputs).reshape(16, 8)
    step = Requantize(IntType(8, True), multiplier, shift, rounding=Rounding.HALF_EVEN)
    expected = step.evaluate((x @ w)[None])[0]
    print(f"equal to NumPy: {np.array_equal(y, expected)}; {done.counters}")
    print(trace(machine, program, 40, np.zeros((1, 1)), 128))


if __name__ == "__main__":
    main()
