"""Pages in a real browser: nothing overflows, nothing goes wrong, nothing is loaded; small, sortable, printable."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import bitwright as bw
from bitwright import cli
from bitwright.demo.run import files as demo_files
from bitwright.explore.costs import Cost
from bitwright.explore.fit import FitOptions, FitPoint, FitResult
from bitwright.explore.fit.page import html
from bitwright.explore.fit.result import key, mark_front
from bitwright.explore.front import Point, SearchResult
from bitwright.explore.sensitivity import Sensitivities
from bitwright.pages.plot import Axis
from bitwright.training.checkpoint import CurvePoint
from bitwright.training.measure import Score
from bitwright.training.report import FinetuneReport

PAGES = ("report", "comparison", "fit", "search", "training")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = r"""<!doctype html><body style="margin:0">
<iframe id="f" style="border:0;width:{width}px;height:4000px" src="{page}"></iframe><pre id="told"></pre><script>
const words = (page, head) => {{
  const nodes = page.createTreeWalker(head, 4), found = [];
  for (let node = nodes.nextNode(); node; node = nodes.nextNode())
    for (const word of node.data.matchAll(/[^\s-]+/g)) {{
      const range = page.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (range.getClientRects().length > 1) found.push(word[0]);
    }}
  return found;
}};
document.getElementById("f").onload = () => {{
  const inner = document.getElementById("f").contentDocument, all = (what) => [...inner.querySelectorAll(what)];
  const column = all("table.sort thead th").findIndex((head) => head.classList.contains("n"));
  if (column >= 0) all("table.sort thead th")[column].click();
  const number = (row) => parseFloat(row.cells[column].textContent.replace(/,/g, ""));
  const values = column < 0 ? [] : all("table.sort tbody tr").map(number).filter((v) => !Number.isNaN(v));
  document.getElementById("told").textContent = JSON.stringify({{
    wide: inner.documentElement.scrollWidth, tables: all("table").length, drawings: all("svg").length,
    cut: all("body *").filter((e) => !e.closest("svg") && e.clientWidth && e.scrollWidth > e.clientWidth + 1)
      .map((e) => e.tagName),
    broken: all("th").flatMap((head) => words(inner, head)), letters: all("svg.wide").map(
      (e) => 12 * e.getBoundingClientRect().width / e.viewBox.baseVal.width),
    sorted: values.every((v, i) => !i || values[i - 1] >= v)}});
}};
</script></body>"""


A4_TEXT = 680  # pixels of 96 an inch: 210 mm less two margins of 15 mm


def points():
    """Five designs, each faster, larger and worse than the one before."""
    for i in range(1, 6):
        options, speed = {"interval": i}, 10.0 * 2**i
        figures = (i / 100, 0.1, 0.9, 0.91, options, 10, 20, speed, {}, 0.1 * i, "lut")
        yield FitPoint(f"w{i}", "tlmac", *figures, recommended=i == 2)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A report, a comparison and the page of a fit."""
    folder = tmp_path_factory.mktemp("pages")
    network = bw.load(demo_files()[0])
    for name, target, options in (("a", "tlmac", {"interval": 4608}), ("b", "bitsys", {})):
        bw.save_design(bw.compile(network, target, cache_dir=folder / "cache", **options), folder / name)
    assert cli.main(["simulate", str(folder / "a"), "--data", str(demo_files()[1]), "--frames", "20"]) == 0
    assert cli.main(["report", str(folder / "a"), str(folder / "b"), "-o", str(folder / "comparison.html")]) == 0
    result = FitResult(tuple(mark_front(points())), {}, FitOptions(device="xc7z020"), None, 0.92, True, 100)
    commands = {key(p): f"bitwright compile {p.network}.bw" for p in result.points}
    (folder / "fit.html").write_text(html(result, "model.onnx", commands))
    found = [Point(f"w{i}", {}, i, 1.0, 10.0**-i, 0.9, None, 100.0 * i, optimal=i < 4) for i in range(1, 6)]
    price = Cost()
    (folder / "search.html").write_text(
        SearchResult(tuple(found), found[1], Sensitivities({}, {}), price, None, {}).html()
    )
    (folder / "training.html").write_text(training_report().html())
    names = {"report": folder / "a" / "report.html"}
    return names | {name: folder / f"{name}.html" for name in PAGES[1:]}


