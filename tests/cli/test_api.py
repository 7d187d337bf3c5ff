"""The package's own names."""

import subprocess
import sys
import tracemalloc

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
        assert callable(getattr(bw, name))
        assert getattr(bw, name).__doc__


def test_functions_stay_functions_when_their_modules_are_imported():
    code = (
        "import bitwright as bw, bitwright.simulation, bitwright.quantization.ptq, bitwright.reporting\n"
        "import bitwright.synthesis\n"
        "assert all(callable(getattr(bw, n)) for n in bw.__all__)\n"
        "from bitwright.simulation import SimulationResult\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_loads_nothing_heavy():
    code = "import bitwright, sys; print([m for m in ('numpy', 'onnx', 'onnxruntime', 'numba') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        bw.optimise  # noqa: B018


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
