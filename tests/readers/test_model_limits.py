"""Sizes that a model file states are held against the budget before anything of that size is made."""

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import bitwright as bw
from bitwright.errors import ModelError
from bitwright.limits import Budget
from bitwright.models import read

HUGE = 64 * 10**9


def model(nodes, constants=None, shape=(1, 3, 8, 8), output="y", functions=()):
    stored = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    ends = [helper.make_tensor_value_info("x", 1, shape), helper.make_tensor_value_info(output, 1, None)]
    graph = helper.make_graph(nodes, "m", ends[:1], ends[1:], stored)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions)


def added(op, *inputs, **attributes):
    """x plus what an operator makes of constants."""
    return [helper.make_node(op, list(inputs), ["t"], **attributes), helper.make_node("Add", ["x", "t"], ["y"])]


def one(value=1.0):
    return np.array([value], np.float32)


def doubled(op, times, start, **attributes):
    nodes = [helper.make_node(op, [start, start], ["c0"], **attributes)]
    nodes += [helper.make_node(op, [f"c{i}", f"c{i}"], [f"c{i + 1}"], **attributes) for i in range(times - 1)]
    return nodes


def scalars(*values):
    return {name: np.array(value, np.float32) for name, value in zip("abc", values, strict=True)}


BOMBS = {
    "ConstantOfShape": model(added("ConstantOfShape", "s"), {"s": [4000, 4000, 4000]}),
    "Tile": model(added("Tile", "c", "s"), {"c": one(), "s": [HUGE]}),
    "Expand": model(added("Expand", "c", "s"), {"c": one(), "s": [2**31, 2**31]}),
    "Expand of the input": model([helper.make_node("Expand", ["x", "s"], ["y"])], {"s": [2**20, 2**20, 8, 8]}),
    "Range": model(added("Range", "a", "b", "c"), scalars(0, 1e12, 1)),
    "Range without end": model(added("Range", "a", "b", "c"), scalars(0, np.inf, 1)),
    "Pad of a constant": model(added("Pad", "c", "s"), {"c": one(), "s": [HUGE, HUGE]}),
    "Pad": model([helper.make_node("Pad", ["x", "s"], ["y"])], {"s": [0, 0, HUGE, 1, 0, 0, HUGE, 1]}),
    "Resize": model([helper.make_node("Resize", ["x", "", "s"], ["y"])], {"s": np.array([1, 1, 1e9, 1e9], np.float32)}),
    "Resize to infinity": model(
        [helper.make_node("Resize", ["x", "", "s"], ["y"])], {"s": np.array([1, 1, np.inf, 1], np.float32)}
    ),
    "OneHot": model(added("OneHot", "i", "d", "v"), {"i": [1, 2], "d": HUGE, "v": np.float32([0, 1])}),
    "MatMul": model(added("MatMul", "a", "b"), {"a": np.ones((20_000, 1)), "b": np.ones((1, 20_000))}),
    "Einsum": model(added("Einsum", *"aaaa", equation="i,j,k,l->"), {"a": np.ones(1000, np.float32)}),
    "Concat": model(doubled("Concat", 40, "x", axis=1), output="c39"),
    "padded convolution": model(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[10**9] * 4, strides=[10**9] * 2)],
        {"w": np.ones((1, 3, 1, 1), np.float32)},
    ),
    "operations": model(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[30] * 4)],
        {"w": np.ones((64, 16, 61, 61), np.float32)},
        (1, 16, 500, 500),
    ),
    "input": model([helper.make_node("Relu", ["x"], ["y"])], shape=(1, 3, 10**5, 10**5)),
    "nodes": model(
        [helper.make_node("Relu", [f"r{i}" if i else "x"], [f"r{i + 1}"]) for i in range(30_000)], output="r30000"
    ),
    **{
        f"input of 2^{bits}": model([helper.make_node("Relu", ["x"], ["y"])], shape=(1, *[2**bits - 1] * axes))
        for bits in (31, 32, 40, 63)
        for axes in (1, 3)
    },
}


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_are_refused_at_once(case, tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(BOMBS[case], path)
    start = time.process_time()
    with pytest.raises(ModelError, match=r"the budget allows|legal are|cannot be computed|do not fit"):
        read(path)
    assert time.process_time() - start < 20


def test_functions_that_multiply(tmp_path):
    """Thirty levels of ten calls each are 10^30 nodes."""
    functions = []
    for level in range(31):
        inner = "Relu" if level == 0 else f"f{level - 1}"
        domain = "" if level == 0 else "own"
        names = ["a", *(f"q{i}" for i in range(9)), "b"]
        body = [helper.make_node(inner, [names[i]], [names[i + 1]], domain=domain) for i in range(10)]
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        functions.append(helper.make_function("own", f"f{level}", ["a"], ["b"], body, opsets))
    onnx.save(model([helper.make_node("f30", ["x"], ["y"], domain="own")], functions=functions), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"the model has 1e\+31 nodes; the budget allows 20,000"):
        read(tmp_path / "m.onnx")


def test_a_function_that_calls_itself(tmp_path):
    body = [helper.make_node("f", ["a"], ["b"], domain="own")]
    function = helper.make_function("own", "f", ["a"], ["b"], body, [helper.make_opsetid("own", 1)])
    onnx.save(model([helper.make_node("f", ["x"], ["y"], domain="own")], functions=[function]), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="function 'f' calls itself"):
        read(tmp_path / "m.onnx")


def test_all_constants_together_count(tmp_path):
    """Each of them alone is allowed."""
    nodes, value = [], "x"
    for i in range(40):
        nodes += [
            helper.make_node("ConstantOfShape", ["s"], [f"c{i}"]),
            helper.make_node("Add", [value, "one"], [f"a{i}"]),
        ]
        value = f"a{i}"
    nodes += [helper.make_node("Concat", [f"c{i}" for i in range(40)], ["all"], axis=0)]
    nodes += [
        helper.make_node("ReduceMax", ["all"], ["top"], keepdims=0),
        helper.make_node("Add", [value, "top"], ["y"]),
    ]
    onnx.save(model(nodes, {"s": [10**6], "one": one()}), tmp_path / "m.onnx")
    with bw.limit(bytes=10**8), pytest.raises(ModelError, match="with its result the constants have"):
        read(tmp_path / "m.onnx")


def test_the_budget_can_be_raised(tmp_path):
    onnx.save(model([helper.make_node("Relu", ["x"], ["y"])], shape=(1, 3, 20, 20)), tmp_path / "m.onnx")
    with bw.limit(elements=1199), pytest.raises(ModelError, match=r"input 'x' has 1,200 elements; .*elements=12e2"):
        read(tmp_path / "m.onnx")
    with bw.limit(elements=1199), bw.limit(elements=1200):
        assert read(tmp_path / "m.onnx").input_shape == (3, 20, 20)


def test_seconds_are_limited(tmp_path):
    """Reading is, and folding the nodes that were read: each of these is folded into the one behind it."""
    nodes = [helper.make_node("Neg", [f"r{i}" if i else "x"], [f"r{i + 1}"]) for i in range(10_000)]
    onnx.save(model(nodes, output="r10000"), tmp_path / "m.onnx")
    with bw.limit(seconds=1), pytest.raises(ModelError, match="takes longer than the budget of 1 seconds"):
        read(tmp_path / "m.onnx")


@pytest.mark.parametrize("part", ["op_type", "name", "input", "attribute"])
def test_texts_that_are_not_utf8(part, tmp_path):
    node = helper.make_node("Relu", ["x"], ["y"], name="QQQQ", alpha=1.0)
    text = {"op_type": "Relu", "name": "QQQQ", "input": "x", "attribute": "alpha"}[part].encode()
    content = model([node]).SerializeToString()
    damaged = content.replace(bytes([len(text)]) + text, bytes([len(text)]) + b"\xff" * len(text))
    assert damaged != content
    (tmp_path / "m.onnx").write_bytes(damaged)
    with pytest.raises(ModelError, match=r"is not UTF-8|is no ONNX file"):
        read(tmp_path / "m.onnx")


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "1", True])
def test_illegal_budgets(value):
    with pytest.raises(bw.UserError, match="budget elements is"):
        Budget(elements=value)


