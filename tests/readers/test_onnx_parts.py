"""Products, parts of tensors and series: the float graph computes what ONNX Runtime computes on the original model."""

import numpy as np
import pytest

rng = np.random.default_rng(7)


def f(*shape):
    return rng.normal(size=shape).astype(np.float32)


def i64(*values):
    return np.array(values, np.int64)


W = f(4, 3, 3, 2)
IMAGE = {
    "quick gelu": (
        [("Mul", "xa", "b", {}), ("Sigmoid", "b", "s", {}), ("Mul", "xs", "y", {})],
        {"a": np.float32(1.702)},
    ),
    "gelu": (
        [
            ("Div", "xr", "a", {}),
            ("Erf", "a", "e", {}),
            ("Add", "eo", "b", {}),
            ("Mul", "xb", "m", {}),
            ("Mul", "mh", "y", {}),
        ],
        {"r": np.float32(np.sqrt(2)), "o": np.float32(1), "h": np.float32(0.5)},
    ),
    "mish": ([("Softplus", "x", "a", {}), ("Tanh", "a", "t", {}), ("Mul", "tx", "y", {})], {}),
    "softsign written out": (
        [("Abs", "x", "a", {}), ("Add", "ao", "b", {}), ("Div", "xb", "y", {})],
        {"o": np.float32(1)},
    ),
    "softsign erf": ([("Softsign", "x", "a", {}), ("Erf", "a", "y", {})], {}),
    "square": ([("Pow", "xe", "a", {}), ("Mul", "ax", "y", {})], {"e": np.float32(2)}),
    "spatial gate": (
        [("Conv", "xw", "a", {}), ("Sigmoid", "a", "s", {}), ("Mul", "sx", "y", {})],
        {"w": f(1, 3, 1, 1)},
    ),
    "channel gate": (
        [
            ("GlobalAveragePool", "x", "g", {}),
            ("Conv", "gw", "a", {}),
            ("HardSigmoid", "a", "s", {}),
            ("Mul", "xs", "y", {}),
        ],
        {"w": f(3, 3, 1, 1)},
    ),
    "gate of a vector": (
        [
            ("ReduceMean", "x", "g", {"axes": [2, 3], "keepdims": 0}),
            ("MatMul", "gw", "a", {}),
            ("Tanh", "a", "s", {}),
            ("Reshape", "sr", "v", {}),
            ("Mul", "vx", "y", {}),
        ],
        {"w": f(3, 3), "r": i64(-1, 3, 1, 1)},
    ),
    "gate of one number": (
        [("Conv", "xw", "a", {}), ("GlobalMaxPool", "a", "g", {}), ("Mul", "gx", "y", {})],
        {"w": f(1, 3, 1, 1)},
    ),
    "two convolutions": (
        [("Conv", "xw", "a", {}), ("Conv", "xv", "b", {}), ("Mul", "ab", "y", {})],
        {"w": W, "v": f(4, 3, 3, 2)},
    ),
    "split": (
        [
            ("Conv", "xw", "c", {}),
            ("Split", "cs", ("a", "b"), {"axis": 1}),
            ("Relu", "a", "d", {}),
            ("Concat", "bdc", "y", {"axis": 1}),
        ],
        {"w": W, "s": i64(1, 3)},
    ),
    "split in two": (
        [("Conv", "xw", "c", {}), ("Split", "c", ("a", "b"), {"axis": 1}), ("Mul", "ab", "y", {})],
        {"w": W},
    ),
    "shuffle": (
        [
            ("Conv", "xw", "a", {}),
            ("Reshape", "as", "b", {}),
            ("Transpose", "b", "c", {"perm": [0, 2, 1, 3, 4]}),
            ("Reshape", "ct", "d", {}),
            ("Conv", "dv", "y", {"group": 6}),
        ],
        {"w": f(6, 3, 1, 1), "s": i64(-1, 2, 3, 6, 5), "t": i64(-1, 6, 6, 5), "v": f(6, 3, 2, 2)[:, :1]},
    ),
    "shuffle and halves": (
        [
            ("Conv", "xw", "a", {}),
            ("Reshape", "as", "b", {}),
            ("Transpose", "b", "c", {"perm": [0, 2, 1, 3, 4]}),
            ("Reshape", "ct", "d", {}),
            ("Slice", "dghi", "e", {}),
            ("Slice", "dhki", "f", {}),
            ("Sub", "ef", "y", {}),
        ],
        {
            "w": f(4, 3, 1, 1),
            "s": i64(-1, 2, 2, 6, 5),
            "t": i64(-1, 4, 6, 5),
            "g": i64(0),
            "h": i64(2),
            "k": i64(9),
            "i": i64(1),
        },
    ),
    "focus": (
        [("Slice", "xzeis", "a", {}), ("Slice", "xoeis", "b", {}), ("Concat", "ab", "y", {"axis": 1})],
        {"z": i64(0, 0), "o": i64(1, 1), "e": i64(6, 4), "i": i64(2, 3), "s": i64(2, 2)},
    ),
    "crop": ([("Slice", "xbea", "y", {})], {"b": i64(1, 2), "e": i64(-2, -1), "a": i64(2, 3)}),
    "gather": ([("Gather", "xi", "y", {"axis": 1})], {"i": i64(2, 0)}),
    "part of a vector": (
        [("Flatten", "x", "a", {}), ("Slice", "amsed", "b", {}), ("Gemm", "bw", "y", {})],
        {"m": i64(4), "s": i64(80), "e": i64(1), "d": i64(3), "w": f(26, 2)},
    ),
}


