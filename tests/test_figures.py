"""Figures in pages are those of the committed results, and the commands beside them exist."""

import importlib.util
import json
import re
import statistics
import sys
from pathlib import Path

import numpy as np
import pytest

import bitwright as bw
from bitwright import demo

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
PAGE, TLMAC, BITSYS, RAP, QUANTIZATION, READERS = (
    "docs/figures.md",
    "docs/targets/tlmac.md",
    "docs/targets/bitsys.md",
    "docs/targets/rap.md",
    "docs/quantization.md",
    "docs/readers.md",
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
        beside = [
            name for name, m in sys.modules.items() if Path(getattr(m, "__file__", None) or "").parent == file.parent
        ]
        for name in beside:  # other folders have modules of the same name
            del sys.modules[name]
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
    yield PAGE, f"| {lut} LUT; {cycles} cycles |"
    every = [goal for network in found.values() for k, goal in network.items() if k.startswith("interval")]
    hardware = [goal["hardware"] for goal in every]
    wrong = sum(h["differences"] + h["differences_under_stalls"] for h in hardware)
    classes = {name: found[name]["accuracy"]["against"]["float_graph"] for name in found if "accuracy" in found[name]}
    differ = {name: against["argmax_differences"] for name, against in classes.items()}
    assert differ["TFC_1W2A"] == differ["TFC_2W2A"]
    yield PAGE, f"mismatches between RTL and network | {differ['TFC_2W2A']}; {wrong} |"
    assert kws["accuracy"]["against"]["float_graph"]["of_them_ties"] == 1
    yield PAGE, f"500 clips: the same | {differ['kws_finn_submission_v0.7']}, an exact tie; {wrong} |"
    assert kws["accuracy"]["samples"] == 500
    assert all(h["interval_cycles"] == h["estimated_interval_cycles"] for h in hardware)
    assert all(h["latency_cycles"] == h["estimated_latency_cycles"] for h in hardware)
    worst = max(abs(goal["synthesis"][kind]["worst_deviation"]) for goal in every for kind in ("lut", "ff"))
    yield PAGE, f"| within {percent(worst, 1)} % (or 10 cells); cycles exact |"
    yield TLMAC, f"the largest error of any of their layers is {percent(worst, 1)} %"
    for name, shown in (("TFC_1W2A", "TFC_1W2A"), ("TFC_2W2A", "TFC_2W2A"), ("kws_finn_submission_v0.7", "KWS")):
        for key, goal in found[name].items():
            if key.startswith("interval"):
                lut, ff = (goal["synthesis"][kind] for kind in ("lut", "ff"))
                pair = (f"{kind['estimated']:,} / {kind['measured']:,}" for kind in (lut, ff))
                interval = int(goal["hardware"]["interval_cycles"])
                yield TLMAC, f"| {shown}, `{key}` | {interval:,} | {' | '.join(pair)} |"


def clock():
    """The clock of small circuits on the ECP5, routed."""
    found = results("clock/results.json")["after"]
    for name, label in (("TFC_2W2A at 784", "TFC_2W2A, interval=784"), ("digits at 4608", "digits, interval=4608")):
        row = found["designs"][f"tlmac {name}, ecp5-85k"]
        cells = row["placed"]
        mhz = statistics.median(row["routed_mhz"]["6"].values())
        frames = 1e6 * mhz / found["cycles"][f"tlmac {label}"]
        yield PAGE, f"| {cells['lut']:,} LUT4, {cells['ff']:,} FF, {mhz:.1f} MHz: {frames:,.0f} frames per second |"
    small = found["designs"]["bitsys small, ecp5-85k"]
    cells, estimated, mhz = small["cells"], small["estimated_mhz"]["6"], small["routed_mhz"]["6"]["1"]
    middle = f"{estimated['mid']:.0f} MHz (grade 6, {estimated['low']:.0f} to {estimated['high']:.0f})"
    yield BITSYS, f"{cells['lut']:,} LUT4 and {cells['ff']:,} registers before placement and is estimated at {middle}"
    yield BITSYS, f"with the first seed, it reaches {mhz:.1f} MHz"


def models():
    """What comes in of public architectures, and how near the integers come."""
    found = results("models/results.json").values()
    exported = [row for row in found if "failed" not in row]
    read = [row for row in exported if row["read"]]
    made = [row for row in read if "sqnr" in row]
    gain = [row["sqnr"] - row["onnxruntime_sqnr"] for row in made]
    yield READERS, f"{len(read)} of {len(exported)} models come in"
    near = sum(g >= -0.3 for g in gain)
    yield READERS, f"median {statistics.median(gain):.1f} dB above it, and at least as good within 0.3 dB on {near}"
    quantize, compare = (max(row[f"{name}_seconds"] for row in made) for name in ("quantize", "compare"))
    check = max(row["check_seconds"] for row in read)
    yield (
        READERS,
        f"at most {quantize:.0f} processor seconds to quantize, `check` {check:.1f} and `compare` {compare:.0f}",
    )


def quantized_files():
    """What comes in of files that other tools quantized, and whether it computes what they say."""
    found = [row for row in results("models/quantized.json").values() if "failed" not in row]
    read = [row for row in found if row.get("read")]
    yield READERS, f"{len(read)} of {len(found)} quantized files come in"
    rounded = [row for row in read if row["notes"]]
    exact = [row for row in read if not row["notes"]]
    same = sum(row["equal"] == 1 for row in exact)
    yield READERS, f"{same} of the {len(exact)} without a note equal the file's own arithmetic in every element"
    least, most = min(row["equal"] for row in rounded), max(row["largest_difference"] for row in rounded)
    digits = (
        f"{percent(least, 0)} % of the elements, and differ by at most {percent(most, 3)} % of the largest magnitude"
    )
    yield READERS, f"The other {len(rounded)} equal it in at least {digits}"
    slowest = max(row["load_seconds"] for row in read)
    yield READERS, f"take at most {slowest:.1f} processor seconds to load"


def simulated():
    """Whole networks as hardware."""
    for name, row in results("models/simulated.json").items():
        assert row["mismatches"] == 0, name
        interval, latency = (f"{int(row[f'{kind}_cycles']):,}" for kind in ("interval", "latency"))
        yield READERS, f"| {name} | {row['bits']} | {interval} | {latency} | {row['elements']} | 0 |"


def quantization():
    """Accuracy lost."""
    found = results("quantization/results.json")["accuracy"]
    assert found["resnet8 W8A8"]["samples"] == 2000
    assert found["lite0 W8A8"]["samples"] == 272
    yield PAGE, f"W8A8: accuracy lost | {found['resnet8 W8A8']['loss']:.2f} points |"
    losses = [found[f"lite0 {name}"]["loss"] for name in ("W8A8", "W4A8 second order")]
    yield PAGE, f"| {joined(losses, '{:.2f}')} points |"
    tables, page = module("quantization/tables.py"), results("quantization/results.json")
    shown = [tables.accuracy(page), tables.size(page), tables.search(page), tables.roundings(page, "resnet8")]
    shown += [tables.ranges(page, "ranges", "resnet8"), tables.ranges(page, "lite0_ranges", "lite0")]
    shown.append(tables.roundings(page, "lite0"))
    for table in shown:
        yield from ((QUANTIZATION, line) for line in table.splitlines())


def finetuning():
    """Points lost, and the other rows."""
    tables, found = module("finetune/tables.py"), results("finetune/results.json")
    for table in (tables.accuracies(found), tables.others(found)):
        yield from ((QUANTIZATION, line) for line in table.splitlines())


def bitsys():
    """Speed-ups, the array's use, LUTs of units and presets."""
    found = results("bitsys/results.json")
    best = [row["best_with_streams"] for row in found["tfc"]["speedups"].values()]
    yield PAGE, f"| {joined(best, '{:.2f}', ', ')} times as fast |"
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


def bitsys_networks():
    """One build for all networks, streamed weights, the ECP5."""
    found = results("bitsys/results.json")
    networks = found["networks"]
    assert networks["builds"] == 1
    assert set(networks["frames"].values()) == {200}
    assert networks["layers_off_the_model"] == networks["batches_off_the_model"] == 0
    layers = sum(networks["layers_timed"].values())
    yield PAGE, f"| {networks['differences']}; exact for all {layers} layers; {networks['resnet8_utilization']:.3f} |"
    shown = {"kws": "KWS", "digits": "digits", "resnet8": "resnet8, 8 bits", "resnet8_mixed": "resnet8, mixed 8/4/2"}
    for key, name in {"tfc_1w2a": "TFC_1W2A, TFC_2W2A", **shown}.items():
        run = networks["runs"][key]
        cycles, macs = run["cycles_batch"], run["macs_per_cycle_and_element"]
        assert cycles["simulated"] == cycles["model"]
        figure = f"{macs:.3f} (bound" if key == "resnet8" else f"{macs:.2f} |"
        yield BITSYS, f"| {name} | {run['batch']} | {cycles['model']:,} | {figure}"
    fed = found["stream"]["fed"]
    yield BITSYS, f"a frame takes {fed['cycles_batch']:,.0f} cycles"
    yield BITSYS, f"of which {fed['waiting_for_weights']:.0f} wait"
    for key, name in (("container", "container unit with streams"), ("bitplane", "bit-plane unit with streams")):
        unit = found["ecp5"][f"bitsys_{key}_unit"]
        mhz = joined(unit["fmax_mhz"], "{:.0f}", ", ")
        generic = " (generic version)" if key == "bitplane" else ""
        yield BITSYS, f"| {name}{generic}, seeds 1, 2, 3 | {unit['lut']} | {mhz} |"
    small = found["presets"]["small"]
    yield BITSYS, f"{small['lut']:,} LUT4 ({percent(small['share_of_device']['lut'])} %) | {small['ff']:,} |"


def product():
    """What a user waits for; the bounds are kept."""
    found = results("product/results.json")
    assert all(found["met"].values())
    yield PAGE, f"{found['import']:.2f} s; {found['help']:.2f} s. {found['report_kb']:.0f} KB"


def fitting():
    """The best designs for parts: one row a part that was measured."""
    for part, found in results("fit/results.json")["parts"].items():
        best, verdict = found["fit"]["recommended"], found["verdict"]
        seconds = sum(found["fit"].get(name, 0) for name in ("processor_seconds", "earlier_processor_seconds"))
        assert verdict["holds"]
        assert verdict["accuracy_agrees"]
        assert verdict["within_minutes"]
        cells = [
            f"{part} | {best['network']} on {best['target']} | {best['lost']:.2f} | {best['frames_per_second']:,.0f}",
            f"{percent(best['share'])} % of the {best['fullest']} | {verdict['separate_fastest_within_loss']:,.0f}",
            f"{seconds / 60:.1f}",
        ]
        yield "docs/fit.md", f"| {' | '.join(cells)} |"


def rap_measured():
    """Cycles, errors and resources of the processor."""
    found = results("rap/results.json")
    runs = found["networks"]
    assert all(run["differences_rtl"] == 0 and run["counters_equal"] for run in runs.values())
    for bits in (16, 8, 4):
        yield RAP, f" % | {runs[f'resnet8_{bits}']['interval_cycles']:,} |"
    settings = {"layer": "the layer alone", "network": "within the network"}
    rows = [("16", "layer", settings["layer"]), ("16", "network", settings["network"])]
    rows += [("8", "format", "the float output in 8 bits, nothing else"), ("8", "network", settings["network"])]
    rows += [(b, "wide", "the layer alone, 16-bit outputs") for b in ("8", "4")]
    for bits, key, shown in rows:
        part = found["errors"][bits]["summary"][key]["rms"]
        digits = {"16": 3, "8": 2, "4": 1}[bits]
        yield RAP, f"| {bits} | {shown} | {percent(part['mean'], digits)} ({percent(part['largest'], digits)}) |"
    for key, shown in (
        ("4x4, with DSP", "4 x 4"),
        ("2x2, with DSP", "2 x 2"),
        ("2x2, without DSP", "2 x 2, without DSP blocks"),
    ):
        row = found["synthesis"][key]
        use = row["synthesized"]
        error = f"{100 * row['error']['lut']:+.1f} %"
        yield RAP, f"| {shown} | {use['lut']:,} | {error} | {use['ff']:,} | {use['dsp']} | {use['bram36']:g} |"
    timing = found["timing"]["2x2"]
    yield RAP, f"takes {timing['placed']['lut']:,} LUT4, {timing['placed']['ff']:,} flip-flops"
    yield RAP, f"**{timing['fmax_mhz']:.1f} MHz**"


def rap():
    """Speed-ups and memory words saved."""
    found = results("rap/results.json")["comparison"]
    rows = [found[bits] for bits in ("16", "8", "4")]
    faster = joined((row["speedup"] for row in rows), "{:.2f}", ", ")
    saved = joined((100 * row["memory_words_saved"] for row in rows), "{:.1f}", ", ")
    yield PAGE, f"| {faster} times as fast; {saved} % fewer |"
    for bits, row in zip((16, 8, 4), rows, strict=True):
        shares = (f"{100 * row[key]:.1f} %" for key in ("memory_words_saved", "utilization"))
        yield RAP, f"| {bits} | {row['speedup']:.2f} | {' | '.join(shares)} |"


def depthwise():
    """Share of the multipliers in use in depthwise layers."""
    found = results("networks/depthwise.json")
    for title, row in found.items():
        checks = row.get("checks", {"differences": 0, "cycles_as_estimated": True})
        assert checks["differences"] == 0
        assert checks["cycles_as_estimated"]
        whole = row.get("network", row)["share"] if "kws" in title or "network" in row else None
        shares = (None if "kws" in title else row["share"], whole)
        cells = " | ".join("-" if share is None else f"{percent(share, 1)} %" for share in shares)
        yield RAP, f"| {title} | {cells} |"
    lite0, kws = (found[f"rap 4 x 4, {name} W8A8"] for name in ("Lite0", "kws"))
    assert lite0["met"]
    assert kws["met"]
    assert all(found[f"bitsys 8 x 8, {name} W8A8"]["met"] for name in ("Lite0", "kws"))
    assert kws["checks"]["differences_rtl"] == 0
    assert kws["checks"]["counters_equal"]
    yield PAGE, f"| {percent(lite0['network']['share'])} / {percent(kws['share'])} % | `python benchmarks/networks/"
    yield RAP, f"{lite0['network']['all_layers_cycles']:,} cycles at 8 bits"
    bitsys_share, bitsys_kws = (found[f"bitsys 8 x 8, {name} W8A8"]["share"] for name in ("Lite0", "kws"))
    yield PAGE, f"| {percent(bitsys_share)} / {percent(bitsys_kws)} % | `python benchmarks/networks/"
    yield (
        BITSYS,
        f"{percent(bitsys_share)} % of the multipliers of 8 x 8 work, in those of DS-CNN {percent(bitsys_kws)} %",
    )
    yield "CHANGELOG.md", f"DS-CNN takes {found['bitsys 8 x 8, kws W8A8']['interval_cycles']:,} cycles"
    text = f"`rap` keeps {percent(lite0['network']['share'])} % of its multipliers busy"
    yield "docs/choosing-a-target.md", text
    yield "docs/choosing-a-target.md", f"the array of `bitsys` {percent(bitsys_share)} %"


def published():
    """tlmac against the published method."""
    found = results("tlmac/results.json")
    rows = found["shared, kernel rows, 3 bits"]["ratio"]
    shares = joined((percent(rows[key]) for key in ("arrays", "routes", "lut")), "{}", ", ")
    yield PAGE, f"| {shares} % of the reference's |"
    chosen = found["element chosen, 3 bits"]
    yield PAGE, f"| {percent(chosen['ratio'], 1)} % of the reference's |"
    yield TLMAC, f"**{chosen['lut']:,} ({chosen['ratio']:.3f})**"
    for name, shown in (
        ("shared, kernel rows, 3 bits", "shared tables, kernel rows, sign sharing"),
        ("shared, group chosen, 3 bits", "shared tables, group size chosen"),
    ):
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
    yield PAGE, f"| {fps} frames per second, {lut} % of the LUTs, {bram} % of the block RAMs |"
    done = [part["synthesize"] for part in both]
    assert all(part["units_measured"] == part["of"] for part in done)
    measured = joined(part["measured"]["lut"] for part in done)
    yield PAGE, f"| {measured}; {joined((p['estimated_by_measured']['lut'] for p in done), '{:.3f}')} times that |"
    parts = [both[0]["images"], both[1]["images"]]
    for part in parts:
        assert part["differences"] == 0
        assert part["simulated_latency_cycles"] == part["latency_cycles"]
        cycles = (
            f"Interval ({part['interval_cycles']:,} cycles) and latency ({part['latency_cycles']:,}) are as estimated"
        )
        yield TLMAC, cycles
        yield TLMAC, f"as a complete circuit ({part['estimated']['lut']:,} LUTs"
    for part, (units, alone) in zip((part["simulate"] for part in both), (("31", 28), ("69", 52)), strict=True):
        assert part["bit_exact"] == part["simulated"] == alone
        yield TLMAC, f"all {units} units: {part['simulated']} by themselves, {part['alike']} by one that equals them"
    small = [part["small"] for part in both]
    yield (
        TLMAC,
        f"ResNet-18 at {small[0]['interval_cycles']:,} cycles per frame takes {small[0]['estimated']['lut']:,} LUTs",
    )
    yield TLMAC, f"at {small[1]['interval_cycles']:,} cycles it takes\n{small[1]['estimated']['lut']:,} LUTs"
    for plan, shown in zip(plans, ("ResNet-18, 3 bits, Gaussian weights", "EfficientNet-Lite0, W8A8"), strict=True):
        use, share = plan["estimated"], plan["utilization"]
        cells = f"{use['lut']:,} ({percent(share['lut'])} %) | {use['bram36']:,g} ({percent(share['bram36'])} %)"
        yield TLMAC, f"| {shown} | {cells} | {plan['interval_cycles']:,} | {plan['frames_per_second']:,.0f} |"


def external():
    """EfficientNet-Lite0 from external memory."""
    on_bitsys, on_rap = (results(f"networks/{name}.json")["Lite0 W8A8"] for name in ("results", "rap"))
    assert on_bitsys["ideal"]["as_modelled"]
    assert on_rap["as_estimated"]
    assert on_rap["ideal"]["counters_of_the_simulator"]
    assert on_bitsys["random"]["differences"] == 0
    assert [on_rap["differences"], *(on_rap[kind]["differences"] for kind in ("ideal", "random"))] == [0, 0, 0]
    yield PAGE, f"| {on_bitsys['ideal']['leave'][0]:,}; 0 |"
    found = results("networks/results.json")
    for row in found.values():
        assert row["ideal"]["as_modelled"]
        assert row["random"]["differences"] == 0
        assert all(bound["met"] for bound in row["bounds"].values())
    wider = found["Lite0 W8A8, two words"]
    assert wider["random"]["images"] == 4
    yield PAGE, f"| {wider['ideal']['leave'][0]:,}; 0; {percent(wider['depthwise'])} % |"
    mixed, accuracy = found["Lite0 mixed W4/8"], results("networks/mixed.json")
    assert mixed["random"]["images"] == 4
    shares = f"{accuracy['float_accuracy']:.1f} / {accuracy['accuracy']:.1f} %"
    yield PAGE, f"| {mixed['ideal']['leave'][0]:,}; 0; {shares} |"
    larger = found["Lite0 W8A8, 16 x 16"]
    shares = f"{percent(larger['depthwise'])} %; {percent(larger['lost'], 1)} %"
    yield PAGE, f"| {larger['ideal']['leave'][0]:,}; 0; {shares} |"
    yield PAGE, f"| {on_rap['interval_cycles']:,}; 0 |"


GROUPS = (
    product,
    fitting,
    small,
    clock,
    models,
    quantized_files,
    simulated,
    quantization,
    finetuning,
    bitsys,
    bitsys_networks,
    rap,
    rap_measured,
    depthwise,
    published,
    networks,
    external,
)
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
    assert "busy" not in page
    monkeypatch.setattr(tables, "results", lambda path: {"networks": {"net": {"load": 7.2, "batch_1000": row}}})
    assert "busy machine, at a load average of up to 7." in tables.predict()


def test_clocks_are_medians_with_their_bounds(monkeypatch):
    tables = module("tables.py")
    cells = {"lut": 1000, "ff": 500}
    row = {"cells": cells, "estimated_mhz": {"6": {"low": 90.0, "mid": 100.0, "high": 110.0}}, "routed_mhz": {}}
    routed = row | {"routed_mhz": {"6": {"1": 190.0, "2": 170.0, "3": 181.0}, "8": {"1": 200.0}}}
    columns = {
        "before": {
            "designs": {"tlmac digits at 4608, ecp5-85k": row | {"cells": {"lut": 800, "ff": 400}}},
            "cycles": {},
        },
        "after": {
            "designs": {"tlmac digits at 4608, ecp5-85k": routed, "rap 2 x 2, ecp5-85k": row},
            "cycles": {"tlmac digits, interval=4608": 4608},
        },
    }
    monkeypatch.setattr(tables, "results", lambda path: columns)
    lines = tables.clock_routed().splitlines()
    assert lines[2] == (
        "| tlmac digits at 4608 | 90 / 100 / 110 | 90 / 100 / 110 "
        "| 181.0 (3) | 180 | yes | 200.0 (1) | 225 | no | 39,280 |"
    )
    assert lines[3] == "| rap 2 x 2 | - | 90 / 100 / 110 | not routed | 120 | - | not routed | 150 | - | - |"
    cost = "| tlmac digits at 4608 | ecp5-85k | 800 | 1,000 | +25 % | 400 | 500 | +25 % |"
    assert tables.clock_cells().splitlines()[2:] == [cost]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_beside_figures_exist(page):
    text = page.read_text()
    for script in re.findall(r"python ((?:benchmarks|examples)/\S+?\.py)", text):
        assert (ROOT / script).is_file(), script
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for target in re.findall(r"`make ([a-z-]+)`|^    make ([a-z-]+)$", text, re.M):
        assert (target[0] or target[1]) in targets


def test_accuracy_of_the_demo():
    """The network's; the hardware is bit-exact."""
    model, data = demo.files()
    with np.load(data) as split:
        x, labels = split["images"][:, None].astype(np.float32) / 16, split["labels"]
    accuracy = percent(float((bw.load(model).predict(x).argmax(1) == labels).mean()), 2)
    text = f"| digits CNN (demo), {len(x)} images: accuracy of the network, of the hardware; mismatches |"
    assert f"{text} {accuracy} %, {accuracy} %; 0 | `make demo` |" in (ROOT / PAGE).read_text()


def test_every_figure_has_its_command():
    """The last cell of each row of the table of figures is a command."""
    text = (ROOT / PAGE).read_text()
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


def test_boards():
    """What docs/boards.md says of the benchmark."""
    found, page = results("boards/results.json"), (ROOT / "docs/boards.md").read_text()
    noise, pynq, switched = (found[name] for name in ("noise", "pynq tfc", "bitsys switch"))
    assert f"{noise['faults']:,} bytes dropped, flipped or inserted" in page
    assert (noise["wrong_results"], noise["recovered"]) == (0, True)
    assert (
        f"{pynq['samples']:,} raw MNIST images of TFC_2W2A through `driver.py`: {percent(pynq['accuracy'], 1)} %"
        in page
    )
    assert pynq["accuracy"] == pynq["accuracy_of_evaluate"]
    assert pynq["differences"] == switched["differences"] == 0
    assert len(switched["loads"]) == 6
    outside = found["memory switch"]
    most, names = outside["register_writes"], {load["network"] for load in outside["loads"]}
    assert outside["differences"] == sum(load["errors"] for load in outside["loads"]) == 0
    assert len(names) == len(outside["networks"]) == 9
    assert len(outside["loads"]) == 18
    assert f"Nine networks, each loaded twice: {most} register writes a load, 0 differences" in page
    assert most < 20
    assert all(row["differences"] == 0 for name, row in found.items() if name.startswith("serial"))


def test_the_readme_shows_rows_of_the_page_of_figures():
    """Word for word, so that each figure is held to its results once."""
    shown = (ROOT / "README.md").read_text().split("## Figures")[1].split("\n\nKnown")[0]
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(rows) > 5
    assert set(rows) <= set((ROOT / PAGE).read_text().splitlines())
