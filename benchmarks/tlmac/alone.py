"""One unit of a tlmac design by itself, simulated and synthesized: the very module of the whole circuit."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from bitwright.design.packing import pack, unpack
from bitwright.hardware.closure import closure, flatten
from bitwright.hardware.library import with_vendor
from bitwright.synthesis import count_module
from bitwright.targets.contract import Design, StreamSpec
from bitwright.targets.tlmac.circuit.plan import UnitPlan
from bitwright.targets.tlmac.model import timing
from bitwright.tools import cache, verilator, yosys
from bitwright.tools.bench import Bench, inner_input, inner_output
from bitwright.tools.model import Run, Stalls

TOP = "unit"


def unit_files(sources: Mapping[str, str], module: str) -> dict[str, str]:
    """The sources of one module under the name TOP, and the lint waivers.

    Units that differ in the contents of their memories alone have equal modules then, which are built once.
    """
    flat = flatten(sources)
    files = closure(flat, module) | {name: text for name, text in flat.items() if name.endswith(".vlt")}
    own = re.compile(rf"\b{module}(?![0-9])")
    text = re.sub(r"^// Generated.*\n", "", files[f"{module}.sv"])
    renamed = {own.sub(TOP, name): part for name, part in files.items()}
    return renamed | {f"{TOP}.sv": own.sub(TOP, text)}


def shape_of(plan: UnitPlan) -> str:
    """What a unit is apart from the values of its weights and thresholds; units of equal shape are built alike."""
    unit, mac = plan.unit, plan.mac
    facts = [unit.kind, unit.input_types, unit.type, plan.in_lanes, plan.lanes, plan.out_lanes, plan.fifo_words]
    facts += [(type(post.op).__name__, post.input, post.output) for post in plan.posts]
    if mac is not None:
        facts += [mac.layer.kernel, mac.layer.groups, mac.layer.stride, mac.layer.pads, mac.fold, mac.element.kind]
        facts += [sorted(mac.rom_styles.items()), [patch.module for patch in mac.patches], mac.acc_type]
    return repr(facts)


def simulate_unit(
    sources: Mapping[str, str], plan: UnitPlan, module: str, values: Mapping[str, np.ndarray], seed: int
) -> dict[str, object]:
    """Stream the frames of `values` (by name) through the unit, freely and with random stalls on all its streams.

    Bit-exact: every element of every frame equals the network's own value.
    """
    unit, start, cycles = plan.unit, time.perf_counter(), timing.unit_cycles(plan)
    specs = [StreamSpec(t, n) for t, n in zip(unit.input_types, plan.in_lanes, strict=True)]
    result = StreamSpec(unit.type, plan.out_lanes)
    inputs = [inner_input(f"s{k}", spec.word_bits) for k, spec in enumerate(specs)]
    files = unit_files(sources, module)
    model = verilator.build(files, Bench(TOP, inputs, [inner_output("m", result.word_bits)]), jobs=1)
    words = {
        f"s{k}": pack(spec, values[name].reshape(-1, *spec.type.shape))
        for k, (spec, name) in enumerate(zip(specs, unit.inputs, strict=True))
    }
    expected = values[unit.value].reshape(-1, *unit.type.shape)
    built = time.perf_counter()
    differences, interval = {}, None
    for name, stalls in (("free", None), ("stalled", Stalls(seed, 0.3, 0.3))):
        count = len(expected) * result.words
        run = model.run(words, {"m": count}, stalls=stalls, seed=seed, idle_cycles=20 * cycles + 20_000)
        differences[name] = int(np.count_nonzero(unpack(result, run.outputs["m"]) != expected))
        interval = _interval(run, result.words) if stalls is None else interval
    return {
        "frames": len(expected),
        "differences": sum(differences.values()),
        "interval_cycles": interval,
        "estimated_interval_cycles": cycles,
        "built_before": model.cached,
        "build_seconds": round(built - start, 1),
        "seconds": round(time.perf_counter() - start, 1),
    }


def _interval(run: Run, words: int) -> float | None:
    """Cycles between the ends of the last two frames; None for a single one."""
    ends = run.produced["m"][words - 1 :: words]
    return float(ends[-1] - ends[-2]) if len(ends) > 1 else None


def synthesize_unit(design: Design, module: str, family: str, large: bool = False) -> dict[str, object]:
    """Measured cells of the unit for a Xilinx family, from the cache where it has been synthesized before.

    As `bitwright synthesize` does it for these families: flat, of a `large` one its wide ROMs apart from the rest.
    processor_seconds: of Yosys.
    """
    start, tool, before = time.perf_counter(), yosys.find(), resource.getrusage(resource.RUSAGE_CHILDREN)
    files = closure(with_vendor(unit_files(design.files, module), "xilinx"), TOP)
    options = yosys.Synthesis(family, TOP, contents=False)
    counted = count_module(files, options, tool, cache.folder(None), large)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cells = counted.cells
    measured = cells.resources
    return {
        "measured": asdict(measured),
        "roms_apart": large,
        "cached": counted.cached,
        "seconds": round(time.perf_counter() - start, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime, 1),
    }


def digest(design: Design, module: str, memories: bool = True) -> str:
    """Of the unit's sources, with or without its memory files; a record with the same digest need not be made again."""
    files = unit_files(design.files, module)
    names = [name for name in sorted(files) if memories or not name.endswith(".mem")]
    return cache.digest(part for name in names for part in (name, files[name]))[:16]
