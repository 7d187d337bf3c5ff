# SPDX-License-Identifier: Apache-2.0
"""Whole networks of 64 x 64 pixels as hardware, simulated cycle by cycle on two images.

    python benchmarks/models/simulated.py

Needs the extra `models`. Weights and activations have 8 bits, or 4 where the target has no room for 8;
every element of the outputs for both images is compared with the integer network's. Translating and compiling a design
takes minutes to an hour of one core; designs and simulators are kept in the cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import run as floats
from apart import Clock, Failed, Row, main, short
from architectures import MODELS, SMALL, Model

import bitwright as bw
from bitwright.models import read

HERE = Path(__file__).parent
FRAMES = 2
LARGE = {"hardware": str(HERE / "hardware" / "large.toml")}
LARGEST = {"size": 8, "a_words": 1 << 17, "b_words": 1 << 17, "param_words": 1 << 16, "program_words": 1 << 16}
# Architecture, target, its options, bits of weights and activations.
DESIGNS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "resnet18 on tlmac": ("torchvision/resnet18", "tlmac", {}, 8),
    "mobilenet_v3_small on tlmac": ("torchvision/mobilenet_v3_small", "tlmac", {}, 8),
    "yolov8n on tlmac": ("ultralytics/yolov8n", "tlmac", {}, 8),
    "resnet18 on bitsys": ("torchvision/resnet18", "bitsys", LARGE, 8),
    "yolov8n on rap": ("ultralytics/yolov8n", "rap", LARGEST, 4),
}


def measured(name: str, folder: Path) -> Row:
    """The row of a design."""
    architecture, target, options, bits = DESIGNS[name]
    model = Model(MODELS[architecture].make, SMALL)
    path = folder / f"{architecture.replace('/', '_')}.onnx"
    try:
        if not path.exists():
            floats.export(model, path)
    except Exception as error:
        raise Failed(short(error)) from error
    calibration = floats.inputs(model, floats.CALIBRATION, 3)
    network = bw.quantize(read(path), calibration, weight_bits=bits, activation_bits=bits)
    clock = Clock()
    design = bw.compile(network, target, **options)
    row: Row = {"bits": bits, "frames": FRAMES, "compile_seconds": clock.lap()}
    result = bw.simulate(design, floats.inputs(model, FRAMES, 4))
    row |= {"simulate_seconds": clock.lap(), "elements": int(np.size(result.outputs))}
    row |= {k: v for k, v in result.as_dict().items() if k in ("latency_cycles", "interval_cycles", "cycles", "tool")}
    return row | {"mismatches": result.mismatches, "estimated_cycles": design.estimate.interval_cycles}


if __name__ == "__main__":
    rows = main(__doc__, DESIGNS, measured, HERE / "simulated.json", minutes=180)
    print(f"{sum(r.get('mismatches') == 0 for r in rows.values())} of {len(rows)} designs are bit-exact")
