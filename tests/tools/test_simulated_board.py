"""The shipped driver against the board that a user has in simulation."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from shipped_driver import run_driver, shipped

import bitwright as bw
from bitwright.data.raw import classes
from bitwright.demo.run import FOLDER
from bitwright.deployment.shipped import terminal
from bitwright.network import evaluate
from bitwright.tools.model import SimulationError


def test_the_shipped_driver_runs_the_overlay(doubler, tmp_path):
    bw.deploy(doubler, tmp_path / "board", "ultra96")
    module = shipped(tmp_path / "board" / "driver.py")
    x = np.random.default_rng(0).integers(0, 16, (30, 3))
    with module.Driver(simulate=True) as driver:
        np.testing.assert_array_equal(driver.execute_integers(x), 2 * x)
        assert driver.counters() == {"words": 60}
        driver.load(driver.names[0])
        assert driver.counters() == {"words": 0}
        np.testing.assert_array_equal(driver.execute_integers(x[:7]), 2 * x[:7])
        assert driver.throughput_test(5)["frames"] == 5
        with pytest.raises(ValueError, match="there is no network 'x'; legal are"):
            driver.load("x")
        with pytest.raises(SimulationError, match="register 0x80 answers an error of the slave"):
            driver.link.write(np.array([[0x80, 1]]))


def test_raw_pixels_through_the_driver_are_as_accurate_as_evaluate(tmp_path):
    """The demo's digits, pixels of 0 to 16: `evaluate` and the driver prepare them alike."""
    network = bw.load(FOLDER / "digits.onnx")
    network = dataclasses.replace(network, inputs=dataclasses.replace(network.input, data_scale=1 / 16))
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    bw.deploy(bw.compile(network), tmp_path / "board", "pynq-z2", class_names=names)
    with np.load(FOLDER / "digits_test.npz") as file:
        raw, labels = file["images"], file["labels"]
    expected = classes(network.predict(network.input.prepare(raw)))
    np.savez(tmp_path / "test.npz", x=raw, labels=labels)
    found = run_driver(tmp_path / "board" / "driver.py", "--data", tmp_path / "test.npz")
    assert found["frames"] == len(raw)
    assert [names.index(name) for name in found["classes"]] == expected.tolist()
    assert found["accuracy"] == (expected == labels).mean() > 0.9


def test_floats_of_the_model_from_a_terminal(tmp_path):
    """As `evaluate --data` takes them; without --float they could be raw data, which this network does not declare."""
    network = bw.load(FOLDER / "digits.onnx")
    bw.deploy(bw.compile(network), tmp_path / "board", "pynq-z2")
    with np.load(FOLDER / "digits_test.npz") as file:
        x, labels = (file["images"][:20, None] / 16).astype(np.float32), file["labels"][:20]
    np.savez(tmp_path / "test.npz", x=x, labels=labels)
    found = run_driver(tmp_path / "board" / "driver.py", "--data", tmp_path / "test.npz", "--float")
    assert found["accuracy"] == bw.evaluate(network, x, labels).accuracy
    command = [sys.executable, tmp_path / "board" / "driver.py", "--simulate", "--data", tmp_path / "test.npz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "legal are its own floats (execute_float; --float), its integers" in done.stderr


def test_bad_input_of_the_driver_is_one_line(doubler, tmp_path):
    bw.deploy(doubler, tmp_path / "board", "ultra96")
    np.savez(tmp_path / "bad.npz", y=np.zeros(3))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "bad.npz").read_bytes()[:-9])
    (tmp_path / "empty.npy").touch()
    for options, message in (
        ((), "No module named 'pynq'"),
        (("--simulate", "--data", tmp_path / "none.npy"), "No such file or directory"),
        (("--simulate", "--data", tmp_path / "bad.npz"), "holds y; legal is an array x, or images"),
        (("--simulate", "--data", tmp_path / "cut.npz"), "cut.npz is no whole .npy or .npz file"),
        (("--simulate", "--data", tmp_path / "empty.npy"), "empty.npy is no whole .npy or .npz file"),
        (("--simulate", "--network", "x"), "there is no network 'x'; legal are network"),
    ):
        command = [sys.executable, tmp_path / "board" / "driver.py", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert done.stderr.startswith("error: ")
        assert message in done.stderr


def test_options_of_the_terminal(monkeypatch, capsys):
    """Frames are counted from 1, and a port is asked for where the link has one."""
    for options, message in ((("--frames", "0"), "0 is not at least 1"), (("--port", "x"), "unrecognized arguments")):
        monkeypatch.setattr("sys.argv", ["driver.py", *options])
        with pytest.raises(SystemExit) as stopped:
            terminal.main(lambda simulate, timeout_s: None)
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (np.zeros(3, int), None, r"labels are int64 \(3,\); legal is a whole number for each of 2"),
        (np.zeros(2), None, "labels are float64"),
        (np.array([0, -1]), None, "labels are int64"),
        (np.array([0, 2]), ["a", "b"], "labels reach 2; legal are those of the 2 class names"),
    ],
)
def test_labels_that_fit_no_class_are_refused(tmp_path, labels, names, message):
    np.savez(tmp_path / "data.npz", x=np.zeros((2, 1)), labels=labels)
    host = SimpleNamespace(classify=lambda raw, floats: np.zeros(len(raw), int), facts={"classes": names}, network="n")
    with pytest.raises(ValueError, match=message):
        terminal.classified(host, tmp_path / "data.npz", None)


def test_weights_come_by_a_dma_engine_of_their_own(tmp_path):
    """A weight memory that is too small for the network: a stream fills it again for every batch."""
    network = bw.load(FOLDER / "digits.onnx")
    hardware = Path(__file__).parents[1] / "bitsys" / "hardware" / "container_stream.toml"
    design = bw.compile(network, target="bitsys", hardware=str(hardware))
    assert len(design.weights.words)
    found = bw.deploy(design, tmp_path / "board", "ultra96")
    assert found["throughput"]["weights_bytes"] == design.weights.words.size * 4 / design.weights.frames
    x = np.random.default_rng(0).integers(0, 16, (9, *network.input.type.shape))
    with shipped(tmp_path / "board" / "driver.py").Driver(simulate=True, timeout_s=600) as driver:
        expected = network.leaving(evaluate(network, x))
        for count in (9, 4):
            np.testing.assert_array_equal(driver.execute_integers(x[:count]), expected[:count])
        assert driver.counters()["cycles_weights"]
