"""`bitwright finetune` from the outside."""

import importlib.util
import json
import re
import subprocess
import sys

import numpy as np
import pytest

import bitwright as bw
from bitwright import training
from bitwright.cli import main
from bitwright.errors import ToolError

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="fine-tuning needs torch")


@pytest.fixture
def files(small, x, labels, tmp_path):
    small.save(tmp_path / "model.onnx")
    np.savez(tmp_path / "train.npz", x=x[:300], labels=labels[:300])
    np.savez(tmp_path / "test.npz", x=x[300:], labels=labels[300:])
    return tmp_path


def arguments(files, *more, steps="40"):
    fixed = ["--data", files / "train.npz", "--jobs", 1, "--steps", steps, "-O", "batch=32", "-o", files / "out.bw"]
    return [str(a) for a in ("finetune", files / "model.onnx", *fixed, *more)]


@needs_torch
def test_network_report_and_plot(files, capsys):
    more = [
        "--evaluate",
        files / "test.npz",
        "--weight-bits",
        2,
        "--activation-bits",
        3,
        "--plot",
        files / "curve.html",
    ]
    assert main(arguments(files, *more, "--json", "-v")) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)["report"]
    network = bw.load(files / "out.bw")
    assert json.loads(out)["digest"] == network.digest
    assert report["fine_tuned"]["accuracy"] >= report["post_training"]["accuracy"]
    assert report["float_accuracy"] == 1
    assert {layer["weight_bits"] for layer in report["quantization"]["layers"]} == {2}
    assert "training curve" in err
    assert re.search(r"post-training +\d", err)
    assert "<html lang=" in (files / "curve.html").read_text()
    assert not list(files.glob("*.ckpt"))
    test = np.load(files / "test.npz")
    accuracy = np.mean(network.predict(test["x"]).argmax(1) == test["labels"])
    assert accuracy == pytest.approx(report["fine_tuned"]["accuracy"])


