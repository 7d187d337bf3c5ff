"""Figures in README and pages are those of the committed results, and the commands beside them exist."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
README, TLMAC, BITSYS, RAP, QUANTIZATION = (
    "README.md",
    "docs/targets/tlmac.md",
    "docs/targets/bitsys.md",
    "docs/targets/rap.md",
    "docs/quantization.md",
)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def module(path: str):
    """A script of the benchmarks as a module."""
    file = BENCHMARKS / path
    sys.path.insert(0, str(file.parent))
    try:
        spec = importlib.util.spec_from_file_location(file.stem, file)
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
    finally:
        sys.path.remove(str(file.parent))
    return found


def results(path: str):
    return json.loads((BENCHMARKS / path).read_text())


def percent(value: float, digits: int = 0) -> str:
    return f"{100 * value:.{digits}f}"


def joined(values, pattern: str = "{:,}", between: str = " / ") -> str:
    return between.join(pattern.format(value) for value in values)


def small():
    """Small reference networks: classes and values that differ, LUTs, cycles, errors of the estimates."""
    found = results("small/results.json")
    tfc, kws = found["TFC_2W2A"], found["kws_finn_submission_v0.7"]
    goals = [tfc[f"interval={n}"] for n in (784, 196, 49)]
    lut = joined(goal["synthesis"]["lut"]["measured"] for goal in goals)
    cycles = joined(int(goal["hardware"]["interval_cycles"]) for goal in goals)
    yield README, f"| {lut} LUT; {cycles} cycles |"
    placed = tfc["placed"]
    yield README, f"| {placed['lut4']:,} LUT4, {placed['ff']:,} FF, {placed['fmax_mhz']:.1f} MHz |"
    every = [goal for network in found.values() for k, goal in network.items() if k.startswith("interval")]
    hardware = [goal["hardware"] for goal in every]
    wrong = sum(h["differences"] + h["differences_under_stalls"] for h in hardware)
    classes = {name: found[name]["accuracy"]["against"]["float_graph"] for name in found if "accuracy" in found[name]}
    differ = {name: against["argmax_differences"] for name, against in classes.items()}
    assert differ["TFC_1W2A"] == differ["TFC_2W2A"]
    yield README, f"mismatches between RTL and network | {differ['TFC_2W2A']}; {wrong} |"
    assert kws["accuracy"]["against"]["float_graph"]["of_them_ties"] == 1
    yield README, f"500 clips: the same | {differ['kws_finn_submission_v0.7']}, an exact tie; {wrong} |"
    assert kws["accuracy"]["samples"] == 500
    assert all(h["interval_cycles"] == h["estimated_interval_cycles"] for h in hardware)
    assert all(h["latency_cycles"] == h["estimated_latency_cycles"] for h in hardware)
    worst = max(abs(goal["synthesis"][kind]["worst_deviation"]) for goal in every for kind in ("lut", "ff"))
    yield README, f"| within {percent(worst, 1)} % (or 10 cells); cycles exact |"
    yield TLMAC, f"the largest error of any of their layers is {percent(worst, 1)} %"
    for name, shown in (("TFC_1W2A", "TFC_1W2A"), ("TFC_2W2A", "TFC_2W2A"), ("kws_finn_submission_v0.7", "KWS")):
        for key, goal in found[name].items():
            if key.startswith("interval"):
                lut, ff = (goal["synthesis"][kind] for kind in ("lut", "ff"))
                pair = (f"{kind['estimated']:,} / {kind['measured']:,}" for kind in (lut, ff))
                interval = int(goal["hardware"]["interval_cycles"])
                yield TLMAC, f"| {shown}, `{key}` | {interval:,} | {' | '.join(pair)} |"


def quantization():
    """Accuracy lost."""
    found = results("quantization/results.json")["accuracy"]
    assert found["resnet8 W8A8"]["samples"] == 2000
    assert found["lite0 W8A8"]["samples"] == 272
    yield README, f"W8A8: accuracy lost | {found['resnet8 W8A8']['loss']:.2f} points |"
    losses = [found[f"lite0 {name}"]["loss"] for name in ("W8A8", "W4A8 second order")]
    yield README, f"| {joined(losses, '{:.2f}')} points |"
    tables = module("quantization/tables.py")
    page = results("quantization/results.json")
    for line in [*tables.accuracy(page).splitlines(), *tables.size(page).splitlines()]:
        yield QUANTIZATION, line


def bitsys():
    """Speed-ups, the array's use, LUTs of units and presets."""
    found = results("bitsys/results.json")
    best = [row["best_with_streams"] for row in found["tfc"]["speedups"].values()]
    yield README, f"| {joined(best, '{:.2f}', ', ')} times as fast |"
    units = found["units"]
    xilinx, generic = (units[f"bitsys_container_unit/{kind}"] for kind in ("xilinx", "generic"))
    yield BITSYS, f"| container unit with streams, Xilinx / generic | {xilinx['lut']} / {generic['lut']} |"
    yield BITSYS, f"| bit-plane unit with streams, signed, Xilinx | {units['bitsys_bitplane_unit/xilinx']['lut']} |"
    for name in ("ultra96", "ultra96_planes"):
        preset = found["presets"][name]
        shown = f"{preset['lut']:,} ({percent(preset['share_of_device']['lut'])} %) | {preset['ff']:,} | "
        yield BITSYS, shown + f"{preset['bram36']:.0f} BRAM36 ({percent(preset['share_of_device']['bram36'])} %)"
    for widths, row in found["tfc"]["speedups"].items():
        pairs = [(row[kind]["with_streams"], row[kind]["layers"]) for kind in ("container", "planes")]
        cells = (" (".join(f"{v:.3g}" if v >= 10 else f"{v:.2f}" for v in pair) + ")" for pair in pairs)
        yield BITSYS, f"| {widths} | {' | '.join(cells)} |"


