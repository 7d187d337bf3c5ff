"""What is refused is told whole and short: every node, grouped, and nothing that only follows from another refusal."""

import numpy as np
import pytest

from bitwright import cli
from bitwright.errors import ModelError
from bitwright.models import load, read_model

rng = np.random.default_rng(0)


def f(*shape):
    return rng.normal(size=shape).astype(np.float32)


def refusal(model, **more):
    with pytest.raises(ModelError) as caught:
        read_model(model, **more)
    return str(caught.value)


def cubic(onnx_tools, count, between="Relu"):
    """Resizes that are refused, one after the other, with a node between them."""
    nodes, at = [], "x"
    for i in range(count):
        nodes += [("Resize", (at, "", "s"), f"s{i}", {"mode": "cubic"}), (between, (f"s{i}",), f"r{i}", {})]
        at = f"r{i}"
    nodes.append(("Flatten", (at,), "y", {}))
    return onnx_tools.model(nodes, {"s": np.float32([1, 1, 2, 1])}, ("N", 3, 2, 5))


@pytest.mark.parametrize("between", ["Relu", "Hardmax"])
def test_every_node_is_counted(between, onnx_tools):
    """12 of 12 Resizes, although each stands behind another one."""
    text = refusal(cubic(onnx_tools, 12, between), source="net.onnx")
    assert "12 x Resize ('Resize_0', 'Resize_2', 'Resize_4', ...): resizes with mode 'cubic'; legal are" in text
    assert ("12 x Hardmax ('Hardmax_1', 'Hardmax_3', 'Hardmax_5', ...)" in text) == (between == "Hardmax")
    assert len(text) < 400


def test_shapes_in_the_rule_do_not_part_a_group(onnx_tools):
    nodes = [("MatMul", ("x", f"w{i}"), f"m{i}", {}) for i in range(4)] + [("Sum", ("m0", "m1", "m2", "m3"), "y", {})]
    constants = {f"w{i}": f(7, 5, 5 + (i > 1)) for i in range(4)}
    text = refusal(onnx_tools.model(nodes, constants, ("N", 7, 5)))
    assert "4 x MatMul ('MatMul_0', 'MatMul_1', 'MatMul_2', ...): multiplies [1, 7, 5] by [7, 5, 5]; legal are" in text


def test_many_operators_share_one_line(onnx_tools):
    operators = ["Hardmax", "Drub", "Grub", "Trilu", "Scrub", "Drub"]
    names = ["x", *(f"v{i}" for i in range(5)), "y"]
    nodes = [(op, (names[i],), names[i + 1], {}) for i, op in enumerate(operators)]
    text = refusal(onnx_tools.model(nodes))
    assert text == (
        "model: Hardmax 'Hardmax_0', 2 x Drub ('Drub_1', 'Drub_5'), Grub 'Grub_2', Trilu 'Trilu_3', Scrub 'Scrub_4': "
        "the operator is not supported; docs/readers.md lists those that are"
    )


def test_names_are_escaped(onnx_tools):
    model = onnx_tools.model([("Hardmax", "x", "y", {})])
    model.graph.node[0].name = "a\nb\x1b[31m"
    assert r"Hardmax 'a\nb\x1b[31m': the operator" in refusal(model)


