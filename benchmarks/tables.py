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
IDLE_LOAD = 1.5  # load average; quantization just before counts for some of it
PAGES = ("README.md", "docs/targets/tlmac.md")


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "".join(f"| {' | '.join(line)} |\n" for line in [columns, ["---"] * len(columns), *rows])


def results(path: str) -> dict:
    """The results of a benchmark."""
    return json.loads((ROOT / "benchmarks" / path).read_text())


def predict() -> str:
    """Time of predict as a multiple of ONNX Runtime's, by network and batch."""
    rows, networks = [], results("predict/result.json")["networks"]
    for name, found in networks.items():
        for batch, row in ((int(k.removeprefix("batch_")), v) for k, v in found.items() if k.startswith("batch_")):
            times = (row[f"{key}_ms"] for key in ("predict", "float_1", "float_2"))
            ratios = (f"{row[f'of_float_{threads}']:.2f}" for threads in (1, 2))
            rows.append([name, f"{batch:,}", *(f"{time:.3g}" for time in times), *ratios])
    columns = ["network", "batch", "`predict`, ms", "float, 1 thread, ms", "float, 2 threads, ms"]
    table = markdown([*columns, "`predict` / 1 thread", "`predict` / 2 threads"], rows)
    load = max((found["load"] for found in networks.values()), default=0)
    busy = f"\nMeasured on a busy machine, at a load average of up to {load:.0f}.\n"
    return table + (busy if load > IDLE_LOAD else "")


RIVALS = ("da4ml", "alkaid")


def _compared(row: dict, figure: str) -> list[str]:
    """A layer's figure for bitwright, da4ml and alkaid, and the ratio to the better; dashes where one is missing."""
    own = row["sites"] if figure == "sites" else row.get("bitwright", {}).get("lut")
    found = [[v.get(figure) for k, v in row.items() if k.startswith(f"{tool} ")] for tool in RIVALS]
    if own is None or any(value is None for values in found for value in values):
        return ["-"] * 4
    return _ratio([own, *map(min, found)])


def _ratio(values: list[int]) -> list[str]:
    """Figures of bitwright and the others, and the ratio to the best of the others, bold where bitwright loses."""
    ratio = values[0] / min(values[1:])
    return [*(f"{value:,}" for value in values), f"{ratio:.2f}" if ratio < 1 else f"**{ratio:.2f}**"]


def _unrolled(rows: list[list[str]]) -> str:
    figures = ("bitwright", *RIVALS, "ratio")
    return markdown(["layers", *(f"sites: {f}" for f in figures), *(f"LUT: {f}" for f in figures)], rows)


def _networks() -> list[tuple[str, dict]]:
    return [(name, found) for name, found in results("tlmac/unrolled.json").items() if name != "tools"]


def _total(name: str, found: dict) -> list[str]:
    parts = (_ratio(list(found[f].values())) if f in found else ["-"] * 4 for f in ("sites", "lut"))
    return [name, *(cell for part in parts for cell in part)]


def unrolled() -> str:
    """Unrolled networks by tool: LUT sites by one rule, and LUTs after synthesis."""
    return _unrolled([_total(name, found) for name, found in _networks()])


def unrolled_layers() -> str:
    """The same for every layer of networks that have several."""
    rows = []
    for name, found in _networks():
        for row in found["rows"] if found["layers"] > 1 else []:
            label = f"{name}: {' x '.join(map(str, row['shape']))}"
            rows.append([label, *_compared(row, "sites"), *_compared(row, "lut")])
    return _unrolled(rows)


TABLES: dict[str, Callable[[], str]] = {f.__name__: f for f in (predict, unrolled, unrolled_layers)}


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
