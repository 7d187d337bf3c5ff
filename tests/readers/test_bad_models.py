"""What a user can get wrong: each ends in a ModelError that names the place, the rule and what is legal."""

import numpy as np
import onnx
import pytest

from bitwright.errors import ModelError
from bitwright.models import load, lower, read, read_model

rng = np.random.default_rng(0)


def f(*shape):
    return rng.normal(size=shape).astype(np.float32)


W = f(4, 3, 3, 3)


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"'.*none.onnx' does not exist"):
        read(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="is no file"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"just some text\n" * 20, b"\x00" * 100])
def test_files_that_are_no_onnx(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is no ONNX file"):
        read(path)


def test_truncated_file(tmp_path, onnx_tools):
    path = tmp_path / "model.onnx"
    whole = onnx_tools.model([("Conv", "xw", "y", {})], {"w": W}).SerializeToString()
    for part in (0.3, 0.6, 0.99):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(ModelError, match="is no ONNX file, or it is truncated"):
            read(path)


def test_missing_external_data(tmp_path, onnx_tools):
    path = tmp_path / "model.onnx"
    model = onnx_tools.model([("Conv", "xw", "y", {})], {"w": f(64, 3, 5, 5)})
    onnx.save_model(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert read(path).nodes[0].kind == "Conv"
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match="external files that cannot be read"):
        read(path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (("N", 3, "H", 5), r"input 'x' has the dynamic shape \[N, 3, H, 5\]; only the batch"),
        (("N",), "legal are a batch and at least one more axis"),
    ],
)
def test_input_shapes(shape, message, onnx_tools):
    with pytest.raises(ModelError, match=message):
        read_model(onnx_tools.model([("Relu", "x", "y", {})], shape=shape))


