"""Every advice is good: what a rule calls legal is accepted. A new rule without its entry here fails the test."""

import ast
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

import bitwright.models
from bitwright.models import lower, read_model

rng = np.random.default_rng(0)
SOURCES = sorted(Path(bitwright.models.__file__).parent.rglob("*.py"))
ADVISING = ("legal", "insert", "export", "instead", "hint", "reshape", "fix ", "EVAL", "quantize the ")
RAISED = ("ModelError", "OrderError", "Refused", "kind")


def f(*shape):
    return rng.normal(size=shape).astype(np.float32)


def rules():
    """(file, text) of every message of the readers that says what to do."""
    found = []
    for path in SOURCES:
        source = path.read_text()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RAISED and node.args:
                parts = ast.walk(node.args[0])
                text = " ".join(p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str))
                names = {p.id for p in ast.walk(node.args[0]) if isinstance(p, ast.Name)}
                if any(word in text for word in ADVISING) or names & {"hint", "EVAL"}:
                    found.append((path.name, text))
    return found


W, V, IMAGE = f(4, 3, 3, 3), f(4, 3, 1, 1), ("N", 3, 6, 6)
CONV = ([("Conv", "xw", "y", {})], {"w": W}, IMAGE)
SUM = ([("Add", "xx", "a", {}), ("Add", "ax", "y", {})], {}, IMAGE)
GATE = ([("Sigmoid", "x", "s", {}), ("Mul", "xs", "y", {})], {}, IMAGE)
EXCITE = ([("GlobalAveragePool", "x", "g", {}), ("Mul", "gx", "y", {})], {}, IMAGE)
SQUARE = ([("Pow", "xe", "y", {})], {"e": np.float32(2)}, IMAGE)
CHANNEL = ([("Mul", "xc", "y", {})], {"c": f(3, 1, 1)}, IMAGE)
FOLDED = (
    [("Expand", "cs", "d", {}), ("Mul", "xd", "y", {})],
    {"c": f(1), "s": np.array([3, 1, 1])},
    IMAGE,
)
CLIP = ([("Clip", "xlh", "y", {})], {"l": np.float32(-1), "h": np.float32(1)}, IMAGE)
MIN = ([("Min", "xh", "y", {})], {"h": np.float32(1)}, IMAGE)
SIGMOID = ([("HardSigmoid", "x", "y", {"alpha": 0.0, "beta": 0.0})], {}, IMAGE)
CELU = ([("Celu", "x", "y", {"alpha": 0.1})], {}, IMAGE)
POW = (
    [("Pow", "ce", "d", {}), ("Mul", "xd", "m", {}), ("Pow", "mo", "y", {})],
    {"c": np.float32(2), "e": np.float32(3), "o": np.float32(1)},
    IMAGE,
)
GEMM = ([("Flatten", "x", "a", {}), ("Gemm", "awb", "y", {})], {"w": f(108, 4), "b": f(4)}, IMAGE)
GEMM_ONE = ([("Flatten", "x", "a", {}), ("Gemm", "awb", "y", {})], {"w": f(108, 4), "b": f(1)}, IMAGE)
POINT = ([("Transpose", "x", "t", {"perm": [0, 2, 3, 1]}), ("MatMul", "tw", "y", {})], {"w": f(3, 4)}, IMAGE)
SERIES = (
    [("Unsqueeze", "xa", "i", {}), ("Conv", "iw", "y", {})],
    {"a": np.array([2]), "w": f(4, 3, 1, 3)},
    ("N", 3, 9),
)
AUTO = [
    ([("Conv", "xw", "y", {"auto_pad": how})], {"w": W}, IMAGE)
    for how in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
]
POOL = [
    ([("MaxPool", "x", "y", {"kernel_shape": [2, 2], "dilations": [1, 1]})], {}, IMAGE),
    ([("AveragePool", "x", "y", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1})], {}, IMAGE),
    ([("AveragePool", "x", "y", {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1})], {}, IMAGE),
]
NUMBERED = ([("Concat", "xk", "y", {"axis": 1})], {"k": np.ones((1, 2, 6, 6), np.float32)}, IMAGE)
REDUCE = [([("ReduceMean", "x", "y", {"axes": axes})], {}, IMAGE) for axes in ([2, 3], [1], [1, 3])]
SOFTMAX = ([("Softmax", "x", "y", {"axis": 1})], {}, IMAGE)
ARGMAX = ([("ArgMax", "x", "y", {"axis": 1, "select_last_index": 0})], {}, IMAGE)
CONCAT = [
    ([("Concat", "xx", "y", {"axis": 1})], {}, IMAGE),
    ([("Concat", "xx", "y", {"axis": 3})], {}, IMAGE),
    ([("Flatten", "x", "a", {}), ("Concat", "aa", "y", {"axis": 1})], {}, IMAGE),
]
PAD = ([("Pad", "xp", "y", {"mode": "constant"})], {"p": np.array([0, 0, 1, 2, 0, 0, 0, 1])}, IMAGE)
PADS = [
    ([("Pad", "xp", "y", {"mode": mode})], {"p": np.array([0, 0, 1, 2, 0, 0, 0, 1])}, IMAGE)
    for mode in ("constant", "edge", "reflect", "wrap")
]
LINEAR = [
    (
        [("Resize", ("x", "", "s"), "y", {"mode": "linear", "coordinate_transformation_mode": mode})],
        {"s": np.float32([1, 1, 2, 3])},
        IMAGE,
    )
    for mode in ("half_pixel", "asymmetric")
]
TRANSPOSED = (
    [("ConvTranspose", "xt", "y", {"strides": [2, 2], "output_padding": [1, 0]})],
    {"t": f(3, 2, 3, 3)},
    IMAGE,
)
SERIES_TRANSPOSED = ([("ConvTranspose", "xt", "y", {"strides": [2]})], {"t": f(3, 2, 3)}, ("N", 3, 9))
BLOCKS = [
    *([("DepthToSpace", "x", "y", {"blocksize": 2, "mode": mode})] for mode in ("DCR", "CRD")),
    [("SpaceToDepth", "x", "y", {"blocksize": 3})],
]
BLOCKS = [(nodes, {}, ("N", 4, 6, 6)) for nodes in BLOCKS]
QUOTIENT = ([("Div", "xc", "y", {})], {"c": np.float32(3)}, IMAGE)
SOFTSIGN = ([("Abs", "x", "a", {}), ("Add", "ao", "b", {}), ("Div", "xb", "y", {})], {"o": np.float32(1)}, IMAGE)
PATHS = (
    [("Conv", "xw", "c", {}), ("Reshape", "cr", "v", {}), ("ReduceSum", "va", "y", {"keepdims": 0})],
    {"w": f(4, 3, 3, 3), "r": np.array([-1, 2, 2, 4, 4]), "a": np.array([1])},
    IMAGE,
)
RESIZE = [
    ([("Resize", ("x", "", "s"), "y", {"mode": "nearest", **more})], {"s": np.float32([1, 1, 2, 3])}, IMAGE)
    for more in (
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        *({"coordinate_transformation_mode": m} for m in ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel")),
        {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"},
    )
]
EXPAND = ([("GlobalAveragePool", "x", "g", {}), ("Expand", "gs", "y", {})], {"s": np.array([1, 3, 6, 6])}, IMAGE)
CAST = [([("Relu", "x", "a", {}), ("Cast", "a", "y", {"to": kind})], {}, IMAGE) for kind in (1, 10, 11, 16)]
CAST_WHOLE = [([("ArgMax", "x", "a", {"axis": 1}), ("Cast", "a", "y", {"to": kind})], {}, IMAGE) for kind in (1, 6, 7)]
PICKED = (
    [("Slice", "xabcd", "t", {}), ("Relu", "t", "y", {})],
    {"a": np.array([1, 0]), "b": np.array([3, 6]), "c": np.array([1, 2]), "d": np.array([1, 2])},
    IMAGE,
)
MOVE = ([("Slice", "xab", "t", {}), ("Relu", "t", "y", {})], {"a": np.array([0]), "b": np.array([1 << 30])}, IMAGE)
TURNED = [([("Transpose", "x", "a", {"perm": [0, 2, 3, 1]}), ("Relu", "a", "y", {})], {}, IMAGE), CHANNEL]
NORM = ([("BatchNormalization", "xgbgv", "y", {"training_mode": 0})], {"g": f(3), "b": f(3), "v": np.abs(f(3))}, IMAGE)
DROP = ([("Dropout", ("x", "", "t"), "a", {}), ("Relu", "a", "y", {})], {"t": np.array(False)}, IMAGE)

S = {"s": np.float32(0.1), "z": np.uint8(4), "t": np.int8(0), "w": rng.integers(-5, 6, (3, 3, 1, 1)).astype(np.int8)}
XQ = [("QuantizeLinear", "xsz", "q", {}), ("DequantizeLinear", "qsz", "d", {}), ("DequantizeLinear", "wst", "v", {})]


def qdq(*nodes, **constants):
    return [*XQ, *nodes], {**S, **constants}, IMAGE


def brevitas(bits=4, **attributes):
    more = {"domain": "onnx.brevitas", "signed": 1, **attributes}
    nodes = [("Quant", "xszb", "q", more), ("Quant", "wtzc", "v", {"domain": "onnx.brevitas"}), ("Conv", "qv", "y", {})]
    stored = {"s": np.float32(0.1), "z": np.float32(0), "b": np.float32(bits), "c": np.float32(4), "t": np.float32(1)}
    return nodes, {**stored, "w": S["w"].astype(np.float32)}, IMAGE


QDQ = qdq(("Conv", "dv", "y", {}))
TYPES = [qdq(("Conv", "dv", "y", {}), z=np.array(0, k)) for k in (np.uint8, np.int8, np.uint16, np.int16)]
AVERAGED = qdq(("AveragePool", "d", "y", {"kernel_shape": [3, 3], "pads": [1] * 4}))
PADDED = qdq(("Conv", "dv", "y", {"pads": [1] * 4}))
MEAN = qdq(("ReduceMean", "d", "y", {"axes": [1]}))
MAXIMUM = qdq(("ReduceMax", "d", "y", {"axes": [1]}))
SNAPPED = qdq(
    ("Conv", "dv", "c", {}),
    ("Sigmoid", "c", "g", {}),
    ("QuantizeLinear", "gsz", "h", {}),
    ("DequantizeLinear", "hsz", "k", {}),
    ("Conv", "kv", "y", {}),
)
PRODUCT = qdq(
    ("Sigmoid", "d", "g", {}),
    ("Mul", "dg", "p", {}),
    ("QuantizeLinear", "psz", "h", {}),
    ("DequantizeLinear", "hsz", "k", {}),
    ("Conv", "kv", "y", {}),
)
ENDING = [
    qdq(("Conv", "dv", "c", {}), ("Softmax", "c", "y", {"axis": 1})),
    qdq(
        ("Conv", "dv", "c", {}),
        ("Softmax", "c", "p", {"axis": 1}),
        ("QuantizeLinear", "psz", "h", {}),
        ("DequantizeLinear", "hsz", "y", {}),
    ),
]
CODES = qdq(
    ("Clip", "qlh", "c", {}),
    ("DequantizeLinear", "csz", "e", {}),
    ("Conv", "ev", "y", {}),
    l=np.uint8(3),
    h=np.uint8(4),
)
ZEROS = [
    qdq(("Conv", "dv", "y", {"group": 3}), z=np.uint8(z), w=S["w"][:, :1], s=np.float32([0.1, 0.1, 0.1]))
    for z in ([2, 4, 0], [3, 5, 1])
]
for _nodes, _, _ in ZEROS:
    _nodes[2] = ("DequantizeLinear", "wot", "v", {})
for _, _stored, _ in ZEROS:
    _stored["o"] = np.float32(1)
LOADED = ([("DequantizeLinear", "wst", "v", {}), ("Conv", "xv", "y", {})], S, IMAGE)

# A part of the rule's text: models that do what it says. "load": with the integer type that `hint` names.
ADVICE = {
    "reshaped or transposed in a way that is none": [CONV, SERIES],
    "none of its axes is the channel axis": TURNED,
    "reshape 1-D data [N, C, T] to [N, C, 1, T]": [SERIES],
    "legal is one scale for the channels of a group": [QDQ],
    "legal are whole zero points": [PADDED],
    "a function that is not rising and affine": "load",
    "the input's channels are clipped at different codes": "load",
    "the flattened input is scaled element by element": "load",
    "give bitwright.load its integer type": "load",
    "legal are half_even, floor and ceil there": [brevitas(rounding_mode=r) for r in ("ROUND", "FLOOR", "CEIL")],
    "second, different quantizer of the model's input": [QDQ],
    "quantizes a softmax; legal is one scale": ENDING,
    "legal is one shape that holds the other": [CHANNEL, GATE],
    "legal are one shape, one pixel or one channel for all": [GATE, EXCITE],
    "legal are constants, and the exponents 1 and 2": [POW, SQUARE],
    "legal are alphas other than 0": [GATE],
    "legal is one number each": [CLIP],
    "legal are bounds that leave two or more": [CODES],
    "compares with several numbers": [MIN],
    "legal are numbers of at least 0": [SIGMOID],
    "legal are numbers above 0": [CELU],
    "legal is one number per channel": [CHANNEL],
    "legal are dense initializers": [CONV],
    "has no inputs; legal are one or more": [CONV],
    "a shape is given for a model of the inputs": "test_sizes_that_are_given",
    "has no quantizer; legal is one for each": [QDQ],
    "legal are a batch and at least one more axis": [([("MatMul", "xw", "y", {})], {"w": f(3, 2)}, ("N", 3))],
    "only the batch, the first axis, may be dynamic": "test_sizes_that_are_given",
    "legal are other sizes for its dynamic axes": "test_sizes_that_are_given",
    "the model has no output": [CONV],
    "has opset": "opsets",
    "legal is one scale, or one per output channel": [QDQ],
    "legal are two numbers of at least 1": [([("Conv", "xw", "y", {"strides": [1, 2]})], {"w": W}, IMAGE)],
    "1 x K kernels for 1-D data": [SERIES],
    "legal is one size for both": [([("Conv", "xw", "y", {"kernel_shape": [3, 3]})], {"w": W}, IMAGE)],
    "legal are NOTSET, VALID, SAME_UPPER and SAME_LOWER": AUTO,
    "legal are [N, I] by [I, O], and images": [([("MatMul", "xw", "y", {})], {"w": f(3, 2)}, ("N", 3)), POINT],
    "legal is [N, I]": [GEMM],
    "legal is a constant second factor": [POINT],
    "legal is the maxima alone": POOL[:1],
    "legal is the channel axis, ": [SOFTMAX, ARGMAX],
    "legal are the channels, height or width of an image": [SOFTMAX],
    "legal is the first": [ARGMAX],
    "legal are pads smaller than the window": POOL[2:],
    "legal are four numbers of at least 0": [([("Conv", "xw", "y", {"pads": [1, 0, 2, 0]})], {"w": W}, IMAGE)],
    "legal are [1] or [": [GEMM, GEMM_ONE],
    "windows without a pixel of the image": [AVERAGED],
    "legal is one finite number per channel": [NUMBERED],
    "legal are all even or all odd": ZEROS,
    "legal is one whole number from 1 to": [brevitas(1), brevitas(16)],
    "has rounding mode": [brevitas(rounding_mode="ROUND"), brevitas(rounding_mode="HALF_EVEN")],
    "legal are one, or one for each of": [QDQ, ZEROS[0]],
    "legal is one type for both": [QDQ],
    "quantizes to ": TYPES,
    "legal are one, or one for every entry of axis": [qdq(("Conv", "dv", "y", {}))],
    "has an element type that is not supported": "types",
    "legal orders are CHW and HWC": [TURNED[0], CONV],
    "legal is along height and width of an image": [EXPAND],
    "casts integers to ": CAST_WHOLE,
    "legal are two numbers for every axis": [PAD],
    "legal are constant, edge, reflect and wrap": PADS,
    "legal are pads along the height and width of an image": PADS,
    "legal are nearest and linear": [*RESIZE, *LINEAR],
    "legal are finite numbers above 0": RESIZE,
    "legal is along height and width": RESIZE,
    "legal are 1-D and 2-D ones": [TRANSPOSED, SERIES_TRANSPOSED],
    "legal are two numbers below the strides or dilations": [TRANSPOSED],
    "legal are DCR and CRD": BLOCKS[:2],
    "legal are sizes that it divides": BLOCKS[2:],
    "legal are constants, and x / (1 + |x|)": [QUOTIENT, SOFTSIGN],
    "joins along the batch; legal are the other axes": CONCAT,
    "legal are the channels, height and width of images, or vectors": CONCAT,
    "legal are those of the height, width and channels of an image": REDUCE,
    "legal are height, width and channels of an image": REDUCE,
    "legal are channels, and height and width of an image": [PICKED, PATHS],
    "legal is one scale for those that are joined": [MEAN],
    "legal is one scale above 0 for all": [MAXIMUM],
    "has coordinate_transformation_mode": RESIZE,
    "legal are casts to floating point": CAST,
    "legal are constants: draw them before exporting": [CHANNEL],
    "inputs; legal are at most": [CLIP],
    "yields the statistics of training": [NORM],
    "which is read;": [DROP],
    "is in training mode;": [NORM, DROP],
    "has the attribute": [CONV],
    "has ; legal is ": [NORM, RESIZE[0]],
    "legal are quantizers of at most 12 bits": [QDQ],
    "legal are at most bits:": [PRODUCT],
    "several functions that are not monotone": [PRODUCT],
    "more than 12 bits; legal are at most 12": [PRODUCT],
    "legal are affine and clip": [QDQ],
    "takes a part of a tensor or repeats it": [MOVE, PICKED],
    "insert a quantizer before the function or behind it": [SNAPPED],
    "without a quantizer behind it; insert one": [SNAPPED],
    "layers have float weights": [QDQ],
    "legal are two: compare them one by one": [MIN],
    "quantizes a function": [PRODUCT],
    "clips codes": [CODES],
    "casts real numbers": CAST,
    "legal are sizes of at least 0": [CHANNEL],
    "legal are operators without one": [FOLDED],
    "legal are dense tensors": [FOLDED],
    "is computed from constants of elements": [FOLDED],
    "they give no legal shape": [FOLDED],
    "legal are files in the model's folder": "test_external_data_are_read",
    "legal are the bytes of its shape within the file": "test_external_data_are_read",
    "states its external data in no legal way": "test_external_data_are_read",
}


def test_every_rule_has_its_entry():
    """Each message that advises is found in the table by a part of its text, and each entry belongs to a message."""
    texts = [(file, " ".join(text.split())) for file, text in rules()]
    parts = [" ".join(key.split()) for key in ADVICE]
    assert not [(file, text) for file, text in texts if not any(part in text for part in parts)]
    assert not [part for part in parts if not any(part in text for _, text in texts)]
    assert len(texts) > 60


@pytest.mark.parametrize("rule", [rule for rule, models in ADVICE.items() if isinstance(models, list)])
def test_what_a_rule_advises_is_accepted(rule, onnx_tools):
    for nodes, constants, shape in ADVICE[rule]:
        names = {n for _, inputs, _, _ in nodes for n in inputs}
        stored = {k: v for k, v in constants.items() if k in names}
        opset = 21 if any(getattr(v, "dtype", None) in (np.uint16, np.int16) for v in stored.values()) else 17
        model = onnx_tools.model([(o, tuple(i), r, dict(a)) for o, i, r, a in nodes], stored, shape, opset)
        graph = read_model(model)
        if any(node.kind == "Quant" for node in graph.nodes):
            lower(graph)


def test_inputs_of_an_integer_type(onnx_tools):
    """`input_type`, `input_scale`, as the lowering advises, and the element types that the reader names."""
    nodes, constants, shape = LOADED
    network = lower(read_model(onnx_tools.model(nodes, constants, shape)), input_type="uint8", input_scale=1 / 255)
    assert str(network.input.type.dtype) == "uint8"
    for kind in (TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16):
        model = onnx_tools.model([("Cast", "x", "f", {"to": 1}), ("Relu", "f", "y", {})], {}, shape, element=kind)
        assert read_model(model).nodes[0].kind == "Quant"


@pytest.mark.parametrize("opset", [7, 28])
def test_opsets(opset, onnx_tools):
    assert read_model(onnx_tools.model(*CONV, opset)).nodes[0].kind == "Conv"
