# SPDX-License-Identifier: Apache-2.0
"""The instruction-set simulator: the results and the cycles of the hardware, exactly."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bitwright.errors import DataError, UserError
from bitwright.targets.rap.isa import timing
from bitwright.targets.rap.isa.fields import decode
from bitwright.targets.rap.isa.machine import Machine, Program
from bitwright.targets.rap.isa.registers import COUNTERS
from bitwright.targets.rap.isa.table import PENDING
from bitwright.targets.rap.simulator.compiled import run
from bitwright.targets.rap.simulator.state import CYCLE, EXTERNAL, FAULT, FRAMES, PC, State, make_state

MAX_FIELDS = 8
_FAULTS = {
    1: "an address lies outside the memory",
    2: "loops nest too deep",
    3: "a slot that stores s32 needs words >= 2",
    4: "an accumulator or a column does not exist",
    5: "IN takes more elements than a frame has",
    6: "OUT sends more elements than a frame of results has",
    7: f"more than {PENDING} loads wait",
    8: "a transfer leaves external memory",
    9: "there is no external memory",
}


class ProgramError(UserError):
    """A program does what the machine cannot do."""


@dataclass(frozen=True, eq=False)
class Execution:
    """What a program did. outputs: int64 [frames, elements], as they stand in the stream, without sign or filling.

    counters as in `isa.registers.COUNTERS`.

    profile: int64 [instructions, 2], cycles spent at and passes over each instruction. trace: int64 [n, 2], cycle and
    instruction of the first issues. state: all registers and memories at the end.
    """

    outputs: np.ndarray
    counters: dict[str, int]
    profile: np.ndarray
    trace: np.ndarray
    state: State = field(repr=False)

    @property
    def utilization(self) -> float:
        """Operations of the elements over the cycles of all elements."""
        return self.counters["operations"] / (self.counters["cycles"] * len(self.state.a_mem) ** 2)


def instruction_rows(code: np.ndarray) -> np.ndarray:
    """Opcode and field values of each instruction, int64 [n, 1 + MAX_FIELDS]."""
    rows = np.zeros((len(code), 1 + MAX_FIELDS), np.int64)
    for row, word in zip(rows, code, strict=True):
        try:
            instruction, values = decode(int(word))
        except ValueError as error:
            raise ProgramError(f"instruction word {int(word):#x}: {error}") from None
        row[0] = instruction.opcode
        row[1 : 1 + len(values)] = list(values.values())
    return rows


def execute(
    machine: Machine,
    program: Program,
    frames: np.ndarray | None = None,
    output_elements: int = 0,
    *,
    cycle_limit: int = 1 << 40,
    trace: int = 0,
    memory: tuple[int, int] = (100, 1),
) -> Execution:
    """Run a program on frames, integers [n, elements], until HALT or, where none follows, the last frame is sent.

    The elements of a frame are those of all its IN, and those of its results those of all its OUT, in their order.
    Input words are taken as always there, outputs as always taken. memory: latency and gap of the ideal external
    one. Raises `ProgramError` where the program leaves the memories, does not fit them, or does not end within
    `cycle_limit` cycles.
    """
    if len(program.code) > machine.program_words:
        raise ProgramError(f"the program has {len(program.code)} instructions; legal are {machine.program_words}")
    if len(program.params) > machine.param_words:
        raise ProgramError(f"the program has {len(program.params)} parameter words; legal are {machine.param_words}")
    inputs = np.zeros((1, 1), np.int64) if frames is None else np.ascontiguousarray(frames, dtype=np.int64)
    if inputs.ndim != 2:
        raise DataError(f"frames must be [n, elements], not {inputs.shape}")
    state = make_state(machine, program, instruction_rows(program.code), trace, memory)
    state.scalars[EXTERNAL] = machine.external
    state.scalars[CYCLE] = timing.START
    outputs = np.zeros((len(inputs), max(1, output_elements)), np.int64)
    ended = run(state, inputs, outputs, cycle_limit)
    if not ended:
        _explain(state, cycle_limit)
    counters = dict(zip(COUNTERS, (int(v) for v in state.counters), strict=True))
    outputs = outputs[: state.scalars[FRAMES], :output_elements]
    return Execution(outputs, counters, state.profile, state.trace, state)


def _explain(state: State, limit: int) -> None:
    """Raise `ProgramError` for a run that did not end."""
    where = f"instruction {int(state.scalars[PC])}"
    if state.scalars[FAULT]:
        raise ProgramError(f"{where}: {_FAULTS[int(state.scalars[FAULT])]}")
    if state.scalars[CYCLE] >= limit:
        raise ProgramError(f"{where}: the program has not ended within {limit} cycles")
    raise ProgramError(f"{where}: the program runs past its last instruction; HALT or JUMP is legal there")