@needs_torch
def test_raw_images_are_remembered(files, x, labels):
    raw = np.clip(np.rint(x * 32 + 128), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    np.savez(files / "train.npz", images=raw, labels=labels)
    how = ["--input-layout", "HWC", "--input-scale", "1/32", "--input-mean", "4", "--augment", "flip,shift=1"]
    assert main(arguments(files, *how, "--labels", "0.5", steps="5")) == 0
    spec = bw.load(files / "out.bw").input
    assert (spec.data_layout, spec.data_scale, spec.data_mean) == ("HWC", 1 / 32, (4.0,))


@needs_torch
@pytest.mark.parametrize("suffix", ["csv", "bw"])
def test_widths_of_a_search(files, capsys, suffix):
    search = ["search", files / "model.onnx", "--data", files / "train.npz", "--weight-bits", "2,4", "--budget", "600"]
    more = ["--activation-bits", 4, "-O", "samples=8", "-O", "points=3", "-O", f"cache={files / 'cache'}", "--jobs", 1]
    paths = ["--csv", files / "widths.csv", "-o", files / "widths.bw"]
    assert main([str(a) for a in (*search, *more, *paths, "--json")]) == 0
    chosen = json.loads(capsys.readouterr().out)["chosen"]["widths"]
    assert len({w for w, _ in chosen.values()}) == 2
    assert main(arguments(files, "--widths", files / f"widths.{suffix}", "--json", steps="3")) == 0
    layers = json.loads(capsys.readouterr().out)["report"]["quantization"]["layers"]
    assert {layer["name"]: [layer["weight_bits"], layer["activation_bits"]] for layer in layers} == chosen


@needs_torch
def test_a_search_fine_tunes_its_front(files, capsys):
    search = ["search", files / "model.onnx", "--data", files / "train.npz", "--evaluate", files / "test.npz"]
    more = ["--weight-bits", "2,4", "--activation-bits", 4, "-O", "samples=8", "-O", "points=2", "--jobs", 1]
    more += [
        "-O",
        f"cache={files / 'cache'}",
        "--budget",
        600,
        "--finetune-steps",
        300,
        "-o",
        files / "out.bw",
        "--json",
    ]
    assert main([str(a) for a in (*search, *more)]) == 0
    result = json.loads(capsys.readouterr().out)
    tuned = [p for p in result["points"] if "fine-tuned" in p["label"]]
    others = [p for p in result["points"] if p not in tuned]
    assert len(tuned) >= 2
    starts = [next(p for p in others if p["widths"] == point["widths"]) for point in tuned]
    assert [point["cost"] for point in tuned] == [start["cost"] for start in starts]
    # On samples that decided nothing: much less is lost in all, and nothing to speak of where little was.
    assert sum(point["loss"] for point in tuned) < 0.7 * sum(start["loss"] for start in starts)
    assert all(point["loss"] < 1.1 * start["loss"] for point, start in zip(tuned, starts, strict=True))
    assert "fine-tuned" in result["chosen"]["label"]
    test = np.load(files / "test.npz")
    accuracy = np.mean(bw.load(files / "out.bw").predict(test["x"]).argmax(1) == test["labels"])
    assert accuracy == pytest.approx(result["chosen"]["accuracy"])
    more[more.index("2,4")] = "2,10"
    assert main([str(a) for a in (*search, *more)]) == 2
    assert "candidates have up to 10 bits; fine-tuning trains 1 to 8" in capsys.readouterr().err


@needs_torch
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--weight-bits", "9"], "weight_bits asks for 9 bits; fine-tuning trains 1 to 8"),
        (["--epochs", "1"], "epochs and steps exclude each other"),
        (["-O", "depth=3"], "fine-tuning has no option 'depth'"),
        (["-Q", "bits=3"], "the quantizer has no option 'bits'"),
        (["--labels", "2"], "label_share is 2.0; legal are 0 to 1"),
        (["--widths", "other.csv"], "other.csv is no table of `bitwright search`"),
        (["--widths", "model.onnx"], "model.onnx is no text"),
        (["--augment", "turn"], "augment holds 'turn'"),
        (["--data", "none.npy"], "cannot read none.npy"),
        (["--checkpoint", "none/run.ckpt"], "none/run.ckpt: No such file or directory"),
    ],
)
def test_mistakes_are_one_line(files, capsys, monkeypatch, more, message):
    monkeypatch.chdir(files)
    (files / "other.csv").write_text("a,b\n1,2\n")
    assert main(arguments(files, *more)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (files / "out.bw").exists()


@needs_torch
def test_an_output_that_cannot_be_written_keeps_the_checkpoint(files, capsys, monkeypatch):
    """The work is not lost: the same command, where it can write, goes on from the end."""
    from bitwright.network import storage

    save = storage.save
    monkeypatch.setattr(
        storage, "save", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device", "out"))
    )
    assert main(arguments(files)) == 2
    assert capsys.readouterr().err == "bitwright: error: out: No space left on device\n"
    assert (files / "out.bw.ckpt").exists()
    monkeypatch.setattr(storage, "save", save)
    monkeypatch.setattr("bitwright.training.loop.Trainer._step", None)  # nothing is left to train
    assert main(arguments(files)) == 0
    assert not (files / "out.bw.ckpt").exists()


def test_without_torch_one_line_says_what_to_install(files, capsys, monkeypatch):
    monkeypatch.setattr(training, "find_spec", lambda name: None)
    assert main(arguments(files)) == 2
    assert capsys.readouterr().err == ("bitwright: error: fine-tuning needs PyTorch: pip install 'bitwright[train]'\n")
    with pytest.raises(ToolError, match="fine-tuning needs PyTorch"):
        bw.finetune(files / "model.onnx", np.zeros((10, 3, 8, 8), np.float32))


def test_nothing_else_imports_torch():
    code = "import sys, bitwright.cli, bitwright.training, bitwright.explore.search; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
