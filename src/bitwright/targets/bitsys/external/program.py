# SPDX-License-Identifier: Apache-2.0
"""What lies in external memory, and the few register writes that start it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitwright.targets.bitsys import program
from bitwright.targets.bitsys.external import timing
from bitwright.targets.bitsys.external.items import Run, record_words, records, waits
from bitwright.targets.bitsys.external.planner import Planned
from bitwright.targets.bitsys.external.timing import Times
from bitwright.targets.bitsys.model.cycles import LayerTiming
from bitwright.targets.bitsys.model.timeline import Accelerator
from bitwright.targets.bitsys.registers import address, control_registers

ALIGNED = 16  # words of 64 bits: what is loaded begins with a burst


@dataclass(frozen=True, eq=False)
class Image:
    """words: uint64, of records and of what they load. size: bytes, maps included. loop: first word of what repeats.

    places: the first word of everything that records name. waits: of every record, what it waits for (`items.waits`).
    """

    words: np.ndarray
    size: int
    loop: int
    records: int
    places: dict[str, int]
    waits: list[dict[str, int]]


def image(planned: Planned) -> Image:
    """Lay out records, payload and maps, and say what each record waits for."""
    items = [*planned.once, *planned.repeated]
    count = record_words(items)
    places, at = dict[str, int](), _aligned(count)
    for name, words in planned.payload.items():
        places[name] = at
        at = _aligned(at + len(words))
    found = np.zeros(at, np.uint64)
    for name, words in planned.payload.items():
        found[places[name] : places[name] + len(words)] = words
    for name, size in planned.maps.items():
        places[f"map {name}"] = at
        at = _aligned(at + size)
    allowed = waits(planned.once, planned.repeated)
    found[:count] = records(items, allowed, places)
    return Image(found, 8 * at, record_words(planned.once), count, places, allowed)


def _aligned(words: int) -> int:
    return -(-words // ALIGNED) * ALIGNED


def writes(planned: Planned, made: Image) -> np.ndarray:
    """All register writes but those of the memory's address, uint32 [n, 2]; the last one starts the hardware."""
    pixels = planned.input_pixels, planned.output_pixels
    pairs = [*program.settings(planned.staged, planned.layout, *pixels)]
    base = address("control", 0)
    registers = control_registers(external=True)
    pairs += [(base + registers["records"].offset, made.records), (base + registers["repeated"].offset, made.loop)]
    return np.asarray([*pairs, (base + registers["run"].offset, 1)], np.uint32)


def follow(
    planned: Planned, made: Image, timings: Sequence[LayerTiming], machine: Accelerator, memory: tuple[int, int, int]
) -> Times:
    """The times of some batches. machine: what comes in and leaves; memory: layers of the ring, latency, gap."""
    ring, latency, gap = memory
    source = machine.sources[0].pixels
    parts = source // planned.input_pixels if planned.input_pixels else 1
    if planned.output_pixels:
        machine = replace(machine, results=(replace(machine.results[0], pixels=planned.output_pixels),))
    sizes = np.array([ring, len(planned.once), made.records, made.loop, latency, gap], np.int64)
    records = timing.table([*planned.once, *planned.repeated], made.waits, made.places)
    steps = timing.layers(runs(planned), timings, machine)
    return timing.times(records, sizes, steps, machine, parts, timing.WARM_UP + timing.PERIODS)


def runs(planned: Planned) -> list[Run]:
    """The layers of a frame, or of a batch, in order."""
    return [item for item in planned.repeated if isinstance(item, Run)]
