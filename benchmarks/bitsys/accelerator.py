"""The networks on one build of the accelerator: differences under stalls, cycles of every layer against the model."""

from __future__ import annotations

import hashlib
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
TARGET = get("bitsys")


def design(net, hardware: str, batch: int = 0):
    """Plan and design of a network; raises where it is refused."""
    options = TARGET.options(hardware=hardware, batch=batch)
    contract.refuse(TARGET, TARGET.check(net, options))
    plan = TARGET.plan(net, options)
    return plan, TARGET.emit(plan)


def identity(made, frames: int) -> dict:
    """What a simulation depends on: the hardware, the program, the number of frames."""
    return {"build": made.digest, "program": hashlib.sha256(made.program.tobytes()).hexdigest(), "frames": frames}


def measure(name: str, data: Path, frames: int, known: dict) -> dict:
    """One network by its program; `known` is returned where it is of the same hardware, program and frames."""
    net, x = networks.load(name, data)
    plan, made = design(net, HARDWARE)
    run = identity(made, len(x[:frames]))
    if known.get("run") == run:
        return known
    result = simulate(made, x[:frames], stalls=Stalls(seed=1, input=0.3, output=0.3), jobs=1)
    counters, facts, layers = result.counters, made.parameters, plan.estimate.layers[1:]
    model = sum(layer.details["cycles_batch"] for layer in layers)
    simulated = counters["cycles_busy"] / counters["batches"]
    peak = facts["hardware"]["rows"] * facts["hardware"]["columns"]
    rows = _layers(made, net.input.quantize(x[: facts["batch"]]), layers)
    found = {
        "run": run,
        "simulator": result.tool,
        "differences": result.mismatches,
        "batch": facts["batch"],
        "cycles_batch": {"simulated": simulated, "model": model},
        "layers_off_the_model": sum(row["simulated"] != row["model"] for row in rows.values()),
        "macs_per_frame": facts["macs_per_frame"],
        "macs_per_cycle_and_element": facts["macs_per_frame"] * facts["batch"] / (simulated * peak),
        "array_busy": counters["cycles_array"] / counters["cycles_busy"],
        "layers": rows,
    }
    print(name, {k: v for k, v in found.items() if k != "layers"}, flush=True)
    return found


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
