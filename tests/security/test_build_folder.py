"""Build folders that somebody else made or changed: refused in one line, before a tool sees them."""

import json
import os
import random

import numpy as np
import pytest
from hostile import NAMES, design_of, plain_network, redigested, with_files

import bitwright as bw
from bitwright import cli
from bitwright.deployment.rendering import render
from bitwright.errors import ModelError, ToolError
from bitwright.text import is_identifier
from bitwright.tools.yosys import Synthesis

X = np.zeros((1, 2, 2, 2), np.int64)
HOSTILE = {
    "layer_0_conv2d.sv": 'module layer_0_conv2d; initial $system("touch injected"); endmodule\n',
    "extra.sv": '`include "/etc/passwd"\n',
    "extra.svh": "/* verilator public */\n",
    "extra.vlt": '`verilator_config\npublic -module "x"\n',
    "extra.mem": '$readmemh("/etc/passwd", x);\n',
}


@pytest.fixture
def build(tmp_path):
    """A build folder of a network with plain names."""
    bw.save_design(design_of("tlmac", None), tmp_path / "build")
    return tmp_path / "build"


def change(folder, name: str, path: str, value: object) -> None:
    """Set what lies at a path of keys, joined by dots, of a JSON file."""
    tree = json.loads((folder / name).read_text())
    *keys, last = [int(k) if k.isdigit() else k for k in path.split(".")]
    at = tree
    for key in keys:
        at = at[key]
    at[last] = value
    (folder / name).write_text(json.dumps(tree))


@pytest.mark.parametrize("name", HOSTILE)
def test_sources_are_refused_by_every_tool(name, build, tmp_path, monkeypatch):
    """A folder whose digest fits is loaded, and no tool starts."""
    design = with_files(design_of("tlmac", None), {name: HOSTILE[name]})
    bw.save_design(design, build)
    loaded = bw.load_design(build)

    def started(*_, **__):
        pytest.fail("a tool was started")

    monkeypatch.setattr("bitwright.tools.process.run", started)
    monkeypatch.setattr("bitwright.tools.verilator.find", lambda: None)
    monkeypatch.setattr("bitwright.tools.yosys.find", lambda: None)
    for use in (
        lambda: bw.simulate(loaded, X),
        lambda: bw.synthesize(loaded, "xczu3eg"),
        lambda: bw.deploy(loaded, tmp_path / "board", "ultra96"),
    ):
        with pytest.raises(ModelError, match=f"^{name}, line "):
            use()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["build"]


@pytest.mark.parametrize(
    "path", ["../../secret.sv", "/etc/passwd", "a/../../secret.sv", "-x.sv", "x y.sv", "x.sv;", 3, None]
)
def test_paths_stay_in_the_folder(path, build):
    (build.parent / "secret.sv").write_text("module secret; endmodule\n")
    change(build, "design.json", "files", [path])
    with pytest.raises(ModelError, match="is no path of a design's source"):
        bw.load_design(build)


@pytest.mark.parametrize("name", ["rtl", "rtl/layer_0_conv2d.sv", "network.bw", "design.json", "estimate.json"])
def test_links_are_refused(name, build, tmp_path):
    os.replace(build / name, tmp_path / "elsewhere")
    (build / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=r"is a link|is no plain file"):
        bw.load_design(build)


@pytest.mark.parametrize("name", ["rtl/layer_0_conv2d.sv", "network.bw", "estimate.json"])
def test_pipes_are_refused(name, build):
    (build / name).unlink()
    os.mkfifo(build / name)
    with pytest.raises(ModelError, match="is no plain file"):
        bw.load_design(build)


@pytest.mark.parametrize("name", [name for name in NAMES if not is_identifier(name)])
def test_tops_are_identifiers(name, build):
    change(build, "design.json", "top", name)
    with pytest.raises(ModelError, match=r"the design has a module|files have changed"):
        bw.load_design(build)
    change(build, "design.json", "top", "tlmac_top")
    change(build, "design.json", "units.0.top", name)
    with pytest.raises(ModelError, match="the design has a module"):
        bw.load_design(build)


