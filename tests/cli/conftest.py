"""The command line with a target that needs no tools, and files to give it."""

import json

import fake_target
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import bitwright as bw
from bitwright import cli, targets
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in this process: (exit code, standard output, standard error)."""
    monkeypatch.setattr(targets, "names", lambda: ["fake"])
    monkeypatch.setattr(targets, "get", lambda name: fake_target.TARGET)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def fails(run):
    """Run a command that must fail in one clear line with exit code 2 and say nothing else; returns the line."""

    def fails(*arguments: object) -> str:
        code, out, err = run(*arguments)
        assert (code, out) == (2, ""), err
        assert err.count("\n") == 1
        assert err.startswith("bitwright: error: ")
        return err.removeprefix("bitwright: error: ").rstrip("\n")

    return fails


@pytest.fixture
def result(run):
    """Run a command with --json that must succeed; returns its object."""

    def result(*arguments: object) -> dict:
        code, out, err = run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    return result


def tiny_network() -> Network:
    """An image network: 2 bits in, Conv2d, Threshold, Flatten, Dense, 3 classes out."""
    rng = np.random.default_rng(0)
    nodes = [
        Node("conv", ops.Conv2d(rng.integers(-2, 2, (4, 3, 3, 2)), IntType(2, True), pads=(1, 1, 1, 1)), ("input",)),
        Node("act", ops.Threshold([[-3, 2, 6]], IntType(2)), ("conv",)),
        Node("flat", ops.Flatten(), ("act",)),
        Node("fc", ops.Dense(rng.integers(-2, 2, (3, 64)), IntType(2, True)), ("flat",)),
    ]
    spec = InputSpec(TensorType((4, 4, 2), IntType(2)), scale=[0.5], shape=(2, 4, 4), layout="CHW")
    return Network(spec, nodes, name="tiny")


@pytest.fixture
def network() -> Network:
    return tiny_network()


@pytest.fixture
def refused(network, tmp_path):
    """File of a network with a Lookup, which the fake target refuses."""
    lookup = ops.Lookup(network.types["act"].dtype, [[3, 2, 1, 0]], network.types["act"].dtype)
    nodes = [*network.nodes[:2], Node("table", lookup, ("act",)), Node("flat", ops.Flatten(), ("table",))]
    path = tmp_path / "refused.bw"
    bw.save(Network(network.input, [*nodes, network.nodes[3]]), path)
    return path


@pytest.fixture
def model(network, tmp_path):
    path = tmp_path / "tiny.bw"
    bw.save(network, path)
    return path


@pytest.fixture
def images(network) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 1.6, (20, 2, 4, 4)).astype(np.float32)


@pytest.fixture
def data(network, images, tmp_path):
    """Test data whose labels the network gets right but for two."""
    labels = network.predict(images).argmax(axis=1)
    labels[:2] = (labels[:2] + 1) % 3
    path = tmp_path / "data.npz"
    np.savez(path, x=images, labels=labels)
    return path


def onnx_model(nodes, shape, output_shape, constants=None) -> onnx.ModelProto:
    """A one-input, one-output ONNX model; the input is x, the output y."""
    stored = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output_shape)],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def float_onnx(tmp_path):
    """A float convolution network: Conv, Relu, Flatten, Gemm."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("Flatten", ["b"], ["c"], name="flat"),
        helper.make_node("Gemm", ["c", "v"], ["y"], name="fc", transB=1),
    ]
    constants = {
        "w": rng.normal(size=(4, 2, 3, 3)).astype(np.float32),
        "v": rng.normal(size=(3, 64)).astype(np.float32),
    }
    path = tmp_path / "float.onnx"
    onnx.save(onnx_model(nodes, ["N", 2, 4, 4], ["N", 3], constants), path)
    return path


@pytest.fixture
def one_node_onnx(tmp_path):
    """Write a model of one node of the given operator: `one_node_onnx(name, operator, shape, **attributes)`."""

    def write(name: str, operator: str, shape: list[int | str], **attributes: object):
        path = tmp_path / name
        node = helper.make_node(operator, ["x"], ["y"], name="odd", **attributes)
        onnx.save(onnx_model([node], shape, shape), path)
        return path

    return write
