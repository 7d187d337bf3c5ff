# SPDX-License-Identifier: Apache-2.0
"""The clock model: how fast a unit can be clocked, by its plan alone and the delays of a part's family.

Each module knows the classes of its slow paths (`paths`); here stand those of the multiply-accumulate core, and how the
ready of a unit's reader runs through its stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bitwright.devices import Device, find_device
from bitwright.hardware.memory import index_bits
from bitwright.hardware.modules.control import counter_paths, pipe_paths
from bitwright.hardware.modules.stream_fifo import StreamFifo
from bitwright.hardware.timing.classes import (
    BLOCK_REGISTER,
    ENABLE,
    REGISTER,
    RESET,
    Carry,
    Path,
    Speed,
    adder,
    mux,
)
from bitwright.targets.contract import Problem
from bitwright.targets.tlmac.circuit.joins import JOINS
from bitwright.targets.tlmac.circuit.mac import MacPlan
from bitwright.targets.tlmac.circuit.plan import UnitPlan
from bitwright.targets.tlmac.circuit.stages import end_slice, main_module, main_slice, post_module, readers
from bitwright.targets.tlmac.circuit.units import Circuit, Post, Unit, posts, streams_of
from bitwright.targets.tlmac.elements.unrolled.element import MOST_LEVELS
from bitwright.targets.tlmac.model.cost import mac_cost
from bitwright.targets.tlmac.options import TlmacOptions

CONTROL = 24  # loads of a register that decides about others
Ready = tuple[int | Carry, ...]  # functions from a register to a ready


@dataclass(frozen=True)
class ClockGoal:
    """A clock that every unit must keep on a part, by the model."""

    mhz: float
    device: Device

    @classmethod
    def of(cls, options: TlmacOptions) -> ClockGoal | None:
        """The user's, if any."""
        if options.clock is None or options.device is None:
            return None
        return cls(float(options.clock), find_device(options.device))

    def __str__(self) -> str:
        return f"clock={self.mhz:g} on {self.device.name}"

    @property
    def speed(self) -> Speed:
        """Of the part."""
        return Speed(self.device.traits.delays, self.device.grade)

    def reached(self, paths: tuple[Path, ...]) -> tuple[float, str]:
        """MHz that these paths allow, and which of them no more."""
        ns, what = self.speed.slowest(paths)
        return (1e3 / ns, what) if ns else (float("inf"), "")

    def problem(self, unit: str, found: tuple[float, str]) -> Problem:
        """That a unit reaches only so many MHz, and what limits it."""
        return Problem(unit, f"cannot keep {self}: by the clock model it reaches {found[0]:.4g} MHz ({found[1]})", "")

    def with_trees(self, plan: MacPlan) -> MacPlan:
        """The plan with as few registers in its adder trees as keep the goal."""
        if plan.levels < 2:
            return plan
        trees = (replace(plan, every=every) for every in range(min(MOST_LEVELS, plan.levels), 1, -1))
        return next((tree for tree in trees if self.reached((_tree(tree),))[0] >= self.mhz), plan)

    def keeps(self, plan: MacPlan) -> bool:
        """Whether a multiply-accumulate core reaches the goal."""
        return self.reached(mac_paths(plan))[0] >= self.mhz

    def allows(self, unit: Unit, mac: MacPlan | None, lanes: int, dsp: bool = True) -> bool:
        """Whether a core and the stages behind it, on words of `lanes` channels, in DSP blocks or not, reach it."""
        after = posts(unit, mac.acc_type if mac else None, mac.constant if mac else None, dsp)
        found, ready = _posts(after, unit, lanes, ())
        return self.reached(found + (mac_paths(mac, ready) if mac else ()))[0] >= self.mhz


def readies(circuit: Circuit, plans: Sequence[UnitPlan]) -> list[Ready]:
    """For every unit the functions between a register of its readers, of all the slowest, and its output's ready."""
    found: list[Ready] = [()] * len(plans)
    for i in reversed(range(len(plans))):
        readers = streams_of(circuit, plans[i].unit.value)
        if len(readers) == 1 and readers[0][0] < len(plans):  # else a fork with registers, or the end
            reader, port = readers[0]
            found[i] = _ready(plans[reader], port, found[reader])
    return found


