"""Accuracy, search and speed of the quantizer on the reference networks; one JSON file of results.

    python benchmarks/quantization/run.py --data ../shared/data

Every figure is measured on the integer network. Results that are in the file already are kept, so an
interrupted run resumes; --redo measures again, --only takes groups (accuracy, size, ranges, roundings,
lite0_ranges, search, speed), --match a part of the names.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from data import CASES, Case
from rows import MAX_SIZE, ROWS, SECOND, SIZES, Row

from bitwright.explore.search import search
from bitwright.fast.evaluator import Evaluator
from bitwright.models import read
from bitwright.quantization import measures
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.ptq import Prepared, finish, prepare, quantize_model, resolve_widths

HERE = Path(__file__).parent
PACKAGES = ("bitwright", "numpy", "scipy", "numba", "onnx", "onnxruntime", "joblib")
GROUPS = ("accuracy", "size", "ranges", "roundings", "search", "speed", "lite0_ranges")
SEARCH_WIDTHS = (2, 3, 4, 8)
SEARCH_SAMPLES = 24
FLOAT_RUNS = 10
SPEED_IMAGES, SPEED_REPEATS = 1000, 5


class Bench:
    """Loaded networks and the results file, which several runs at a time may fill."""

    def __init__(self, data: Path, output: Path, redo: bool, match: str) -> None:
        self.data, self.output, self.redo, self.match = data, output, redo, match

    @cache  # noqa: B019 - one Bench lives as long as the program
    def case(self, network: str) -> Case:
        return CASES[network](self.data)

    @cache  # noqa: B019
    def prepared(self, network: str) -> Prepared:
        case = self.case(network)
        return prepare(case.model, case.calibration, QuantizeOptions())

    @cache  # noqa: B019
    def reference(self, network: str) -> np.ndarray:
        return FloatRunner(self.prepared(network).graph).outputs(self.case(network).x)

    def record(self, group: str, name: str, measure: Callable[[], dict]) -> None:
        """Measure unless the result is there, and write the file."""
        if self.match not in name or (name in self.stored().get(group, {}) and not self.redo):
            return
        found = measure()
        results = self.stored()  # read again: another run may have measured other rows meanwhile
        results.setdefault(group, {})[name] = found
        results["environment"] = environment()
        temporary = self.output.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(results, indent=1) + "\n")
        temporary.replace(self.output)
        print(f"{group}: {name}: {found}", flush=True)

    def stored(self) -> dict:
        """All results in the file."""
        return json.loads(self.output.read_text()) if self.output.exists() else {}


def environment() -> dict[str, object]:
    """Versions and machine of a run."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        **{name: version(name) for name in PACKAGES},
    }


def measure_row(bench: Bench, row: Row) -> dict:
    """Quantize with the row's options and evaluate the integer network."""
    case, base, reference = bench.case(row.network), bench.prepared(row.network), bench.reference(row.network)
    options = QuantizeOptions(**row.options)
    start = time.perf_counter()
    made = finish(replace(base, options=options), resolve_widths(base.graph, options))
    seconds = time.perf_counter() - start
    x, labels, full = (part[: row.samples] for part in (case.x, case.labels, reference))
    outputs = Evaluator(made.network).predict(x)
    accuracy, before = (100 * measures.accuracy(y, labels) for y in (outputs, full))
    result = {
        "options": {k: list(v) if isinstance(v, tuple) else v for k, v in row.options.items()},
        "samples": len(x),
        "float_accuracy": before,
        "accuracy": accuracy,
        "loss": before - accuracy,
        "agreement": 100 * measures.agreement(full, outputs),
        "bytes": made.report.bytes,
        "float_bytes": made.report.float_bytes,
        "seconds_without_calibration": round(seconds, 1),
    }
    if row.max_loss is not None:
        agrees = row.min_agreement is None or result["agreement"] >= row.min_agreement
        result |= {"max_loss": row.max_loss, "holds": bool(result["loss"] <= row.max_loss + 1e-9 and agrees)}
    if row.min_agreement is not None:
        result["min_agreement"] = row.min_agreement
    return result


