"""What a newcomer gets wrong: one clear line, exit code 2, nothing half-written."""

import os
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bitwright.design.io import load_design

COMMANDS = ("check", "compile", "evaluate", "quantize")


def arguments(command: str, model: Path, tmp_path: Path, data: Path | None = None) -> list[object]:
    """A complete call of a command that takes a model."""
    data = data or tmp_path / "data.npz"
    rest = {
        "check": [],
        "compile": ["-o", tmp_path / "build"],
        "evaluate": ["--data", data],
        "quantize": ["-o", tmp_path / "out.bw", "--data", data],
    }
    return [command, model, *rest[command]]


@pytest.fixture(autouse=True)
def nothing_left(tmp_path):
    """No command of this file may leave a result or a temporary file."""
    yield
    left = {p.name for p in tmp_path.rglob("*")}
    assert not left & {"build", "out.bw"}
    assert not [name for name in left if name.startswith(".")]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["gone.onnx", "gone.bw", "gone"])
def test_missing_model(fails, data, tmp_path, command, name):
    path = tmp_path / name
    assert fails(*arguments(command, path, tmp_path)) == f"cannot read {path}: No such file or directory"


@pytest.mark.parametrize("command", COMMANDS)
def test_folder_for_model(fails, data, tmp_path, command):
    assert fails(*arguments(command, tmp_path, tmp_path)) == f"{tmp_path} is a folder; legal are .onnx and .bw files"


@pytest.mark.parametrize("command", COMMANDS)
def test_truncated_onnx(fails, float_onnx, data, tmp_path, command):
    content = float_onnx.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: len(content) // 2])
    line = fails(*arguments(command, path, tmp_path))
    assert "cut.onnx" in line
    assert "ONNX" in line


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("content", ["this is a note\n", "", "PK? no"])
def test_text_named_onnx(fails, data, tmp_path, command, content):
    path = tmp_path / "note.onnx"
    path.write_text(content)
    assert "note.onnx" in fails(*arguments(command, path, tmp_path))


@pytest.mark.parametrize("command", COMMANDS)
def test_damaged_network_file(fails, model, data, tmp_path, command):
    model.write_bytes(model.read_bytes()[:-100])
    line = fails(*arguments(command, model, tmp_path))
    assert line == f"{model}: the file is damaged or cut short"


@pytest.mark.parametrize("command", COMMANDS)
def test_unsupported_operator(fails, one_node_onnx, data, tmp_path, command):
    path = one_node_onnx("odd.onnx", "Hardmax", ["N", 2, 4, 4])
    line = fails(*arguments(command, path, tmp_path))
    assert "odd" in line
    assert "Hardmax" in line


@pytest.mark.parametrize("command", COMMANDS)
def test_dynamic_size(fails, one_node_onnx, data, tmp_path, command):
    path = one_node_onnx("dynamic.onnx", "Relu", ["N", 2, "height", "width"])
    assert "height" in fails(*arguments(command, path, tmp_path))


@pytest.mark.parametrize("command", ["compile", "evaluate"])
def test_float_weights(fails, float_onnx, data, tmp_path, command):
    line = fails(*arguments(command, float_onnx, tmp_path))
    assert line == (
        "float.onnx: 2 of 2 layers have float weights (conv, fc); "
        "quantize the model first (`bitwright quantize`, or `bitwright.quantize`)"
    )


def test_quantize_without_data(fails, float_onnx, tmp_path):
    line = fails("quantize", float_onnx, "-o", tmp_path / "out.bw")
    assert line == f"{float_onnx} is a float model: --data with calibration samples is needed"


def test_refused_network(fails, refused, tmp_path):
    line = fails("compile", refused, "-o", tmp_path / "build")
    assert line == ("target fake refuses the network: table: Lookup is not supported; legal: Threshold or Requantize")


