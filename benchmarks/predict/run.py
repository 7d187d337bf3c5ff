"""How long `predict` takes, against ONNX Runtime on the float graph with one thread and with two.

    python benchmarks/predict/run.py [--data ../shared/data] [--only NAME ...] [--again] [--rounds 15]

Networks: the QONNX ones (TFC_1W2A, TFC_2W2A, FINN's keyword spotter), whose float graph is the lowered one
(`models.to_onnx`), and float models quantized to 8 or 4 bits (ResNet-8, DS-CNN, EfficientNet-Lite0), whose float graph
is the original model. Batches of 1 and of 1,000 samples, of EfficientNet-Lite0 of 1 and 64; samples repeat where there
are fewer. `predict` takes all cores. Of the larger batch each float session gets the slices that suit it best.

Everything runs in turns in one process: a round measures each contestant, the quickest of many calls. Of the rounds
the median counts, of milliseconds per batch and of the ratios within a round. Run it on an idle machine: the load
before each network is recorded. Results go to result.json network by network, and what is there stays, unless
--again. `python benchmarks/tables.py` then writes them into docs/figures.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

import bitwright as bw
from bitwright import models
from bitwright.fast.session import open_session
from bitwright.network import Network

sys.path.insert(0, str(Path(__file__).parents[1] / "quantization"))
from data import CASES

THREADS = (1, 2)
SLICES = (10, 50, 250, 1000)
REPEATS = 3
MEASURE_SECONDS = 0.1  # of calls in a row, at least REPEATS of them
CALIBRATION = 64
BATCHES = {"EfficientNet-Lite0 W8A8": (1, 64)}
QONNX = {"TFC_1W2A": "TFC_1W2A", "TFC_2W2A": "TFC_2W2A", "KWS (FINN)": "kws_finn_submission_v0.7"}
FLOAT = {
    "ResNet-8 W8A8": ("resnet8", 8),
    "ResNet-8 W4A4": ("resnet8", 4),
    "DS-CNN W8A8": ("kws", 8),
    "EfficientNet-Lite0 W8A8": ("lite0", 8),
}


def subject(name: str, data: Path) -> tuple[Network, bytes, np.ndarray]:
    """The integer network, the float model, and samples."""
    if name in FLOAT:
        key, bits = FLOAT[name]
        case = CASES[key](data)
        network = bw.quantize(case.model, case.calibration[:CALIBRATION], weight_bits=bits, activation_bits=bits)
        return network, case.model.read_bytes(), case.x
    graph = models.read(data / "qonnx" / f"{QONNX[name]}.onnx")
    if name.startswith("TFC"):
        with np.load(data / "mnist" / "dev.npz") as file:
            x = file["images"][:1000, None].astype(np.float32) / np.float32(255)
    else:
        with np.load(data / "mlperf_tiny" / "speech_commands_dev.npz") as file:
            x = file["x_int8"].astype(np.float32) * file["input_scale"]
    return models.lower(graph), models.to_onnx(graph).SerializeToString(), x


def float_runner(model: bytes, threads: int, x: np.ndarray) -> Callable[[], np.ndarray]:
    """The model over all of x, in the slices that were quickest."""
    session = open_session(model, threads)
    name = session.get_inputs()[0].name

    def run(size: int) -> np.ndarray:
        return np.concatenate([session.run(None, {name: x[i : i + size]})[0] for i in range(0, len(x), size)])

    sizes = sorted({min(size, len(x)) for size in SLICES})
    best = min(sizes, key=lambda size: seconds(lambda: run(size), REPEATS))
    return lambda: run(best)


def seconds(work: Callable[[], object], calls: int = 1) -> float:
    """Seconds of the quickest of so many calls."""
    best = float("inf")
    for _ in range(calls):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def compare(network: Network, model: bytes, x: np.ndarray, rounds: int) -> dict[str, float]:
    """Milliseconds of each, and of predict as a multiple of each float session's.

    Each runs many times in a row and its quickest call counts: idle threads of one session spin for a while and would
    disturb the next.
    """
    works = {"predict": lambda: network.predict(x)} | {f"float_{t}": float_runner(model, t, x) for t in THREADS}
    calls = {name: max(REPEATS, round(MEASURE_SECONDS / seconds(work, REPEATS))) for name, work in works.items()}
    times = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work, calls[name]))
    found = {f"{name}_ms": 1000 * float(np.median(values)) for name, values in times.items()}
    for t in THREADS:
        ratios = np.array(times["predict"]) / times[f"float_{t}"]
        found[f"of_float_{t}"] = float(np.median(ratios))
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def measured(name: str, data: Path, rounds: int) -> Iterator[tuple[str, object]]:
    """What is known of a network."""
    load = os.getloadavg()[0]
    network, model, x = subject(name, data)
    yield "load", round(load, 2)
    for batch in BATCHES.get(name, (1, 1000)):
        yield f"batch_{batch}", compare(network, model, np.resize(x, (batch, *x.shape[1:])), rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--only", nargs="+", choices=[*QONNX, *FLOAT], default=[*QONNX, *FLOAT])
    parser.add_argument("--again", action="store_true", help="measure networks that are in the results, too")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("result.json"))
    given = parser.parse_args()
    report = json.loads(given.output.read_text()) if given.output.exists() else {}
    report["tools"] = {name: version(name) for name in ("bitwright", "onnxruntime", "numpy")}
    report["machine"] = {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }
    networks = report.setdefault("networks", {})
    for name in given.only:
        if name not in networks or given.again:
            networks[name] = dict(measured(name, given.data, given.rounds))
            given.output.write_text(json.dumps(report, indent=1) + "\n")
        print(name, json.dumps(networks[name]), flush=True)


if __name__ == "__main__":
    main()