WRONG = {
    "design.json": {
        "input.0.lanes": [0, -1, 1 << 40, "1", 1.5, True, None, [1]],
        "output.0.bus_bits": [-8, 1 << 40, "8", None],
        "input.0.dtype": ["uint99", "x", 3, None, ["uint2"]],
        "input.0.shape": [[], [2], "x", [2, 2, 1 << 40], None],
        "input": [[], {}, "x", None, [{}], [1]],
        "output": [[], {}, None],
        "counters": ["x", [1], {"a": "0\ntrace 10 /tmp/x"}, {"a": -1}, {"a": 1 << 40}],
        "units.0.copies": [0, "3", 1 << 60, 1.5],
        "units.0.name": [3, None, ["x"]],
        "units.0": [{}, [], "x", {"name": "a", "top": "b", "other": 1}],
        "weights_frames": ["1", 0, -3, 1.5],
        "program": ["x", 1],
        "options": [[], "x", 3],
        "parameters": [[], "x", 3],
        "target": [3, None, {}],
        "version": [1, "2", None],
        "format": ["x", None],
        "digest": ["x", None, 3],
        "files": [None, 3, ["gone.sv"]],
    },
    "estimate.json": {
        "interval_cycles": ["1", -1, 1e300, None, [1]],
        "latency_cycles": ["1\nx", -1, True],
        "layers": [None, 3, [{}], ["x"]],
        "layers.0.lut": ["1", None, [1]],
        "layers.0.cycles": ["1", -1, None],
        "layers.0.name": [3, None],
        "layers.0.details": [3, "x"],
    },
}
CASES = [(n, p, v) for n, paths in WRONG.items() for p, values in paths.items() for v in values]


