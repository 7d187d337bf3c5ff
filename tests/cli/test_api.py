"""The package's own names."""

import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import bitwright as bw
from bitwright.data.samples import open_samples
from bitwright.models.graph import FloatGraph, FloatNode
from bitwright.models.graph import ops as float_ops
from bitwright.network import INPUT, InputSpec, IntType, Network, Node, TensorType, ops


def test_every_public_name_is_there_and_documented():
    assert sorted(bw.__all__) == bw.__all__
    for name in bw.__all__:
        assert callable(getattr(bw, name)) or name in ("devices", "targets")
        assert getattr(bw, name).__doc__
    errors = {
        name for name, value in vars(bw.errors).items() if isinstance(value, type) and issubclass(value, Exception)
    }
    assert errors <= set(bw.__all__)
    assert bw.targets.names() == ["bitsys", "rap", "tlmac"]
    assert bw.devices.BOARDS["ultra96"].device in bw.devices.DEVICES


def test_functions_stay_functions_when_their_modules_are_imported():
    code = (
        "import bitwright as bw, bitwright.simulation, bitwright.quantization.ptq, bitwright.reporting\n"
        "import bitwright.synthesis\n"
        "assert all(callable(getattr(bw, n)) for n in bw.__all__ if n not in ('devices', 'targets'))\n"
        "from bitwright.simulation import SimulationResult\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_loads_nothing_heavy():
    code = "import bitwright, sys; print([m for m in ('numpy', 'onnx', 'onnxruntime', 'numba') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        bw.optimise  # noqa: B018


def test_objects_are_shown_in_one_line_and_as_a_table():
    name = "<img src=x>\n\x1b[31m"
    node = Node("d", ops.Dense(np.eye(2, 3, dtype=int), IntType(2)), (INPUT,))
    network = Network(InputSpec(TensorType((3,), IntType(4))), (node,), name=name)
    design = bw.compile(network)
    shown = [network, design, design.estimate, bw.evaluate(network, np.zeros((2, 3), np.float32), np.array([0, 1]))]
    for thing in shown:
        assert repr(thing).isprintable()
        assert len(repr(thing)) < 400
        page = thing._repr_html_()
        assert page.startswith("<table>")
        assert "<img" not in page
        assert "\x1b" not in page
    assert "tlmac" in repr(design)
    assert "interval_cycles" in repr(design.estimate)
    assert "accuracy 50.00 %" in repr(shown[-1])


USER = """
import numpy as np
import bitwright as bw
from bitwright.explore.fit import FitPoint

def best(path: str, x: np.ndarray) -> FitPoint | None:
    network: bw.Network = bw.quantize(path, x, weight_bits=4)
    result = bw.fit(network, x, device="xczu3eg")
    design = bw.compile(network, goals=bw.Goals(fps=100.0, device="ultra96"))
    simulation = bw.simulate(design, x, progress=lambda what, done, total: print(what, done, total))
    exact: bool = simulation.bit_exact
    clock = bw.synthesize(design, "xczu3eg").clock
    names: list[str] = [name for name in bw.devices.DEVICES]
    print(exact, names, clock and clock.mhz, bw.targets.names(), bw.evaluate(network, x).accuracy)
    bw.export(network, "net.onnx", "qdq")
    try:
        bw.check(network)
    except (bw.ModelError, bw.OptionError, bw.DataError, bw.ToolError, bw.DeviceError, bw.UserError) as error:
        print(error)
    return result.recommendation
"""
WRONG = "import bitwright as bw\nbw.Goals(fps='many')\n"
SOURCE = Path(bw.__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(("script", "clean"), [(USER, True), (WRONG, False)])
def test_a_users_script_is_typed_for_mypy(tmp_path, script, clean):
    pytest.importorskip("mypy")
    path = tmp_path / "script.py"
    path.write_text(script)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--cache-dir",
        str(tmp_path),
        str(path),
    ]
    environment = {**os.environ, "MYPYPATH": str(SOURCE)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert (done.returncode == 0) == clean, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("script", "clean"), [(USER, True), (WRONG, False)])
def test_a_users_script_is_typed_for_pyright(tmp_path, script, clean):
    program = shutil.which("basedpyright", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("basedpyright is not installed (extra lint)")
    (tmp_path / "script.py").write_text(script)
    settings = {"include": ["script.py"], "extraPaths": [str(SOURCE)], "typeCheckingMode": "standard"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [program, "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode == 0) == clean, done.stdout + done.stderr


def test_a_torch_module_is_quantized_as_its_file():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten()]
    module = torch.nn.Sequential(*layers, torch.nn.Linear(4 * 36, 5))
    x = np.random.default_rng(0).normal(size=(20, 3, 8, 8)).astype(np.float32)
    network = bw.quantize(module, x)
    assert module.training  # as it was
    with torch.no_grad():
        y = module.eval()(torch.from_numpy(x)).numpy()
    assert np.abs(network.predict(x) - y).max() < 0.05 * np.abs(y).max()
    assert bw.quantize(module, x, weight_bits=2).digest != network.digest


@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (3, np.zeros((2, 3)), "the model is a int; legal are ONNX files, float graphs, torch modules"),
        ("sort", np.zeros((2, 3)), "cannot be exported to ONNX|not supported"),
        ("linear", np.zeros(3), r"calibration data have shape \(3,\); legal is \(N, ...\)"),
    ],
)
def test_what_is_no_model_is_told(model, x, message):
    torch = pytest.importorskip("torch")

    class Sort(torch.nn.Module):
        def forward(self, x):
            if x.sum() > 0:
                raise ValueError("odd")
            return torch.linalg.svd(x)[0]

    made = {"sort": Sort(), "linear": torch.nn.Linear(3, 2)}
    with pytest.raises(bw.UserError, match=message):
        bw.quantize(made.get(model, model), x.astype(np.float32))


def test_importing_is_quick():
    code = "import time, sys; before = time.process_time(); import bitwright; print(time.process_time() - before)"
    seconds = min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3))
    assert seconds <= 0.1


