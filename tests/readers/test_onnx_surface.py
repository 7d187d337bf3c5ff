"""No attribute, input or output of an operator is ignored: each is read, without effect, or refused."""

import numpy as np
import onnx
import pytest
from onnx import helper

from bitwright.errors import ModelError
from bitwright.models import read_model
from bitwright.models.onnx.file import MIN_OPSET
from bitwright.models.onnx.reader import READERS
from bitwright.models.onnx.surface import MANY, RANDOM

rng = np.random.default_rng(0)


def f(*shape):
    return rng.normal(size=shape).astype(np.float32)


def versions(domain, op):
    """The schemas of an operator that a readable opset can mean."""
    found = [s for s in onnx.defs.get_all_schemas_with_history() if (s.domain, s.name) == (domain, op)]
    found.sort(key=lambda s: s.since_version)
    following = [s.since_version for s in found[1:]] + [1 << 30]
    return [s for s, end in zip(found, following, strict=True) if domain or end > MIN_OPSET]


STANDARD = sorted(key for key in READERS if key[0] in ("", "ai.onnx.ml"))


@pytest.mark.parametrize(("domain", "op"), STANDARD)
def test_every_attribute_and_input_of_every_version_is_accounted_for(domain, op):
    surface, schemas = READERS[domain, op], versions(domain, op)
    assert schemas
    known = {*surface.read, *surface.only, *surface.free}
    said = {name for s in schemas for name in s.attributes}
    assert said == known
    assert len(surface.read) + len(surface.only) + len(surface.free) == len(known)
    assert all(s.max_input <= surface.inputs or surface.inputs == MANY for s in schemas)


BATCH_NORM = {"g": f(3), "b": f(3), "m": f(3), "v": np.abs(f(3)), "t": np.array(True), "n": np.array(False)}
TRAINING = {
    "training mode": (("BatchNormalization", "xgbmv", "yuw", {"training_mode": 1}), 17, "is in training mode; export"),
    "running statistics": (("BatchNormalization", "xgbmv", "yuwst", {}), 9, "yields the statistics of training; exp"),
    "per pixel": (("BatchNormalization", "xgbmv", "y", {"spatial": 0}), 7, "statistics for every pixel"),
    "dropout": (("Dropout", ("x", "", "t"), "y", {}), 17, "is in training mode; export the model for inference"),
    "random": (("RandomNormalLike", "x", "y", {}), 17, "computes random numbers; legal are constants"),
    "random constant": (("RandomNormal", (), "y", {"shape": [3]}), 17, "computes random numbers"),
}


@pytest.mark.parametrize("name", TRAINING)
def test_training_and_chance_are_refused(name, onnx_tools):
    (op, inputs, outputs, attributes), opset, message = TRAINING[name]
    outputs = [o if i == 0 else f"extra{o}" for i, o in enumerate(outputs)]
    outputs[0] = "a"
    nodes = [(op, inputs, outputs, dict(attributes)), ("Add", "xa", "y", {})]
    with pytest.raises(ModelError, match=message) as caught:
        read_model(onnx_tools.model(nodes, BATCH_NORM, opset=opset))
    assert "\n" not in str(caught.value)


def test_random_operators_are_all_known():
    kinds = onnx.defs.OpSchema.NodeDeterminism.NonDeterministic
    found = {s.name for s in onnx.defs.get_all_schemas() if s.node_determinism == kinds}
    random = {name for name in found if ("", name) not in READERS} & {"RandomNormal", "RandomUniform", "Bernoulli"}
    assert random <= set(RANDOM)
    assert {name for name in found if name.startswith("Random")} <= set(RANDOM)


def test_dropout_at_inference(onnx_tools):
    """The identity; its mask may have a name as long as nothing reads it."""
    for opset, inputs, outputs in (
        (7, "x", "am"),
        (10, "x", "a"),
        (13, "xr", "am"),
        (17, "xrn", "am"),
        (12, "xrn", "a"),
    ):
        nodes = [("Dropout", inputs, list(outputs), {}), ("Relu", "a", "y", {})]
        onnx_tools.check(onnx_tools.model(nodes, {"r": np.float32(0.5), "n": np.array(False)}, opset=opset))
    nodes = [("Dropout", "x", ["a", "m"], {}), ("Cast", "m", "k", {"to": 1}), ("Mul", "xk", "y", {})]
    with pytest.raises(ModelError, match="yields its mask, 'm', which is read"):
        read_model(onnx_tools.model(nodes, opset=17))


