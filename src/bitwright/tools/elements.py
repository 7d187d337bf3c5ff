# SPDX-License-Identifier: Apache-2.0
"""Elements of any width in the words of a stream, lowest bits first."""

from __future__ import annotations

import numpy as np


def to_bytes(encoded: np.ndarray, bits: int, lanes: int) -> np.ndarray:
    """Elements of `bits` bits [N, size] as words of `lanes` elements, uint8 [N * words, bytes], lowest bits first."""
    frames, size = encoded.shape
    words = -(-size // lanes)
    elements = np.zeros((frames, words * lanes), "<u1" if bits <= 8 else "<u2" if bits <= 16 else "<u4")
    elements[:, :size] = encoded
    parts = elements.view(np.uint8).reshape(*elements.shape, elements.itemsize)
    planes = np.unpackbits(parts, axis=-1, count=bits, bitorder="little")
    return np.packbits(planes.reshape(frames * words, lanes * bits), axis=1, bitorder="little")


def from_bytes(raw: np.ndarray, bits: int, lanes: int, size: int) -> np.ndarray:
    """The inverse of `to_bytes`: uint8 [N * words, bytes] as elements int64 [N, size]; bytes above are ignored."""
    words = -(-size // lanes)
    planes = np.unpackbits(raw, axis=1, count=lanes * bits, bitorder="little")
    planes = planes.reshape(len(raw) // words, words * lanes, bits)[:, :size]
    stored = np.zeros((*planes.shape[:2], 1 if bits <= 8 else 2 if bits <= 16 else 4), np.uint8)
    part = np.packbits(planes, axis=2, bitorder="little")
    stored[:, :, : part.shape[2]] = part
    return stored.view(f"<u{stored.shape[2]}")[:, :, 0].astype(np.int64)
