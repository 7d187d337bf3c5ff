# SPDX-License-Identifier: Apache-2.0
"""Running float graphs in batches with ONNX Runtime, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from bitwright.errors import DataError
from bitwright.fast.session import open_session
from bitwright.models.export import to_onnx
from bitwright.models.graph import FloatGraph, FloatNode, Port
from bitwright.network import InputSpec, IntType, TensorType
from bitwright.network.bundles import bundled, parts
from bitwright.network.graph import only
from bitwright.quantization.threads import side_by_side, thread_count

BATCH_BYTES = 8 << 20  # of the values of a batch; each thread has one
MAX_BATCH = 32


class FloatRunner:
    """One ONNX Runtime session for a float graph and some of its values; `run` maps floats to them.

    Without `outputs` the results are the model's outputs, by name, in their own shapes; others are [N, H, W, C] or
    [N, C]. Several inputs and outputs are bundles (`network.bundles`).
    A session has one thread and a batch a fixed size, so that no bit depends on `jobs`, the threads.
    """

    def __init__(self, graph: FloatGraph, outputs: Sequence[str] | None = None, jobs: int = 0) -> None:
        self.graph = graph
        own = [port.name for port in graph.outputs]
        self.names = own if outputs is None else [name for name in outputs if name not in graph.input_names]
        self.given = [name for name in outputs or () if name in graph.input_names]
        model = to_onnx(graph, None if outputs is None else self.names)
        self.jobs = jobs
        self._session = open_session(model.SerializeToString(), 1)
        kept = sum(math.prod(graph.shapes[name]) for name in outputs or [port.value for port in graph.outputs])
        self.batch = int(np.clip(BATCH_BYTES // (4 * (kept + widest(graph.nodes, graph))), 1, MAX_BATCH))

    def run(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Values for x as one batch, in the model's own shape [N, *input_shape]."""
        found = {}
        if self.names:
            found = dict(zip(self.names, self._session.run(self.names, self._feeds(x)), strict=True))
        if self.given:
            inputs = to_values(self.graph, x)
            found |= {name: inputs[name] for name in self.given}
        return found

    def _feeds(self, x: np.ndarray) -> dict[str, np.ndarray]:
        given = parts(x, self.graph.input_names)
        return {name: np.ascontiguousarray(a, np.float32) for name, a in given.items()}

    def batches(self, x: np.ndarray, picks: np.ndarray | None = None) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """(start, values) of each batch of x, or of the samples `picks` of it, in that order.

        As many as there are threads are computed side by side.
        """

        def batch(start: int) -> dict[str, np.ndarray]:
            part = slice(start, start + self.batch)
            return self.run(x[part] if picks is None else x[picks[part]])

        count = len(x) if picks is None else len(picks)
        together = self.batch * thread_count(self.jobs)
        for first in range(0, count, together):
            starts = range(first, min(first + together, count), self.batch)
            yield from zip(starts, side_by_side(batch, starts, self.jobs), strict=True)

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """All results for all of x, [N, *shape]; several as a bundle."""
        return np.concatenate([bundled(values) for _, values in self.batches(x)])


def widest(nodes: Iterable[FloatNode], graph: FloatGraph) -> int:
    """Most elements of a sample that one of the nodes holds: its inputs and its output."""
    return max((sum(math.prod(graph.shapes[v]) for v in {*n.inputs, n.name}) for n in nodes), default=0)


def to_values(graph: FloatGraph, x: np.ndarray) -> dict[str, np.ndarray]:
    """The model's own inputs [N, *shape], of whatever rank, as values, float32 [N, H, W, C] or [N, C]."""
    given = parts(x, graph.input_names)
    return {port.value: _to_value(port, graph.shapes[port.value], given[port.value]) for port in graph.inputs}


def _to_value(port: Port, shape: tuple[int, ...], x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.float32)
    if port.layout == "CHW":
        return np.ascontiguousarray(np.moveaxis(x.reshape(len(x), shape[2], *shape[:2]), 1, 3))
    return x.reshape(len(x), *shape)


def float_inputs(graph: FloatGraph) -> tuple[InputSpec, ...]:
    """The float model's inputs, to prepare data by; the integer type plays no part in that."""
    types = {port: TensorType(graph.shapes[port.value], IntType(8)) for port in graph.inputs}
    return tuple(InputSpec(t, shape=port.shape, layout=port.layout, name=port.name) for port, t in types.items())


def to_value(graph: FloatGraph, x: np.ndarray) -> np.ndarray:
    """The only input [N, *shape] as a value; see `to_values`."""
    return to_values(graph, x)[graph.input.value]


def float_input(graph: FloatGraph) -> InputSpec:
    """The only input; see `float_inputs`."""
    return only(float_inputs(graph), "inputs", "what is asked for takes networks of one")


def check_data(graph: FloatGraph, x: np.ndarray | Mapping[str, np.ndarray], what: str) -> np.ndarray:
    """x as an array [N, *input_shape] of finite reals, a bundle of several inputs; `DataError` where x does not fit."""
    given = parts(x, graph.input_names)
    several = len(graph.inputs) > 1
    titles = {port: f"{what} for input {port.name!r}" if several else what for port in graph.inputs}
    return bundled({port.value: _check(port, given[port.value], title) for port, title in titles.items()})


def _check(port: Port, x: np.ndarray, what: str) -> np.ndarray:
    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise DataError(f"{what} has type {x.dtype}; legal are real numbers")
    if x.shape[1:] != port.shape:
        legal = ", ".join(map(str, port.shape))
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
