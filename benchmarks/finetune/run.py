"""Fine-tuning on the reference networks, measured on integer networks; one JSON file of results.

    python benchmarks/finetune/run.py --data ../shared/data
    python benchmarks/finetune/run.py --only "resnet8 W3A3, edges 8" --seed 1

Every row is measured with three seeds. A run that is in the file already is kept, and one that was interrupted resumes
from its checkpoint in --work, where the networks lie, too. Which network of a run is kept is decided on a part of the
training data; the test data are used once, at the end. `tables.py` prints means and spreads beside the bounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from networks import Case, accuracy, case, float_accuracy
from rows import ROWS, Row, widths

import bitwright as bw
from bitwright.quantization.floatrun import to_value
from bitwright.text import in_percent
from bitwright.training import finetune_model
from bitwright.training.module import GraphModule
from bitwright.training.run import Finetuned

HERE = Path(__file__).parent
PACKAGES = ("bitwright", "numpy", "numba", "onnxruntime", "torch")
SEEDS = (1, 2, 3)
COMPARED = 1000  # test samples on which the torch module and the integers are compared
KILLS = (0.3, 0.9)  # of the time that a run takes
TARGETS = ("tlmac", "bitsys", "rap")


class Bench:
    """The results file and the folder of checkpoints and networks."""

    def __init__(self, data: Path, output: Path, work: Path, jobs: int) -> None:
        self.data, self.output, self.work, self.jobs = data, output, work, jobs
        work.mkdir(parents=True, exist_ok=True)

    def record(self, row: Row, seed: int) -> None:
        """Measure a row with a seed, unless that is done, and write the file."""
        if str(seed) in self.stored().get(row.name, {}):
            return
        start = time.perf_counter(), time.process_time()
        found = KINDS[row.kind](self, row, seed)
        spent = time.perf_counter() - start[0], time.process_time() - start[1]
        found |= {"seconds": round(spent[0], 1), "processor_seconds": round(spent[1], 1), "environment": environment()}
        results = self.stored()
        results.setdefault(row.name, {})[str(seed)] = found
        temporary = self.output.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(results, indent=1) + "\n")
        temporary.replace(self.output)
        print(f"{row.name}, seed {seed}: {found}", flush=True)

    def stored(self) -> dict:
        """All results in the file."""
        return json.loads(self.output.read_text()) if self.output.exists() else {}

    def file(self, row: Row, seed: int, suffix: str) -> Path:
        """A file of a run."""
        name = "".join(c if c.isalnum() else "_" for c in row.name)
        return self.work / f"{name}_{seed}{suffix}"


def environment() -> dict[str, object]:
    """Versions and machine of a run."""
    threads = {"cores": os.cpu_count(), "torch_threads": torch.get_num_threads()}
    return {"python": platform.python_version(), **threads, **{name: version(name) for name in PACKAGES}}


def trained(bench: Bench, row: Row, seed: int, fold: int = 0) -> tuple[Case, Finetuned]:
    """Fine-tune as the row says; a run that was interrupted goes on."""
    found = case(row.network, bench.data)
    found = found.fold(fold, row.folds) if row.folds > 1 else found
    options = dict(row.options)
    labels = found.labels if options.get("label_share") else None
    shown = time.perf_counter()

    def progress(what: str, done: int, total: int) -> None:
        nonlocal shown
        if what.startswith("fine-tune") and time.perf_counter() - shown > 60:
            shown = time.perf_counter()
            print(f"  {row.name}, seed {seed}: {done} of {total}, {what}", flush=True)

    checkpoint = bench.file(row, seed, f"_{fold}.ckpt")
    made = finetune_model(
        found.graph, found.x, labels, checkpoint=checkpoint, progress=progress, seed=seed, jobs=bench.jobs, **options
    )
    return found, made


def figures(found: Case, made: Finetuned) -> dict[str, object]:
    """Accuracies on the test data of the float, the post-training and the fine-tuned network."""
    report, full = made.report, float_accuracy(found.graph, found.test, found.test_labels)
    after = accuracy(made.network.predict(found.test), found.test_labels)
    value = torch.from_numpy(to_value(made.graph, found.test[:COMPARED]))
    with torch.no_grad():
        y = GraphModule(made.graph)(value.permute(0, 3, 1, 2) if value.ndim == 4 else value).numpy()
    taught = {}
    if made.report.given_accuracy is not None:
        best = float_accuracy(made.teacher, found.test, found.test_labels)
        taught = {"taught_float_accuracy": best, "taught_loss": best - after}
    held_back = {"post_training": report.post_training.agreement, "fine_tuned": report.fine_tuned.agreement}
    return {
        **taught,
        "test_samples": len(found.test),
        "float_accuracy": full,
        "accuracy": after,
        "loss": full - after,
        "torch_agreement": accuracy(y, made.network.predict(found.test[:COMPARED]).argmax(1)),
        "steps": report.steps,
        "best_step": report.best_step,
        "training_samples": report.samples,
        "training_seconds": round(report.seconds, 1),
        "held_back": {name: in_percent(share) for name, share in held_back.items()},
    }


def post_training(bench: Bench, row: Row, found: Case) -> dict[str, float]:
    """Accuracy lost by post-training quantization alone, with the same options."""
    names = ("weight_bits", "activation_bits", "first_bits", "last_bits")
    options = {name: value for name, value in row.options.items() if name in names}
    x = found.x[:1024].astype(np.float32)
    network = bw.quantize(found.graph, x, weight_rounding="second_order", jobs=bench.jobs, **options)
    after = accuracy(network.predict(found.test), found.test_labels)
    return {"post_training_loss": float_accuracy(found.graph, found.test, found.test_labels) - after}


def measure_training(bench: Bench, row: Row, seed: int) -> dict:
    """One training, or one for each fold."""
    parts = []
    for fold in range(row.folds):
        found, made = trained(bench, row, seed, fold)
        bw.save(made.network, bench.file(row, seed, f"_{fold}.bw"))
        parts.append(figures(found, made) | post_training(bench, row, found))
    if len(parts) == 1:
        result = parts[0]
    else:
        mean = {k: float(np.mean([p[k] for p in parts])) for k in ("float_accuracy", "accuracy", "loss")}
        lost = float(np.mean([p["post_training_loss"] for p in parts]))
        result = {**mean, "post_training_loss": lost, "folds": parts}
    return {"options": plain(row), **result, **({} if row.max_loss is None else {"max_loss": row.max_loss})}


def measure_resume(bench: Bench, row: Row, seed: int) -> dict:
    """Digests of a run and of one that is killed at random moments and resumed each time."""
    rng, files = random.Random(seed), [bench.file(row, seed, f"_{name}.bw") for name in ("whole", "killed")]
    for file in (*files, *(f.with_suffix(".ckpt") for f in files)):
        file.unlink(missing_ok=True)
    start = time.perf_counter()
    run_alone(bench, row, seed, files[0], None)
    seconds, kills = time.perf_counter() - start, 0
    while not run_alone(bench, row, seed, files[1], seconds * rng.uniform(*KILLS) if kills < len(KILLS) else None):
        kills += 1
    same = files[0].read_bytes() == files[1].read_bytes()
    return {"options": plain(row), "kills": kills, "same_bytes": same, "digest": bw.load(files[0]).digest}


def run_alone(bench: Bench, row: Row, seed: int, file: Path, seconds: float | None) -> bool:
    """Fine-tune in a process of its own, killed after some seconds; whether it came to its end."""
    arguments = ["--data", bench.data, "--work", bench.work, "--jobs", bench.jobs, "--alone", file]
    command = [sys.executable, __file__, *map(str, arguments), "--only", row.name, "--seed", str(seed)]
    process = subprocess.Popen(command)
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def alone(bench: Bench, row: Row, seed: int, file: Path) -> None:
    """What `run_alone` starts."""
    found = case(row.network, bench.data)
    how = {"seed": seed, "jobs": bench.jobs, "checkpoint": file.with_suffix(".ckpt"), "checkpoint_seconds": 1.0}
    bw.save(finetune_model(found.graph, found.x, **how, **row.options).network, file)


def measure_hardware(bench: Bench, row: Row, seed: int) -> dict:
    """The W3A3 network of that seed on all targets, beside the W8A8 network."""
    found, count = case(row.network, bench.data), int(row.options["images"])
    source = next(r for r in ROWS if r.kind == "train" and r.options.get("weight_bits") == 3)
    calibration = found.x[:1024].astype(np.float32)
    networks = {
        "W3A3": bw.load(bench.file(source, seed, "_0.bw")),
        "W8A8": bw.quantize(found.graph, calibration, jobs=bench.jobs, **widths(8)),
    }
    results: dict[str, dict] = {}
    for target in TARGETS:
        for name, network in networks.items():
            design = bw.compile(network, target)
            done = bw.simulate(design, found.test[:count])
            results[f"{target} {name}"] = {
                "bit_exact": bool(done.bit_exact),
                "images": count,
                "lut_estimated": float(design.estimate.total.lut),
                "interval_cycles": float(done.interval_cycles),
                "latency_cycles": float(done.latency_cycles),
                "frames_per_second_at_200_mhz": 200e6 / float(done.interval_cycles),
            }
            print(f"  {target} {name}: {results[f'{target} {name}']}", flush=True)
    return {"source": source.name, "designs": results}


KINDS: dict[str, Callable[[Bench, Row, int], dict]] = {
    "train": measure_training,
    "resume": measure_resume,
    "hardware": measure_hardware,
}


def plain(row: Row) -> dict[str, object]:
    """The options as JSON has them."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in row.options.items()}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    parser.add_argument("--work", type=Path, default=HERE / "build")
    parser.add_argument(
        "--only", nargs="+", metavar="ROW", choices=[row.name for row in ROWS], default=[row.name for row in ROWS]
    )
    parser.add_argument("--seed", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--jobs", type=int, default=0, help="threads; 0 is all cores")
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    bench = Bench(arguments.data, arguments.output, arguments.work, arguments.jobs)
    rows = {row.name: row for row in ROWS}
    for seed in arguments.seed:
        for name in arguments.only:
            if arguments.alone:
                alone(bench, rows[name], seed, arguments.alone)
            else:
                bench.record(rows[name], seed)


if __name__ == "__main__":
    main()
