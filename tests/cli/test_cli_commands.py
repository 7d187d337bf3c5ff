"""What the commands say and write when all is well."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bitwright as bw
from bitwright.design.io import as_json

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def build(run, model, tmp_path):
    folder = tmp_path / "build"
    code, _, err = run("compile", model, "-o", folder, "--target", "fake", "-O", "lanes=2", "-O", "program=true")
    assert code == 0, err
    return folder


def test_help_and_version(run):
    code, out, _ = run()
    assert code == 0
    assert "synthesize" in out
    code, out, _ = run("--version")
    assert (code, out) == (0, f"bitwright {bw.__version__}\n")


def test_check(result, run, model):
    found = result("check", model)
    assert found["kind"] == "integer network"
    assert found["operations"] == {"Conv2d": 1, "Threshold": 1, "Flatten": 1, "Dense": 1}
    assert found["targets"] == {"fake": {"summary": "no hardware at all", "accepts": True, "problems": []}}
    code, out, _ = run("check", model, "--verbose")
    assert code == 0
    assert "uint2[4, 4, 2] -> int9[3]" in out


def test_check_of_a_float_model(result, float_onnx):
    found = result("check", float_onnx)
    assert found["kind"] == "float ONNX"
    assert found["weights"] == 264


def test_evaluate(result, model, data):
    found = result("evaluate", model, "--data", data)
    assert found["samples"] == 20
    assert found["accuracy"] == 0.9
    assert result("evaluate", model, "--data", data, "--samples", 4)["accuracy"] == 0.5


def test_evaluate_shows_percent_and_says_where_labels_are_missing(run, model, data):
    said = run("evaluate", model, "--data", data)[1]
    assert "90.00 %" in said
    assert "no labels" not in said
    said = run("evaluate", model, "--data", f"{data}:{next(iter(np.load(data)))}")[1]
    assert "has no labels, so no accuracy is known" in said
    assert "%" not in said


def test_raw_data_options_are_remembered(result, model, images, network, tmp_path):
    raw = np.random.default_rng(3).integers(0, 256, (20, 4, 4, 2), dtype=np.uint8)
    x = (raw.astype(np.float32) * np.float32(1 / 255) - np.array([0.1, 0.2], np.float32)) / np.float32(0.5)
    labels = network.predict(np.ascontiguousarray(x.transpose(0, 3, 1, 2))).argmax(axis=1)
    path, made = tmp_path / "raw.npz", tmp_path / "raw.bw"
    np.savez(path, images=raw, labels=labels)
    options = ["--input-layout", "hwc", "--input-scale", "1/255", "--input-mean", "0.1,0.2", "--input-std", "0.5"]
    assert result("evaluate", model, "--data", path, *options)["accuracy"] == 1
    result("quantize", model, "-o", made, *options)
    assert result("evaluate", made, "--data", path)["accuracy"] == 1


def test_quantize(result, float_onnx, tmp_path, images):
    path, made = tmp_path / "calibration.npz", tmp_path / "made.bw"
    np.savez(path, x=images)
    result("quantize", float_onnx, "--data", path, "-o", made, "--weight-bits", 6, "-O", "method=minmax")
    network = bw.load(made)
    assert {str(n.op.weight_type) for n in network.nodes if hasattr(n.op, "weight_type")} == {"int6"}
    found = result("evaluate", made, "--data", path, "--float", float_onnx)
    assert found["float_agreement"] > 0.8


def test_quantize_reports_accuracy_before_and_after(result, run, float_onnx, data, tmp_path):
    arguments = ["quantize", float_onnx, "--data", data, "-o", tmp_path / "made.bw"]
    report = result(*arguments)["report"]
    assert report["evaluated_samples"] == 20
    assert 0 <= report["accuracy"] <= 1
    assert report["bytes"] < report["float_bytes"]
    path = tmp_path / "test.npz"
    with np.load(data) as split:
        np.savez(path, x=split["x"][:8])
    assert result(*arguments, "--evaluate", path)["report"]["accuracy"] is None
    code, out, _ = run(*arguments, "--evaluate", path)
    assert code == 0
    assert "bytes in integers" in out
    assert "% of 8 samples" in out


def test_compile_writes_a_folder_that_reads_back(build, network):
    names = {"design.json", "estimate.json", "network.bw", "rtl", "program.npy"}
    assert {p.name for p in build.iterdir()} == names
    design = bw.load_design(build)
    assert design.options == {"lanes": 2, "shape": []}
    assert (design.input.only.lanes, design.output.only.bus_bits) == (2, 64)
    assert design.program.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert design.files["rtl/table.mem"] == "0f\n"
    assert design.estimate.layers[1].resources.lut == 11
    again = build.parent / "again"
    bw.save_design(design, again)
    for file in sorted(p for p in build.rglob("*") if p.is_file()):
        assert (again / file.relative_to(build)).read_bytes() == file.read_bytes()


def test_compile_says_frames_a_second_and_their_clock(run, result, model, tmp_path):
    found = result("compile", model, "-o", tmp_path / "a", "--clock-mhz", 125)
    assert found["clock"] == {"mhz": 125, "basis": "assumed"}
    assert found["frames_per_second"] == 125e6 / found["estimate"]["interval_cycles"]
    assert "frames/s at 200 MHz (assumed)" in run("compile", model, "-o", tmp_path / "b")[1]
    code, _, err = run("compile", model, "-o", tmp_path / "c", "--clock-mhz", 2000)
    assert (code, "clock_mhz is 2000; legal are 1 to 1000" in err) == (2, True)


def test_an_earlier_build_is_replaced(run, build, model):
    for name in ("simulation.json", "synthesis.json", "design.bit", "report.json", "report.html"):
        (build / name).write_text("{}")
    assert run("compile", model, "-o", build)[0] == 0
    assert not (build / "simulation.json").exists()
    assert bw.load_design(build).input.only.lanes == 1


@pytest.mark.parametrize("name", ["rtl/top.sv", "design.json", "estimate.json", "network.bw"])
def test_a_changed_build_is_refused(build, fails, name):
    content = (build / name).read_bytes()
    (build / name).write_bytes(content.replace(b"e", b"#"))
    assert "damaged" in fails("report", build)
    (build / name).unlink()
    assert str(build) in fails("report", build)


def test_report(result, build):
    digest = bw.load_design(build).digest
    units = [
        {
            "name": n,
            "row": i,
            "copies": 1,
            "resources": {"lut": 20, "ff": 4, "carry": 0, "bram36": 0, "dsp": 0},
            "estimate": {"lut": 10},
        }
        for i, n in enumerate(("conv", "act", "flat", "fc"))
    ]
    synthesis = {
        "design": digest,
        "device": {"name": "xczu3eg"},
        "units": units,
        "total": {"lut": 80, "ff": 16, "carry": 0, "bram36": 0, "dsp": 0},
        "utilization": {"lut": 0.001},
        "tools": ["Yosys 1.2"],
        "fmax_mhz": 100.0,
    }
    (build / "synthesis.json").write_text(as_json(synthesis))
    found = result("report", build)
    assert found["performance"]["frames_per_second"] == 100e6 / 110
    assert found["performance"]["clock_basis"] == "routed"
    assert found["layers"][0]["estimated"]["lut"] == 10
    assert found["layers"][0]["measured"]["lut"] == 20
    assert found == {"version": 2, **json.loads((build / "report.json").read_text())}
    page = (build / "report.html").read_text()
    assert "-50.0 %" in page
    assert "Yosys 1.2" in page
    assert "https://cdn" not in page.split("<body>")[1]
    first = (build / "report.html").read_bytes()
    result("report", build)
    assert (build / "report.html").read_bytes() == first


def test_a_design_knows_the_part_that_it_is_for(run, fails, result, model, build, tmp_path):
    """Shares of it in the report; what `synthesize` takes where no part is named."""
    assert "synthesize BUILD --device PART" in run("report", build)[1].replace(str(build), "BUILD")
    assert fails("synthesize", build) == f"{build} was compiled for no part: --device with a part or board is needed"
    own = tmp_path / "own"
    result("compile", model, "-o", own, "--device", "ultra96")
    assert bw.load_design(own).device == "ultra96"
    found = result("report", own)
    assert found["design"]["device"] == "ultra96"
    assert found["estimate"]["utilization"]["lut"] == found["estimate"]["total"]["lut"] / 70_560
    page = (own / "report.html").read_text()
    assert "on fake, ultra96, 200 MHz</h1>" in page
    assert "LUT of ultra96, estimated" in page
    code, out, _ = run("report", own, build, "-o", tmp_path / "both.html")
    assert code == 0
    assert re.search(r"LUT, % of the part +[0-9.]+ +-", out)
    assert re.search(r"part +ultra96 +-", out)


def test_results_of_another_design_are_left_out(result, build):
    (build / "synthesis.json").write_text(as_json({"design": "0"}))
    found = result("report", build)
    assert found["synthesis"] is None
    assert (found["performance"]["clock_mhz"], found["performance"]["clock_basis"]) == (200, "assumed")
    assert "<td>assumed</td>" in (build / "report.html").read_text()


def test_report_of_an_estimated_clock(result, build):
    """The slowest paths with layer and hint, frames a second at the middle estimate."""
    end = {"name": "a_q", "cell": "FF", "pin": "D", "instance": "u_a", "module": "adder", "layer": "conv"}
    path = {"ns": 5.0, "logic_ns": 2.0, "net_ns": 3.0, "levels": 4, "fanout": 9, "start": end, "end": end, "cells": {}}
    synthesis = {
        "design": bw.load_design(build).digest,
        "device": {"name": "xczu3eg"},
        "units": [],
        "total": {"lut": 80, "ff": 16, "carry": 0, "bram36": 0, "dsp": 0},
        "utilization": {"lut": 0.001},
        "tools": ["Yosys 1.2"],
        "fmax_mhz": None,
        "fmax_by_seed": {},
        "fmax_estimated_mhz": {"low": 150.0, "mid": 198.0, "high": 270.0},
        "paths": [{**path, "hint": "split the sum", "routed_ns": None, "exact": False}],
        "notes": [],
    }
    (build / "synthesis.json").write_text(as_json(synthesis))
    performance = result("report", build)["performance"]
    assert (performance["clock_mhz"], performance["clock_basis"]) == (198, "estimated")
    assert performance["frames_per_second"] == 198e6 / performance["interval_cycles"]
    page = (build / "report.html").read_text()
    assert "Estimated before placement: 198 MHz, 150 to 270." in page
    assert "<td>a_q (adder)</td><td>a_q (adder)</td><td>conv</td><td>split the sum</td>" in page


def test_targets(result):
    found = result("targets")
    assert found["targets"]["fake"]["options"]["lanes"] == {
        "legal": "a whole number",
        "default": "1",
        "doc": "elements a word",
    }
    assert "xczu3eg" in found["devices"]


SLOW_COMPILE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs, and all below them, ignore it
sys.path.insert(0, sys.argv[1])
import fake_target
from bitwright import cli, targets

class Slow(fake_target.FakeTarget):
    def plan(self, network, options):
        print("planning", file=sys.stderr, flush=True)
        return super().plan(network, options)

targets.names, targets.get = lambda: ["fake"], lambda name: Slow()
sys.exit(cli.main(["compile", sys.argv[2], "-o", sys.argv[3], "-O", "delay=60"]))
"""


def test_interrupt_leaves_nothing(model, tmp_path):
    """Once the work has begun: Python itself may lose an interrupt that meets it amid its imports."""
    folder = tmp_path / "out"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_COMPILE, SUPPORT, model, folder / "build"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr.readline() == "planning\n"
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert err == "bitwright: error: interrupted\n"
    assert list(folder.iterdir()) == []
