# SPDX-License-Identifier: Apache-2.0
"""One multiply-accumulate layer and its folding: shapes, the order of the work, and the weights in that order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bitwright.network import TensorType
from bitwright.network.stages import Stage, image
from bitwright.network.types import Interval

MANY = 64  # distinct weight groups that no LUT6 can tell apart
SAMPLE = 4096


@dataclass(frozen=True, eq=False)
class MacLayer:
    """A Conv2d, or a Dense as a 1x1 convolution of a 1x1 image.

    weight [O, KH, KW, C/groups], bias [O], `input` of shape (H, W, C), out_size (OH, OW).
    Activations enter as unsigned codes u with x = scale * u + shift: unsigned as they are, signed in
    offset binary, bipolar as bits.
    """

    name: str
    input: TensorType
    weight: np.ndarray
    bias: np.ndarray
    out_size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pad_value: int = 0
    reach: tuple[int, int] | None = None

    @property
    def codes(self) -> tuple[int, int]:
        """Least and greatest code that enters."""
        low, high = self.reach or (self.input.dtype.min, self.input.dtype.max)
        return (low - self.code_shift) // self.code_scale, (high - self.code_shift) // self.code_scale

    @property
    def outputs(self) -> int:
        return len(self.weight)

    @property
    def kernel(self) -> tuple[int, int]:
        return self.weight.shape[1], self.weight.shape[2]

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def group_channels(self) -> int:
        """Input channels of one group."""
        return int(self.weight.shape[3])

    @property
    def group_outputs(self) -> int:
        """Output channels of one group."""
        return self.outputs // self.groups

    @property
    def pixels(self) -> int:
        """Output pixels a frame."""
        return self.out_size[0] * self.out_size[1]

    @property
    def in_bits(self) -> int:
        return self.input.dtype.bits

    @property
    def code_scale(self) -> int:
        return 2 if self.input.dtype.bipolar else 1

    @property
    def code_shift(self) -> int:
        return self.input.dtype.min

    @property
    def flips(self) -> bool:
        """Whether the sign bit must be inverted to turn a hardware word into its unsigned code."""
        return self.input.dtype.signed and not self.input.dtype.bipolar

    @cached_property
    def macs(self) -> int:
        return self.pixels * self.weight.size

    @cached_property
    def output_peak(self) -> int:
        """Greatest sum of an output's weight magnitudes."""
        return int(np.abs(self.weight).reshape(self.outputs, -1).sum(1).max())

    @cached_property
    def _statistics(self) -> dict[tuple[int, ...], tuple[int, int]]:
        return {}

    def chunk_peak(self, lanes: int) -> int:
        """Greatest sum of weight magnitudes of one output over a word of `lanes` channels."""
        key = (lanes,)
        if key not in self._statistics:
            chunks = np.abs(self.weight).reshape(-1, lanes).sum(1)
            self._statistics[key] = (0, int(chunks.max()))
        return self._statistics[key][1]

    def group_statistics(self, lanes: int, group: int) -> tuple[int, int]:
        """Number of distinct weight groups and their greatest sum of magnitudes.

        The last group of a word is filled up with zeros. Of more than MANY groups, it is at least so many, and the
        magnitude is left out, 0.
        """
        key = (group,) if lanes % group == 0 else (group, lanes)
        key = (0, *key)
        if key not in self._statistics:
            words = self.weight.reshape(-1, lanes)
            low = int(words.min())
            radix = (int(words.max()) - low + 1) ** np.arange(group, dtype=np.int64)

            def groups(words: np.ndarray) -> np.ndarray:
                return np.pad(words, ((0, 0), (0, -lanes % group))).reshape(-1, group)

            count = len(np.unique((groups(words[: -(-SAMPLE * group // lanes)]) - low) @ radix))
            peak = 0
            if count <= MANY:  # a sample with more settles it
                whole = groups(words)
                count = len(np.unique((whole - low) @ radix))
                peak = int(np.abs(whole).sum(1).max())
            self._statistics[key] = (count, peak)
        return self._statistics[key]


def mac_layer(stage: Stage, inputs: Interval) -> MacLayer:
    """The layer of a stage that multiplies, whose input lies within the interval."""
    w, height, width = stage.window, *image(stage.main).shape[:2]
    ends = [int(inputs.low.min()), int(inputs.high.max()), *[w.pad_value] * any(w.pads)]
    sizes = (height, width), w.stride, w.pads, w.dilation, w.groups, w.pad_value
    return MacLayer(stage.name, image(stage.input_types[0]), w.weights, w.offsets, *sizes, (min(ends), max(ends)))


@dataclass(frozen=True)
class Fold:
    """How a layer is laid out in space and time.

    A word holds `blocks` groups of `lanes` channels each; `outputs` outputs of every block are computed in
    parallel. `group` activations share one table address, `digit` bits of each enter a pass.
    More than one block means that a word holds whole groups and all their outputs (depthwise convolutions).
    """

    lanes: int
    outputs: int
    blocks: int = 1
    group: int = 1
    digit: int = 1

    @property
    def word_lanes(self) -> int:
        """Activations a word."""
        return self.blocks * self.lanes

    @property
    def parallel(self) -> int:
        """Outputs in parallel."""
        return self.blocks * self.outputs

    @property
    def lane_groups(self) -> int:
        """Table addresses of one block: ceil(lanes / group)."""
        return -(-self.lanes // self.group)

    @property
    def address_bits(self) -> int:
        """Activation bits of one table address."""
        return self.group * self.digit

    def chunks(self, layer: MacLayer) -> int:
        """Words of one group's channels at one kernel position."""
        return layer.group_channels // self.lanes

    def steps(self, layer: MacLayer) -> int:
        """Words a pass."""
        return layer.taps * self.chunks(layer)

    def tiles(self, layer: MacLayer) -> int:
        """Output tiles of a pixel, over all groups."""
        return layer.outputs // self.parallel

    def digits(self, layer: MacLayer) -> int:
        """Passes over a window for one tile."""
        return -(-layer.in_bits // self.digit)

    def tile_cycles(self, layer: MacLayer) -> int:
        """Cycles between two tiles."""
        return self.steps(layer) * self.digits(layer)

    def cycles(self, layer: MacLayer) -> int:
        """Cycles a frame."""
        return layer.pixels * self.tiles(layer) * self.tile_cycles(layer)

    def legal(self, layer: MacLayer) -> bool:
        """Whether the layer can be folded so."""
        if min(self.lanes, self.outputs, self.blocks, self.group, self.digit) < 1:
            return False
        if layer.group_channels % self.lanes or layer.group_outputs % self.outputs or layer.groups % self.blocks:
            return False
        whole = self.lanes == layer.group_channels and self.outputs == layer.group_outputs
        return (self.blocks == 1 or whole) and self.group <= self.lanes and self.digit <= layer.in_bits


def ordered_weights(layer: MacLayer, fold: Fold) -> np.ndarray:
    """Weights in the order of the work: [tiles*steps, blocks, outputs, lane groups, group], filled up with zeros.

    Step (tile, kernel row, kernel column, chunk) is the ROM address; output tile * parallel + block * outputs + p
    of the layer uses entry [step, block, p].
    """
    w, chunks = layer.weight, fold.chunks(layer)
    rounds, inner = layer.groups // fold.blocks, layer.group_outputs // fold.outputs
    w = w.reshape(rounds, fold.blocks, inner, fold.outputs, layer.taps, chunks, fold.lanes)
    # With several blocks inner == 1, so that (round, inner) enumerates the tiles in the output's channel order.
    w = w.transpose(0, 2, 4, 5, 1, 3, 6).reshape(-1, fold.blocks, fold.outputs, fold.lanes)
    fill = fold.lane_groups * fold.group - fold.lanes
    w = np.pad(w, ((0, 0), (0, 0), (0, 0), (0, fill)))
    return np.ascontiguousarray(w.reshape(*w.shape[:3], fold.lane_groups, fold.group))


def per_output(layer: MacLayer, fold: Fold, per_step: np.ndarray) -> np.ndarray:
    """Sum over the steps of a tile of [tiles*steps, blocks, outputs] values: one per output channel, [O]."""
    sums: np.ndarray = per_step.reshape(fold.tiles(layer), fold.steps(layer), -1).sum(axis=1)
    return sums.reshape(-1)
