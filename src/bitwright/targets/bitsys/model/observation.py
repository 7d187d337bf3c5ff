# SPDX-License-Identifier: Apache-2.0
"""The values of layers in simulation: groups of eight channels as they leave the post stage for the memory.

A layer begins with `start` of the sequencer; the first word of the pixel says where in its value a group belongs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from bitwright.network.types import Array
from bitwright.targets.bitsys.external.program import runs
from bitwright.targets.bitsys.external.tiles import Rectangle
from bitwright.targets.bitsys.lowering import Layer as Descriptor
from bitwright.targets.bitsys.planning import BitsysPlan
from bitwright.targets.observation import Layer, Observation, Turns, Values
from bitwright.tools.bench import Tap
from bitwright.tools.model import Record

CORE = "u_core"
LANES, BITS = 8, 32
START, GROUPS = "start", "groups"
SIGNALS = (("code", LANES * BITS), ("code_group", 16), ("code_pixel", 16))


def observation(plan: BitsysPlan) -> Observation:
    """Two taps: the starts of layers, and the groups that they make. With external memory layers may be tiles."""
    taps = (
        Tap(START, ((f"{CORE}.start", 1),), (f"{CORE}.start",)),
        Tap(GROUPS, tuple((f"{CORE}.{name}", bits) for name, bits in SIGNALS), (f"{CORE}.post_valid",)),
    )
    network, layers = plan.staged.network, list[Layer]()
    for stage in plan.staged.stages:
        node = stage.value if stage.value in network.types else stage.inputs[0]  # a copy of what leaves
        layers.append(Layer(stage.name, stage.value, node, (START, GROUPS)))
    names = tuple(layer.name for layer in layers)
    turns = Turns(CORE, names, taps, partial(_turns, [d.stage.name for d in plan.program.layers]))
    return Observation(network, taps, tuple(layers), partial(_read, plan), turns)


def _turns(names: Sequence[str], records: Mapping[str, Record]) -> dict[str, tuple[int, int | None]]:
    """From the start of a layer's first descriptor to that of the one behind its last; names: of all descriptors."""
    starts = [int(cycle) for cycle in records[START].cycles[: len(names) + 1]]
    found: dict[str, tuple[int, int | None]] = {}
    for name, first, after in zip(names, starts, [*starts[1:], None], strict=False):
        found[name] = (found.get(name, (first, 0))[0], after)
    return found


def _read(plan: BitsysPlan, records: Mapping[str, Record], frames: int) -> dict[str, Values]:
    descriptors, batch = plan.program.layers, plan.layout.batch
    values = {stage.value: Values.unknown(frames, stage.type.size) for stage in plan.staged.stages}
    tiles = [None] * len(descriptors) if plan.outside is None else [run.tile for run in runs(plan.outside.planned)]
    groups = records[GROUPS]
    begun = np.searchsorted(records[START].cycles, groups.cycles) - 1  # layers that have started before a group
    for k in range(len(records[START].cycles)):
        first, after = np.searchsorted(begun, (k, k + 1))
        number, index = divmod(k, len(descriptors))
        if descriptors[index].stage.value not in values:  # rows of a value that move on chip
            continue
        _place(plan, (descriptors[index], tiles[index]), groups.words[first:after], number * batch, values)
    return values


def _place(
    plan: BitsysPlan,
    run: tuple[Descriptor, Rectangle | None],
    words: Array,
    first: int,
    values: Mapping[str, Values],
) -> None:
    """Put the groups of a layer, or of a tile of it, of the batch that begins with frame `first`, in their place."""
    layer, tile = run
    value, t = layer.stage.value, layer.stage.type
    target = plan.layout.values.get(value)
    pitch = -(-t.channels // LANES) if target is None else target.pitch
    group, word = words[:, LANES] & 0xFFFF, words[:, LANES] >> 16
    line, own = (t.shape[1] if layer.part.lines else 1), -(-t.channels // LANES)
    base = layer.fields["out_base"] - layer.part.column * pitch * line
    pixel = ((word.astype(np.int64) - base) & 0xFFFF) // pitch
    pixel, group = (pixel + group // own, group % own) if layer.part.lines else (pixel, group)
    if tile is not None:  # whose pixels lie one behind the other
        pixel = (tile.top + pixel // tile.columns) * t.shape[1] + tile.left + pixel % tile.columns
    frame, pixel = first + pixel // t.pixels, pixel % t.pixels
    channel = layer.part.channel + LANES * group.astype(np.int64)[:, None] + np.arange(LANES)
    codes = words[:, :LANES].view(np.int32).astype(np.int64)
    if not t.dtype.signed:
        codes &= (1 << BITS) - 1
    coded = t.dtype.bipolar if target is None else target.coded
    numbers = 2 * codes - 1 if coded else codes
    seen = values[value]
    inside = (channel < t.channels) & (frame < len(seen.found))[:, None]
    at = (np.broadcast_to(frame[:, None], channel.shape)[inside], (pixel[:, None] * t.channels + channel)[inside])
    seen.found[at] = numbers[inside]
    seen.known[at] = True