def external(location, **entries):
    """A model whose weights lie in another file, 48 bytes of it."""
    m = model([helper.make_node("Conv", ["x", "w"], ["y"])], {"w": np.ones((4, 3, 1, 1), np.float32)})
    (tensor,) = m.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return m


def test_external_data_are_read(tmp_path):
    weights = np.arange(12, dtype=np.float32)
    (tmp_path / "w.bin").write_bytes(b"1234" + weights.tobytes())
    onnx.save(external("w.bin", offset=4, length=48), tmp_path / "m.onnx")
    assert read(tmp_path / "m.onnx").nodes[0].op.weight.ravel().tolist() == weights.tolist()


@pytest.mark.parametrize(
    ("location", "entries", "message"),
    [
        ("none.bin", {}, "No such file"),
        ("../w.bin", {}, "in the model's folder"),
        ("/etc/hostname", {}, "in the model's folder"),
        ("", {}, "in the model's folder"),
        ("link", {}, "in the model's folder"),
        ("loop", {}, "folder|symbolic links"),
        ("pipe", {}, "it is a pipe"),
        ("folder", {}, "Is a directory"),
        ("w.bin", {"offset": 8}, "of its shape within the file"),
        ("w.bin", {"length": 2**62}, "of its shape within the file"),
        ("w.bin", {"offset": -4}, "of its shape within the file"),
        ("w.bin", {"offset": "x"}, "in no legal way"),
    ],
)
def test_external_data_that_are_refused(location, entries, message, tmp_path):
    import os

    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(48))
    (folder / "w.bin").write_bytes(bytes(48))
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/etc/hostname")
    (folder / "loop").symlink_to("loop")
    onnx.save(external(location, **entries), folder / "m.onnx")
    with pytest.raises(ModelError, match=message):
        read(folder / "m.onnx")