def _ready(plan: UnitPlan, port: int, after: Ready) -> Ready:
    """Those of a unit's input, behind whose output lie the functions `after`."""
    if plan.fifo_words[port]:
        return (2,)
    ready: Ready = ()  # of taps side by side, that ready counts with them
    if plan.mac is not None:
        if end_slice(plan) is not None and not plan.mac.patches:
            ready = (3,) * (len(plan.posts) + 1)
    elif end_slice(plan) is not None:
        ready = (3,) * len(plan.posts)
    elif main_slice(plan) is None and not any(not window.is_wire for window in readers(plan)):
        ready = (*after, *(3,) * (len(plan.posts) + (plan.unit.node is not None)))
    elif main_module(plan) is not None and plan.unit.kind in JOINS:
        ready = (3,)
    return (*ready, 3) if plan.in_lanes[port] != plan.port_lanes[port] else ready


def unit_paths(plan: UnitPlan, ready: Ready = ()) -> tuple[Path, ...]:
    """Classes of the slow paths of a unit; `ready`: of its reader, behind a register."""
    held, found = end_slice(plan), tuple[Path, ...]()
    if held is not None:
        found, ready = (*held.paths, Path("ready of a slice", (*ready, 3), 8)), ()
    stages, ready = _posts(plan.posts, plan.unit, plan.out_lanes, ready)
    found += stages
    if plan.mac is not None:
        found += mac_paths(plan.mac, ready)
    elif plan.unit.node is not None:
        found += _main(plan, ready)
    return found + _inputs(plan)