BAD_DATA = {
    "gone": (None, "cannot read {path}: No such file or directory"),
    "text": (b"hello", "{path} is no .npz file of plain arrays, or it is damaged"),
    "cut": (b"PK\x03\x04 and no more", "{path} is no .npz file of plain arrays, or it is damaged"),
    "array": (np.zeros(3), "{path} is no .npz file of plain arrays, or it is damaged"),
    "names": (
        {"a": np.zeros(2), "b": np.zeros(2)},
        "{path} holds a (2,), b (2,); legal is an array x or images, or a name: FILE:SAMPLES,LABELS",
    ),
    "objects": ({"x": np.array([{}], object)}, "{path} is no .npz file of plain arrays, or it is damaged"),
    "empty": (
        {"x": np.zeros((0, 2, 4, 4))},
        "{path} has no samples: its array has shape (0, 2, 4, 4); legal is at least one, (N, ...)",
    ),
    "shape": (
        {"x": np.zeros((5, 4, 4, 3))},
        "{path}: data have shape (5, 4, 4, 3); legal is (N, 2, 4, 4) in CHW; "
        "--input-layout names another order of images",
    ),
    "dtype": ({"x": np.zeros((5, 2, 4, 4), complex)}, "{path}: data are complex128; legal are integers and floats"),
    "words": ({"x": np.array(["a", "b"])}, "{path}: data are <U1; legal are integers and floats"),
    "nan": (
        {"x": np.where(np.arange(160).reshape(5, 2, 4, 4) == 33, np.nan, 0)},
        "{path}: data hold nan at index (1, 0, 0, 1); legal are finite numbers",
    ),
    "labels": (
        {"x": np.zeros((5, 2, 4, 4)), "labels": np.zeros(4, int)},
        "{path}: labels of shape (4,) for 5 samples; legal is (5,)",
    ),
}


@pytest.mark.parametrize("command", ["evaluate", "quantize"])
@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data(fails, model, float_onnx, tmp_path, command, case):
    content, message = BAD_DATA[case]
    path = tmp_path / "bad.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    elif content is not None:
        with path.open("wb") as file:
            np.save(file, content)
    chosen = float_onnx if command == "quantize" else model
    assert fails(*arguments(command, chosen, tmp_path, path)) == message.format(path=path)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--input-layout", "WHC"], "--input-layout is 'WHC'; legal are HWC, CHW, C"),
        (["--input-scale", "x"], "--input-scale is 'x'; legal is a number, or a fraction such as 1/255"),
        (["--input-scale", "1/0"], "--input-scale is '1/0'; legal is a number, or a fraction such as 1/255"),
        (["--input-scale", "inf"], "--input-scale is 'inf'; legal are finite numbers"),
        (["--input-mean", "1,2,3"], "--input-mean gives 3 values; legal are 1 or 2, one per channel"),
        (["--input-std", "1,0"], "--input-std holds 0; legal are numbers other than 0"),
        (["--samples", "50"], "50 samples asked for; {data} has 20"),
        (["--samples", "many"], "Invalid value for '--samples': Input should be a valid integer"),
    ],
)
def test_bad_options_of_evaluate(fails, model, data, option, message):
    assert fails("evaluate", model, "--data", data, *option).startswith(message.format(data=data))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("speed=3", "target fake has no option 'speed'; legal are lanes, delay, note, shape, layers, program, seed"),
        ("delay=nan", "option delay is 'nan'; legal is a number"),
        ("layers=5", "option layers is '5'; legal is a JSON object"),
        ("layers={", "option layers is '{'; legal is a JSON object"),
        ("lanes", "option 'lanes' has no value; legal is key=value"),
        ("lanes=two", "option lanes is 'two'; legal is a whole number"),
        ("program=maybe", "option program is 'maybe'; legal is true or false"),
        ("shape=1,b", "option shape is 'b'; legal is a whole number"),
    ],
)
def test_bad_target_options(fails, model, tmp_path, option, message):
    assert fails("compile", model, "-o", tmp_path / "build", "-O", option) == message


def test_unknown_command_and_option(fails):
    assert fails("quantise") == "No such command 'quantise'. Did you mean 'quantize'?"
    assert fails("check", "--fast").startswith("No such option: --fast")
    assert fails("check") == "Missing argument 'model'."


