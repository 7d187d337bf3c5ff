# SPDX-License-Identifier: Apache-2.0
"""Running float graphs in batches with ONNX Runtime, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bitwright.errors import DataError
from bitwright.fast.session import open_session
from bitwright.models.export import OUTPUT, to_onnx
from bitwright.models.graph import INPUT, FloatGraph
from bitwright.network import InputSpec, IntType, TensorType
from bitwright.quantization.threads import side_by_side

BATCH_BYTES = 192 << 20
MAX_BATCH = 256
PIECES = 8  # of a batch, which threads compute side by side


class FloatRunner:
    """One ONNX Runtime session for a float graph and some of its values; `run` maps floats to them.

    Without `outputs` the only result is "output", in the model's own shape; others are [N, H, W, C] or [N, C].
    A session has one thread and a piece of a batch a fixed size, so that no bit depends on `jobs`, the threads.
    """

    def __init__(self, graph: FloatGraph, outputs: Sequence[str] | None = None, jobs: int = 0) -> None:
        self.graph = graph
        self.names = [OUTPUT] if outputs is None else [name for name in outputs if name != INPUT]
        self.with_input = outputs is not None and INPUT in outputs
        model = to_onnx(graph, None if outputs is None else self.names)
        self.jobs = jobs
        self._session = open_session(model.SerializeToString(), 1)
        elements = sum(int(np.prod(shape)) for shape in graph.shapes.values())
        kept = elements if outputs is None else sum(int(np.prod(graph.shapes[n])) for n in outputs)
        self.batch = int(np.clip(BATCH_BYTES // (4 * max(1, kept)), 1, MAX_BATCH))
        self.piece = -(-self.batch // PIECES)

    def run(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Values for one batch x, float32 in the model's own shape [N, *input_shape]."""
        found = dict(zip(self.names, self._computed(x), strict=True)) if self.names else {}
        if self.with_input:
            found[INPUT] = to_value(self.graph, x)
        return found

    def _computed(self, x: np.ndarray) -> list[np.ndarray]:
        pieces = [x[start : start + self.piece] for start in range(0, len(x), self.piece)]
        parts = side_by_side(lambda piece: self._session.run(self.names, {INPUT: piece}), pieces, self.jobs)
        return parts[0] if len(parts) == 1 else [np.concatenate(values) for values in zip(*parts, strict=True)]

    def batches(self, x: np.ndarray) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """(start, values) of each batch of x."""
        for start in range(0, len(x), self.batch):
            yield start, self.run(np.ascontiguousarray(x[start : start + self.batch], np.float32))

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The first result for all of x."""
        return np.concatenate([next(iter(values.values())) for _, values in self.batches(x)])


def to_value(graph: FloatGraph, x: np.ndarray) -> np.ndarray:
    """The model's own input [N, *input_shape], of whatever rank, as the value "input": [N, H, W, C] or [N, C]."""
    shape = graph.shapes[INPUT]
    if graph.input_layout == "CHW":
        return np.ascontiguousarray(np.moveaxis(x.reshape(len(x), shape[2], *shape[:2]), 1, 3))
    return x.reshape(len(x), *shape)


def float_input(graph: FloatGraph) -> InputSpec:
    """The float model's input, to prepare data by; the integer type plays no part in that."""
    t = TensorType(graph.shapes[INPUT], IntType(8))
    return InputSpec(t, shape=graph.input_shape, layout=graph.input_layout)


def check_data(graph: FloatGraph, x: np.ndarray, what: str) -> np.ndarray:
    """x as an array [N, *input_shape] of finite reals; `DataError` says what does not fit."""
    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise DataError(f"{what} has type {x.dtype}; legal are real numbers")
    if x.shape[1:] != graph.input_shape:
        legal = ", ".join(map(str, graph.input_shape))
        raise DataError(f"{what} has shape {x.shape}; legal is (N, {legal}), the model's own input")
    if len(x) == 0:
        raise DataError(f"{what} has no samples; legal is at least one")
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
            bad = ~np.isfinite(x.astype(np.float32, copy=False)).reshape(len(x), -1).all(1)
        if bad.any():
            where = f"in sample {int(np.argmax(bad))}"
            raise DataError(f"{what} holds NaN or infinity {where}; legal are finite values of float32")
    return x
