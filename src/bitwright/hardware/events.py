# SPDX-License-Identifier: Apache-2.0
"""Timed event graphs: when every word of every stream of a circuit is handed over, with back-pressure.

A channel is one valid/ready stream between two processes. Its word n is offered in cycle V[n] (valid) and handed over
in cycle T[n] >= max(V[n], T[n-1] + 1). Processes say when they offer and when they take:

PIPE    (stages S)  elastic registers:  V_out[n] = T_in[n] + S,  T_in[n] >= T_out[n-S]
SLICE   (words D)   register whose ready is a register, too: V_out[n] = T_in[n] + 1,  T_in[n] >= T_out[n-D] + 1
FIFO    (words D, latency L)  module stream_fifo: V_out[n] = T_in[n] + L,
        T_in[n] >= max(T_in[n-D] + L - 1, T_out[n-D-1]) + 1
FORK                V_branch[n] = V_in[n],  T_in[n] = max over branches of T_branch[n]
CONCAT  (words A, B a pixel)  passes the words of two inputs on in turns
MOVES   a table of moves, one a cycle: each may need an offered word (of every input), take it, and yield a result
WINDOW  a buffer whose words are read by tiles of D cycles; a tile waits for some words, the last one of a window
        frees others; each tile yields a result

Results of MOVES and WINDOW leave L cycles after their last move, through registers that all stand still while a
result waits. So their moves count in a time of their own, which stands still as well: result t has its place e[t]
there, and  V_out[t] = T_out[t-1] + e[t] - e[t-1].

Every process goes on as far as the times it needs are known, then wakes its neighbors: linear in the number of words.
Times and offers are kept in rings as long as anything looks back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SOURCE, SINK, PIPE, SLICE, FIFO, FORK, CONCAT, MOVES, WINDOW = range(9)
NEEDS, TAKES, YIELDS = 1, 2, 4  # what a move does
WORD = NEEDS | TAKES
SPARE = 4  # words a ring has more than anything looks back


@dataclass(frozen=True)
class Process:
    """One row of the graph. Parameters by kind:

    PIPE, SLICE: size. FIFO: size, latency. CONCAT: size and second, words a pixel of either input. MOVES: latency,
    table of flags. WINDOW: latency from the choice of a tile's last word, second (cycles from when a word is handed
    over until it can be read), size (cycles a tile), depth (words of the buffer), frame (input words), table of base
    positions of the windows, and, by tile of a frame, `first` [tiles + 1], `position` and
    `lag`: constraint i of tile t (first[t] <= i < first[t+1]) says that the tile ends at least `lag` cycles after word
    `position` can be read.
    """

    kind: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    size: int = 0
    second: int = 0
    latency: int = 0
    depth: int = 0
    frame: int = 0
    table: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    first: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    position: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    lag: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def looks_back(self) -> int:
        """Words by which it looks back on any of its channels."""
        behind = int(max(0, -self.table.min(initial=0))) if self.kind == WINDOW else 0
        return self.size * (self.kind in (PIPE, SLICE, FIFO)) + self.latency + self.depth + behind

    @property
    def results(self) -> int:
        """Size of its ring of results on their way."""
        return power(self.latency + SPARE)

    @property
    def freed(self) -> int:
        """Size of its ring of windows that have freed words which no input has taken the place of yet."""
        if self.kind != WINDOW:
            return 0
        return power(len(self.table) * (2 + -(-self.looks_back // self.frame)))


def power(n: int) -> int:
    """The least power of two that is n or more."""
    return 1 << (int(n) - 1).bit_length()