def training_report():
    """Three measurements of a training, with labels."""
    curve = tuple(CurvePoint(100 * i, 2.0 / i, 0.8 + i / 100, 0.9, 0.1) for i in range(1, 4))
    scores = Score(0.79, 0.88, 0.3), Score(0.83, 0.9, 0.1)
    return FinetuneReport({}, None, 0.85, *scores, 300, 300, 1000, 200, True, 5.0, curve)


def chromium(page, folder, *more):
    """Chromium's output for a page, and what it says of errors."""
    settings = ["--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--enable-logging=stderr"]
    settings += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=3000", "--window-size=1500,1000"]
    command = [CHROMIUM, "--headless", *settings, *more, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "CONSOLE" not in done.stderr
    return done.stdout


def probed(page, folder, width):
    """What a page of that width says of itself."""
    probe = folder / "probe.html"
    probe.write_text(PROBE.format(width=width, page=page.as_uri()))
    told = re.search(r'<pre id="told">(.*?)</pre>', chromium(probe, folder, "--dump-dom"))
    return json.loads(told[1].replace("&quot;", '"'))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.parametrize("name", PAGES)
def test_printed_pages_are_not_cut(pages, tmp_path, name):
    """The rules for printing, applied on a screen as wide as the paper's text, and the size of what is printed."""
    text = pages[name].read_text()
    assert text.count("@media print") == 1
    sheet = tmp_path / "sheet.html"
    sheet.write_text(text.replace("@media print", "@media all"))
    found = probed(sheet, tmp_path, A4_TEXT)
    assert found["wide"] <= A4_TEXT
    assert found["cut"] == []
    chromium(pages[name], tmp_path, f"--print-to-pdf={tmp_path / 'page.pdf'}", "--no-pdf-header-footer")
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([0-9.]+) ([0-9.]+)\s*\]", (tmp_path / "page.pdf").read_bytes())
    assert boxes
    assert all(abs(float(w) - 595) < 2 and abs(float(h) - 842) < 2 for w, h in boxes)  # points


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_the_window_and_work(pages, tmp_path, name, width):
    found = probed(pages[name], tmp_path, width)
    assert found["wide"] <= width
    assert found["tables"] >= 1
    assert found["sorted"]
    assert found["drawings"] >= (name != "comparison")
    assert found["broken"] == []
    assert all(size >= 8 for size in found["letters"])  # pixels
    assert found["cut"] == [] or width < 1000  # tables scroll on a phone alone


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_small_and_load_nothing(pages, name):
    text = pages[name].read_text()
    assert len(text.encode()) < 1_000_000
    assert not re.search(r"(src|href)=|@import|https?://|url\(", text)


def test_the_report_shows_what_matters(pages):
    text = pages["report"].read_text()
    assert "frames/s</span>" in text
    assert text.count("<rect") > 20
    assert 'class="mark"' in text
    layers = json.loads((pages["report"].parent / "report.json").read_text())["layers"]
    first = next(layer for layer in layers if layer["macs"])
    assert first["weight_bits"] == 3
    assert first["macs"] == first["weights"] * 64  # of an image of 8 x 8
    assert sum(first["histogram"]["counts"]) == first["weights"]
    assert first["histogram"]["counts"][:2] != [0, 0]
    assert (first["histogram"]["type"], first["histogram"]["low"], first["histogram"]["high"]) == ("int3", -4, 3)
    seen = first["activations"]
    assert sum(seen["counts"]) == 20 * np.prod([8, 8, 16])
    assert "<th>activations</th>" in text
    assert "lanes" in " ".join(layer["choice"] for layer in layers)


def test_a_comparison_has_a_column_for_each_design(pages):
    text = pages["comparison"].read_text()
    for word in ("tlmac", "bitsys", "estimated", "Comparison of 2 designs"):
        assert word in text


@pytest.mark.parametrize(("values", "log"), [([3.0, 3.0], False), ([-2.0, 5.0], False), ([1.0, 1e6], True)])
def test_axes_hold_their_values(values, log):
    axis = Axis.over("x", values, log)
    assert all(0 <= axis.at(v) <= 1 for v in values)
    assert len(axis.ticks()) >= 2
    assert all(axis.low <= t <= axis.high for t in axis.ticks())
