"""Whole networks on a 4 x 4 grid of rap with external memory: the rows of run.py, simulated cycle by cycle.

    python benchmarks/networks/rap.py [--data DIR] [--only ROW ...] [--redo] [--output FILE]

cycles: of a frame, by the instruction-set simulator under the memory that estimates hold for (100 cycles to the first
beat, one beat of 8 bytes a cycle); all outputs are compared with the integer network's, the cycles with the estimate.
ideal: the RTL under the same memory; its counters are compared with the simulator's. random: the RTL under a memory
of random latencies, pauses and order, with pauses on the streams. least: bytes of weights, parameters, input and
output. A network that fits on chip moves nothing. What is in the file is kept; an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from run import LARGE, ROWS, STALLS, least_bytes

import bitwright as bw
from bitwright.fast.evaluator import Evaluator
from bitwright.targets import contract, get
from bitwright.targets.rap.simulator.run import execute

HERE = Path(__file__).parent
OPTIONS: dict[str, dict[str, Any]] = {"ResNet-18 W3A3": {"param_words": 65536}}
FRAMES = 2  # of networks of less than a million cycles


def measured(name: str, data: Path) -> dict[str, Any]:
    """The row of a network."""
    target = get("rap")
    network, x = ROWS[name].make(data, FRAMES)
    x = network.quantize(x) if x.dtype.kind == "f" else x
    options = target.options(m_axi=64, program_words=65536, **OPTIONS.get(name, {}))
    plan = contract.accepted(target, network, options)
    x = x[: 1 if plan.estimate.interval_cycles > LARGE else FRAMES]
    memory = (options.memory_latency, options.memory_gap)
    flat = x.reshape(len(x), -1)
    done = execute(options.machine, plan.code.program, flat, network.output_type.size, memory=memory)
    found = network.output_type.dtype.decode(done.outputs).reshape(len(x), *network.output_type.shape)
    read, written = (0, 0) if plan.outside is None else plan.outside.moved
    row: dict[str, Any] = {
        "frames": len(x),
        "interval_cycles": plan.estimate.interval_cycles,
        "as_estimated": done.counters["cycles"] == len(x) * plan.estimate.interval_cycles - 1,
        "differences": int(np.count_nonzero(found != Evaluator(network).run(x))),
        "instructions": len(plan.code.program.code),
        "bytes": {"read": read, "written": written, "least": least_bytes(network)},
    }
    design = target.emit(plan)
    for kind, stalls in (("ideal", None), ("random", STALLS)):
        start = time.perf_counter()
        result = bw.simulate(design, x, stalls=stalls)
        row[kind] = {
            "differences": result.mismatches,
            "elements": int(np.size(result.outputs)),
            "cycles": result.counters["cycles"],
            "seconds": round(time.perf_counter() - start),
        }
        if stalls is None:
            row[kind]["counters_of_the_simulator"] = result.counters == done.counters | {"errors": 0}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--only", nargs="+", metavar="ROW", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--redo", action="store_true", help="measure rows again that are in the file")
    parser.add_argument("--output", type=Path, default=HERE / "rap.json")
    given = parser.parse_args()
    rows = json.loads(given.output.read_text()) if given.output.exists() else {}
    for name in given.only:
        if given.redo or name not in rows:
            rows[name] = measured(name, given.data)
            given.output.write_text(json.dumps({k: rows[k] for k in ROWS if k in rows}, indent=1) + "\n")
            print(name, json.dumps(rows[name]), flush=True)


if __name__ == "__main__":
    main()
