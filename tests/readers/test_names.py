"""Layers are called as the nodes of the ONNX model are; nodes without a name by type and order."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import bitwright as bw
from bitwright.api import check
from bitwright.models import read_model

RNG = np.random.default_rng(0)


def model(names):
    """Conv, BatchNormalization, Relu, Conv; the nodes have these names."""
    stored = {"w": RNG.normal(size=(4, 3, 3, 3)), "v": RNG.normal(size=(2, 4, 1, 1))}
    stored |= {"g": RNG.uniform(1, 2, 4), "b": RNG.normal(size=4), "m": RNG.normal(size=4), "s": RNG.uniform(1, 2, 4)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["t1"], names[0]),
        helper.make_node("BatchNormalization", ["t1", "g", "b", "m", "s"], ["t2"], names[1]),
        helper.make_node("Relu", ["t2"], ["t3"], names[2]),
        helper.make_node("Conv", ["t3", "v"], ["y"], names[3]),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 3, 6, 6]), ("y", None))]
    initializers = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in stored.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ("stem", "norm", "act", "head"),
            ["stem", "act", "head"],
        ),
        (("", "", "", ""), ["conv2d_0", "relu_0", "conv2d_1"]),
        (("", "norm", "", "head"), ["conv2d_0", "relu_0", "head"]),
        (("same", "same", "same", "same"), ["same", "same_2", "same_3"]),
        (("t3", "", "x", "input"), ["t3", "x", "input_2"]),
        (("a/b", "", "a", ""), ["a/b", "a", "conv2d_1"]),
    ],
)
def test_nodes_have_the_names_of_the_model(names, expected):
    assert [node.name for node in read_model(model(names)).nodes] == expected


@pytest.mark.parametrize("target", ["tlmac", "bitsys", "rap"])
def test_a_layer_has_one_name_everywhere(target, tmp_path):
    x = RNG.normal(size=(16, 3, 6, 6)).astype(np.float32)
    network = bw.quantize(read_model(model(("stem", "norm", "", "head"))), x)
    assert {"stem", "head"} <= {node.name for node in network.nodes}
    assert check(network)[target] == ()
    design = bw.compile(network, target, cache_dir=tmp_path / "cache")
    rows = [row.name for row in design.estimate.layers]
    assert {"stem", "head"} <= set(rows)
    bw.save_design(design, tmp_path / "build")
    layers = json.loads((tmp_path / "build" / "design.json").read_text())["layers"]
    assert set(rows) <= set(layers)
    assert layers["stem"]["nodes"][0] == "stem"
    modules = {module for layer in layers.values() for module in layer["modules"]}
    assert modules
    sources = " ".join(design.files.values())
    assert all(f"module {module}" in sources for module in modules)
    if target == "tlmac":
        (module,) = layers["head"]["modules"]
        assert "head" in next(text for text in design.files.values() if f"module {module}" in text)
