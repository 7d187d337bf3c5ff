"""Models that a tool has quantized in part: data complete them, and the grids that are there stay."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnxruntime.quantization import CalibrationDataReader, quantize_static

from bitwright.cli import main
from bitwright.errors import ModelError
from bitwright.models import lower, to_onnx
from bitwright.models.graph import FloatGraph, FloatNode, Quantizer, ops
from bitwright.network import IntType, storage
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.ptq import is_open, quantize, quantize_model


@pytest.fixture(scope="module")
def whole(graph, data):
    """The graph with grids and integer weights everywhere."""
    return quantize_model(graph, data).graph


def opened(whole, *without):
    """The quantized graph without the integer weights of some layers, and without the quantizers named."""
    gone = {n.name: n.inputs[0] for n in whole.of(ops.Quant) if n.name in without}
    nodes = []
    for node in whole.nodes:
        if node.name in gone:
            continue
        node = replace(node, inputs=tuple(gone.get(name, name) for name in node.inputs))
        nodes.append(node.having(quantized=None) if node.name in without else node)
    return whole.with_nodes(nodes)


def decibel(wanted, found):
    return 10 * np.log10(np.mean(wanted**2) / np.mean((wanted - found) ** 2))


CASES = {
    "the input has no quantizer": ("input_q",),
    "a layer has float weights": ("depthwise", "clip1_q"),
    "two layers and what is between": ("expand", "depthwise", "clip1_q", "clip2_q"),
    "the input and the first layer": ("input_q", "stem", "relu_q"),
    "float weights alone": ("head",),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_open_is_completed_and_the_rest_stays(case, graph, data, whole):
    part = opened(whole, *CASES[case])
    assert is_open(part)
    made = quantize_model(part, data)
    kept = {n.name: n for n in part.of(ops.Quant)}
    assert kept
    for name, node in kept.items():
        assert made.graph.node(name).op.quantizer.same_as(node.op.quantizer)
    for node in part.layers:
        if node.op.quantized is not None:
            assert np.array_equal(made.graph.node(node.name).op.quantized.values, node.op.quantized.values)
    wanted, best = FloatRunner(graph).outputs(data), FloatRunner(whole).outputs(data)
    assert decibel(wanted, made.network.predict(data)) > decibel(wanted, best) - 1.5
    assert [r.name for r in made.report.layers] == [n.name for n in part.layers if n.op.quantized is None]


def test_functions_that_no_integer_stands_for_get_a_grid(data, whole):
    """A Sigmoid on a sum, between two quantized layers, which nothing quantizes."""
    part = opened(whole, "relu_q")
    nodes = [n if n.name != "relu" else replace(n, op=ops.Sigmoid()) for n in part.nodes]
    bent = part.with_nodes(nodes)
    with pytest.raises(ModelError, match="that has no quantizer behind it"):
        lower(bent)
    made = quantize_model(bent, data)
    assert decibel(FloatRunner(bent).outputs(data), made.network.predict(data)) > 30


def test_without_data_the_line_says_what_to_do(whole):
    with pytest.raises(ModelError, match=r"`bitwright quantize` completes a model with --data"):
        lower(opened(whole, "input_q"))


def test_an_input_that_is_also_read_raw_has_its_quantizers_grid():
    grid = Quantizer(IntType(8, True), np.array([0.25]))
    nodes = [
        FloatNode("q", ops.Quant(grid), ("input",)),
        FloatNode("sum", ops.Add(), ("q", "input")),
        FloatNode("y", ops.Quant(Quantizer(IntType(8, True), np.array([1.0]))), ("sum",)),
    ]
    graph = FloatGraph.build(nodes, input_shape=(4,), input_layout="C")
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32) * 8
    made = quantize_model(graph, x)
    assert made.network.input.scale == 0.25
    codes = np.clip(np.rint(x / 0.25), -128, 127) * 0.25
    assert np.array_equal(made.network.predict(x), np.clip(np.rint(2 * codes), -128, 127))


def test_a_whole_one_is_told(data, whole):
    assert not is_open(whole)
    with pytest.raises(ModelError, match="is quantized already"):
        quantize(whole, data)


class Reader(CalibrationDataReader):
    def __init__(self, x):
        self.samples = iter(x)

    def get_next(self):
        sample = next(self.samples, None)
        return None if sample is None else {"input": sample[None]}


@pytest.mark.parametrize("left", [["stem"], ["depthwise", "project"], ["head"]])
def test_a_file_of_onnx_runtime_with_layers_left_out(left, graph, data, tmp_path, capsys):
    """From the file to the integer network by the command."""
    float_file, file, samples = (tmp_path / name for name in ("float.onnx", "part.onnx", "x.npy"))
    onnx.save(to_onnx(graph), float_file)
    nodes = {n.output[0]: n.name for n in onnx.load(float_file).graph.node if n.op_type in ("Conv", "Gemm")}
    layers = dict(zip((n.name for n in graph.layers), nodes.values(), strict=True))
    quantize_static(float_file, file, Reader(data), nodes_to_exclude=[layers[name] for name in left])
    np.save(samples, data)
    code = main(["quantize", str(file), "-o", str(tmp_path / "x.bw"), "--data", str(samples)])
    assert code == 0, capsys.readouterr().err
    assert "size: " in capsys.readouterr().out
    wanted = FloatRunner(graph).outputs(data)
    found = storage.load(tmp_path / "x.bw").predict(data)
    runtime = ort.InferenceSession(file).run(None, {"input": data})[0]
    assert decibel(wanted, found) > decibel(wanted, runtime) - 1.5