SAID = {
    "kernel": (("Conv", "xw", "y", {"kernel_shape": [3, 3]}), "has kernel_shape [3, 3] and weights of [2, 2]"),
    "auto pad": (("Conv", "xw", "y", {"auto_pad": "SAME"}), "has auto_pad 'SAME'; legal are NOTSET"),
    "aspect": (
        ("Resize", ("x", "", "", "z"), "y", {"keep_aspect_ratio_policy": "not_larger"}),
        "has keep_aspect_ratio_policy not_larger; legal is stretch",
    ),
    "crop": (
        ("Resize", ("x", "r", "s"), "y", {"coordinate_transformation_mode": "tf_crop_and_resize"}),
        "coordinate_transformation_mode 'tf_crop_and_resize'; legal are asymmetric",
    ),
    "biases": (("Gemm", "kwb", "y", {}), "is not valid ONNX"),
    "cast": (("Cast", "x", "y", {"to": 9}), "casts real numbers to integers"),
    "blocks": (("DequantizeLinear", "ijk", "y", {"block_size": 2}), "quantizes in blocks; legal are one scale"),
    "half": (("DequantizeLinear", "it", "y", {"output_dtype": 10}), "has output_dtype 10; legal is 0 or 1"),
    "types": (("QuantizeLinear", "xtu", "y", {"output_dtype": 3}), "has output_dtype int8 and a zero point of uint8"),
    "celu": (("Celu", "x", "y", {"alpha": -1.0}), "has alpha -1; legal are numbers above 0"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_not_computed_is_refused(name, onnx_tools):
    node, message = SAID[name]
    constants = {
        "w": f(4, 3, 2, 2), "z": np.array([1, 3, 12, 10]), "r": f(8), "s": np.float32([1, 1, 2, 2]), "t": np.float32(1),
        "u": np.uint8(0), "i": np.ones((4, 2), np.int8), "j": np.ones((2, 2), np.float32),
        "k": np.zeros((2, 2), np.int8), "b": f(3),
    }  # fmt: skip
    op, inputs, _, attributes = node
    if name == "biases":
        inputs, message = "xwb", "legal is [N, I]"
    nodes = [(op, inputs, "a", dict(attributes))]
    nodes.append(("Add", "xa", "y", {}) if name in ("blocks", "half") else ("Identity", "a", "y", {}))
    with pytest.raises(ModelError) as caught:
        read_model(onnx_tools.model(nodes, constants, opset=23))
    assert message in str(caught.value)


def test_biases_of_a_column_are_refused(onnx_tools):
    """[O, 1] does not broadcast to [1, O], though it has as many numbers."""
    model = onnx_tools.model([("Gemm", "xwb", "y", {})], {"w": f(3, 4), "b": f(4, 1)}, ("N", 3))
    with pytest.raises(ModelError, match=r"has biases of shape \[4, 1\]; legal are \[1\] or \[4\]"):
        read_model(model)


def test_reductions_over_no_axes(onnx_tools):
    """noop_with_empty_axes is the identity; without it all axes are reduced, the batch as well: refused."""
    nodes = [("ReduceMean", ("x",), "a", {"noop_with_empty_axes": 1}), ("Relu", "a", "y", {})]
    onnx_tools.check(onnx_tools.model(nodes, opset=18))
    with pytest.raises(ModelError, match="legal are those of the height, width and channels"):
        read_model(onnx_tools.model([("ReduceMean", ("x",), "y", {})], opset=18))


def test_resize_along_negative_axes(onnx_tools):
    nodes = [("Resize", ("x", "", "s"), "y", {"axes": [-1, -2], "nearest_mode": "floor"})]
    nodes[0][3]["coordinate_transformation_mode"] = "asymmetric"
    onnx_tools.check(onnx_tools.model(nodes, {"s": np.float32([2, 3])}, opset=18))


def test_unknown_attributes_of_quantizers(onnx_tools):
    constants = {"s": np.float32(1), "z": np.float32(0), "b": np.float32(4)}
    model = onnx_tools.model([("Quant", "xszb", "y", {"domain": "onnx.brevitas", "signed": 1})], constants)
    read_model(model)
    model.graph.node[0].attribute.append(helper.make_attribute("stochastic", 1))
    with pytest.raises(ModelError, match="has the attribute 'stochastic'; legal are narrow, rounding_mode, signed"):
        read_model(model)
