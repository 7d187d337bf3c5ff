"""The networks on one build of the accelerator: differences under stalls, cycles of every layer against the model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import networks
import numpy as np

from bitwright.simulation import compile_model, simulate, stream_words
from bitwright.targets import contract, get
from bitwright.targets.bitsys.registers import address, control_registers
from bitwright.tools.model import Stalls

NAMES = ("tfc_1w2a", "tfc_2w2a", "kws", "digits", "resnet8", "resnet8_mixed")
HARDWARE = "ultra96"
CHUNK_CYCLES = 6_000_000  # simulated before the results are written, in whole batches
TARGET = get("bitsys")


def design(net, hardware: str, batch: int = 0):
    """Plan and design of a network; raises where it is refused."""
    options = TARGET.options(hardware=hardware, batch=batch)
    plan = contract.accepted(TARGET, net, options)
    return plan, TARGET.emit(plan)


def identity(made) -> dict:
    """What a simulation depends on besides its frames: the hardware and the program."""
    return {"build": made.digest, "program": hashlib.sha256(made.program.tobytes()).hexdigest()}


def measure(name: str, data: Path, frames: int, known: dict) -> Iterator[dict]:
    """One network by its program, every few million cycles again; goes on from `known` if that is of the same run."""
    net, x = networks.load(name, data)
    plan, made = design(net, HARDWARE)
    layers = plan.estimate.layers
    found = known if known.get("run") == identity(made) else _start(made, layers)
    frames, batch = min(frames, len(x)), found["batch"]
    chunk = batch * max(1, CHUNK_CYCLES // found["cycles_batch"]["model"])
    while found["frames"] < frames:
        done = found["frames"]
        part = x[done : min(done + chunk, frames)]
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


def time_layers(name: str, data: Path, known: dict) -> dict:
    """The results of a network with the cycles of every layer, measured where `known` does not have them."""
    if known["layers"] is not None:
        return known
    net, x = networks.load(name, data)
    plan, made = design(net, HARDWARE)
    rows = _layers(made, net.input.quantize(x[: known["batch"]]), plan.estimate.layers)
    off = sum(row["simulated"] != row["model"] for row in rows.values())
    print(name, len(rows), "layers, off the model:", off, flush=True)
    return known | {"layers": rows, "layers_off_the_model": off}


def _start(made, layers) -> dict:
    """The results of a run before its first frame."""
    facts, model = made.parameters, sum(layer.details["cycles_batch"] for layer in layers)
    peak = facts["hardware"]["rows"] * facts["hardware"]["columns"]
    return {
        "run": identity(made),
        "frames": 0,
        "differences": 0,
        "batch": facts["batch"],
        "cycles_batch": {"simulated": None, "model": model},
        "batches_off_the_model": 0,
        "layers_off_the_model": None,
        "macs_per_frame": facts["macs_per_frame"],
        "macs_per_cycle_and_element": facts["macs_per_frame"] * facts["batch"] / (model * peak),
        "layers": None,
    }


def _layers(made, x: np.ndarray, layers) -> dict:
    """Cycles of every layer: one batch for each, timed by the counter that a register selects, and the model's."""
    model = compile_model(made)
    select, counter = (address("control", 0) + control_registers()[n].offset for n in ("layer_select", "layer_cycles"))
    rows = {}
    for index, layer in enumerate(layers):
        run = model.run(
            stream_words(made, x),
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
