"""How fast `predict` is, against ONNX Runtime on the float graph, measured in turns in one process.

    python benchmarks/predict/run.py [--data ../shared/data] [--rounds 40] [--output benchmarks/predict/result.json]

Networks: TFC_2W2A on 1,000 MNIST images, whose float graph is the lowered one (`readers.to_onnx`), and
resnet8, quantized to 8 and to 4 bits, on 1,000 CIFAR-10 images, whose float graph is the original model.
A ratio above 1 means that the integer network is the faster one. Both use all cores; the float session gets
the batch that suits it best among the whole and a few slices.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime

import bitwright as bw
from bitwright import readers
from bitwright.network import Network

IMAGES = 1000
REPEATS = 4
SLICES = (10, 50, 250, 1000)


def float_runner(model: bytes, x: np.ndarray) -> Callable[[], np.ndarray]:
    """The model over all of x, in the slices that were quickest."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(size: int) -> np.ndarray:
        return np.concatenate([session.run(None, {name: x[i : i + size]})[0] for i in range(0, len(x), size)])

    best = min(SLICES, key=lambda size: min(seconds(lambda: run(size)) for _ in range(5)))
    return lambda: run(best)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(network: Network, model: bytes, x: np.ndarray, rounds: int) -> dict[str, float]:
    """Seconds of each and their ratio; each round runs both, so that other load falls on both.

    Each runs several times in a row and its best counts: idle threads of one session spin for a while and would
    disturb the other.
    """
    reference = float_runner(model, x)

    def best(work: Callable[[], object]) -> float:
        return min(seconds(work) for _ in range(REPEATS))

    network.predict(x)
    times = np.array([[best(reference), best(lambda: network.predict(x))] for _ in range(rounds)])
    agreement = (network.predict(x).argmax(1) == reference().argmax(1)).mean()
    return {
        "float_seconds": float(times[:, 0].min()),
        "predict_seconds": float(times[:, 1].min()),
        "ratio_of_minima": float(times[:, 0].min() / times[:, 1].min()),
        "median_of_ratios": float(np.median(times[:, 0] / times[:, 1])),
        "images_per_second": float(len(x) / times[:, 1].min()),
        "argmax_agreement": float(agreement),
    }


def tfc(data: Path, rounds: int) -> dict[str, float]:
    with np.load(data / "mnist" / "dev.npz") as file:
        x = file["images"][:IMAGES, None].astype(np.float32) / np.float32(255)
    graph = readers.read(data / "qonnx" / "TFC_2W2A.onnx")
    return compare(readers.lower(graph), readers.to_onnx(graph).SerializeToString(), x, rounds)


def resnet8(data: Path, bits: int, rounds: int) -> dict[str, float]:
    path = data / "mlperf_tiny" / "resnet8.onnx"
    with np.load(data / "cifar10" / "dev.npz") as file:
        x = np.ascontiguousarray(file["images"][:IMAGES].transpose(0, 3, 1, 2).astype(np.float32))
    with np.load(data / "cifar10" / "calibration.npz") as file:
        calibration = np.ascontiguousarray(file["images"][:64].transpose(0, 3, 1, 2).astype(np.float32))
    network = bw.quantize(path, calibration, weight_bits=bits, activation_bits=bits)
    return compare(network, path.read_bytes(), x, max(1, rounds // 4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    found = {
        "tools": {name: version(name) for name in ("bitwright", "onnxruntime", "numpy")}
        | {"python": platform.python_version()},
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine()},
        "images": IMAGES,
        "tfc_2w2a": tfc(given.data, given.rounds),
        "resnet8_w8a8": resnet8(given.data, 8, given.rounds),
        "resnet8_w4a4": resnet8(given.data, 4, given.rounds),
    }
    text = json.dumps(found, indent=2) + "\n"
    print(text, end="")
    if given.output:
        given.output.write_text(text)


if __name__ == "__main__":
    main()