def measure_size(bench: Bench, small: str, large: str) -> dict:
    """Bytes of all parameters of an 8-bit model, in percent of those of a 16-bit one; both rows of "accuracy"."""
    rows = bench.stored()["accuracy"]
    percent = 100 * rows[small]["bytes"] / rows[large]["bytes"]
    return {"of": large, "percent": percent, "max_percent": MAX_SIZE, "holds": percent <= MAX_SIZE}


def measure_search(bench: Bench, bits: int) -> dict:
    """EfficientNet-Lite0 in mixed widths at the weight bytes of a uniform width, beside that uniform network."""
    case = bench.case("lite0")
    graph = bench.prepared("lite0").graph
    weights = sum(node.op.weight.size for node in graph.layers)
    found = search(
        graph,
        case.calibration,
        case.x,
        case.labels,
        quantize=QuantizeOptions(**SECOND),
        weight_candidates=SEARCH_WIDTHS,
        activation_candidates=(8,),
        budget=weights * bits / 8,
        points=0,
        uniform=False,
        samples=SEARCH_SAMPLES,
        progress=lambda stage, done, total: print(f"  {stage} {done}/{total}", flush=True),
    )
    point = found.chosen
    counts = {w: sum(own[0] == w for own in point.widths.values()) for w in SEARCH_WIDTHS}
    return {
        "sensitivity_samples": SEARCH_SAMPLES,
        "budget_bytes": weights * bits / 8,
        "bytes": point.cost,
        "float_accuracy": 100 * found.float_accuracy,
        "accuracy": 100 * point.accuracy,
        "loss": 100 * (found.float_accuracy - point.accuracy),
        "agreement": 100 * point.agreement,
        "output_kl": point.loss,
        "predicted_output_kl": point.predicted_loss,
        "layers_by_weight_bits": counts,
        "widths": {name: list(pair) for name, pair in point.widths.items()},
    }


def measure_evaluator(bench: Bench) -> dict:
    """Images a second of resnet8: the integer network in the fast evaluator, the float one in ONNX Runtime."""
    case = bench.case("resnet8")
    made = quantize_model(case.model, case.calibration, QuantizeOptions())
    x = case.x[:SPEED_IMAGES]
    runs = {"integer": Evaluator(made.network).predict, "float": FloatRunner(read(case.model)).outputs}
    best = {}
    for name, run in runs.items():
        run(x[:100])
        times = []
        for _ in range(SPEED_REPEATS):
            start = time.perf_counter()
            run(x)
            times.append(time.perf_counter() - start)
        best[name] = len(x) / min(times)
    ratio = best["integer"] / best["float"]
    rates = {f"{name}_images_per_second": round(rate, 1) for name, rate in best.items()}
    return {**rates, "ratio": ratio, "min_ratio": 0.5, "holds": ratio >= 0.5}


def measure_time(bench: Bench) -> dict:
    """Calibrate and quantize EfficientNet-Lite0 W8A8 on 128 images, against ten float runs over them."""
    case = bench.case("lite0")
    runner = FloatRunner(read(case.model))
    start = time.perf_counter()
    for _ in range(FLOAT_RUNS):
        runner.outputs(case.calibration)
    floats = time.perf_counter() - start
    start = time.perf_counter()
    quantize_model(case.model, case.calibration, QuantizeOptions())
    seconds = time.perf_counter() - start
    ratio = seconds / floats
    return {"seconds": seconds, "ten_float_runs": floats, "ratio": ratio, "max_ratio": 3, "holds": ratio <= 3}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS)
    parser.add_argument("--match", default="", help="only what holds this text in its name")
    parser.add_argument("--redo", action="store_true")
    arguments = parser.parse_args()
    bench = Bench(arguments.data, arguments.output, arguments.redo, arguments.match)
    for group in arguments.only:
        for row in ROWS:
            if row.group == group:
                bench.record(group, row.name, lambda row=row: measure_row(bench, row))
        if group == "size":
            for pair in SIZES:
                bench.record(group, pair[0], lambda pair=pair: measure_size(bench, *pair))
        if group == "search":
            for bits in (4, 6):
                bench.record(
                    group, f"lite0 mixed at the size of W{bits}", lambda bits=bits: measure_search(bench, bits)
                )
        if group == "speed":
            bench.record(group, "resnet8 integer against float", lambda: measure_evaluator(bench))
            bench.record(group, "lite0 W8A8 time", lambda: measure_time(bench))


if __name__ == "__main__":
    main()
