"""The networks on one build of the accelerator: differences under stalls, cycles of every layer against the model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import networks
import numpy as np

from bitwright.packing import pack
from bitwright.simulate import compile_model, simulate
from bitwright.targets import contract, get
from bitwright.targets.bitsys.registers import address, control_registers
from bitwright.tools.model import Stalls

NAMES = ("tfc_1w2a", "tfc_2w2a", "kws", "digits", "resnet8", "resnet8_mixed")
HARDWARE = "ultra96"
CHUNK = 24  # frames simulated before the results are written; whole batches
TARGET = get("bitsys")


def design(net, hardware: str, batch: int = 0):
    """Plan and design of a network; raises where it is refused."""
    options = TARGET.options(hardware=hardware, batch=batch)
    contract.refuse(TARGET, TARGET.check(net, options))
    plan = TARGET.plan(net, options)
    return plan, TARGET.emit(plan)


def identity(made) -> dict:
    """What a simulation depends on besides its frames: the hardware and the program."""
    return {"build": made.digest, "program": hashlib.sha256(made.program.tobytes()).hexdigest()}


def measure(name: str, data: Path, frames: int, known: dict) -> Iterator[dict]:
    """One network by its program, after every CHUNK frames again; goes on from `known` if that is of the same run."""
    net, x = networks.load(name, data)
    plan, made = design(net, HARDWARE)
    layers = plan.estimate.layers[1:]
    found = known if known.get("run") == identity(made) else _start(made, net.input.quantize(x), layers)
    frames = min(frames, len(x))
    while found["frames"] < frames:
        done = found["frames"]
        part = x[done : min(done + CHUNK, frames)]
        result = simulate(made, part, stalls=Stalls(seed=done, input=0.3, output=0.3), jobs=1)
        batches = result.counters["batches"]
        if result.counters["cycles_busy"] != batches * found["cycles_batch"]["model"]:
            found["batches_off_the_model"] += 1
        found |= {
            "simulator": result.tool,
            "frames": done + result.frames,
            "differences": found["differences"] + result.mismatches,
        }
        found["cycles_batch"]["simulated"] = result.counters["cycles_busy"] / batches
        found["array_busy"] = result.counters["cycles_array"] / result.counters["cycles_busy"]
        print(name, {k: v for k, v in found.items() if k not in ("layers", "run")}, flush=True)
        yield found
    yield found


def _start(made, x: np.ndarray, layers) -> dict:
    """The results of a run before its first frame; every layer has been timed."""
    facts, model = made.parameters, sum(layer.details["cycles_batch"] for layer in layers)
    peak = facts["hardware"]["rows"] * facts["hardware"]["columns"]
    rows = _layers(made, x[: facts["batch"]], layers)
    return {
        "run": identity(made),
        "frames": 0,
        "differences": 0,
        "batch": facts["batch"],
        "cycles_batch": {"simulated": None, "model": model},
        "batches_off_the_model": 0,
        "layers_off_the_model": sum(row["simulated"] != row["model"] for row in rows.values()),
        "macs_per_frame": facts["macs_per_frame"],
        "macs_per_cycle_and_element": facts["macs_per_frame"] * facts["batch"] / (model * peak),
        "layers": rows,
    }


def _layers(made, x: np.ndarray, layers) -> dict:
    """Cycles of every layer: one batch for each, timed by the counter that a register selects, and the model's."""
    model = compile_model(made)
    select, counter = (address("control", 0) + control_registers()[n].offset for n in ("layer_select", "layer_cycles"))
    rows = {}
    for index, layer in enumerate(layers):
        run = model.run(
            {"s_axis": pack(made.input, x)},
            {"m_axis": len(x) * made.output.words},
            program=[(select, index), *made.program.tolist()],
            counters=(counter,),
            idle_cycles=4 * made.estimate.latency_cycles,
        )
        # The counter stops at the next fetch, and for the last layer at the end of the batch, a cycle before it.
        simulated = run.counters[counter] + (index == len(layers) - 1)
        details = layer.details
        rows[layer.name] = {
            "simulated": simulated,
            "model": details["cycles_batch"],
            "array": details["array_cycles"],
        }
    return rows