def test_output_is_a_file(fails, model, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    line = fails("compile", model, "-o", taken)
    assert line == f"{taken} is a file; legal is a new folder, an empty one or an earlier build folder"
    assert taken.read_text() == "mine"


def test_output_below_a_file(fails, model, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert fails("compile", model, "-o", taken / "sub") == f"{taken / 'sub'} cannot be made: {taken} is a file"


def test_foreign_folder_is_not_replaced(fails, model, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("mine")
    line = fails("compile", model, "-o", home)
    assert line == f"{home} is no build folder (it holds thesis.tex); legal is a new, empty or earlier one"
    assert (home / "thesis.tex").read_text() == "mine"


def test_unwritable_folder(fails, model, tmp_path, monkeypatch):
    assert fails("compile", model, "-o", "/proc/nowhere/build").startswith("/proc/nowhere")
    assert fails("compile", model, "-o", "/proc/build") == "/proc/build: No such file or directory"
    path = tmp_path / "none" / "out.bw"
    assert fails("quantize", model, "-o", path) == f"{path}: No such file or directory"
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert fails("quantize", model, "-o", "folder") == "folder: Is a directory"


def test_full_disk(fails, model, tmp_path, monkeypatch):
    replace = os.replace

    def full(source: object, target: object) -> None:
        if Path(target).name in ("network.bw", "build"):
            raise OSError(28, "No space left on device", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert fails("compile", model, "-o", tmp_path / "build").endswith("No space left on device")


@pytest.mark.parametrize("command", [["simulate"], ["synthesize", "--device", "xczu3eg"], ["report"]])
def test_no_build_folder(fails, tmp_path, command):
    line = fails(*command, tmp_path)
    assert line == f"{tmp_path} is no build folder: design.json is missing; `compile` makes one"


def test_device_too_small(run, fails, model, tmp_path, monkeypatch):
    """What synthesis measures is given; the rest is as it is."""
    synthesis = import_module("bitwright.synthesis")
    folder = tmp_path / "design"
    assert run("compile", model, "-o", folder)[0] == 0
    tops = [unit.top for unit in load_design(folder).units]
    cells = synthesis.yosys.Cells(99_000 // len(tops), 0, 0, 0, 0, 0, 0, {})
    counted = {top: synthesis.Counted(top, cells, True, folder) for top in tops}
    monkeypatch.setattr(synthesis.yosys, "find", lambda: SimpleNamespace(version="0"))
    monkeypatch.setattr(synthesis, "_count", lambda *_arguments: counted)
    monkeypatch.setattr(synthesis, "_estimated", lambda *_arguments: synthesis.NOTHING_TIMED)
    line = fails("synthesize", folder, "--device", "xczu3eg")
    assert "xczu3eg" in line
    assert "lut" in line.lower()
    assert not (folder / "synthesis.json").exists()
    assert run("synthesize", folder, "--device", "xczu9eg")[0] == 0


def test_unknown_device(run, fails, model, tmp_path):
    folder = tmp_path / "design"
    assert run("compile", model, "-o", folder)[0] == 0
    assert fails("synthesize", folder, "--device", "xc9000").startswith("unknown device 'xc9000'; legal are ")


@pytest.mark.parametrize(("name", "legal"), [("placer", "heap, static"), ("router", "router1, router2")])
def test_unknown_placer_or_router(run, fails, model, tmp_path, name, legal):
    folder = tmp_path / "design"
    assert run("compile", model, "-o", folder)[0] == 0
    line = fails("synthesize", folder, "--device", "ecp5-85k", f"--{name}", "best")
    assert line == f"{name} is 'best'; legal are {legal}"


@pytest.mark.parametrize("content", ["x", "{}", "[1]"])
def test_damaged_result(run, fails, model, tmp_path, content):
    folder = tmp_path / "design"
    assert run("compile", model, "-o", folder)[0] == 0
    (folder / "synthesis.json").write_text(content)
    path = folder / "synthesis.json"
    assert fails("report", folder) == f"{path} is damaged; run the command that writes it again"
