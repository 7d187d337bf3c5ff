"""Models with several inputs and outputs: read, quantized, and checked with data."""

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

import bitwright as bw
from bitwright.cli import main
from bitwright.errors import DataError, ModelError
from bitwright.models import read, read_model
from bitwright.network import evaluate
from bitwright.quantization.floatrun import FloatRunner, check_data

INPUTS = {"image": (3, 8, 8), "side": (2, 8, 8), "facts": (4,)}
OUTPUTS = ("latent", "boxes", "classes")


@pytest.fixture(scope="module")
def model():
    """Two branches that meet, a latent that is read on, a head of boxes, and one of classes that takes a vector."""
    rng = np.random.default_rng(0)

    def weight(name, *shape):
        values = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        return numpy_helper.from_array(values.astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["c0"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c0"], ["latent"]),
        helper.make_node("Conv", ["side", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["latent", "c1"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["both"]),
        helper.make_node("Conv", ["both", "w2"], ["boxes"]),
        helper.make_node("GlobalAveragePool", ["both"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["vector"]),
        helper.make_node("Concat", ["vector", "facts"], ["all"], axis=1),
        helper.make_node("Gemm", ["all", "w3"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["classes"], axis=1),
    ]
    weights = [weight("w0", 6, 3, 3, 3), weight("w1", 6, 2, 3, 3), weight("w2", 5, 6, 1, 1), weight("w3", 7, 10)]
    given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", *s]) for n, s in INPUTS.items()]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in OUTPUTS]
    graph = helper.make_graph(nodes, "branches", given, ends, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    return {
        name: (k + 1) * rng.normal(size=(24, *shape)).astype(np.float32)
        for k, (name, shape) in enumerate(INPUTS.items())
    }


def test_the_float_graph_computes_what_the_file_does(model, data):
    graph = read_model(model)
    assert [port.name for port in graph.inputs] == list(INPUTS)
    assert [port.name for port in graph.outputs] == list(OUTPUTS)
    expected = ort.InferenceSession(model.SerializeToString()).run(None, data)
    found = FloatRunner(graph).outputs(check_data(graph, data, "data"))
    for name, y in zip(OUTPUTS, expected, strict=True):
        np.testing.assert_allclose(found[name], y, atol=1e-5)


def test_one_of_the_outputs_needs_its_inputs_only(model):
    graph = read_model(model, output="latent")
    assert [(port.name, port.shape) for port in graph.inputs] == [("input", (3, 8, 8))]
    assert [port.name for port in graph.outputs] == ["output"]


def test_quantized_outputs_are_near_and_each_input_has_its_scale(model, data, tmp_path):
    onnx.save(model, tmp_path / "m.onnx")
    network = bw.quantize(tmp_path / "m.onnx", data)
    expected = ort.InferenceSession(model.SerializeToString()).run(None, data)
    found = network.predict(data)
    for name, y in zip(OUTPUTS, expected, strict=True):
        assert 10 * np.log10(np.square(y).sum() / np.square(found[name] - y).sum()) > 35
    scales = [float(spec.scale[0]) for spec in network.inputs]
    assert scales[0] * 1.5 < scales[1]
    q = network.quantize(data)
    np.testing.assert_array_equal(network.evaluator.run(q), network.leaving(evaluate(network, q)))
    with pytest.raises(DataError, match=r"calibration data for input 'side' has shape \(24, 3, 8, 8\)"):
        bw.quantize(tmp_path / "m.onnx", data | {"side": data["image"]})


def test_commands_take_arrays_by_name(model, data, tmp_path, capsys):
    onnx.save(model, tmp_path / "m.onnx")
    np.savez(tmp_path / "d.npz", **data)
    paths = [str(tmp_path / name) for name in ("m.onnx", "d.npz", "m.bw")]
    assert main(["quantize", paths[0], "--data", paths[1], "--evaluate", paths[1], "-o", paths[2], "--json"]) == 0
    report = json.loads(capsys.readouterr().out)["report"]
    assert min(report["output_sqnr_db"].values()) > 35
    assert main(["evaluate", paths[2], "--data", paths[1], "--float", paths[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["float_sqnr_db"] == pytest.approx(report["output_sqnr_db"])
    assert main(["check", paths[2], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["inputs"]["facts"].endswith("[4]")
    np.savez(tmp_path / "less.npz", image=data["image"], side=data["side"])
    for arguments, message in (
        (["evaluate", paths[2], "--data", str(tmp_path / "less.npz")], "has no array 'facts'; it holds image, side"),
        (["evaluate", paths[2], "--data", paths[1], "--input-scale", "2"], "are for models of one input"),
        (["evaluate", paths[2], "--data", f"{paths[1]}:image"], "legal is an .npz file with the arrays image, side"),
        (["finetune", paths[0], "--data", paths[1], "-o", paths[2]], "has 3 inputs (image, side, facts)"),
        (["check", paths[0], "--shape", "1,3,8,8"], "a shape is given for a model of the inputs"),
    ):
        assert main(arguments) == 2
        assert message in capsys.readouterr().err


def test_quantized_files_have_a_quantizer_for_every_input(model, data):
    graph = read_model(model)
    with pytest.raises(ModelError, match="4 of 4 layers have float weights"):
        bw.models.lower(graph)
    quantized = bw.quantize(graph, data)
    assert [spec.name for spec in quantized.inputs] == list(INPUTS)


def test_an_output_of_constants_is_refused(onnx_tools, tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", ["c"], ["z"])]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in "yz"]
    graph = helper.make_graph(nodes, "g", given, ends, [numpy_helper.from_array(np.ones((1, 4), np.float32), "c")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="output 'z' does not depend on the input"):
        read(tmp_path / "m.onnx")
