"""Networks with hostile names through everything that prints names: the output has the structure of plain names'."""

import ast
import csv
import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import onnx
import pytest
from hostile import (
    CONTROLS,
    NAMES,
    OPTIONS,
    TARGETS,
    code,
    design_of,
    hostile_network,
    names_of,
    network,
    onnx_model,
    plain_network,
)

import bitwright as bw
from bitwright import cli, targets
from bitwright.deployment.driver import driver_text
from bitwright.design.io import estimate_dict
from bitwright.explore.costs import Cost
from bitwright.explore.front import Point, SearchResult
from bitwright.explore.sensitivity import Sensitivities
from bitwright.hardware.source_rules import check_sources
from bitwright.network import evaluate, storage
from bitwright.pages.drawing import Box, column, histogram
from bitwright.pages.plot import Axis, Mark, scatter
from bitwright.reporting.page import page
from bitwright.reporting.summary import summary
from bitwright.text import printable

SEEDS = range(-(-len(NAMES) // 7))  # every name is a node's once


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", SEEDS)
def test_sources_differ_in_comments_alone(target, seed):
    design, plain = design_of(target, seed), design_of(target, None)
    check_sources(design.files)
    assert code(design.files) == code(plain.files)
    assert (design.top, [u.top for u in design.units]) == (plain.top, [u.top for u in plain.units])
    assert all(text.isascii() for text in design.files.values())


def named(design):
    return {design.network.name: design}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_driver_holds_names_as_constants(seed):
    made, plain = (ast.parse(driver_text(named(design_of("tlmac", s)))) for s in (seed, None))
    found = []
    for tree in (made, plain):
        (assigned,) = (
            n for n in tree.body if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "DESIGN"
        )
        found.append(ast.literal_eval(assigned.value))
        tree.body.remove(assigned)
    assert ast.dump(made) == ast.dump(plain)
    networks = {NAMES[seed % len(NAMES)]: found[1]["networks"]["plain"]}
    assert found[0] == {**found[1], "networks": networks, "digest": found[0]["digest"]}
    assert driver_text(named(design_of("tlmac", seed))).isascii()


@pytest.mark.parametrize("device", ["ultra96", "pynq-z2", "arty-a7-35"])
def test_scripts_hold_no_names(device, tmp_path):
    texts = []
    for seed in (None, 0, 3):
        bw.deploy(design_of("tlmac", seed), tmp_path / str(seed), device)
        found = {str(p.relative_to(tmp_path / str(seed))): p.read_text() for p in (tmp_path / str(seed)).rglob("*.*")}
        data = json.loads(found.pop("deploy.json"))
        assert data["network"] == ("plain" if seed is None else NAMES[seed])
        found.pop("driver.py", None)
        texts.append(code(found))
    assert texts[0] == texts[1] == texts[2]


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="no tclsh")
def test_scripts_are_tcl(tmp_path):
    check = tmp_path / "check.tcl"
    check.write_text("exit [expr {![info complete [read [open [lindex $argv 0]]]]}]\n")
    bw.deploy(design_of("tlmac", 0), tmp_path / "out", "ultra96")
    for path in (tmp_path / "out").glob("*.tcl"):
        assert subprocess.run(["tclsh", check, path], check=False).returncode == 0


class Elements(HTMLParser):
    """Tags with their attributes, and the texts of a page between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.texts = [("", ())], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data):
        if self.tags[-1][0] not in ("script", "style"):
            self.texts.append(data)


def unnamed(tags):
    """Tags with their attributes, but for the names that dots of a plot show."""
    return [(tag, tuple((key, "" if key == "data-name" else value) for key, value in found)) for tag, found in tags]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_report_has_the_same_elements(seed):
    design, ordinary = design_of("tlmac", seed), design_of("tlmac", None)
    found = summary(design)
    made, plain = Elements(page(found, design)), Elements(page(summary(ordinary), ordinary))
    source = found["network"]["source"]
    assert made.tags == plain.tags
    assert not CONTROLS.search("".join(made.texts))
    assert any(printable(source) in text for text in made.texts)
    for name in names_of(seed, 7)[:1]:
        assert printable(name) in made.texts


def test_drawings_take_names_as_text():
    boxes = [Box(name, "kind", name, ((0.5, name),), True) for name in NAMES]
    marks = [Mark(1.0 + i, 1.0, name, 4, name, name) for i, name in enumerate(NAMES)]
    axes = Axis.over(NAMES[0], [1.0, 9.0]), Axis.over(NAMES[1], [1.0, 2.0])
    for text in (column(boxes, [(-1, 0)], NAMES[:2]), scatter(marks, *axes), histogram([1, 2], NAMES[2])):
        tags = {tag for tag, _ in Elements(text).tags}
        assert tags <= {"", "svg", "rect", "line", "path", "circle", "text", "title"}
    assert not CONTROLS.search(column(boxes, [], []))


def test_reports_of_a_search():
    labels = [f"{name}" for name in NAMES[:8]]
    points = tuple(Point(v, {v: (2, 4)}, 1.0, 0.5, 0.5, 90.0, None, 1.0 + i, True) for i, v in enumerate(labels))
    result = SearchResult(points, points[0], Sensitivities({}, {}), Cost("bytes", None), None, {})
    rows = list(csv.reader(io.StringIO(result.csv())))
    assert len(rows) == 1 + len(points)
    assert not any(CONTROLS.search(field) for row in rows for field in row)
    assert not any(field.startswith(("=", "+", "@")) for row in rows for field in row)
    plain = tuple(dataclasses.replace(point, label="plain") for point in points)
    tags = Elements(dataclasses.replace(result, points=plain, chosen=plain[0]).html()).tags
    found = Elements(result.html()).tags
    assert unnamed(found) == unnamed(tags)
    assert not any(CONTROLS.search(value or "") for _, attributes in found for _, value in attributes)


@pytest.mark.parametrize("seed", SEEDS)
def test_data_files_keep_the_names(seed, tmp_path):
    made = hostile_network(seed)
    storage.save(made, tmp_path / "n.bw")
    loaded = storage.load(tmp_path / "n.bw")
    assert [n.name for n in loaded.nodes] == [n.name for n in made.nodes]
    assert (loaded.name, loaded.source) == (made.name, made.source)
    bw.save_design(design_of("tlmac", seed), tmp_path / "build")
    files = {p.relative_to(tmp_path / "build") for p in (tmp_path / "build").rglob("*")}
    bw.save_design(design_of("tlmac", None), tmp_path / "plain")
    assert files == {p.relative_to(tmp_path / "plain") for p in (tmp_path / "plain").rglob("*")}
    text = (tmp_path / "build" / "estimate.json").read_text()
    assert text.isascii()
    assert not CONTROLS.search(text)
    assert json.loads(text) == json.loads(json.dumps(estimate_dict(design_of("tlmac", seed).estimate)))
    x = np.random.default_rng(0).integers(0, 4, (9, 2, 2, 2))
    expected = evaluate(plain_network(), x)["n6"]
    assert np.array_equal(evaluate(loaded, x)[loaded.output_name], expected)


@pytest.fixture
def run(capsys):
    """The command line in this process; what it printed controls no terminal."""

    def run(*arguments: object) -> tuple[int, str, str]:
        done = cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        assert not CONTROLS.search(captured.out + captured.err)
        return done, captured.out, captured.err

    return run


@pytest.mark.parametrize("seed", SEEDS)
def test_commands_on_networks(run, seed, tmp_path):
    model, build = tmp_path / "n.bw", tmp_path / "build"
    storage.save(hostile_network(seed), model)
    bw.save_design(design_of("tlmac", seed), build)
    for command in (("check", model, "-v"), ("compare", model), ("report", build)):
        done, _, err = run(*command)
        assert done == 0, err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["build", "n.bw"]


@pytest.mark.parametrize("seed", range(0, len(NAMES), 5))
def test_commands_on_models(run, seed, tmp_path):
    rng = np.random.default_rng(0)
    model, data = tmp_path / "m.onnx", tmp_path / "d.npz"
    onnx.save(onnx_model(seed), model)
    np.savez(data, x=rng.normal(size=(8, 2, 2, 2)).astype(np.float32))
    for command in (
        ("check", model),
        ("quantize", model, "--data", data, "-o", tmp_path / "m.bw", "-v"),
        ("compile", tmp_path / "m.bw", "-o", tmp_path / "build"),
    ):
        done, _, err = run(*command)
        assert done == 0, err
    check_sources(bw.load_design(tmp_path / "build").files)
    onnx.save(onnx_model(seed, unsupported=True), model)
    done, out, err = run("check", model)
    assert (done, out, err.count("\n")) == (2, "", 1)


def test_units_that_are_called_as_layers():
    """Names that targets give to hardware of their own are nodes' names: every unit has its own all the same."""
    names = ["accelerator", "processor", "output", "processor (fork)", "input (fork)", "a", "b"]
    for target in TARGETS:
        chosen, made = targets.get(target), network(names, "taken")
        options = bw.targets.contract.make_options(chosen, OPTIONS.get(target, {}))
        design = chosen.emit(bw.targets.contract.accepted(chosen, made, options))
        for parts in (design.units, design.estimate.rows):
            assert len({part.name for part in parts}) == len(parts)
        assert {layer.resources.lut > 0 for layer in design.estimate.rows if layer.name == design.units[0].name} == {
            True
        }


def test_derived_names_that_are_taken():
    """Names that passes derive from others exist already."""
    spec = hostile_network(0).input
    lookup = bw.network.ops.Lookup(spec.type.dtype, [[0, 3, 1, 2]], spec.type.dtype)
    taken = ["t/rises", "t/falls", "t/sum", "t/steps", "t/rises_2"]
    nodes = [bw.network.Node("t", lookup, ("input",))]
    for name in taken:
        nodes.append(bw.network.Node(name, lookup, (nodes[-1].name,)))
    chain = bw.network.Network(spec, nodes)
    for target in TARGETS:
        chosen = targets.get(target)
        options = bw.targets.contract.make_options(chosen, OPTIONS.get(target, {}))
        assert not chosen.check(chain, options)
        assert chosen.emit(bw.targets.contract.accepted(chosen, chain, options)).network.digest == chain.digest


@pytest.mark.parametrize("name", [n for n in NAMES if "/" not in n and "\x00" not in n and 0 < len(n.encode()) < 200])
def test_files_with_such_names(run, name, tmp_path):
    path = tmp_path / f"{name}.bw"
    assert run("check", path)[2] == f"bitwright: error: cannot read {printable(path)}: No such file or directory\n"
    path.write_bytes(b"PK")
    done, out, err = run("check", path)
    assert (done, out, err.count("\n")) == (2, "", 1)


def test_names_do_not_imitate_structure():
    """Networks whose names, put end to end, are the same text have digests of their own."""
    spec, flat = plain_network().input, bw.network.ops.Flatten()

    def chain(*names: str) -> str:
        inputs = ["input", *names]
        return bw.network.Network(spec, [bw.network.Node(n, flat, (inputs[i],)) for i, n in enumerate(names)]).digest

    assert len({chain("a;", "b"), chain("a", ";b"), chain("a;b"), chain("a", "b"), chain("a;('input',);", "b")}) == 5


def test_names_that_the_terminal_lacks(tmp_path):
    storage.save(hostile_network(32 // 7), tmp_path / "n.bw")
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path), "PATH": os.environ["PATH"]}
    command = [
        sys.executable,
        "-c",
        "from bitwright.cli import main; raise SystemExit(main())",
        "check",
        tmp_path / "n.bw",
    ]
    done = subprocess.run([*command, "-v"], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Gr\\xf6\\xdfe \\u5909" in done.stdout


def test_lone_surrogates(tmp_path):
    """JSON can hold them, and UTF-8 cannot."""
    made = dataclasses.replace(plain_network(), name="\ud800", source="\udfff")
    storage.save(made, tmp_path / "n.bw")
    loaded = storage.load(tmp_path / "n.bw")
    assert loaded.name == "\ud800"
    design = bw.compile(loaded)
    bw.save_design(design, tmp_path / "build")
    assert cli.main(["report", str(tmp_path / "build")]) == 0
    assert "\\ud800 on tlmac" in (tmp_path / "build" / "report.html").read_text()
    bw.deploy(design, tmp_path / "board", "ultra96")
    assert "'\\ud800'" in (tmp_path / "board" / "driver.py").read_text()
