"""The results as Markdown tables, as docs/quantization.md has them.

python benchmarks/quantization/tables.py
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rows import METHODS

RESULTS = Path(__file__).with_name("results.json")


def table(columns: list[str], rows: list[list[object]]) -> str:
    """A Markdown table; floats with two digits, large numbers with commas."""
    lines = [columns, ["---"] * len(columns), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2f}" if isinstance(value, float) else str(value or "")


def accuracy(results: dict) -> str:
    """One line a network and setting."""
    columns = ["network", "float", "integer", "loss", "bound", "agreement", "bytes"]
    names = ("float_accuracy", "accuracy", "loss", "max_loss", "agreement", "bytes")
    return table(columns, [[name, *(row.get(n) for n in names)] for name, row in sorted(results["accuracy"].items())])


def size(results: dict) -> str:
    """8-bit models in percent of 16-bit ones."""
    columns = ["8-bit model", "16-bit model", "size, %", "bound", "holds"]
    return table(
        columns, [[n, r["of"], r["percent"], r["max_percent"], r["holds"]] for n, r in results.get("size", {}).items()]
    )


def ranges(results: dict, group: str, network: str) -> str:
    """Accuracy, and agreement in brackets, of every method at every width of activations."""
    found = results.get(group, {})
    widths = [b for b in range(4, 9) if any(f"{network} W8A{b} {m}" in found for m in METHODS)]
    rows = []
    for method in METHODS:
        cells = [found.get(f"{network} W8A{b} {method}") for b in widths]
        if any(cells):
            rows.append([method, *(f"{c['accuracy']:.2f} ({c['agreement']:.1f})" if c else "" for c in cells)])
    return table(["method", *(f"W8A{b}" for b in widths)], rows)


def roundings(results: dict, network: str) -> str:
    """Accuracy, and agreement in brackets, by what is rounded, how, and to what width."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for name, row in results.get("roundings", {}).items():
        where, widths, what, how = name.split()
        if where == network:
            bits = widths[1] if what == "weights" else widths[3]
            cells.setdefault((what, how), {})[bits] = f"{row['accuracy']:.2f} ({row['agreement']:.1f})"
    bits = sorted({b for row in cells.values() for b in row})
    rows = [[what, how, *(row.get(b) for b in bits)] for (what, how), row in cells.items()]
    return table(["rounded", "how", *(f"{b} bits" for b in bits)], rows)


def search(results: dict) -> str:
    """The mixed networks."""
    columns = ["network", "bytes of weights", "float", "integer", "loss", "agreement", "layers of 2/3/4/8 bits"]
    rows = []
    for name, r in results.get("search", {}).items():
        layers = "/".join(str(n) for n in r["layers_by_weight_bits"].values())
        rows.append([name, int(r["bytes"]), r["float_accuracy"], r["accuracy"], r["loss"], r["agreement"], layers])
    return table(columns, rows)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    results = json.loads(parser.parse_args().results.read_text())
    for title, text in (
        ("Accuracy", accuracy(results)),
        ("Size", size(results)),
        ("Methods, resnet8", ranges(results, "ranges", "resnet8")),
        ("Methods, lite0", ranges(results, "lite0_ranges", "lite0")),
        ("Roundings, resnet8", roundings(results, "resnet8")),
        ("Roundings, lite0", roundings(results, "lite0")),
        ("Search", search(results)),
    ):
        print(f"## {title}\n\n{text}\n")


if __name__ == "__main__":
    main()
