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
        self._outputs = tuple(dict.fromkeys(network.output_values))
        self._feeds = [f"x{i}" for i in range(len(network.inputs))]
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
        given, network = parts(check_integers(self.network, x), self.network.input_names), self.network
        names = tuple(dict.fromkeys(network.output_values if values is None else values))
        for name in names:
            network.types[name]
        computed = [name for name in names if name not in network.input_names]
        found = given | dict(zip(computed, self._batches(tuple(computed), False, list(given.values())), strict=True))
        return network.leaving(found) if values is None else {name: found[name] for name in names}

    def predict(self, x: Array | Mapping[str, Array]) -> Array:
        """Float outputs for float inputs x [N, *shape] in the model's own units, shape and layout, float32.

        Several inputs and outputs are bundles.
        """
        given = parts(x, self.network.input_names)
        arrays = [check_floats(spec, a) for spec, a in zip(self.network.inputs, given.values(), strict=True)]
        found = dict(zip(self._outputs, self._batches(self._outputs, True, arrays), strict=True))
        return bundled({s.name: s.dequantize(_channels_last(found[s.value])) for s in self.network.outputs})

    def _batches(self, names: tuple[str, ...], floats: bool, arrays: list[Array]) -> list[Array]:
        """The named values, [N, ...] each, for the arrays of all inputs, [N, ...] each."""
        if not names:
            return []
        count = len(arrays[0])
        together = count < PARALLEL_BATCHES * self.batch * self.threads
        session = self._session(names, floats, self.threads if together else 1)
        if count <= self.batch:
            return self._computed(session, arrays)
        slices = [[a[i : i + self.batch] for a in arrays] for i in range(0, count, self.batch)]
        if together:
            found = [self._computed(session, part) for part in slices]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                found = list(pool.map(lambda part: self._computed(session, part), slices))
        return [np.concatenate(pieces) for pieces in zip(*found, strict=True)]

    def _computed(self, session: onnxruntime.InferenceSession, arrays: list[Array]) -> list[Array]:
        """The results of a session for one batch."""
        feeds = {name: np.ascontiguousarray(a) for name, a in zip(self._feeds, arrays, strict=True)}
        results: list[Array] = session.run(None, feeds)
        return results

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