def test_accuracy_beside_the_float_model(tmp_path):
    """Shares by hand: classes, the first five of twelve (a tie counts against), agreement with a float graph."""
    weight = np.eye(12, 4, dtype=np.int64)
    weight[11] = weight[0]
    network = Network(InputSpec(TensorType((4,), IntType(4))), (Node("d", ops.Dense(weight, IntType(2)), (INPUT,)),))
    x = np.float32([[3, 2, 1, 0], [0, 5, 0, 0], [9, 0, 0, 0], [0, 0, 0, 7]])
    found = bw.evaluate(network, x, np.array([0, 1, 11, 2]))
    assert (found.samples, found.accuracy) == (4, 0.5)
    assert found.top5 == 0.75  # the fourth sample's class ties with ten others
    assert found.float_accuracy is None
    node = FloatNode("d", float_ops.Dense(np.roll(weight, 1, 0).astype(float), np.zeros(12)), ("input",))
    graph = FloatGraph.build([node], input_shape=(4,), input_layout="C", name="rolled")
    beside = bw.evaluate(network, x, np.array([1, 2, 0, 4]), float_model=graph)
    assert (beside.accuracy, beside.float_agreement, beside.float_accuracy) == (0.25, 0.5, 0.75)
    with pytest.raises(bw.DataError, match="labels of shape"):
        bw.evaluate(network, x, np.array([1]))


def test_many_samples_are_read_a_few_at_a_time(tmp_path):
    """A stored archive is mapped: 48 MB of samples need a fraction of that, and the figures are those of arrays."""
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 4, (3, 64))
    network = Network(InputSpec(TensorType((64,), IntType(8))), (Node("d", ops.Dense(weight, IntType(3)), (INPUT,)),))
    x, labels = rng.integers(0, 128, (200_000, 64)).astype(np.float32), rng.integers(0, 3, 200_000)
    np.savez(tmp_path / "data.npz", x=x, labels=labels)
    read = open_samples(tmp_path / "data.npz", *network.inputs)
    assert isinstance(read.raw, np.memmap)
    tracemalloc.start()
    found = bw.evaluate(network, read)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.accuracy == bw.evaluate(network, x, labels).accuracy
    assert peak < x.nbytes / 8
    np.savez_compressed(tmp_path / "small.npz", x=x[:10], labels=labels[:10])
    assert bw.evaluate(network, open_samples(tmp_path / "small.npz", *network.inputs)).samples == 10


def test_progress_of_plans_is_told(tmp_path):
    network = Network(
        InputSpec(TensorType((4,), IntType(4))), (Node("d", ops.Dense(np.eye(3, 4, dtype=int), IntType(2)), (INPUT,)),)
    )
    seen = []
    bw.compile(network, progress=lambda *step: seen.append(step), cache_dir=tmp_path)
    assert seen == [("plan", 0, 1), ("plan", 1, 1), ("hardware", 0, 1), ("hardware", 1, 1)]
    seen.clear()
    bw.compare(network, progress=lambda *step: seen.append(step))
    assert seen == [("targets", done, 3) for done in range(4)]


def test_what_targets_say():
    wide = Node("p", ops.MaxPool((2, 2), (2, 2)), (INPUT,))
    network = Network(InputSpec(TensorType((64, 64, 4096), IntType(8))), (wide,))
    found = bw.check(network)
    assert found["tlmac"] == ()
    assert found["bitsys"]
    with pytest.raises(bw.ModelError) as refused:
        bw.compile(network, "bitsys")
    assert str(found["bitsys"][0]) in str(refused.value)
    with pytest.raises(bw.OptionError, match="unknown target 'fpga'"):
        bw.check(network, {"fpga": {}})
