# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime sessions on the processor, with the graph optimizations that keep every value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

# Merges a Pad into a MaxPool behind it, whose own padding never wins: other values, or no session at all.
UNSAFE = ["Pad_Fusion"]


def open_session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session of `threads` threads (0: as many as cores)."""
    import onnxruntime  # takes a while, and may write to standard error

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors come as exceptions; the log would print names of a file as they are
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], disabled_optimizers=UNSAFE)
