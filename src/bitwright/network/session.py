"""ONNX Runtime sessions on the processor, with the graph optimizations that keep every value."""

from __future__ import annotations

import onnxruntime

# Merges a Pad into a MaxPool behind it, whose own padding never wins: other values, or no session at all.
UNSAFE = ["Pad_Fusion"]


def open_session(model: bytes, threads: int, spin: bool = True) -> onnxruntime.InferenceSession:
    """A session of `threads` threads (0: as many as cores).

    spin: idle threads wait busily, which is quicker but takes the cores from other processes.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; warnings of overridable constants are no news to the user
    options.intra_op_num_threads = threads
    if not spin:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], disabled_optimizers=UNSAFE)
