# SPDX-License-Identifier: Apache-2.0
"""Values to the words of an AXI4-Stream and back, as `StreamSpec` lays them out."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from bitwright.targets.contract import FrameSpec, StreamSpec
from bitwright.tools.elements import from_bytes, to_bytes


def pack(spec: StreamSpec, values: np.ndarray) -> np.ndarray:
    """Values [N, *shape] as stream words, uint32 [N * words, ceil(tdata_bits / 32)], lowest bits first."""
    encoded = spec.type.dtype.encode(np.asarray(values, np.int64)).reshape(len(values), spec.type.size)
    part = to_bytes(encoded, spec.type.dtype.bits, spec.lanes)
    packed = np.zeros((len(part), 4 * math.ceil(spec.tdata_bits / 32)), np.uint8)
    packed[:, : part.shape[1]] = part
    return packed.view("<u4")


def unpack(spec: StreamSpec, words: np.ndarray) -> np.ndarray:
    """Stream words, uint32 [N * words, >= ceil(word_bits / 32)], as values int64 [N, *shape].

    Bits above `word_bits` and the filling of a frame's last word are ignored.
    """
    raw = np.ascontiguousarray(words, "<u4").view(np.uint8)
    encoded = from_bytes(raw, spec.type.dtype.bits, spec.lanes, spec.type.size)
    return spec.type.dtype.decode(encoded).reshape(-1, *spec.type.shape)


def filling(spec: StreamSpec, words: np.ndarray) -> np.ndarray:
    """The bits of stream words that hold no element, per frame: bool [N], true where one of them is set."""
    raw = np.ascontiguousarray(words, "<u4").view(np.uint8)
    planes = np.unpackbits(raw, axis=1, count=spec.tdata_bits, bitorder="little")
    above = planes[:, spec.word_bits :].reshape(len(words) // spec.words, -1).any(axis=1)
    inside = planes[:, : spec.word_bits].reshape(len(words) // spec.words, -1)
    return np.logical_or(above, inside[:, spec.type.size * spec.type.dtype.bits :].any(axis=1))


def pack_frames(frame: FrameSpec, tensors: Iterable[np.ndarray]) -> np.ndarray:
    """Values of all tensors of frames, each [N, *shape], as stream words, uint32 [N * words, ceil(tdata_bits / 32)]."""
    columns, blocks = math.ceil(frame.tdata_bits / 32), []
    for spec, values in zip(frame.tensors, tensors, strict=True):
        words = pack(spec, values)
        words = np.pad(words, [(0, 0), (0, columns - words.shape[1])])
        blocks.append(words.reshape(len(values), spec.words, columns))
    return np.concatenate(blocks, axis=1).reshape(-1, columns)


def cut_frames(frame: FrameSpec, words: np.ndarray) -> list[np.ndarray]:
    """The words of each tensor of frames, uint32 [N * its words, ...]."""
    whole, first, parts = words.reshape(-1, frame.words, words.shape[1]), 0, []
    for spec in frame.tensors:
        parts.append(whole[:, first : first + spec.words].reshape(-1, words.shape[1]))
        first += spec.words
    return parts