UNSUPPORTED = ["Hardmax", "LRN", "InstanceNormalization", "Frobnicate"]
TAILS = {
    "conv": [("Conv", "aw", "y", {})],
    "norm": [("BatchNormalization", "agbmv", "c", {}), ("Conv", "cw", "y", {})],
    "pool": [("MaxPool", "a", "c", {"kernel_shape": [2, 2]}), ("GlobalAveragePool", "c", "y", {})],
    "mean": [("ReduceMean", "a", "c", {"axes": [2, 3]}), ("Flatten", "c", "d", {}), ("Gemm", "dk", "y", {})],
    "back": [("Transpose", "a", "c", {"perm": [0, 2, 3, 1]}), ("MatMul", "ck", "y", {})],
    "soft": [("Transpose", "a", "c", {"perm": [0, 2, 3, 1]}), ("Softmax", "c", "y", {"axis": 3})],
    "rows": [
        ("Reshape", "at", "c", {}),
        ("Transpose", "c", "d", {"perm": [0, 2, 1]}),
        ("Reshape", "di", "e", {}),
        ("Conv", "ew", "y", {}),
    ],
    "add": [("Relu", "h", "c", {}), ("Add", "ac", "d", {}), ("Concat", "dc", "e", {"axis": 1}), ("Relu", "e", "y", {})],
    "bias": [("Add", "au", "c", {}), ("PRelu", "cu", "d", {}), ("Resize", ("d", "", "z"), "y", {})],
}


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("op", UNSUPPORTED)
def test_nothing_follows_from_an_unsupported_node(op, tail, layout, onnx_tools):
    """One node is unsupported, so one node is named, whatever reads it and however the input lies."""
    constants = {
        "w": f(4, 4, 1, 1), "v": np.abs(f(4)), "g": f(4), "b": f(4), "m": f(4), "k": f(4, 4), "u": f(4, 1, 1),
        "t": np.array([1, 4, 48]), "i": np.array([1, 4, 8, 6]), "z": np.float32([1, 1, 2, 2]),
    }  # fmt: skip
    start = [("Transpose", "x", "p", {"perm": [0, 3, 1, 2]})] if layout == "NHWC" else [("Relu", "x", "p", {})]
    inputs = "hgb" if op == "InstanceNormalization" else "h"
    broken = (op, inputs, "a", {"size": 3} if op == "LRN" else {})
    nodes = [*start, ("Conv", "pw", "h", {}), broken, *TAILS[tail]]
    shape = ("N", 8, 6, 4) if layout == "NHWC" else ("N", 4, 8, 6)
    text = refusal(onnx_tools.model([(o, i, r, dict(a)) for o, i, r, a in nodes], constants, shape))
    assert text.startswith(f"model: {op} '{op}_2': the operator is not supported"), text
    assert "\n" not in text
    fine = [*start, ("Conv", "pw", "h", {}), ("Sigmoid", "h", "a", {}), *TAILS[tail]]
    if tail not in ("rows",):  # [1, C, H*W] turned to [1, H*W, C] and called an image is none
        read_model(onnx_tools.model([(o, i, r, dict(a)) for o, i, r, a in fine], constants, shape))


def test_what_is_wrong_behind_an_unsupported_node_is_told_too(onnx_tools):
    nodes = [
        ("Hardmax", "x", "a", {}),
        ("MaxPool", "a", "b", {"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]}),
        ("Split", "b", ("c", "d"), {"axis": 1, "num_outputs": 2}),
        ("Resize", ("c", "", "s"), "y", {"mode": "cubic"}),
    ]
    text = refusal(onnx_tools.model(nodes, {"s": np.float32([1, 1, 2, 2])}, ("N", 4, 6, 5), opset=18))
    assert [line.split("'")[0].strip() for line in text.splitlines()[1:]] == ["Hardmax", "MaxPool", "Resize"]


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "advice"),
    [
        ("LayerNormalization", "xs", {"axis": 1}, "legal is BatchNormalization"),
        ("InstanceNormalization", "xss", {}, "legal is BatchNormalization"),
        ("TopK", "xk", {"axis": 1}, "legal are outputs before it"),
        ("LSTM", "xww", {"hidden_size": 2}, "is recurrent; legal are convolutions over time"),
    ],
)
def test_operators_that_stay_out_name_what_works(op, inputs, attributes, advice, onnx_tools):
    constants = {"s": f(3), "k": np.array([1]), "w": f(1, 8, 5)}
    outputs = ("y", "i") if op == "TopK" else "y"
    stored = {k: v for k, v in constants.items() if k in inputs}
    text = refusal(onnx_tools.model([(op, inputs, outputs, attributes)], stored, ("N", 3, 5)))
    assert text.startswith(f"model: {op} '{op}_0': ")
    assert advice in text
    assert len(text.splitlines()) == 1


