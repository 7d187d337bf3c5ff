# SPDX-License-Identifier: Apache-2.0
"""What `quantize` costs beside ONNX Runtime's static quantization, and whether threads change its result.

    python benchmarks/quantization/cost.py [--data DATA] [--again]

Cost: W8A8 of ResNet-8 (1,000 images) and EfficientNet-Lite0 (128 images), with min-max ranges on both sides, S8S8, a
weight scale for every channel. Each contestant has a process of its own, by turns, three rounds; it first quantizes
with two samples, so that everything is imported. Then processor seconds count. Memory is the most that the process,
which holds the calibration images, had in memory at any time. The median of the ratios within a round counts.
Bitwright's own default (mse ranges) is a row of its own.
Threads: SHA-256 of the .bw file of W4A8 with 1, 2 and 4 threads, of BLAS and of float runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from data import CASES

HERE = Path(__file__).parent
ROUNDS = 3
NETWORKS = {"resnet8": 1000, "lite0": 128}
CONTESTANTS = ("onnxruntime minmax", "bitwright minmax", "bitwright mse")
THREADS = (1, 2, 4)
MAX_SECONDS, MAX_MEMORY = 2.0, 1.2


def onnxruntime_minmax(model: Path, folder: Path) -> Callable[[np.ndarray], object]:
    """Static QDQ, with the reader that its users write: a sample at a time."""
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    name = onnx.load(model).graph.input[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, x: np.ndarray) -> None:
            self.samples = iter(x)

        def get_next(self) -> dict[str, np.ndarray] | None:
            sample = next(self.samples, None)
            return None if sample is None else {name: sample[None]}

    def run(x: np.ndarray) -> None:
        quantize_static(
            model,
            folder / "out.onnx",
            Reader(x),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )

    return run


def bitwright(model: Path, folder: Path, method: str) -> Callable[[np.ndarray], object]:
    """`bw.quantize` with its defaults, but for the range method."""
    import bitwright as bw

    return lambda x: bw.save(bw.quantize(model, x, method=method, weight_method=method), folder / "out.bw")


def cost(model: Path, samples: Path, contestant: str) -> dict[str, float]:
    """Of one contestant, in this process."""
    x = np.load(samples)
    tool, method = contestant.split()
    with tempfile.TemporaryDirectory() as folder:
        made = {"onnxruntime": onnxruntime_minmax}.get(tool)
        run = made(model, Path(folder)) if made else bitwright(model, Path(folder), method)
        run(x[:2])
        start, wall = time.process_time(), time.perf_counter()
        run(x)
        used = time.process_time() - start
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"processor_s": used, "seconds": time.perf_counter() - wall, "memory_mb": most}


def digest(model: Path, samples: Path, threads: int) -> str:
    """SHA-256 of the W4A8 network."""
    import bitwright as bw

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.bw"
        bw.save(bw.quantize(model, np.load(samples), weight_bits=4, activation_bits=8, jobs=threads), path)
        return hashlib.sha256(path.read_bytes()).hexdigest()


def apart(*asked: object, threads: int = 0) -> Any:
    """The answer of this script for one question, from a process of its own."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = {k: v for k, v in os.environ.items() if k not in names}
    environment |= {name: str(threads) for name in names if threads}
    command = [sys.executable, __file__, "--ask", *map(str, asked)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure_cost(model: Path, samples: Path) -> dict[str, Any]:
    """All contestants by turns; medians, and ratios within a round."""
    rounds = [{name: apart("cost", model, samples, name) for name in CONTESTANTS} for _ in range(ROUNDS)]
    rival = CONTESTANTS[0]
    row: dict[str, Any] = {
        name: {key: round(statistics.median(r[name][key] for r in rounds), 2) for key in rounds[0][name]}
        for name in CONTESTANTS
    }
    for name in CONTESTANTS[1:]:
        for key, label in (("processor_s", "time"), ("memory_mb", "memory")):
            row[f"{name}: {label} ratio"] = round(statistics.median(r[name][key] / r[rival][key] for r in rounds), 3)
    own = CONTESTANTS[1]
    row["holds"] = row[f"{own}: time ratio"] <= MAX_SECONDS and row[f"{own}: memory ratio"] <= MAX_MEMORY
    return row


def measure_threads(model: Path, samples: Path) -> dict[str, Any]:
    """The digests, and whether they are one."""
    found = {str(n): apart("digest", model, samples, n, threads=n) for n in THREADS}
    return {"sha256": found, "holds": len(set(found.values())) == 1}


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--output", type=Path, default=HERE / "cost.json")
    parser.add_argument("--again", action="store_true", help="measure rows again that are in the file")
    parser.add_argument("--ask", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        what, model, samples, how = options.ask
        paths = Path(model), Path(samples)
        print(json.dumps(cost(*paths, how) if what == "cost" else digest(*paths, int(how))))
        return
    rows = json.loads(options.output.read_text()) if options.output.exists() else {}
    rows["versions"] = {name: version(name) for name in ("bitwright", "onnxruntime", "numpy", "scipy")}
    for network, count in NETWORKS.items():
        missing = {
            f"{network} {what}": measure
            for what, measure in (("cost", measure_cost), ("threads", measure_threads))
            if f"{network} {what}" not in rows or options.again
        }
        with tempfile.TemporaryDirectory() as folder:
            samples = Path(folder) / "x.npy"
            if missing:
                case = CASES[network](options.data)
                np.save(samples, case.calibration[:count])
            for name, measure in missing.items():
                rows[name] = measure(case.model, samples)
                options.output.write_text(json.dumps(rows, indent=1) + "\n")
                print(name, rows[name], flush=True)


if __name__ == "__main__":
    main()
