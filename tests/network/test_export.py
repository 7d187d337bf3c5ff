"""Networks as QDQ and QONNX files: ONNX Runtime computes what `predict` computes, whatever its optimizations do."""

import numpy as np
import onnx
import onnxruntime
import pytest
from random_networks import random_network, random_ports

import bitwright as bw
from bitwright.cli import main
from bitwright.errors import OptionError
from bitwright.fast.export import FORMATS, QONNX_DOMAIN, exported
from bitwright.network import BIPOLAR, INPUT, InputSpec, IntType, Network, Node, OutputSpec, TensorType, ops


def run(model, network, x):
    """The outputs of the file in ONNX Runtime with its usual optimizations."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == list(network.input_names)
    return session.run(None, {INPUT: x})[0]


def floats(network, count=40, seed=0):
    """Samples that reach all codes and beyond."""
    rng = np.random.default_rng(seed)
    spec = network.input
    wide = float(np.max(spec.scale)) * (spec.high - spec.low + 2)
    middle = float(np.mean(spec.scale)) * (spec.high + spec.low) / 2
    return rng.uniform(middle - wide, middle + wide, (count, *spec.shape)).astype(np.float32)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("seed", range(20))
def test_random_networks_equal_predict(seed, format):
    network = random_network(seed)
    model = exported(network, format)
    onnx.checker.check_model(model, full_check=True)
    x = floats(network)
    np.testing.assert_array_equal(run(model, network, x), network.predict(x))


@pytest.mark.parametrize("format", FORMATS)
def test_a_pad_larger_than_the_pool_behind_it(format):
    """ONNX Runtime merges the two, and then refuses them."""
    network = chain(ops.Pad((2, 2, 1, 1), 0), ops.MaxPool((2, 2), (1, 1)), dtype=IntType(4, True))
    x = floats(network)
    np.testing.assert_array_equal(run(exported(network, format), network, x), network.predict(x))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("seed", range(4))
def test_several_inputs_and_outputs_equal_predict(seed, format):
    network = random_ports(seed, 2, 3)
    rng = np.random.default_rng(seed)
    x = {s.name: rng.uniform(s.low - 2, s.high + 2, (9, *s.shape)).astype(np.float32) for s in network.inputs}
    session = onnxruntime.InferenceSession(exported(network, format).SerializeToString())
    names = [spec.name for spec in network.outputs]
    expected = network.predict(x)
    for name, y in zip(names, session.run(names, x), strict=True):
        np.testing.assert_array_equal(y, expected[name])


def chain(*steps, shape=(6, 6, 3), dtype=None, output=None, **spec):
    """A network of operations in a row."""
    nodes, last = [], INPUT
    for i, op in enumerate(steps):
        nodes.append(Node(f"node {i}", op, (last,)))
        last = f"node {i}"
    source = InputSpec(TensorType(shape, dtype or IntType(8, True)), scale=np.array([0.05]), **spec)
    return Network(source, tuple(nodes), output or OutputSpec(np.array([0.01])))


RNG = np.random.default_rng(1)
W8 = RNG.integers(-127, 128, (4, 3, 3, 3))
WIDE = ops.Conv2d(RNG.integers(-30000, 30000, (4, 3, 3, 3)), IntType(16, True), pads=(1, 1, 1, 1))
NETWORKS = {
    "padded": chain(ops.Conv2d(W8, IntType(8, True), pads=(1, 0, 1, 2), pad_value=-3)),
    "sums beyond float32": chain(WIDE, dtype=IntType(12, True)),
    "depthwise": chain(ops.Conv2d(RNG.integers(-8, 8, (3, 3, 3, 1)), IntType(4, True), groups=3, stride=(2, 1))),
    "bipolar": chain(ops.Conv2d(RNG.choice([-1, 1], (4, 1, 1, 3)), BIPOLAR), dtype=BIPOLAR),
    "unsigned": chain(ops.Flatten(), ops.Dense(RNG.integers(-127, 128, (9, 108)), IntType(8, True)), dtype=IntType(8)),
    "softmax": chain(
        ops.Flatten(),
        ops.Dense(RNG.integers(-7, 8, (9, 108)), IntType(4, True)),
        output=OutputSpec(np.array([0.001]), function="softmax"),
    ),
    "quantized output": chain(
        ops.Flatten(),
        ops.Dense(RNG.integers(-7, 8, (9, 108)), IntType(4, True)),
        output=OutputSpec(np.array([0.001]), function="sigmoid", step=1 / 256),
    ),
    "argmax": chain(ops.Flatten(), ops.Dense(RNG.integers(-7, 8, (9, 108)), IntType(4, True)), ops.ArgMax()),
    "average": chain(
        ops.SumPool((3, 3), (1, 1), (1, 1, 1, 1)),
        ops.Requantize(IntType(8, True), np.array([29127]), shift=np.array([18])),
        output=OutputSpec(np.array([0.05])),
    ),
    "channels first": chain(ops.Conv2d(W8, IntType(8, True)), shape=(6, 6, 3), layout="CHW"),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", NETWORKS)
def test_operations_and_ends_equal_predict(name, format):
    network = NETWORKS[name]
    x = floats(network)
    y, expected = run(exported(network, format), network, x), network.predict(x)
    assert y.dtype == np.float32
    if name == "softmax":  # the exponential of another library
        np.testing.assert_allclose(y, expected, rtol=1e-6)
    else:
        np.testing.assert_array_equal(y, expected)


def test_weights_are_stored_in_their_type_and_nodes_are_called_as_layers():
    model = exported(NETWORKS["padded"])
    kinds = {t.data_type for t in model.graph.initializer if len(t.dims) == 4}
    assert onnx.TensorProto.INT8 in kinds
    assert onnx.TensorProto.FLOAT not in kinds
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= {n.op_type for n in model.graph.node}
    assert "node 0" in {n.name for n in model.graph.node}
    assert [i.name for i in model.graph.output] == ["output"]


def test_qonnx_says_bits_and_sign():
    model = exported(NETWORKS["bipolar"], "qonnx")
    assert "BipolarQuant" in {n.op_type for n in model.graph.node if n.domain == QONNX_DOMAIN}
    bits = {f.name for f in model.functions}
    assert bits == {"Quant", "BipolarQuant"}


def test_another_format_is_told():
    with pytest.raises(OptionError, match="format is 'tflite'; legal are qdq, qonnx"):
        exported(NETWORKS["padded"], "tflite")


@pytest.mark.parametrize("format", FORMATS)
def test_the_command_writes_a_file(format, tmp_path, capsys):
    network = NETWORKS["depthwise"]
    bw.save(network, tmp_path / "net.bw")
    path = tmp_path / "out.onnx"
    assert main(["export", str(tmp_path / "net.bw"), "--format", format, "-o", str(path)]) == 0
    assert str(path) in capsys.readouterr().out
    x = floats(network)
    np.testing.assert_array_equal(run(onnx.load(path), network, x), network.predict(x))
