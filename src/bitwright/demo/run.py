# SPDX-License-Identifier: Apache-2.0
"""`bitwright demo`: load, compile, simulate and synthesize the embedded network."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import bitwright as bw
from bitwright.targets import DEFAULT

FOLDER = Path(__file__).parent
DEVICE = "xczu3eg"  # the Ultra96's part


@dataclass(frozen=True)
class DemoResult:
    """What the demo measured. Accuracies are fractions of the test images; cycles are clock cycles."""

    images: int
    network_accuracy: float
    hardware_accuracy: float
    simulation: Any
    synthesis: Any
    design: Any


def files() -> tuple[Path, Path]:
    """The embedded QONNX model and its test split (npz with `images` uint8 0..16 and `labels`)."""
    return FOLDER / "digits.onnx", FOLDER / "digits_test.npz"


def run(output: Path, say: Callable[[str], None] = print, jobs: int = 2) -> DemoResult:
    """Run the whole way and leave the design and its report in `output`; `say` gets a line a step."""
    model, data = files()
    with np.load(data) as split:
        x, labels = split["images"][:, None].astype(np.float32) / 16, split["labels"]

    say(f"load        {model.name}: QONNX, 3-bit weights and activations")
    network = bw.load(model)
    predicted = network.predict(x).argmax(axis=1)

    say(f"compile     target {DEFAULT}")
    design = bw.compile(network, target=DEFAULT)
    bw.save_design(design, output)

    say(f"simulate    {len(x)} images in Verilator; synthesize for {DEVICE} in Yosys")
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(bw.synthesize, design, device=DEVICE, jobs=jobs)
        simulation = bw.simulate(design, x)
        synthesis = pending.result()
    hardware = network.output.dequantize(simulation.outputs).argmax(axis=1)
    say("report      one HTML file")
    bw.report(design, output, simulation=simulation, synthesis=synthesis)
    return DemoResult(
        images=len(x),
        network_accuracy=float(np.mean(predicted == labels)),
        hardware_accuracy=float(np.mean(hardware == labels)),
        simulation=simulation,
        synthesis=synthesis,
        design=design,
    )
