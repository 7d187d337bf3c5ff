"""`bitwright simulate`: what a build folder remembers of runs, and what is said of a trace."""

import json

import pytest

import bitwright as bw
from bitwright.network import evaluate
from bitwright.simulation import SimulationResult


@pytest.fixture
def build(run, model, tmp_path):
    folder = tmp_path / "build"
    assert run("compile", model, "-o", folder, "-O", "lanes=2")[0] == 0
    return folder


@pytest.fixture(autouse=True)
def simulated(monkeypatch):
    """The network itself in place of its hardware; the keyword arguments of every call."""
    calls = []

    def simulate(design, x, **options):
        calls.append(options)
        network = design.network
        outputs = evaluate(network, network.input.quantize(x) if x.dtype.kind == "f" else x)[network.output_name]
        return SimulationResult(outputs, network.output.dequantize(outputs), outputs, 9, 5.0, 77, {}, 1.0, "Fake 1")

    monkeypatch.setattr(bw, "simulate", simulate)
    return calls


def test_a_run_without_labels_leaves_the_accuracy(result, build, data):
    accuracy = result("simulate", build, "--data", data)["accuracy"]
    result("simulate", build, "--frames", 3)
    result("simulate", build)
    assert "accuracy" not in json.loads((build / "simulation.json").read_text())
    found = result("report", build)["simulation"]
    assert (found["frames"], found["data"]) == (16, None)
    assert [run.get("accuracy") for run in found["earlier"]] == [None, accuracy]
    assert f"{100 * accuracy:.2f} %" in (build / "report.html").read_text()


def test_a_run_replaces_one_on_as_many_frames_of_the_same_data(result, build, data):
    for _ in range(3):
        result("simulate", build, "--data", data)
        result("simulate", build, "--data", data, "--frames", 2)
    found = json.loads((build / "simulation.json").read_text())
    assert found["frames"] == 2
    assert len(found["earlier"]) == 1
    assert "earlier" not in found["earlier"][0]


def test_runs_of_another_design_and_damaged_files_are_replaced(result, build, data):
    for text in ('{"design": "another", "accuracy": 1}', "{", "[]", '{"earlier": 3}'):
        (build / "simulation.json").write_text(text)
        result("simulate", build, "--data", data)
        assert json.loads((build / "simulation.json").read_text())["earlier"] == []


@pytest.mark.parametrize("earlier", ["[3]", "{}", "7"])
def test_damaged_earlier_runs_are_refused(build, fails, earlier):
    digest = bw.load_design(build).digest
    (build / "simulation.json").write_text(f'{{"design": "{digest}", "earlier": {earlier}}}')
    assert "simulation.json is damaged" in fails("report", build)


def test_frames_a_second_of_the_hardware_name_their_clock(run, build):
    """Assumed without a synthesis, else what it found for its device; the fake simulation says 5 cycles a frame."""
    assert "40,000,000 frames/s of the hardware at 200 MHz (assumed)" in run("simulate", build)[1]
    found = {"design": bw.load_design(build).digest, "device": {"name": "ecp5-85k"}, "fmax_mhz": 112.5}
    (build / "synthesis.json").write_text(json.dumps(found))
    assert "22,500,000 frames/s of the hardware at 112.5 MHz (routed) on ecp5-85k" in run("simulate", build)[1]
    (build / "synthesis.json").write_text(json.dumps(found | {"fmax_mhz": -3.0}))
    code, _, err = run("simulate", build)
    assert (code, "synthesis.json is damaged" in err) == (2, True)


def test_a_trace_is_said_to_hold_what_it_holds(run, build, simulated, tmp_path):
    wave = tmp_path / "my wave.vcd"
    code, out, _ = run("simulate", build, "--trace", wave)
    assert code == 0
    assert f"{wave}: the cycles up to the first result; open it with `gtkwave '{wave}'`" in out.replace("\n", " ")
    code, out, _ = run("simulate", build, "--trace", wave, "--trace-cycles", 3000)
    assert "the first 3,000 cycles" in out.replace("\n", " ")
    assert [call["trace"] for call in simulated] == [bw.Waveform(str(wave), 0, 3), bw.Waveform(str(wave), 3000)]
