# SPDX-License-Identifier: Apache-2.0
"""The fast evaluator: a network as one ONNX model in ONNX Runtime, exactly equal to `evaluate`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, overload

import numpy as np

from bitwright.fast.session import open_session
from bitwright.fast.translate import translate
from bitwright.network.bundles import bundled, parts
from bitwright.network.graph import Network, check_integers
from bitwright.network.inputs import check_floats
from bitwright.network.types import Array

if TYPE_CHECKING:
    import onnxruntime

TENSOR_BYTES = 1 << 20  # of a batch's largest tensor: batches that stay in the caches are fastest
PARALLEL_BATCHES = 2  # a thread, at least, to be computed side by side


class Evaluator:
    """Computes a network's values in batches of bounded memory; sessions are made on first use and kept.

    Batches are computed side by side, one a thread; few of them by all threads together.
    threads: None for one a core.
    """

    def __init__(self, network: Network, *, threads: int | None = None) -> None:
        self.network = network
        self.threads = threads or os.cpu_count() or 1
        largest = max(t.size for t in network.types.values())
        self.batch = max(1, TENSOR_BYTES // (4 * largest))
        self._models: dict[tuple[tuple[str, ...], bool], bytes] = {}
        self._sessions: dict[tuple[tuple[str, ...], bool, int], onnxruntime.InferenceSession] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_sessions": {}}  # sessions do not travel to other processes

    @overload
    def run(self, x: Array | Mapping[str, Array], values: None = None) -> Array: ...

    @overload
    def run(self, x: Array | Mapping[str, Array], values: Sequence[str]) -> dict[str, Array]: ...

    def run(self, x: Array | Mapping[str, Array], values: Sequence[str] | None = None) -> Array | dict[str, Array]:
        """The output for integer inputs x [N, *shape], int64; or, with `values`, a dict of the named values.

        Several inputs and outputs are bundles. Raises `DataError` where x does not fit the input types, `KeyError` for
        an unknown value.
        """
        x, network = check_integers(self.network, x), self.network
        names = tuple(dict.fromkeys(network.output_values if values is None else values))
        for name in names:
            network.types[name]
        computed = [name for name in names if name not in network.input_names]
        found = dict(zip(computed, self._batches(tuple(computed), False, x), strict=True))
        found |= parts(x, network.input_names)
        return network.leaving(found) if values is None else {name: found[name] for name in names}

    def predict(self, x: Array | Mapping[str, Array]) -> Array:
        """Float outputs for float inputs x [N, *shape] in the model's own units, shape and layout, float32.

        Several inputs and outputs are bundles.
        """
        network = self.network
        given = parts(x, network.input_names)
        x = bundled({spec.name: check_floats(spec, given[spec.name]) for spec in network.inputs})
        names = tuple(dict.fromkeys(network.output_values))
        found = zip(names, self._batches(names, True, x), strict=True)
        return network.dequantize(network.leaving({name: _channels_last(q) for name, q in found}))

    def _batches(self, names: tuple[str, ...], floats: bool, x: Array) -> list[Array]:
        if not names:
            return []
        together = len(x) < PARALLEL_BATCHES * self.batch * self.threads
        session = self._session(names, floats, self.threads if together else 1)

        def work(part: Array) -> list[Array]:
            given = parts(part, self.network.input_names).values()
            results: list[Array] = session.run(None, {f"x{i}": np.ascontiguousarray(a) for i, a in enumerate(given)})
            return results

        if len(x) <= self.batch:
            return work(x)
        slices = [x[i : i + self.batch] for i in range(0, len(x), self.batch)]
        if together:
            found = [work(part) for part in slices]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                found = list(pool.map(work, slices))
        return [np.concatenate(pieces) for pieces in zip(*found, strict=True)]

    def _session(self, names: tuple[str, ...], floats: bool, threads: int) -> onnxruntime.InferenceSession:
        key = (names, floats, threads)
        if key not in self._sessions:
            if (names, floats) not in self._models:
                self._models[names, floats] = translate(self.network, names, floats=floats)
            self._sessions[key] = open_session(self._models[names, floats], threads)
        return self._sessions[key]


def _channels_last(q: Array) -> Array:
    """[N, C, H, W] as [N, H, W, C], and [N, C] as it is."""
    return q.transpose(0, 2, 3, 1) if q.ndim == 4 else q
