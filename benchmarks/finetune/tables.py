"""The results as Markdown tables, as docs/quantization.md has them: means over seeds, the spread, the bounds.

python benchmarks/finetune/tables.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from rows import MAX_MINUTES, MAX_TAUGHT_LOSS, ROWS, TIMED

RESULTS = Path(__file__).with_name("results.json")


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "".join(f"| {' | '.join(line)} |\n" for line in [columns, ["---"] * len(columns), *rows])


def spread(values: list[float]) -> str:
    """The mean, and least and largest value where there are several."""
    span = f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
    return f"{np.mean(values):.2f}{span}"


def bounded(run: dict) -> tuple[float, float | None]:
    """Points lost and the most allowed: against the given float network, or the one that has learned from labels."""
    taught = run.get("taught_loss")
    return (run["loss"], run.get("max_loss")) if taught is None else (taught, MAX_TAUGHT_LOSS)


def folds_better(runs: list[dict]) -> str:
    """In how many folds the mean loss over the seeds is less than after post-training quantization."""
    lost, before = (np.mean([[f[k] for f in run["folds"]] for run in runs], 0) for k in ("loss", "post_training_loss"))
    return f"{np.sum(lost < before)} of {len(lost)}"


def accuracies(results: dict) -> str:
    """Points lost against the float network, before and after fine-tuning."""
    rows = []
    for row in ROWS:
        runs = list(results.get(row.name, {}).values())
        if row.kind != "train" or not runs:
            continue
        losses, bound = [run["loss"] for run in runs], bounded(runs[0])[1]
        counted = [bounded(run)[0] for run in runs]
        taught = f"; {spread(counted)} against the taught one" if counted != losses else ""
        before = [run["post_training_loss"] for run in runs if "post_training_loss" in run]
        better = folds_better(runs) if row.folds > 1 else ""
        agree = [run["torch_agreement"] for run in runs if "torch_agreement" in run]
        holds = "" if bound is None else "yes" if np.mean(counted) <= bound + 1e-9 else "**no**"
        figures = [
            spread(before) if before else "",
            spread(losses) + taught,
            "" if bound is None else f"{bound:.2f}",
            holds,
        ]
        rows.append([row.name, str(len(runs)), *figures, better, f"{min(agree):.1f}" if agree else ""])
    heads = ["network", "seeds", "points lost, post-training", "fine-tuned", "bound", "holds", "folds better"]
    return markdown([*heads, "torch agrees, %"], rows)


def others(results: dict) -> str:
    """Time, resuming, hardware."""
    lines = []
    minutes = [run["processor_seconds"] / 60 for run in results.get(TIMED, {}).values()]
    if minutes:
        ok = "yes" if np.mean(minutes) <= MAX_MINUTES else "**no**"
        lines.append([f"{TIMED}, ten epochs", f"{spread(minutes)} processor minutes", f"{MAX_MINUTES:g}", ok])
    for row in ROWS:
        for run in results.get(row.name, {}).values():
            if row.kind == "resume":
                lines.append(
                    [f"{row.name} {run['kills']} times", "the same bytes", "", "yes" if run["same_bytes"] else "**no**"]
                )
            if row.kind == "hardware":
                for name, d in run["designs"].items():
                    text = f"{d['lut_estimated']:,.0f} LUT (estimated), {d['interval_cycles']:,.0f} cycles per frame"
                    speed = f"{d['frames_per_second_at_200_mhz']:,.0f} frames per second at an assumed 200 MHz"
                    lines.append([name, f"{text}, {speed}", "bit-exact", "yes" if d["bit_exact"] else "**no**"])
    return markdown(["what", "measured", "bound", "holds"], lines) if lines else ""


if __name__ == "__main__":
    found = json.loads(RESULTS.read_text())
    print(accuracies(found))
    print(others(found))