def two_outputs(onnx_tools, tmp_path, quantized=False):
    s = {"s": np.float32(0.1), "z": np.uint8(0), "t": np.int8(0), "w": np.ones((2, 3), np.int8)}
    if not quantized:
        nodes = [("MatMul", "xw", "y", {}), ("Relu", "y", "z", {})]
        model = onnx_tools.model(nodes, {"w": f(3, 2)}, ("N", 3), outputs=("y", "z"))
    else:
        nodes = [
            ("QuantizeLinear", ("x", "s", "z"), "q", {}),
            ("DequantizeLinear", ("q", "s", "z"), "d", {}),
            ("DequantizeLinear", ("w", "s", "t"), "v", {}),
            ("Gemm", "dv", "a", {"transB": 1}),
            ("Neg", "a", "b", {}),
        ]
        model = onnx_tools.model(nodes, s, ("N", 3), outputs=("a", "b"))
    path = tmp_path / "two.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_an_output_is_chosen(onnx_tools, tmp_path, capsys):
    """Every command that reads ONNX has the option."""
    path = two_outputs(onnx_tools, tmp_path, quantized=True)
    net, build = str(tmp_path / "net.bw"), str(tmp_path / "build")
    np.savez(tmp_path / "x.npz", x=f(8, 3), labels=np.zeros(8, int))
    data = str(tmp_path / "x.npz")
    commands = {
        "check": [],
        "quantize": ["-o", net],
        "evaluate": ["--data", data],
        "compile": ["-o", build],
        "compare": [],
    }
    for name, more in commands.items():
        assert cli.main([name, str(path), *more, "--output-name", "b"]) == 0, name
        capsys.readouterr()
    assert load(path, output="a").output.scale[0] > 0
    assert cli.main(["check", net, "--output-name", "b"]) == 2
    assert "--output-name is for ONNX models" in capsys.readouterr().err
    assert cli.main(["check", str(path), "--output-name", "c"]) == 2
    assert "has no output 'c'; legal are 'a', 'b'" in capsys.readouterr().err


def test_an_output_of_a_float_model(onnx_tools, tmp_path, capsys):
    import bitwright as bw

    path = two_outputs(onnx_tools, tmp_path)
    x = f(8, 3)
    np.savez(tmp_path / "x.npz", x=x)
    bw.quantize(path, x, output="z")
    net, data = str(tmp_path / "net.bw"), str(tmp_path / "x.npz")
    assert cli.main(["quantize", str(path), "--data", data, "-o", net, "--output-name", "y"]) == 0
    assert cli.main(["evaluate", net, "--data", data, "--float", str(path), "--output-name", "y"]) == 0
    assert cli.main(["search", str(path), "--data", data, "--weight-bits", "4", "--output-name", "y"]) == 0
    capsys.readouterr()


