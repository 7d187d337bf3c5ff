"""Tables of pages that come from results alone: print them, or write them where they stand.

    python benchmarks/tables.py [--check]

A page marks the place of a table with <!-- table: NAME --> before it and <!-- end --> after it. --check changes nothing
and fails where a page shows another table than its results give.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PLACE = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
IDLE_LOAD = 1.5  # load average; quantization just before counts for some of it
PAGES = (
    "docs/figures.md",
    "docs/targets/bitsys.md",
    "docs/targets/rap.md",
    "docs/targets/tlmac.md",
    "docs/timing.md",
    "docs/choosing-a-target.md",
    "docs/boards.md",
    "docs/campaigns.md",
    "docs/proofs.md",
)


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


def _clock() -> tuple[ModuleType, dict]:
    """The script that measures the clock of whole designs, and its results, with the columns before and after."""
    folder = ROOT / "benchmarks" / "clock"
    spec = importlib.util.spec_from_file_location("clock_run", folder / "run.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules["clock_run"] = script
    spec.loader.exec_module(script)
    return script, results("clock/results.json")


def _designs(found: tuple[ModuleType, dict], device: str) -> Iterator[tuple[Any, dict, dict]]:
    """Cases of a device with their rows before and after, those that both hold."""
    script, columns = found
    for case in script.CASES:
        rows = [columns[column]["designs"].get(script.key(case), {}) for column in ("before", "after")]
        if case.device == device and rows[1]:
            yield case, *rows


def _estimate(row: dict, grade: str) -> str:
    """The middle estimate, or all three."""
    found = row.get("estimated_mhz", {}).get(grade)
    return " / ".join(f"{found[k]:.0f}" for k in ("low", "mid", "high")) if found else "-"


def _frames(found: tuple[ModuleType, dict], case: Any, mhz: float | None) -> str:
    """Frames a second of a streaming design or, on resnet8, of an array."""
    script, columns = found
    network = case.network or "resnet8"
    labels = [script.speed_key(t, n, o) for t, n, o, _ in script.SPEEDS if (t, n) == (case.target, network)]
    label = next(
        (k for k in labels if k.endswith(f"interval={case.options.get('interval')}") or not case.network), None
    )
    cycles = columns["after"]["cycles"].get(label)
    return f"{1e6 * mhz / cycles:,.0f}" if mhz and cycles and (case.network or case.device != script.ROUTED) else "-"


def _verdict(value: float | None, bound: float) -> str:
    return "-" if value is None else "yes" if value >= bound else "no"


def clock_routed() -> str:
    """Clock on the ECP5 by nextpnr: median of the seeds, bound, whether it is met; frames a second at grade 6."""
    found, rows = _clock(), []
    for case, before, after in _designs(found, found[0].ROUTED):
        cells = [case.name, _estimate(before, "6"), _estimate(after, "6")]
        reached = {}
        for grade in ("6", "8"):
            seeds = after["routed_mhz"].get(grade, {})
            reached[grade] = statistics.median(seeds.values()) if seeds else None
            shown = f"{reached[grade]:.1f} ({len(seeds)})" if seeds else "not routed"
            cells += [shown, f"{case.goals[grade]:g}", _verdict(reached[grade], case.goals[grade])]
        rows.append([*cells, _frames(found, case, reached["6"])])
    grades = [
        f"{title}{grade}" for grade in (6, 8) for title in ("MHz (seeds), grade ", "bound, grade ", "met, grade ")
    ]
    return markdown(["design", "estimated before", "estimated", *grades, "frames a second, grade 6"], rows)


def clock_estimated() -> str:
    """Estimated clock of the XCZU3EG, before and after; frames a second at the middle estimate."""
    found, rows = _clock(), []
    for case, before, after in _designs(found, found[0].ESTIMATED):
        (grade,) = after["estimated_mhz"]
        mid = after["estimated_mhz"][grade]["mid"]
        verdict = [f"{case.goals['mid']:g}", _verdict(mid, case.goals["mid"])]
        rows.append([case.name, _estimate(before, grade), _estimate(after, grade), *verdict, _frames(found, case, mid)])
    table = markdown(["design", "before, MHz", "now, MHz", "bound (middle)", "met", "frames a second"], rows)
    return table if rows else "None is estimated yet.\n"


def clock_cells() -> str:
    """What the clock costs: LUTs and flip-flops before and after."""
    script, columns = _clock()
    rows = []
    for device in (script.ROUTED, script.ESTIMATED):
        for case, before, after in _designs((script, columns), device):
            if before:
                pairs = [(before["cells"][kind], after["cells"][kind]) for kind in ("lut", "ff")]
                shown = [cell for a, b in pairs for cell in (f"{a:,}", f"{b:,}", f"{100 * (b / a - 1):+.0f} %")]
                rows.append([case.name, device, *shown])
    return markdown(["design", "part", "LUT before", "LUT", "change", "FF before", "FF", "change"], rows)


def clock_cycles() -> str:
    """Cycles a frame before and after, and the bound."""
    script, columns = _clock()
    rows = []
    for target, name, options, most in script.SPEEDS:
        label = script.speed_key(target, name, options)
        before, after = (columns[column]["cycles"][label] for column in ("before", "after"))
        change = after / before - 1
        met = "yes" if change <= most else "no"
        rows.append([label, f"{before:,}", f"{after:,}", f"{100 * change:+.2f} %", f"+{100 * most:.0f} %", met])
    return markdown(["frames of", "before", "now", "change", "bound", "met"], rows)


def clock_units() -> str:
    """The clock model against the netlists of units: error by design and part, and of all."""
    units = results("clock/units.json")["units"]
    groups: dict[tuple[str, str], list[dict]] = {}
    for name, row in units.items():
        design, device, _ = name.split(", ")
        groups.setdefault((design, device), []).append(row)
    rows = [[*key, *_error(found)] for key, found in groups.items()]
    return markdown(["design", "part", "units", "median error", "worst"], [*rows, ["all", "", *_error(units.values())]])


def _error(rows: Iterable[dict]) -> list[str]:
    errors = [abs(row["error"]) for row in rows]
    return [str(len(errors)), f"{100 * statistics.median(errors):.1f} %", f"{100 * max(errors):.1f} %"]


def hardware() -> str:
    """One network on all targets, simulated."""
    designs = results("finetune/results.json")["hardware"]["1"]["designs"]
    rows = [
        [name.split()[1], name.split()[0], *(f"{row[key]:,.0f}" for key in HARDWARE)] for name, row in designs.items()
    ]
    columns = ["LUT, estimated", "cycles a frame", "frames a second at an assumed 200 MHz"]
    return markdown(["network", "target", *columns], rows)


BOARD_CELLS = ("TRELLIS_COMB", "LUT4", "ALU"), ("TRELLIS_FF", "DFF"), ("DP16KD", "BSRAM")


def boards() -> str:
    """Boards with a serial line: clocks, cells, differences, accuracy, frames a second."""
    rows = []
    for name, row in results("boards/results.json").items():
        if name.startswith("serial"):
            network = name.split()[1]
            clocks = [f"{row['clock_mhz']:.4g}", f"{row['fmax_mhz']:.4g}"]
            cells = [f"{sum(row['used'].get(cell, 0) for cell in kind):,}" for kind in BOARD_CELLS]
            found = [f"{row['differences']} of {row['samples']}", f"{100 * row['accuracy']:.1f} %"]
            speeds = [f"{row[f'frames_per_second_of_the_{what}']:,.0f}" for what in ("line", "design")]
            rows.append([network, row["board"], *clocks, *cells, *found, *speeds])
    columns = ["clock, MHz", "routed, MHz", "LUT4 (and carries)", "FF", "block RAM", "differences", "accuracy"]
    return markdown(["network", "board", *columns, "frames/s, line", "frames/s, design (estimated cycles)"], rows)


def boards_dma() -> str:
    """Frames a second behind DMA engines, estimated: of the design, of the engines, bytes of a frame."""
    rows = []
    for name, row in results("boards/results.json")["dma"]["designs"].items():
        numbers = (row[n] for n in ("interval_cycles", "in_bytes", "out_bytes", "of_the_design", "of_the_link"))
        rows.append([name, *(f"{number:,.0f}" for number in numbers)])
    columns = ["cycles a frame", "bytes in", "bytes out", "frames/s, design", "frames/s, DMA"]
    return markdown(["network, target", *columns], rows)


HARDWARE = ("lut_estimated", "interval_cycles", "frames_per_second_at_200_mhz")


def networks() -> str:
    """Networks that run from external memory: cycles and bytes of a frame, and what the simulation found."""
    rows = []
    for name, row in results("networks/results.json").items():
        leave, found = row["ideal"]["leave"], row.get("random")
        cycles = leave[-1] - leave[-2] if len(leave) > 1 else leave[0]
        given = row["bytes"]
        megabytes = (f"{n / 1e6:.2f}" for n in (given["read"] + given["written"], given["least"]))
        tried = "not simulated" if found is None else "{images}: {differences} of {elements:,}".format(**found)
        lost = (f"{100 * share:.1f} %" for share in (row["lost"], row["half_rate"]["lost"]))
        rows.append([name, f"{cycles:,}", *lost, *megabytes, tried])
    columns = [
        "network",
        "cycles a frame",
        "of them lost to memory",
        "lost at 4 bytes a cycle",
        "MB a frame",
        "least MB",
    ]
    return markdown([*columns, "images under random memory: differences"], rows)


def presets() -> str:
    """Presets that fill parts: what they take, their clock, operations and frames a second."""
    rows = []
    for name, row in results("networks/presets.json").items():
        array = f"{row['rows']} x {row['columns']} {row['unit']}"
        shares = [f"{100 * row['utilization'][kind]:.0f} %" for kind in ("lut", "ff", "bram36", "dsp")]
        per_second, planes = row["per_second"], row["unit"] == "bitplane"
        speed = f"{per_second / 1e12:.1f} binary TOPS" if planes else f"{per_second / 1e9:.0f} GMAC/s"
        networks = [
            f"{found['cycles']:,} ({found['frames_per_second']:,.0f}/s)" if "cycles" in found else "refused"
            for found in row["networks"].values()
        ]
        rows.append([f"`{name}`", row["device"], array, *shares, f"{row['clock_mhz']['mid']:.0f}", speed, *networks])
    names = list(next(iter(results("networks/presets.json").values()))["networks"])
    columns = ["preset", "part", "array", "LUT", "FF", "BRAM36", "DSP", "MHz, estimated", "a second"]
    return markdown([*columns, *(f"{name}, cycles a frame" for name in names)], rows)


def rap_networks() -> str:
    """The same on rap: cycles by the simulator, compared with the RTL."""
    rows = []
    for name, row in results("networks/rap.json").items():
        given, tried = row["bytes"], "{frames}: {differences} of {elements:,}"
        megabytes = (f"{n / 1e6:.2f}" for n in (given["read"] + given["written"], given["least"]))
        found = [tried.format(frames=row["frames"], **row[kind]) for kind in ("ideal", "random")]
        equal = "equal" if row["ideal"]["counters_of_the_simulator"] else "differ"
        rows.append([name, f"{row['interval_cycles']:,}", f"{row['instructions']:,}", *megabytes, equal, *found])
    columns = ["network", "cycles a frame", "instructions", "MB a frame", "least MB", "counters of RTL and simulator"]
    return markdown([*columns, "frames, ideal memory: differences", "random memory"], rows)


def campaigns() -> str:
    """What was tried at random, how often, and what was found."""
    found = {
        name: results(f"trust/{name}.json") for name in ("frames", "networks", "files", "kills", "sinks", "memory")
    }
    rows = [
        [
            f"random networks through the RTL of {name}, random stalls",
            f"{row['networks']:,} networks, {row['frames']:,} frames",
            f"{len(row['wrong'])} wrong",
            "`make frames`",
        ]
        for name, row in sorted(found["frames"]["targets"].items())
    ]
    files, trials, mib = found["files"], found["kills"]["trials"], found["memory"]["mib"]
    wrong = sum(found["networks"]["wrong"].values())
    limits = f"{len(files['failed'])} failures; at most {files['peak_mib']:,} MiB and {files['slowest'][0]:.1f} s"
    sinks = f"{len(found['sinks']['escapes'])} escapes"
    kills = f"{sum(t['kills'] for t in trials)} of {len({t['command'] for t in trials})} commands"
    most = max(mib, key=int)
    memory = f"{max(row['own'] for row in mib.values())} MiB, of {int(most):,} frames {mib[most]['own']}"
    python = "python benchmarks/trust"
    rows += [
        [
            "random networks: NumPy, `predict`, exported ONNX",
            f"{found['networks']['networks']:,}",
            f"{wrong} wrong",
            "`make networks`",
        ],
        ["mutated files", f"{files['cases']:,}", limits, "`make fuzz`"],
        ["hostile names in all sinks", f"{found['sinks']['tests']:,} tests", sinks, f"`{python}/sinks.py`"],
        ["SIGKILL at random moments", kills, f"{sum(bool(t['wrong']) for t in trials)} wrong", "`make kills`"],
        [
            "memory of `evaluate`, without mapped files",
            f"{len(mib)} sizes",
            f"at most {memory}",
            f"`{python}/memory.py`",
        ],
    ]
    return markdown(["what", "how much", "found", "command"], rows)


def netlists() -> str:
    """Units of whole designs whose netlist is proven, and the others with what was done and why."""
    rows = []
    for name, found in results("trust/netlists.json").items():
        units = [(unit["name"], unit["netlist"]) for unit in found["units"]]
        rest = [
            f"{unit}: {row['status']}, {row['reason'] or 'no answer in time'}"
            for unit, row in units
            if row["status"] != "proven"
        ]
        rows.append([name, f"{len(units) - len(rest)} of {len(units)}", "; ".join(rest) or "none"])
    return markdown(["design", "netlists proven", "the others"], rows)


WRITERS = (
    predict,
    unrolled,
    unrolled_layers,
    clock_routed,
    clock_estimated,
    clock_cells,
    clock_cycles,
    clock_units,
    hardware,
    boards,
    boards_dma,
    networks,
    presets,
    rap_networks,
    campaigns,
    netlists,
)
TABLES: dict[str, Callable[[], str]] = {f.__name__: f for f in WRITERS}


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