def _posts(stages: Sequence[Post], unit: Unit, lanes: int, ready: Ready) -> tuple[tuple[Path, ...], Ready]:
    """Those of the elementwise stages, and their ready."""
    found: list[Path] = []
    for post in reversed(stages):
        module = post_module(post, lanes, unit.type.size // post.channels)
        reach = lanes * max(post.input.bits, post.output.bits)
        found += [*module.paths, *pipe_paths(module.latency, reach, ready)]
        ready = (*ready, 3)
    return tuple(found), ready


def _main(plan: UnitPlan, ready: Ready) -> tuple[Path, ...]:
    """Those of a main operation that is no multiply-accumulate."""
    found: list[Path] = []
    main, held = main_module(plan), main_slice(plan)
    if held is not None:
        found = [*held.paths, Path("ready of a slice", (*ready, 3, 3), 12, end=RESET if ready else ENABLE)]
        ready = ()
    if main is not None:
        width = plan.lanes * plan.main_type.bits
        found += [*main.paths, Path("word of an operation", (*ready, 3, 4), 24, width, end=ENABLE)]
        if main.latency > 1:
            found += pipe_paths(main.latency, width, ready)
        ready = (*ready, 3)
    for window in readers(plan):
        found += window.paths
        if not window.is_wire:
            found.append(Path("position of a window", (*ready, 5, Carry(4 + index_bits(window.depth))), 24))
    return tuple(found)


def _inputs(plan: UnitPlan) -> tuple[Path, ...]:
    """Those of conversions and FIFOs."""
    found: list[Path] = []
    for k, (lanes, t) in enumerate(zip(plan.in_lanes, plan.unit.input_types, strict=True)):
        wanted = plan.port_lanes[k]
        ready: Ready = (3,)
        for width, words in ((wanted, plan.behind_words[k]), (lanes, plan.fifo_words[k])):
            if words:
                found += StreamFifo(width * t.dtype.bits, words).paths
                found.append(Path("word out of a FIFO", (*ready, 3, 4), 12, 8, end=ENABLE))
        module = plan.converter(k)
        if module is not None:
            found += [*module.paths, Path("word of a conversion", (*ready, 3), 12, wanted * t.dtype.bits, end=ENABLE)]
    return tuple(found)


def mac_paths(plan: MacPlan, ready: Ready = ()) -> tuple[Path, ...]:
    """Classes of the slow paths of a multiply-accumulate core whose result meets the functions `ready`."""
    costs = mac_cost(plan)
    moved = int(sum(part.ff for name, part in costs.items() if name not in ("window", "output")))
    parts = (plan.window.paths, _taps(plan), _front(plan), plan.element.paths(plan.rom_styles))
    return sum((*parts, _sums(plan), _out(plan, moved, ready)), ())


def _taps(plan: MacPlan) -> tuple[Path, ...]:
    """The window's ready, through what sets taps side by side."""
    if not plan.patches:
        return ()
    count = 1  # two of them have a register slice between
    words = max(lanes * plan.layer.in_bits for lanes in plan.patch_lanes)
    own = Path("ready of taps side by side", (3,) * (count + 1), 16, words, end=RESET)
    return (own, Path("ready of taps, and of the unit before", (3,) * (count + 2), 16, words, end=ENABLE))


def _front(plan: MacPlan) -> tuple[Path, ...]:
    """Digits of the words, and the counters of the schedule."""
    layer, fold = plan.layer, plan.fold
    digits, bits = fold.digits(layer), fold.word_lanes * fold.digit
    start = BLOCK_REGISTER if plan.window.is_block and plan.window.stages > 1 else REGISTER
    choice = mux(digits, int(any(plan.window.pads)))
    found = [Path("digits of a word", choice, bits if digits > 1 else 1, start=start if choice else REGISTER)]
    address = index_bits(fold.steps(layer) * fold.tiles(layer))
    if fold.steps(layer) * fold.tiles(layer) > 1:
        loads = sum(width for width, _ in plan.element.rom_shapes.values()) or address
        found.append(Path("step of the schedule", (4, 4, 3) if address > 2 else (4,), loads))
        follows = (4, 4, 3) if fold.tiles(layer) > 1 and digits > 1 else (3,)
        found.append(Path("enable of the schedule", follows, CONTROL, address, end=ENABLE))
    return tuple(found)


def _sums(plan: MacPlan) -> tuple[Path, ...]:
    """Adder trees and accumulators."""
    bits, count = plan.acc_type.bits, plan.fold.parallel
    found = [Path("enable of the accumulators", (2,), CONTROL, bits * count, end=ENABLE)]
    if plan.levels:
        found.append(_tree(plan))
    if not plan.single:
        found.append(Path("accumulator", (4, Carry(bits)), bits * count))
    return tuple(found)


def _tree(plan: MacPlan) -> Path:
    """The last levels of the adder trees between two registers; a chain's high positions wait for those before."""
    most = min(plan.sum_bits, plan.element.leaf_bits + plan.levels - 1)
    return Path("adder tree", (*adder(most), *((Carry(4),) * (min(plan.every, plan.levels) - 1))), 2)


def _out(plan: MacPlan, moved: int, ready: Ready) -> tuple[Path, ...]:
    """The way of finished accumulators out, and what keeps the layer from moving."""
    width = plan.fold.parallel * plan.acc_type.bits
    found = []
    if plan.parts > 1:
        way = plan.way_out
        found += [*way.paths, *counter_paths(plan.parts)]
        ready = () if way.sparse else (*ready, 3)
    if not plan.held_words:
        taken = plan.acc_type.bits * plan.fold.parallel  # the ready of the next unit moves the layer in the same cycle
        found.append(Path("enable of the layer", (*ready, 3), 8, moved, end=ENABLE))
        return (*found, Path("enable of the accumulators", (*ready, 3, 2), 8, taken, end=ENABLE, inner=moved))
    found.append(Path("enable of the layer", (), moved, moved, end=ENABLE))
    found.append(Path("stall of the layer", (3, 3), CONTROL, 3))
    found.append(Path("ready of the accumulators", (*ready, 3, 3), CONTROL, 3))
    if plan.held_words > 1:
        found.append(Path("word of the accumulators", (*ready, 2), 8, width, end=ENABLE))
    return tuple(found)