@pytest.mark.parametrize("count", [2**31, 2**62])
def test_padding_of_channels_is_held_against_the_budget(tmp_path, count):
    nodes = [helper.make_node("Pad", ["x", "pads"], ["y"])]
    path = tmp_path / "m.onnx"
    onnx.save(model(nodes, {"pads": np.array([0, count, 0, 0, 0, 0, 0, 0])}), path)
    with pytest.raises(ModelError, match="padding of channels has"):
        read(path)


def resized(factor, *nodes):
    """A model whose value has 2 * factor**2 elements; the nodes read "r"."""
    resize = helper.make_node("Resize", ["x", "", "s"], ["r"], mode="nearest")
    return model([resize, *nodes], {"s": np.array([1, 1, factor, factor], np.float32)}, shape=(1, 2, 1, 1))


def test_the_order_of_many_elements_is_held_against_the_budget(tmp_path):
    """A reshape of 32 million elements takes eight bytes each, several times; a plain layer of as many takes none."""
    flat = helper.make_node("Flatten", ["r"], ["y"])
    onnx.save(resized(4096, flat), tmp_path / "m.onnx")
    begun = time.monotonic()
    with pytest.raises(ModelError, match="the order of 33,554,432 elements takes as much room"):
        read(tmp_path / "m.onnx")
    assert time.monotonic() - begun < 5
    onnx.save(resized(4096, helper.make_node("Relu", ["r"], ["y"])), tmp_path / "plain.onnx")
    assert read(tmp_path / "plain.onnx").nodes


def test_values_behind_a_problem_are_only_guessed_where_they_are_small(tmp_path):
    unknown = helper.make_node("Hardmax", ["r"], ["u"])
    onnx.save(resized(4096, unknown, helper.make_node("Flatten", ["u"], ["y"])), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="Hardmax") as refused:
        read(tmp_path / "m.onnx")
    assert "the order of" not in str(refused.value)


def test_two_inputs_of_one_name(tmp_path):
    twice = model([helper.make_node("Relu", ["x"], ["y"])])
    twice.graph.input.append(helper.make_tensor_value_info("x", 1, (1, 3, 9, 8)))
    onnx.save(twice, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="several inputs of the name 'x'"):
        read(tmp_path / "m.onnx")
