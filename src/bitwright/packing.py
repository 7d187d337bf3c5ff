"""Values to the words of an AXI4-Stream and back, as `StreamSpec` lays them out."""

from __future__ import annotations

import math

import numpy as np

from bitwright.targets.contract import StreamSpec


def pack(spec: StreamSpec, values: np.ndarray) -> np.ndarray:
    """Values [N, *shape] as stream words, uint32 [N * words, ceil(tdata_bits / 32)], lowest bits first."""
    bits, lanes = spec.type.dtype.bits, spec.lanes
    frames = len(values)
    encoded = spec.type.dtype.encode(np.asarray(values, np.int64)).reshape(frames, spec.type.size)
    stored = f"<u{_bytes(bits)}"
    elements = np.zeros((frames, spec.words * lanes), stored)
    elements[:, : spec.type.size] = encoded
    planes = np.unpackbits(elements.view(np.uint8).reshape(*elements.shape, -1), axis=-1, count=bits, bitorder="little")
    words = planes.reshape(frames * spec.words, lanes * bits)
    packed = np.zeros((len(words), 4 * math.ceil(spec.tdata_bits / 32)), np.uint8)
    part = np.packbits(words, axis=1, bitorder="little")
    packed[:, : part.shape[1]] = part
    return packed.view("<u4")


def unpack(spec: StreamSpec, words: np.ndarray) -> np.ndarray:
    """Stream words, uint32 [N * words, >= ceil(word_bits / 32)], as values int64 [N, *shape].

    Bits above `word_bits` and the filling of a frame's last word are ignored.
    """
    bits, lanes = spec.type.dtype.bits, spec.lanes
    raw = np.ascontiguousarray(words, "<u4").view(np.uint8)
    planes = np.unpackbits(raw, axis=1, count=spec.word_bits, bitorder="little")
    planes = planes.reshape(-1, spec.words * lanes, bits)[:, : spec.type.size]
    size = _bytes(bits)
    stored = np.zeros((*planes.shape[:2], size), np.uint8)
    part = np.packbits(planes, axis=2, bitorder="little")
    stored[:, :, : part.shape[2]] = part
    encoded = stored.view(f"<u{size}")[:, :, 0]
    return spec.type.dtype.decode(encoded.astype(np.int64)).reshape(-1, *spec.type.shape)


def filling(spec: StreamSpec, words: np.ndarray) -> np.ndarray:
    """The bits of stream words that hold no element, per frame: bool [N], true where one of them is set."""
    raw = np.ascontiguousarray(words, "<u4").view(np.uint8)
    planes = np.unpackbits(raw, axis=1, count=spec.tdata_bits, bitorder="little")
    above = planes[:, spec.word_bits :].reshape(len(words) // spec.words, -1).any(axis=1)
    inside = planes[:, : spec.word_bits].reshape(len(words) // spec.words, -1)
    return above | inside[:, spec.type.size * spec.type.dtype.bits :].any(axis=1)


def _bytes(bits: int) -> int:
    """Bytes of the NumPy type that holds an element."""
    return 1 if bits <= 8 else 2 if bits <= 16 else 4