def test_the_command_line_says_it_in_one_line(onnx_tools, tmp_path, capsys):
    path = tmp_path / "net.onnx"
    path.write_bytes(cubic(onnx_tools, 12, "Hardmax").SerializeToString())
    assert cli.main(["check", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("bitwright: error: net.onnx: 24 problems: 12 x Resize ('Resize_0', 'Resize_2',")
    assert "; 12 x Hardmax ('Hardmax_1'," in lines[0]
    assert len(lines[0]) < 400


def test_an_expand_of_rows_and_columns_is_read(onnx_tools):
    """What repeats an image's only row or column is a nearest resize; everything else that repeats is refused."""
    nodes = [
        ("GlobalAveragePool", "x", "g", {}),
        ("Expand", "gs", "e", {}),
        ("Relu", "x", "r", {}),
        ("Add", "er", "y", {}),
    ]
    graph = onnx_tools.check(onnx_tools.model(nodes, {"s": np.array([1, 3, 6, 5])}))
    assert "Resize" in [n.kind for n in graph.nodes]
    nodes = [("ReduceMean", "x", "g", {"axes": [3]}), ("Expand", "gs", "y", {})]
    onnx_tools.check(onnx_tools.model(nodes, {"s": np.array([1, 1, 1, 5])}))
    nodes = [("Conv", "xw", "c", {}), ("Expand", "cs", "y", {})]
    model = onnx_tools.model(nodes, {"w": f(1, 3, 1, 1), "s": np.array([1, 3, 6, 5])})
    assert "legal is along height and width of an image" in refusal(model)


def test_a_graph_input_that_no_shape_inference_knows(onnx_tools):
    """Behind an operator of unknown shape nodes are judged by what needs no shape."""
    nodes = [
        ("Fancy", "x", "a", {"domain": "com.example"}),
        ("Flatten", "a", "b", {}),
        ("Hardmax", "b", "y", {}),
    ]
    model = onnx_tools.model(nodes)
    del model.graph.value_info[:]
    text = refusal(model)
    assert [line.split("'")[0].strip() for line in text.splitlines()[1:]] == ["Fancy", "Hardmax"]


def test_the_order_that_reads_furthest_is_told(onnx_tools):
    """Two real problems behind a convolution, not the one false line of the other order of the input."""
    for first in (("Conv", "xw", "a", {}), ("Pad", "xp", "a", {})):
        nodes = [first, *(("ReduceMean", "a", r, {"axes": [0]}) for r in "bc"), ("Add", "bc", "y", {})]
        constants = {"w": f(4, 3, 1, 1), "p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
        text = refusal(onnx_tools.model(nodes, {k: v for k, v in constants.items() if k in first[1]}))
        assert text == (
            "model: 2 x ReduceMean ('ReduceMean_1', 'ReduceMean_2'): reduces axes [0]; "
            "legal are those of the height, width and channels of an image"
        )


def test_shape_arithmetic_with_a_clip(onnx_tools):
    """A Clip of 64-bit integers is shape arithmetic, not one of codes."""
    nodes = [("Shape", "x", "s", {}), ("Clip", "sl", "c", {}), ("Reshape", "xc", "r", {}), ("Relu", "r", "y", {})]
    onnx_tools.check(onnx_tools.model(nodes, {"l": np.int64(1)}, (1, 3, 6, 5)))


def test_sizes_that_are_given(onnx_tools, tmp_path, capsys):
    """Dynamic height and width: refused, and read with a shape, in the library and by every command."""
    nodes = [("Conv", "xw", "a", {}), ("GlobalAveragePool", "a", "g", {}), ("Flatten", "g", "y", {})]
    model = onnx_tools.model(nodes, {"w": f(4, 3, 3, 3)}, ("N", 3, "H", "W"))
    assert "has the dynamic shape [N, 3, H, W]; only the batch, the first axis, may be dynamic" in refusal(model)
    assert "not [1, 3, 8]; legal are other sizes for its dynamic axes" in refusal(model, shape=(1, 3, 8))
    assert "not [1, 4, 8, 8]; legal are other sizes" in refusal(model, shape=(1, 4, 8, 8))
    graph = read_model(model, shape=(1, 3, 8, 9))
    assert graph.input_shape == (3, 8, 9)
    path, data, bw = (tmp_path / n for n in ("net.onnx", "x.npz", "net.bw"))
    path.write_bytes(model.SerializeToString())
    np.savez(data, x=f(8, 3, 8, 9))
    assert cli.main(["check", str(path), "--shape", "1,3,8,9"]) == 0
    assert cli.main(["check", str(path), "--shape", "1,3,8,-9"]) == 2
    assert "legal are whole numbers with commas between" in capsys.readouterr().err
    sizes = ["--shape", "1,3,8,9"]
    assert cli.main(["quantize", str(path), "--data", str(data), "-o", str(bw), *sizes]) == 0
    assert cli.main(["evaluate", str(bw), "--data", str(data), "--float", str(path), *sizes]) == 0
    assert cli.main(["check", str(bw), *sizes]) == 2
    assert "--shape is for ONNX models" in capsys.readouterr().err