def test_all_unsupported_nodes_are_told_at_once(onnx_tools):
    nodes = [
        ("Conv", "xw", "a", {}),
        ("Hardmax", "a", "b", {}),
        ("MaxPool", "b", "c", {"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]}),
        ("Trilu", "c", "d", {}),
        ("Flatten", "d", "y", {}),
    ]
    with pytest.raises(ModelError) as caught:
        read_model(onnx_tools.model(nodes, {"w": W}), source="net.onnx")
    assert str(caught.value).splitlines() == [
        "net.onnx: 3 problems:",
        "  Hardmax 'Hardmax_1': the operator is not supported; docs/readers.md lists those that are",
        "  MaxPool 'MaxPool_2': has pads [2, 0, 0, 0] around a window of [2, 2]; "
        "legal are pads smaller than the window",
        "  Trilu 'Trilu_3': the operator is not supported; docs/readers.md lists those that are",
    ]


REFUSED = {
    "unknown operator": ([("Frobnicate", "x", "y", {})], {}, "Frobnicate_0': the operator is not supported"),
    "unknown domain": (
        [("Fancy", "x", "y", {"domain": "com.example"})],
        {},
        "the operator of domain 'com.example' is not supported",
    ),
    "3-D": ([("Conv", "xw", "y", {})], {"w": f(2, 3, 3)}, "is a 1-D convolution; legal are 2-D"),
    "computed weights": ([("Conv", "xx", "y", {})], {}, "the weights must be a constant"),
    "product": (
        [*(("ReduceMean", "x", name, {"axes": [axis]}) for name, axis in (("a", 2), ("b", 3))), ("Mul", "ab", "y", {})],
        {},
        "stretches both tensors",
    ),
    "product of another order": (
        [("Transpose", "x", "a", {"perm": [0, 3, 2, 1]}), ("Reshape", "as", "b", {}), ("Mul", "bx", "y", {})],
        {"s": np.array([1, 3, 6, 5])},
        "legal are one shape, one pixel or one channel for all",
    ),
    "power": (
        [("Pow", "xe", "y", {})],
        {"e": np.float32([[[3]], [[2]], [[1]]])},
        "raises a computed tensor to a power",
    ),
    "per pixel": ([("Add", "xc", "y", {})], {"c": f(3, 6, 5)}, "differs from pixel to pixel; legal is one number"),
    "wrong broadcast": ([("Add", "xc", "y", {})], {"c": f(4, 1, 1)}, r"constant has shape \[4, 1, 1\]"),
    "cubic resize": (
        [("Resize", ("x", "", "s"), "y", {"mode": "cubic"})],
        {"s": np.float32([1, 1, 2, 2])},
        "mode 'cubic'; legal are nearest and linear",
    ),
    "slice": (
        [("Reshape", "xr", "t", {}), ("Slice", "tabc", "y", {})],
        {"r": np.array([1, 10, 9]), "a": np.array([3]), "b": np.array([7]), "c": np.array([1])},
        "takes a part of a tensor",
    ),
    "reflect": (
        [("Pad", "xp", "y", {"mode": "reflect"})],
        {"p": np.array([0, 0, 6, 1, 0, 0, 1, 1])},
        "pads 6 rows or columns with 6 and 1 by mode 'reflect'",
    ),
    "channel pad": (
        [("Conv", "xw", "a", {}), ("Pad", "ap", "y", {"mode": "reflect"})],
        {"w": W, "p": np.array([0, 1, 0, 0, 0, 0, 0, 0])},
        "along the height and width",
    ),
    "nan": ([("Conv", "xw", "y", {})], {"w": np.full((4, 3, 3, 3), np.nan, np.float32)}, "weights hold NaN"),
    "softmax of rows of all channels": (
        [
            *[("Conv", "xw", "a", {}), ("Transpose", "a", "b", {"perm": [0, 2, 1, 3]})],
            *[("Reshape", "bs", "c", {}), ("Softmax", "c", "y", {"axis": 2})],
        ],
        {"w": W, "s": np.array([0, 0, -1])},
        "works along axis 3; legal are the channels, height or width of an image, and all elements",
    ),
    "malformed": (
        [("Resize", ("x", "", "s"), "y", {"mode": "nearest", "nearest_mode": "bogus"})],
        {"s": np.float32([1, 1, 2, 2])},
        "Resize_0': its attributes and constants do not fit: 'bogus'",
    ),
    "strides": ([("Conv", "xw", "y", {"strides": [1]})], {"w": W}, r"has strides \[1\]; legal are two numbers"),
    "undefined": ([("Add", "xq", "y", {})], {}, "reads 'q', which nothing before it computes"),
    "attribute": ([("Relu", "x", "y", {"speed": 3})], {}, "is not valid ONNX: Unrecognized attribute: speed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_nodes(name, onnx_tools):
    nodes, constants, message = REFUSED[name]
    model = onnx_tools.model([(op, tuple(i), o, dict(a)) for op, i, o, a in nodes], constants)
    with pytest.raises(ModelError, match=message):
        read_model(model)


def test_an_output_that_is_not_there(onnx_tools):
    model = onnx_tools.model([("Relu", "x", "y", {}), ("Neg", "x", "z", {})], outputs=("y", "z"))
    assert [port.name for port in read_model(model).outputs] == ["y", "z"]
    assert [n.kind for n in read_model(model, output="z").nodes] == ["Affine"]
    with pytest.raises(ModelError, match="no output 'q'; legal are 'y', 'z'"):
        read_model(model, output="q")


def test_too_new_opset(onnx_tools):
    with pytest.raises(ModelError, match="has opset 99; legal are 7 to"):
        read_model(onnx_tools.model([("Relu", "x", "y", {})], opset=99))


def test_float_weights_ask_for_quantization(tmp_path, onnx_tools):
    path = tmp_path / "model.onnx"
    onnx.save(onnx_tools.model([("Conv", "xw", "y", {})], {"w": W}), str(path))
    with pytest.raises(ModelError, match=r"1 of 1 layers have float weights \(Conv_0\); quantize the model first"):
        load(path)


def quantized(onnx_tools, *tail, quantize_input=True, **constants):
    """Input quantizer, quantized convolution "c", then `tail`."""
    quant = {"domain": "onnx.brevitas", "signed": 1}
    nodes = [("Quant", "xszb", "q", dict(quant))] if quantize_input else [("Identity", "x", "q", {})]
    nodes += [("Quant", "wszb", "v", dict(quant)), ("Conv", "qv", "c", {}), *tail]
    stored = {"s": np.float32(0.5), "z": np.float32(0), "b": np.float32(4), "w": W, **constants}
    return read_model(onnx_tools.model(nodes, stored))


QUANT_U = ("Quant", "uszb", "e", {"domain": "onnx.brevitas", "signed": 1})


def lowering_error(graph):
    with pytest.raises(ModelError) as caught:
        lower(graph)
    return str(caught.value)


def test_layers_on_unquantized_inputs(onnx_tools):
    graph = quantized(onnx_tools, ("Relu", "c", "y", {}), quantize_input=False)
    assert "reads the model's input before any quantizer; quantize the input" in lowering_error(graph)


def test_layers_behind_a_function_of_many_bits_without_quantizer(onnx_tools):
    tail = (QUANT_U, ("Sigmoid", "c", "d", {}), ("Conv", "de", "y", {}))
    graph = quantized(onnx_tools, *tail, u=f(2, 4, 1, 1), b=np.float32(8))
    error = lowering_error(graph)
    assert "Conv 'Conv_5': reads a function of 14 bits that has no quantizer behind it; legal are functions" in error


def test_accumulators_whose_single_bits_pass_32_bits(onnx_tools):
    wide = {"u": 1e9 * f(2, 4, 1, 1), "b": np.float32(31)}
    error = lowering_error(quantized(onnx_tools, QUANT_U, ("Conv", "ce", "y", {}), **wide))
    assert "Conv 'Conv_2': its sums take 37 bits, those of one bit of its weights more than 32" in error