def reshaped(name, *steps):
    """A path of Reshapes and Transposes from x to y, or from what `name` says to it."""
    nodes, constants, at = [], {}, name
    for k, step in enumerate(steps):
        op, out = ("Reshape", "Transpose")[isinstance(step, list)], "y" if k == len(steps) - 1 else f"t{k}"
        if op == "Reshape":
            constants[f"r{k}"] = i64(*step)
        nodes.append((op, (at, f"r{k}")[: 1 + (op == "Reshape")], out, {} if op == "Reshape" else {"perm": step}))
        at = out
    return nodes, constants


def pads(mode, *numbers):
    return [("Pad", "xp", "y", {"mode": mode})], {"p": i64(0, 0, *numbers[:2], 0, 0, *numbers[2:])}


def resized(mode, factors, coordinates="half_pixel", **more):
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates, **more}
    return [("Resize", ("x", "", "s"), "y", attributes)], {"s": np.float32([1, 1, *factors])}


def transposed(weight, bias=True, **attributes):
    return [("ConvTranspose", "xwb" if bias else "xw", "y", attributes)], {"w": weight} | ({"b": f(4)} if bias else {})


IMAGE |= {
    "edge": pads("edge", 2, 1, 3, 2),
    "reflect": pads("reflect", 2, 1, 1, 3),
    "cut and padded": pads("constant", -1, 2, 0, -2),
    "linear twice": resized("linear", (2, 2)),
    "linear, other factors": resized("linear", (3, 4), "pytorch_half_pixel"),
    "linear, one axis": resized("linear", (1, 2), "asymmetric"),
    "linear to the corners": resized("linear", (2, 3), "align_corners"),
    "linear, half as many again": resized("linear", (1.5, 1.2)),
    "linear, fewer": resized("linear", (0.5, 0.6), "pytorch_half_pixel"),
    "nearest, half as many again": resized("nearest", (1.5, 1.6), "asymmetric", nearest_mode="floor"),
    "nearest, fewer": resized("nearest", (0.5, 0.4), nearest_mode="round_prefer_floor"),
    "nearest of other pixels": resized("nearest", (2, 2), "align_corners", nearest_mode="round_prefer_ceil"),
    "from one pixel": (
        [("GlobalAveragePool", "x", "g", {}), ("Resize", ("g", "", "s"), "y", {"mode": "linear"})],
        {"s": np.float32([1, 1, 4, 5])},
    ),
    "transposed, blocks": transposed(f(3, 4, 2, 2), strides=[2, 2]),
    "transposed, overlapping": transposed(f(3, 4, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1]),
    "transposed, more rows": transposed(f(3, 4, 3, 2), strides=[2, 3], pads=[1, 0, 1, 1], output_padding=[1, 2]),
    "transposed, groups and dilation": transposed(f(3, 2, 3, 3), False, group=3, dilations=[2, 1]),
    "transposed, cut": transposed(f(3, 4, 1, 2), strides=[3, 2], pads=[0, 1, 0, 1]),
    "transposed, same": transposed(f(3, 4, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    "transposed, a shape": transposed(f(3, 4, 3, 3), strides=[2, 2], output_shape=[12, 10]),
    "stacked": (
        [("Conv", "xw", "a", {}), ("Concat", "xax", "y", {"axis": 2})],
        {"w": f(3, 3, 1, 1)},
    ),
    "sum of a stack": (
        [
            ("Conv", "xw", "a", {}),
            ("Unsqueeze", "xz", "b", {}),
            ("Unsqueeze", "az", "c", {}),
            ("Concat", "bcb", "d", {"axis": 0}),
            ("ReduceSum", "dz", "y", {"keepdims": 0}),
        ],
        {"w": f(3, 3, 1, 1), "z": i64(0)},
    ),
    "beside": ([("Relu", "x", "a", {}), ("Concat", "ax", "y", {"axis": -1})], {}),
    "tiles": ([("Tile", "xr", "y", {})], {"r": i64(1, 2, 3, 1)}),
    "turned around": (
        [("Slice", "xabcd", "y", {})],
        {"a": i64(-1, -1), "b": i64(-99, -99), "c": i64(2, 1), "d": i64(-2, -1)},
    ),
    "space to depth": ([("Conv", "xw", "a", {}), ("SpaceToDepth", "a", "y", {"blocksize": 2})], {"w": f(2, 3, 1, 2)}),
    "depth to space": ([("Conv", "xw", "a", {}), ("DepthToSpace", "a", "y", {"blocksize": 2})], {"w": f(8, 3, 1, 1)}),
    "pixel shuffle": (
        [("Conv", "xw", "a", {}), ("DepthToSpace", "a", "y", {"blocksize": 2, "mode": "CRD"})],
        {"w": f(8, 3, 1, 1)},
    ),
    "channels reduced": (
        [
            ("ReduceMax", "x", "a", {"axes": [1]}),
            ("ReduceMean", "x", "b", {"axes": [1]}),
            ("Concat", "ab", "c", {"axis": 1}),
            ("Conv", "cw", "d", {}),
            ("ReduceSum", "dk", "y", {"keepdims": 0}),
        ],
        {"w": f(3, 2, 3, 3), "k": i64(1, 3)},
    ),
    "attention along channels": (
        [
            ("GlobalAveragePool", "x", "g", {}),
            ("Reshape", "gr", "v", {}),
            ("Conv", "vk", "c", {"pads": [1, 1]}),
            ("Sigmoid", "c", "s", {}),
            ("Reshape", "st", "u", {}),
            ("Expand", "ue", "w", {}),
            ("Mul", "xw", "y", {}),
        ],
        {"r": i64(-1, 1, 3), "k": f(1, 1, 3), "t": i64(-1, 3, 1, 1), "e": i64(1, 3, 6, 5)},
    ),
    "selected of two": (
        [
            ("Conv", "xw", "a", {}),
            ("Reshape", "ar", "p", {}),
            ("ReduceSum", "pi", "q", {"keepdims": 0}),
            ("ReduceMean", "q", "m", {"axes": [2, 3]}),
            ("Conv", "mv", "z", {}),
            ("Reshape", "zt", "l", {}),
            ("Softmax", "l", "s", {"axis": 1}),
            ("Mul", "ps", "o", {}),
            ("ReduceSum", "oi", "y", {"keepdims": 0}),
        ],
        {"w": f(6, 3, 1, 1), "r": i64(-1, 2, 3, 6, 5), "i": i64(1), "v": f(6, 3, 1, 1), "t": i64(-1, 2, 3, 1, 1)},
    ),
    "image from a vector": (
        [
            ("Flatten", "x", "a", {}),
            ("Gemm", "aw", "b", {}),
            ("Reshape", "br", "c", {}),
            ("ConvTranspose", "cv", "y", {"strides": [2, 2]}),
        ],
        {"w": f(90, 24), "r": i64(-1, 4, 2, 3), "v": f(4, 2, 2, 2)},
    ),
}
_nodes, _constants = reshaped("a", (-1, 3, 3, 2, 2, 2), [0, 1, 3, 5, 2, 4], (-1, 12, 3, 2))
IMAGE["pixel unshuffle"] = ([("Pad", "xp", "a", {}), *_nodes], {"p": i64(0, 0, 0, 0, 0, 0, 0, -1), **_constants})
SERIES = {
    "conv": ([("Conv", "xwb", "y", {"pads": [2, 1], "strides": [2], "dilations": [2]})], {"w": f(4, 3, 3), "b": f(4)}),
    "depthwise same": ([("Conv", "xw", "y", {"group": 3, "auto_pad": "SAME_UPPER"})], {"w": f(3, 1, 4)}),
    "batch norm residual": (
        [
            ("Conv", "xw", "a", {"pads": [1, 1]}),
            ("BatchNormalization", "agbmv", "c", {}),
            ("Relu", "c", "r", {}),
            ("Add", "rx", "y", {}),
        ],
        {"w": f(3, 3, 3), "g": f(3), "b": f(3), "m": f(3), "v": np.abs(f(3))},
    ),
    "pools": (
        [
            ("MaxPool", "x", "a", {"kernel_shape": [3], "strides": [2]}),
            ("AveragePool", "a", "b", {"kernel_shape": [2]}),
            ("GlobalAveragePool", "b", "c", {}),
            ("Flatten", "c", "d", {}),
            ("Gemm", "dw", "y", {}),
        ],
        {"w": f(3, 4)},
    ),
    "causal": (
        [
            ("Pad", "xp", "a", {}),
            ("Conv", "aw", "b", {}),
            ("Sigmoid", "b", "g", {}),
            ("Mul", "bg", "m", {}),
            ("Concat", "mx", "c", {"axis": 1}),
            ("ReduceMean", "c", "y", {"axes": [2], "keepdims": 0}),
        ],
        {"p": i64(0, 0, 2, 0, 0, 0), "w": f(2, 3, 3)},
    ),
    "channels last": (
        [
            ("Pad", "xp", "a", {}),
            ("Mul", "as", "b", {}),
            ("Concat", "ab", "c", {"axis": 1}),
            ("Concat", "cc", "d", {"axis": -1}),
            ("Transpose", "d", "e", {"perm": [0, 2, 1]}),
            ("Conv", "ew", "y", {}),
        ],
        {"p": i64(0, 2, 0, 0, 1, 0), "s": f(9), "w": f(2, 18, 3)},
    ),
    "scales": (
        [("Mul", "xs", "a", {}), ("PRelu", "at", "b", {}), ("Resize", ("b", "", "r"), "y", {"mode": "nearest"})],
        {"s": f(3, 1), "t": f(1, 3, 1), "r": np.float32([1, 1, 2])},
    ),
    "halves": (
        [
            ("Conv", "xw", "c", {}),
            ("Split", "c", ("a", "b"), {"axis": 1}),
            ("Tanh", "a", "t", {}),
            ("Sigmoid", "b", "s", {}),
            ("Mul", "ts", "m", {}),
            ("Slice", "mghi", "y", {}),
        ],
        {"w": f(4, 3, 1), "g": i64(2), "h": i64(9), "i": i64(2)},
    ),
    "transposed": ([("ConvTranspose", "xw", "y", {"strides": [2], "pads": [1, 0]})], {"w": f(3, 2, 4)}),
    "reflected": ([("Pad", "xp", "y", {"mode": "reflect"})], {"p": i64(0, 0, 2, 0, 0, 3)}),
    "one after the other": ([("Conv", "xw", "a", {}), ("Concat", "xa", "y", {"axis": 2})], {"w": f(3, 3, 1)}),
    "linear": ([("Resize", ("x", "", "s"), "y", {"mode": "linear"})], {"s": np.float32([1, 1, 2])}),
    "flattened": (
        [("Conv", "xw", "a", {}), ("Flatten", "a", "b", {}), ("Gemm", "bv", "y", {})],
        {"w": f(2, 3, 2), "v": f(16, 3)},
    ),
}


@pytest.mark.parametrize("name", SERIES)
def test_operators_on_series(name, onnx_tools):
    nodes, constants = SERIES[name]
    onnx_tools.check(onnx_tools.model(nodes, constants, ("N", 3, 9)))


@pytest.mark.parametrize("name", IMAGE)
def test_operators_on_images(name, onnx_tools):
    nodes, constants = IMAGE[name]
    onnx_tools.check(onnx_tools.model(nodes, constants))
