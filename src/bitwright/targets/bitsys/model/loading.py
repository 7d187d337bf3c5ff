# SPDX-License-Identifier: Apache-2.0
"""When the row buffers of the array have the words of a tile: a read a cycle, where there is room."""

from __future__ import annotations

from collections.abc import Mapping

from bitwright.targets.bitsys.hardware import Hardware

SEEN = 2  # cycles from the end of a tile to the first read into what it leaves
FIRST = 1  # cycle of the first read


class Halves:
    """Two halves of the row buffers take turns: one tile each."""

    def __init__(self, fields: Mapping[str, int], hardware: Hardware) -> None:
        self.words = fields["kernel_h"] * fields["kernel_w"] * fields["inner"]
        self.ends: list[int] = []  # of tiles, in the array
        self.read = FIRST - 1

    def loaded(self, tile: int, rows: int) -> int:
        """The cycle of the last read of a tile of so many pixels; tiles before the one before have ended."""
        free = self.ends[tile - 2] + SEEN if tile > 1 else FIRST
        self.read = max(self.read + 1, free) + rows * self.words - 1
        return self.read


class Strips:
    """A ring of rows of words, which the tiles of a strip share: the tile before need not have ended."""

    def __init__(self, fields: Mapping[str, int], hardware: Hardware) -> None:
        self.words = fields["kernel_w"] * fields["inner"]
        self.tiles, self.places = fields["strip_rows"], fields["ring_rows"]
        self.down, self.taps = fields["tile_down"], fields["tile_taps"]
        self.ends: list[int] = []
        self.read, self.row = FIRST - 1, 0
        self.left, self.gone = 0, 0  # tiles that are known to have ended, and rows that they leave

    def _begin(self, tile: int) -> int:
        """Rows before the first of a tile."""
        strip, below = divmod(tile, self.tiles)
        return strip * ((self.tiles - 1) * self.down + self.taps) + below * self.down

    def loaded(self, tile: int, rows: int) -> int:
        """The cycle of the last read of a tile; rows come one behind the other, each into the place of an older one."""
        while self.row < self._begin(tile) + self.taps:
            free = FIRST
            if self.row >= self.places:
                while self.gone <= self.row - self.places:
                    self.left += 1
                    self.gone = self._begin(self.left)
                free = self.ends[self.left - 1] + SEEN
            self.read = max(self.read + 1, free) + self.words - 1
            self.row += 1
        return self.read
