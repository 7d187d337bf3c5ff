"""What `deploy` makes, run against simulated boards: bitstreams, host programs, drivers, noise on a serial line.

    python benchmarks/boards/run.py [--data ../shared/data] [--only ROW ...] [--again] [--work FOLDER]

Rows:
  serial ...      a bitstream for a board with a serial line, its clock after routing, and 200 raw samples through
                  host.py and the simulated board: differences from `Network.predict`, and accuracy
  noise           10,000 bytes dropped, flipped or inserted on the line of a small design: wrong results, and whether a
                  clean line works afterwards
  pynq tfc        1,000 raw images through driver.py and the simulated overlay, against `evaluate`
  bitsys switch   three networks in one overlay, loaded in turn
  memory switch   nine networks in external memory behind one overlay, each loaded twice, under a memory of random
                  latencies, pauses and order: register writes of every load, differences from the integer network
  dma             frames a second behind DMA engines, estimated, at an assumed 200 MHz
Results go to results.json row by row; what is there stays, unless --again.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import bitwright as bw
from bitwright.data.raw import classes
from bitwright.demo.run import FOLDER as DEMO
from bitwright.deployment.serial_top import top_files
from bitwright.deployment.shipped.serial_link import SerialLink
from bitwright.deployment.simulated_serial import Line, Noise, serial_model
from bitwright.deployment.throughput import overlay_throughput
from bitwright.design.packing import pack_frames, unpack
from bitwright.hardware.clock import DEFAULT_MHZ
from bitwright.hardware.closure import flatten
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, evaluate
from bitwright.network.ops import MaxPool

RESULTS = Path(__file__).with_name("results.json")
FAULTS, SAMPLES, IMAGES = 10_000, 200, 1_000
CALIBRATION, FEW = 8, 8  # samples to quantize with, and frames of a network that is switched
OUTSIDE, SEED = "ultra96_memory", 1
TIMEOUT_S = 3_600.0


@dataclass(frozen=True)
class Subject:
    """A network that knows how to prepare its raw data, these, and their labels."""

    network: Network
    raw: np.ndarray
    labels: np.ndarray


def _subject(model: Path, arrays: Path, raw: str, scale: Callable[[Any], float]) -> Subject:
    network = bw.load(model)
    with np.load(arrays) as file:
        spec = dataclasses.replace(network.input, data_scale=scale(file))
        return Subject(dataclasses.replace(network, inputs=spec), file[raw], file["labels"])


def digits(data: Path) -> Subject:
    return _subject(DEMO / "digits.onnx", DEMO / "digits_test.npz", "images", lambda _: 1 / 16)


def tfc(data: Path) -> Subject:
    return _subject(data / "qonnx/TFC_2W2A.onnx", data / "mnist/dev.npz", "images", lambda _: 1 / 255)


def kws(data: Path) -> Subject:
    model = data / "qonnx/kws_finn_submission_v0.7.onnx"
    samples = data / "mlperf_tiny/speech_commands_dev.npz"
    return _subject(model, samples, "x_int8", lambda file: float(file["input_scale"]))


SUBJECTS = {"digits": digits, "tfc": tfc, "kws": kws}
SERIAL = {  # network, board, options, the fastest clock to try
    "serial digits": ("digits", "ulx3s-85f", {"interval": 2304}, DEFAULT_MHZ),
    "serial tfc": ("tfc", "ulx3s-85f", {"interval": 3136}, DEFAULT_MHZ),
    "serial kws": ("kws", "ulx3s-85f", {"interval": 31360}, 62.5),
    "serial digits orangecrab": ("digits", "orangecrab-85f", {"interval": 36864}, 60.0),
    "serial digits colorlight": ("digits", "colorlight-i9", {"interval": 36864}, 60.0),
    "serial tfc nano 20k": ("tfc", "tang-nano-20k", {"interval": 6272}, 54.0),
    "serial digits nano 20k": ("digits", "tang-nano-20k", {"interval": 36864}, 54.0),
    "serial digits nano 9k": ("digits", "tang-nano-9k", {"interval": 73728, "bram36": 4}, 27.0),
}


def shipped(path: Path) -> ModuleType:
    """The module of a driver's file."""
    spec = importlib.util.spec_from_file_location(f"shipped_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def compared(host: Any, subject: Subject, count: int) -> dict[str, Any]:
    """Raw data through a host program against the network."""
    network, raw, labels = subject.network, subject.raw[:count], subject.labels[:count]
    start = time.perf_counter()
    found = host.execute(raw)
    seconds = time.perf_counter() - start
    x = network.input.prepare(raw)
    expected = network.predict(x)
    return {
        "samples": len(raw),
        "differences": int(np.count_nonzero(found != expected)),
        "accuracy": float((classes(found) == labels).mean()),
        "accuracy_of_the_network": float((classes(expected) == labels).mean()),
        "simulated_seconds": round(seconds, 1),
    }


def serial(row: str, data: Path, work: Path) -> dict[str, Any]:
    name, board, options, most_mhz = SERIAL[row]
    subject = SUBJECTS[name](data)
    design = bw.compile(subject.network, target="tlmac", **options)
    folder = work / row.replace(" ", "_")
    found = bw.deploy(design, folder, board, clock_mhz=most_mhz)
    facts = {key: found[key] for key in ("board", "clock_mhz", "fmax_mhz", "baud", "tool")}
    facts["used"] = {cell: count for cell, count in found["used"].items() if count}
    facts["frames_per_second_of_the_line"] = found["throughput"]["of_the_link"]
    facts["frames_per_second_of_the_design"] = found["throughput"]["of_the_design"]
    facts["bitstream_bytes"] = sum(path.stat().st_size for path in folder.glob("board.[bf][is]*"))
    with shipped(folder / "host.py").Board(simulate=True, timeout_s=TIMEOUT_S) as host:
        return {**facts, "options": options, **compared(host, subject, SAMPLES)}


def noise(row: str, data: Path, work: Path) -> dict[str, Any]:
    """Random frames through the line until it has had all its faults."""
    image = TensorType((8, 8, 1), IntType(8))
    network = Network(InputSpec(image), (Node("max", MaxPool((2, 2), (2, 2)), ("input",)),))
    design = bw.compile(network, target="tlmac")
    model = serial_model(flatten(design.files) | top_files(design), 12, 3_000_000)  # the fewest cycles a bit
    port = Noise(Line(model, 12e6), 0.004)
    link = SerialLink(port, 3_000_000, bytes.fromhex(design.digest)[:8], design.input.tdata_bits // 8, 600, 0.001)
    link.reset(None)
    rng, frames, wrong = np.random.default_rng(0), 0, 0

    def run() -> int:
        x = rng.integers(0, 256, (50, 8, 8, 1))
        words = pack_frames(design.input, [x]).view(np.uint8)[:, : design.input.tdata_bits // 8]
        size = design.output.tdata_bits // 8
        found = link.transfer(words.reshape(len(x), -1), design.output.words * size).reshape(-1, size)
        padded = np.zeros((len(found), 4 * -(-size // 4)), np.uint8)
        padded[:, :size] = found
        return int(np.count_nonzero(unpack(design.output.only, padded.view("<u4")) != evaluate(network, x)["max"]))

    while port.faults < FAULTS:
        wrong += run()
        frames += 50
    port.probability, faults = 0.0, port.faults
    recovered = run() == 0
    port.close()
    return {"faults": faults, "frames": frames, "wrong_results": wrong, "recovered": recovered}


def pynq_tfc(row: str, data: Path, work: Path) -> dict[str, Any]:
    subject = tfc(data)
    bw.deploy(bw.compile(subject.network, target="tlmac", interval=196), work / "pynq_tfc", "ultra96")
    with shipped(work / "pynq_tfc" / "driver.py").Driver(simulate=True, timeout_s=TIMEOUT_S) as driver:
        found = compared(driver, subject, IMAGES)
    x = subject.network.input.prepare(subject.raw[:IMAGES])
    measured = bw.evaluate(subject.network, x, subject.labels[:IMAGES])
    return {**found, "accuracy_of_evaluate": measured.accuracy}


def bitsys_switch(row: str, data: Path, work: Path) -> dict[str, Any]:
    subjects = {name: make(data) for name, make in SUBJECTS.items()}
    designs = {name: bw.compile(subject.network, target="bitsys") for name, subject in subjects.items()}
    bw.deploy(designs, work / "bitsys", "ultra96")
    found: dict[str, Any] = {"networks": list(designs), "loads": []}
    with shipped(work / "bitsys" / "driver.py").Driver(simulate=True, timeout_s=TIMEOUT_S) as driver:
        for name in ("digits", "tfc", "kws", "digits", "kws", "tfc"):
            driver.load(name)
            found["loads"].append({"network": name, **compared(driver, subjects[name], 20)})
    found["differences"] = sum(load["differences"] for load in found["loads"])
    return found


def quantized(name: str, data: Path, bits: int) -> tuple[Network, np.ndarray]:
    """A network of the quantization benchmarks with weights of so many bits, and integers of its inputs."""
    sys.path.append(str(RESULTS.parents[1] / "quantization"))
    from data import CASES

    case = CASES[name](data)
    made = bw.quantize(case.model, case.calibration[:CALIBRATION], weight_bits=bits, activation_bits=8)
    return made, made.quantize(case.x[:FEW])


def prepared(make: Callable[[Path], Subject], data: Path) -> tuple[Network, np.ndarray]:
    """A subject's network, and integers of its inputs."""
    subject = make(data)
    return subject.network, subject.network.quantize(subject.network.input.prepare(subject.raw[:FEW]))


def shuffled() -> tuple[Network, np.ndarray]:
    """An encoder-decoder of random weights, whose maps the benchmark of whole networks needs memory for."""
    networks = shipped(RESULTS.parents[1] / "networks" / "run.py")
    return networks.encoder_decoder(Path(), 1)


MEMORY: dict[str, Callable[[Path], tuple[Network, np.ndarray]]] = {
    "digits": lambda data: prepared(digits, data),
    "TFC_2W2A": lambda data: prepared(tfc, data),
    "KWS": lambda data: prepared(kws, data),
    "DS-CNN W8A8": lambda data: quantized("kws", data, 8),
    "DS-CNN W4A8": lambda data: quantized("kws", data, 4),
    "resnet8 W8A8": lambda data: quantized("resnet8", data, 8),
    "resnet8 W4A8": lambda data: quantized("resnet8", data, 4),
    "resnet8 W2A8": lambda data: quantized("resnet8", data, 2),
    "encoder-decoder W8A8": lambda data: shuffled(),
}


def memory_switch(row: str, data: Path, work: Path) -> dict[str, Any]:
    """Every network of MEMORY through the shipped driver, in order and backwards; no build but the first."""
    cases = {name: make(data) for name, make in MEMORY.items()}
    designs = {name: bw.compile(case[0], target="bitsys", hardware=OUTSIDE) for name, case in cases.items()}
    bw.deploy(designs, work / "memory", "ultra96")
    memories = {name: design.memory for name, design in designs.items()}
    sizes = {name: {"image_bytes": m.image.nbytes, "memory_bytes": m.size} for name, m in memories.items()}
    found: dict[str, Any] = {"hardware": OUTSIDE, "memory_seed": SEED, "networks": sizes, "loads": []}
    with shipped(work / "memory" / "driver.py").Driver(simulate=True, timeout_s=TIMEOUT_S, memory_seed=SEED) as driver:
        overlay, writes = driver.link.overlay, []
        for part in (overlay.design, overlay.frames):
            part.write = lambda *pair, write=part.write: (writes.append(pair), write(*pair))
        for name in (*designs, *reversed(designs)):
            network, x = cases[name]
            writes.clear()
            driver.load(name)
            count, start = len(writes), time.perf_counter()
            y = driver.execute_integers(x)
            seconds = round(time.perf_counter() - start, 1)
            off = int(np.count_nonzero(y != network.leaving(evaluate(network, x))))
            errors = driver.counters()["errors"]
            load = {"network": name, "register_writes": count, "frames": len(x), "differences": off, "errors": errors}
            found["loads"].append(load)
            print(json.dumps(load), seconds, flush=True)
    found["differences"] = sum(load["differences"] for load in found["loads"])
    found["register_writes"] = max(load["register_writes"] for load in found["loads"])
    return found


DMA = {
    "digits, tlmac": ("digits", "tlmac", {"interval": 2304}),
    "TFC_2W2A, tlmac": ("tfc", "tlmac", {"interval": 196}),
    "KWS, tlmac": ("kws", "tlmac", {"interval": 1960}),
    "digits, bitsys": ("digits", "bitsys", {}),
    "TFC_2W2A, bitsys": ("tfc", "bitsys", {}),
    "KWS, bitsys": ("kws", "bitsys", {}),
}


def dma(row: str, data: Path, work: Path) -> dict[str, Any]:
    found = {}
    for name, (subject, target, options) in DMA.items():
        design = bw.compile(SUBJECTS[subject](data).network, target=target, **options)
        speed = overlay_throughput(design, DEFAULT_MHZ)
        found[name] = {"options": options, "interval_cycles": design.estimate.interval_cycles, **speed.as_dict()}
    return {"assumed_mhz": DEFAULT_MHZ, "designs": found}


ROWS: dict[str, Callable[[str, Path, Path], dict[str, Any]]] = {
    "noise": noise,
    "pynq tfc": pynq_tfc,
    "bitsys switch": bitsys_switch,
    "memory switch": memory_switch,
    "dma": dma,
    **dict.fromkeys(SERIAL, serial),
}


def present() -> dict[str, Any]:
    """The results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "bitwright-boards")
    chosen = parser.parse_args()
    for row in chosen.only:
        found = present().get(row)
        if found is None or chosen.again:
            found = ROWS[row](row, chosen.data, chosen.work)
            RESULTS.write_text(json.dumps(present() | {row: found}, indent=1, sort_keys=True) + "\n")
        print(row, json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
