"""EfficientNet-Lite0 in mixed widths for bitsys with external memory, chosen by `bitwright search`.

    python benchmarks/networks/mixed.py [--data DIR] [--jobs N]

Every layer has weights and inputs of 4 or 8 bits; 4 bits of both run at twice the rate. The search knows what each
choice costs in cycles of bitsys_8x8_memory.toml, and what it loses: the divergence of the network's output over a few
calibration images, layer by layer. mixed.json has the widths that lose least where the layers together take BUDGET
cycles at most, and the accuracy of that network over 272 images; run.py takes it from there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bitwright.explore.search import search
from bitwright.models import read
from bitwright.quantization.options import QuantizeOptions

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "quantization"))
OUTPUT = HERE / "mixed.json"
WIDTHS = (4, 8)
SAMPLES = 16  # calibration images that the sensitivities are measured on
BUDGET = 5_500_000  # cycles of all layers, each as in networks of one width
QUANTIZE = {"weight_rounding": "second_order"}
TARGET: dict[str, Any] = {
    "target": "bitsys",
    "target_options": {"hardware": str(HERE / "bitsys_8x8_memory.toml")},
    "cost": "cycles",
}


def main() -> None:
    from data import CASES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--jobs", type=int, default=0, help="processes; 0 is one a core")
    arguments = parser.parse_args()
    case = CASES["lite0"](arguments.data)
    found = search(
        read(case.model),
        case.calibration,
        case.x,
        case.labels,
        quantize=QuantizeOptions(**QUANTIZE),
        weight_candidates=WIDTHS,
        activation_candidates=WIDTHS,
        samples=SAMPLES,
        budget=BUDGET,
        points=0,
        uniform=False,
        jobs=arguments.jobs,
        progress=lambda stage, done, total: print(f"{stage} {done}/{total}", flush=True),
        **TARGET,
    )
    (point,) = found.points
    widths = list(point.widths.values())
    made = {
        "options": QUANTIZE,
        "budget": BUDGET,
        "cycles_predicted": round(point.predicted_cost),
        "images": len(case.x),
        "float_accuracy": round(100 * found.float_accuracy, 2),
        "accuracy": round(100 * point.accuracy, 2),
        "agreement": round(100 * point.agreement, 2),
        "output_kl": round(point.loss, 4),
        "layers": {f"W{w}A{a}": widths.count((w, a)) for w, a in sorted(set(widths))},
        "widths": {name: list(pair) for name, pair in point.widths.items()},
    }
    OUTPUT.write_text(json.dumps(made, indent=1) + "\n")
    print(json.dumps({k: v for k, v in made.items() if k != "widths"}))


if __name__ == "__main__":
    main()
