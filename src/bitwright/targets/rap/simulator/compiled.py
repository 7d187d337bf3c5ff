# SPDX-License-Identifier: Apache-2.0
"""The simulator's compiled entry, cached on disk.

numba keys a cached function by its own file, bytecode and free variables, not by the functions that it calls. Only the
entry is cached here, and a checksum of all sources that it is made of is one of its free variables.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from bitwright.jit import njit
from bitwright.network import lfsr
from bitwright.targets.rap.isa import lanes, machine, registers, table, timing, transfers
from bitwright.targets.rap.simulator import core, datapath, memory, post, results, state
from bitwright.targets.rap.simulator.state import State

MODULES = (core, datapath, lanes, machine, memory, post, registers, results, state, table, timing, transfers, lfsr)


def checksum(modules: tuple[ModuleType, ...] = MODULES) -> int:
    """CRC-32 of the modules' sources."""
    return zlib.crc32(b"".join(Path(str(module.__file__)).read_bytes() for module in modules))


def make_entry(stamp: int) -> Callable[[State, np.ndarray, np.ndarray, int], bool]:
    """`core.issue_all` with the same arguments; versions of another stamp in the cache are not taken."""

    @njit
    def run(m: State, inputs: np.ndarray, outputs: np.ndarray, limit: int) -> bool:
        return stamp >= 0 and core.issue_all(m, inputs, outputs, limit)

    return run


run = make_entry(checksum())
