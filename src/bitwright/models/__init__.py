# SPDX-License-Identifier: Apache-2.0
"""Readers: ONNX, QONNX and QDQ files as float graphs, and quantized float graphs as integer networks."""

from __future__ import annotations

from pathlib import Path

from bitwright.models.export import to_onnx
from bitwright.models.graph import FloatGraph, FloatNode, QuantizedWeight, Quantizer
from bitwright.models.lowering.network import is_quantized, lower, node_problems
from bitwright.models.onnx.reader import read, read_model
from bitwright.network.graph import Network
from bitwright.network.types import IntType

__all__ = [
    "FloatGraph",
    "FloatNode",
    "QuantizedWeight",
    "Quantizer",
    "is_quantized",
    "load",
    "lower",
    "node_problems",
    "read",
    "read_model",
    "to_onnx",
]


def load(
    path: str | Path,
    *,
    output: str | None = None,
    shape: tuple[int, ...] | None = None,
    input_type: IntType | str | None = None,
    input_scale: float | None = None,
    multiplier_bits: int | None = None,
    align_bits: int | None = None,
    notes: list[str] | None = None,
) -> Network:
    """The integer network of a quantized ONNX file; the options are those of `read` and `lower`.

    Raises `ModelError`, for a float model with the advice to quantize it first.
    """
    return lower(
        read(path, output, shape),
        input_type=input_type,
        input_scale=input_scale,
        multiplier_bits=multiplier_bits,
        align_bits=align_bits,
        notes=notes,
    )
