# SPDX-License-Identifier: Apache-2.0
"""The values of layers in simulation: the words of the stream that leaves each unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bitwright.targets.observation import Layer, Observation, Values
from bitwright.targets.tlmac.circuit.plan import TlmacPlan, UnitPlan
from bitwright.targets.tlmac.emit import instance_name, value_streams
from bitwright.tools.bench import Tap
from bitwright.tools.elements import from_bytes
from bitwright.tools.model import Record


def observation(plan: TlmacPlan) -> Observation:
    """One tap a unit: its words in the cycles in which they are taken."""
    streams = value_streams(plan)
    units = {u.unit.value: u for u in plan.units}
    taps, layers = [], []
    for i, unit in enumerate(plan.units):
        value, stream = unit.unit.value, streams[unit.unit.value]
        taps.append(Tap(value, ((stream.data, stream.width),), (stream.valid, stream.ready)))
        node = value if value in plan.circuit.network.types else unit.unit.inputs[0]  # a copy of what leaves
        layers.append(Layer(plan.estimate.layers[i].name, value, node, (value,), instance_name(i)))

    def read(records: Mapping[str, Record], frames: int) -> Mapping[str, Values]:
        return {name: _values(units[name], record.words, frames) for name, record in records.items()}

    return Observation(plan.circuit.network, tuple(taps), tuple(layers), read)


def _values(unit: UnitPlan, words: np.ndarray, frames: int) -> Values:
    """The values of the words that were seen; what is missing of the frames is not known."""
    t, lanes = unit.unit.type, unit.out_lanes
    seen = Values.unknown(frames * -(-t.size // lanes), lanes)
    count = min(len(words), len(seen.found))
    raw = np.ascontiguousarray(words[:count], "<u4").view(np.uint8)
    seen.found[:count] = t.dtype.decode(from_bytes(raw, t.dtype.bits, lanes, lanes))
    seen.known[:count] = True
    return Values(*(part.reshape(frames, -1)[:, : t.size] for part in (seen.found, seen.known)))
