"""Tables of README and pages that come from results alone: print them, or write them where they stand.

    python benchmarks/tables.py [--check]

A page marks the place of a table with <!-- table: NAME --> before it and <!-- end --> after it. --check changes nothing
and fails where a page shows another table than its results give.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
PAGES = ("README.md",)


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "".join(f"| {' | '.join(line)} |\n" for line in [columns, ["---"] * len(columns), *rows])


def results(path: str) -> dict:
    """The results of a benchmark."""
    return json.loads((ROOT / "benchmarks" / path).read_text())


def predict() -> str:
    """Time of predict as a multiple of ONNX Runtime's, by network and batch."""
    rows = []
    for name, found in results("predict/result.json")["networks"].items():
        for batch, row in ((int(k.removeprefix("batch_")), v) for k, v in found.items() if k.startswith("batch_")):
            times = (row[f"{key}_ms"] for key in ("predict", "float_1", "float_2"))
            ratios = (f"{row[f'of_float_{threads}']:.2f}" for threads in (1, 2))
            rows.append([name, f"{batch:,}", *(f"{time:.3g}" for time in times), *ratios])
    columns = ["network", "batch", "`predict`, ms", "float, 1 thread, ms", "float, 2 threads, ms"]
    return markdown([*columns, "`predict` / 1 thread", "`predict` / 2 threads"], rows)


def _best(row: dict, tool: str, figure: str) -> int:
    return min(value[figure] for key, value in row.items() if key.startswith(f"{tool} "))


def unrolled() -> str:
    """Unrolled layers by tool: LUTs of the synthesized layers, and LUT sites of the matrices by one rule."""
    rows = []
    for name, found in ((n, f) for n, f in results("tlmac/unrolled.json").items() if n != "tools"):
        for row in found["rows"] if len(found["rows"]) > 1 else []:
            label = f"{name}: {' x '.join(map(str, row['shape']))}"
            lut = [row["bitwright"]["lut"], *(_best(row, tool, "lut") for tool in ("da4ml", "alkaid"))]
            sites = [row["sites"], *(_best(row, tool, "sites") for tool in ("da4ml", "alkaid"))]
            rows.append([label, *_figures(lut), *_figures(sites)])
        label = f"**{name}**" + ("" if found["measured_layers"] == found["layers"] else " (not all layers)")
        rows.append([label, *_figures(list(found["lut"].values())), *_figures(list(found["sites"].values()))])
    figures = ["bitwright", "da4ml", "alkaid", "ratio"]
    return markdown(["layer", *(f"LUT: {f}" for f in figures), *(f"sites: {f}" for f in figures)], rows)


def _figures(values: list[int]) -> list[str]:
    """Figures of bitwright and the others, and the ratio to the best of the others."""
    ratio = values[0] / min(values[1:])
    return [*(f"{value:,}" for value in values), f"{ratio:.2f}" if ratio < 1 else f"**{ratio:.2f}**"]


TABLES: dict[str, Callable[[], str]] = {"predict": predict, "unrolled": unrolled}


def rewritten(text: str) -> str:
    """A page with its tables by the present results."""
    return PLACE.sub(lambda m: m[1] + TABLES[m[2]]() + m[4], text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check, changed = parser.parse_args().check, []
    for name in PAGES:
        old = (ROOT / name).read_text()
        if (new := rewritten(old)) != old:
            changed.append(name)
            if not check:
                (ROOT / name).write_text(new)
    print("changed:" if changed else "nothing changed", *changed)
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
