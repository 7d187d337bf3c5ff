"""When the first frame leaves an idle circuit: arrival times of pixels, unit by unit, in closed form.

A unit finishes output pixel m at  max over j <= m of (arrival(j) + (m - j + 1) * cycles) - saved:  it takes
`cycles` a pixel, begins when the last input pixel of the window has arrived, and has done what needs only
earlier words (`saved` cycles) by then.
"""

from __future__ import annotations

import numpy as np

from bitwright.network import INPUT
from bitwright.targets.tlmac.joins import align, last_taps
from bitwright.targets.tlmac.plan import UnitPlan
from bitwright.targets.tlmac.stages import post_module, readers

WINDOW = 2  # cycles from the arrival of a word to its emission
CONVERTER = 1
FIFO = 2


def latency_cycles(units: tuple[UnitPlan, ...], input_pixels: int, input_words: int, output: str) -> int:
    """Cycles from the first input word to the last output word, where no stream stalls."""
    per_pixel = input_words / input_pixels
    times = {INPUT: np.arange(1, input_pixels + 1) * per_pixel}
    for plan in units:
        times[plan.unit.value] = _finish(plan, [times[value] for value in plan.unit.inputs])
    return int(np.ceil(times[output][-1]))


def _finish(plan: UnitPlan, sources: list[np.ndarray]) -> np.ndarray:
    unit = plan.unit
    sources = [
        source + (FIFO if words else 0) + (CONVERTER if lanes != plan.lanes else 0)
        for source, words, lanes in zip(sources, plan.fifo_words, plan.in_lanes, strict=True)
    ]
    arrival = _arrivals(plan, sources)
    pixels = len(arrival)
    cycles = max(unit.type.size / plan.out_lanes, *(t.size / plan.lanes for t in unit.input_types)) / pixels
    saved = cycles - 1  # words of a pixel flow through one by one
    if plan.mac is not None:
        mac = plan.mac
        cycles = mac.cycles / pixels
        saved = min(cycles, mac.fold.steps(mac.layer)) if cycles > 1 else 0
    elif windows := readers(plan):
        cycles = max(window.out_words / pixels for window in windows)
        saved = min(cycles, cycles / max(1, windows[-1].groups * windows[-1].repeats))
    order = np.arange(pixels)
    finish = np.maximum.accumulate(arrival - order * cycles) + (order + 1) * cycles - saved
    return finish + fixed_latency(plan)


def _arrivals(plan: UnitPlan, sources: list[np.ndarray]) -> np.ndarray:
    """For each output pixel, when the last input pixel that it needs is there."""
    unit = plan.unit
    if unit.kind in ("add", "concat"):
        return np.maximum(*align(*sources, unit.input_types[0].size))
    (source,) = sources
    if unit.node is None or unit.kind == "argmax":
        return source
    if unit.kind == "dense":
        return source[-1:]
    height, width, _ = unit.input_types[0].shape
    rows, columns = last_taps(unit, 0, height), last_taps(unit, 1, width)
    return np.maximum.accumulate(source.reshape(height, width)[rows[:, None], columns[None, :]].reshape(-1))


def fixed_latency(plan: UnitPlan) -> int:
    """Pipeline stages of a unit, from its last input word to the output word that needs it."""
    found = WINDOW * len(readers(plan))
    if plan.mac is not None:
        found += plan.mac.latency + (0 if plan.mac.window.is_wire else WINDOW)
        found += plan.mac.parts - 1 if plan.mac.parts > 1 else 0
    elif plan.unit.kind == "argmax":
        found += (plan.lanes - 1).bit_length() + 2
    elif plan.unit.node is not None:
        found += 1
    for i, post in enumerate(plan.posts):
        module = post_module(post, plan.out_lanes, plan.unit.type.size // post.channels, f"{i}")
        found += _stages(module.name, module.parameters)
    return found


def _stages(module: str, p: dict) -> int:
    """Register stages of an elementwise module."""
    if module == "threshold":
        adjust = not p["Uniform"] or (p["OutBits"] > 1 and (p["Falling"] or not p["Base"].endswith("'h0")))
        return p["CountBits"] + 1 + adjust
    if module == "requantize":
        return 3 + (p["MultBits"] > 0) + (p["BiasBits"] > 0) + (p["Lift"] > 0)
    return {"channel_add": 2, "lookup": 1}[module]