@pytest.mark.parametrize(("name", "path", "value"), CASES)
def test_values_of_the_wrong_type(name, path, value, build, capsys):
    change(build, name, path, value)
    assert cli.main(["report", str(build)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"bitwright: error: build folder {build}")


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"a": NaN}', "[" * 100_000, "\x00", "{}"])
@pytest.mark.parametrize("name", ["design.json", "estimate.json"])
def test_files_that_are_no_objects(name, text, build, capsys):
    (build / name).write_text(text)
    assert cli.main(["report", str(build)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


RESULTS = {
    "simulation": [
        {},
        {"tool": 3},
        {"tool": "x", "latency_cycles": "1"},
        {"accuracy": "x", "frames": {}, "tool": ["x"]},
    ],
    "synthesis": [{}, {"tools": 3}, {"tools": ["x"], "units": [{}]}, {"tools": [], "units": [{"copies": "x"}]}],
}


@pytest.mark.parametrize(("name", "found"), [(n, f) for n, all_ in RESULTS.items() for f in all_])
def test_results_of_the_wrong_kind(name, found, build, capsys):
    (build / f"{name}.json").write_text(json.dumps({"design": bw.load_design(build).digest, **found}))
    assert cli.main(["report", str(build)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert f"{name}.json is damaged" in captured.err
    assert not {"report.html", "report.json"} & set(os.listdir(build))


RESOURCES = {"lut": 1.0, "ff": 1.0, "carry": 0, "bram36": 0, "dsp": 0}
UNIT = {"name": "n0", "top": "layer_0_conv2d", "copies": 1, "row": 0, "resources": RESOURCES, "estimate": RESOURCES}
END = {"name": "a_q", "cell": "FF", "pin": "D", "instance": "u_a", "module": "adder", "layer": "conv"}
PATH = {"ns": 5.0, "logic_ns": 2.0, "net_ns": 3.0, "levels": 4, "fanout": 9, "start": END, "end": END, "cells": {}}
PATH |= {"hint": "add a register stage", "routed_ns": None, "exact": False}
VALID = {
    "simulation.json": {
        "frames": 2,
        "latency_cycles": 10,
        "interval_cycles": 4.0,
        "bit_exact": True,
        "mismatches": 0,
        "tool": "Verilator 5",
        "accuracy": 0.5,
        "counters": {},
    },
    "synthesis.json": {
        "device": {"name": "xczu3eg"},
        "units": [UNIT],
        "total": RESOURCES,
        "tools": ["Yosys"],
        "fmax_mhz": 100.0,
        "fmax_by_seed": {"1": 100.0, "2": 101.0},
        "fmax_estimated_mhz": {"low": 80.0, "mid": 90.0, "high": 110.0},
        "paths": [PATH],
        "notes": ["a loop"],
        "utilization": {"lut": 0.1},
    },
}


@pytest.mark.parametrize("row", [-1, 7, "0", [0], 0.5])
def test_a_unit_that_belongs_nowhere(row, build, capsys):
    """Its figures are not left out."""
    found = VALID["synthesis.json"] | {"units": [UNIT | {"row": row}], "design": bw.load_design(build).digest}
    (build / "synthesis.json").write_text(json.dumps(found))
    assert cli.main(["report", str(build)]) == 2
    assert "synthesis.json is damaged" in capsys.readouterr().err


JUNK = (None, True, 0, -1, 1.5, 1e308, 10**30, "", "x", "1", "\x1b[2J", [], [1], ["x"], {}, {"lut": "x"}, NAMES[0])


def places(tree: object, at: tuple = ()) -> list[tuple]:
    """All paths of keys into a tree."""
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [at, *(path for key, value in inside for path in places(value, (*at, key)))]


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 50))])
def test_random_changes(seed, build, capsys):
    """Ten folders with a random value somewhere: a report, or one line."""
    rng = random.Random(seed)
    for name, tree in VALID.items():
        (build / name).write_text(json.dumps({"design": bw.load_design(build).digest, **tree}))
    whole = {name: (build / name).read_text() for name in ("design.json", "estimate.json", *VALID)}
    assert cli.main(["report", str(build)]) == 0
    capsys.readouterr()
    for _ in range(10):
        name = rng.choice(sorted(whole))
        tree = json.loads(whole[name])
        path = rng.choice([p for p in places(tree) if p])
        change(build, name, ".".join(map(str, path)), rng.choice(JUNK))
        done = cli.main(["report", str(build)])
        captured = capsys.readouterr()
        assert done == 0 or (done, captured.out, captured.err.count("\n")) == (2, "", 1)
        (build / name).write_text(whole[name])


def test_a_changed_source_is_noticed(build):
    path = build / "rtl" / "layer_0_conv2d.sv"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(ModelError, match="its files have changed"):
        bw.load_design(build)
    redigested(build, "0" * 64)
    with pytest.raises(ModelError, match="its files have changed"):
        bw.load_design(build)


def test_the_network_is_the_plain_one(build):
    assert bw.load_design(build).network.digest == plain_network().digest


@pytest.mark.parametrize("top", ["a; exec x", "a b", "-x", "", "a\nexec"])
def test_scripts_of_yosys_take_plain_names(top):
    with pytest.raises(ToolError, match="cannot be named"):
        Synthesis("xcup", top).script(["a.sv"])
    with pytest.raises(ToolError, match="cannot be named"):
        Synthesis("xcup", "a").script([top])


@pytest.mark.parametrize("value", ["a; exec x", "[exec x]", "$x", "a\nb", "{", '"', "\\", "é"])
def test_templates_take_words(value):
    """A value that a script could take for more than a word stops the command."""
    with pytest.raises(ValueError, match="cannot be printed into a script"):
        render("reports.tcl.j2", part="x", top=value, clock_mhz=1, sources=[], memories=[], script="x")