def rap():
    """Speed-ups and memory words saved."""
    found = results("rap/results.json")["comparison"]
    rows = [found[bits] for bits in ("16", "8", "4")]
    faster = joined((row["speedup"] for row in rows), "{:.2f}", ", ")
    saved = joined((100 * row["memory_words_saved"] for row in rows), "{:.1f}", ", ")
    yield README, f"| {faster} times as fast; {saved} % fewer |"
    for bits, row in zip((16, 8, 4), rows, strict=True):
        shares = (f"{100 * row[key]:.1f} %" for key in ("memory_words_saved", "utilization"))
        yield RAP, f"| {bits} | {row['speedup']:.2f} | {' | '.join(shares)} |"


def published():
    """tlmac against the published method."""
    found = results("tlmac/results.json")
    rows = found["shared, kernel rows, 3 bits"]["ratio"]
    shares = joined((percent(rows[key]) for key in ("arrays", "routes", "lut")), "{}", ", ")
    yield README, f"| {shares} % of the reference's |"
    for name, shown in (("shared, kernel rows, 3 bits", "shared tables, kernel rows, sign sharing"),):
        total, ratio = found[name]["total"], found[name]["ratio"]
        cells = (f"{total[key]:,} ({ratio[key]:.3f})" for key in ("arrays", "routes", "lut"))
        yield TLMAC, f"| {shown} | {' | '.join(cells)} |"


def networks():
    """Networks of ImageNet size: estimates, speed at an assumed clock, synthesis."""
    found = results("tlmac/networks.json")
    both = [found[name] for name in ("resnet18", "lite0")]
    plans = [part["compile"] for part in both]
    assert {plan["assumed_clock_mhz"] for plan in plans} == {200}
    fps = joined((plan["frames_per_second"] for plan in plans), "{:,.0f}")
    lut, bram = (joined((100 * p["utilization"][kind] for p in plans), "{:.0f}") for kind in ("lut", "bram36"))
    yield README, f"| {fps} frames per second, {lut} % of the LUTs, {bram} % of the block RAMs |"
    done = [part["synthesize"] for part in both]
    assert all(part["units_measured"] == part["of"] for part in done)
    measured = joined(part["measured"]["lut"] for part in done)
    yield README, f"| {measured}; {joined((p['estimated_by_measured']['lut'] for p in done), '{:.3f}')} times that |"
    for plan, shown in zip(plans, ("ResNet-18, 3 bits, Gaussian weights", "EfficientNet-Lite0, W8A8"), strict=True):
        use, share = plan["estimated"], plan["utilization"]
        cells = f"{use['lut']:,} ({percent(share['lut'])} %) | {use['bram36']:,g} ({percent(share['bram36'])} %)"
        yield TLMAC, f"| {shown} | {cells} | {plan['interval_cycles']:,} | {plan['frames_per_second']:,.0f} |"


GROUPS = (small, quantization, bitsys, rap, published, networks)
FIGURES = [(page, text) for group in GROUPS for page, text in group()]


@pytest.mark.parametrize(("page", "text"), FIGURES)
def test_figures_are_those_of_the_results(page, text):
    assert text in (ROOT / page).read_text()


def test_tables_are_those_of_the_results():
    tables = module("tables.py")
    for name in tables.PAGES:
        text = (ROOT / name).read_text()
        assert tables.PLACE.search(text), name
        assert tables.rewritten(text) == text, f"{name}: python benchmarks/tables.py"


def test_a_table_changes_with_its_results(monkeypatch):
    tables = module("tables.py")
    row = {"predict_ms": 1.5, "float_1_ms": 3, "float_2_ms": 2, "of_float_1": 0.5, "of_float_2": 0.75}
    monkeypatch.setattr(tables, "results", lambda path: {"networks": {"net": {"load": 0.1, "batch_1000": row}}})
    page = tables.rewritten("a\n<!-- table: predict -->\nold\n<!-- end -->\nb\n")
    assert "| net | 1,000 | 1.5 | 3 | 2 | 0.50 | 0.75 |\n<!-- end -->\nb\n" in page
    assert "old" not in page


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_beside_figures_exist(page):
    text = page.read_text()
    for script in re.findall(r"python ((?:benchmarks|examples)/\S+?\.py)", text):
        assert (ROOT / script).is_file(), script
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for target in re.findall(r"`make ([a-z-]+)`|^    make ([a-z-]+)$", text, re.M):
        assert (target[0] or target[1]) in targets


def test_every_figure_of_the_readme_has_its_command():
    """The last cell of each row of the table of figures is a command."""
    text = (ROOT / README).read_text()
    rows = re.findall(r"^\| (?!what|---).*\|$", text.split("| what | figure | command |")[1].split("###")[0], re.M)
    assert len(rows) > 10
    for row in rows:
        assert re.fullmatch(r"`(make|python) [^`]+`", row.strip("| ").split(" | ")[-1]), row


def test_speeds_at_an_assumed_clock_are_called_so():
    """No page gives frames a second or per second of a clock that nobody measured without saying so nearby."""
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(r"\d frames (?:a|per) second|\| frames (?:a|per) second \|", text):
            nearby = text[max(0, match.start() - 700) : match.end() + 200]
            assert re.search(r"assumed|simulated|measured", nearby), f"{page.name}: {match[0]}"
