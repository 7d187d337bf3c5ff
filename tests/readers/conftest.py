"""An exact reference for float graphs: plain rational arithmetic on object arrays, sharing nothing with the readers."""

from fractions import Fraction
from math import floor

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy.special import erf

from bitwright.models import read_model, to_onnx
from bitwright.network.ops import windows

HALF = Fraction(1, 2)


def exact(values):
    """Floats as rationals, object array."""
    values = np.asarray(values, np.float64)
    out = np.empty(values.shape, object)
    for i, v in np.ndenumerate(values):
        out[i] = Fraction(float(v))
    return out


def rounded(v, mode):
    """A rational rounded to an integer, straight from what the mode's name says."""
    sign, size = (1, v) if v >= 0 else (-1, -v)
    tie = (v - floor(v)) == HALF
    nearest = floor(v + HALF)
    if mode in ("half_even", "half_odd"):
        low = floor(v)
        even, odd = (low, low + 1) if low % 2 == 0 else (low + 1, low)
        return (even if mode == "half_even" else odd) if tie else nearest
    return {
        "floor": lambda: floor(v),
        "ceil": lambda: -floor(-v),
        "half_up": lambda: nearest,
        "half_away": lambda: sign * floor(size + HALF),
        "half_zero": lambda: sign * -floor(-(size - HALF)),
        "away": lambda: sign * -floor(-size),
        "zero": lambda: sign * floor(size),
    }[mode]()


def code(v, q, c):
    """The code of a rational in channel c of a quantizer."""
    if q.dtype.bipolar:
        return 1 if v >= 0 else -1
    scale, zero = (Fraction(float(a[c % len(a)])) for a in (q.scale, q.zero_point))
    return min(max(rounded(v / scale + zero, str(q.rounding)), q.low), q.high)


def elementwise(node, v, c):
    """One elementwise node on a rational in channel c."""
    a = vars(node.op)

    def at(name):
        array = np.atleast_1d(a[name])
        return Fraction(float(array[c % len(array)]))

    if node.kind == "Affine":
        return v * at("scale") + at("shift")
    if node.kind == "Relu":
        return max(v, Fraction(0))
    if node.kind == "Clip":
        v = max(v, at("low")) if np.isfinite(a["low"]) else v
        return min(v, at("high")) if np.isfinite(a["high"]) else v
    if node.kind == "LeakyRelu":
        return v if v >= 0 else v * at("slope")
    if node.kind == "HardSigmoid":
        return min(max(v * at("alpha") + at("beta"), Fraction(0)), Fraction(1))
    if node.kind == "HardSwish":
        return v * min(max(v + 3, Fraction(0)), Fraction(6)) / 6
    if node.kind == "Sign":
        return Fraction((v > 0) - (v < 0))
    x = float(v)
    smooth = {
        "Sigmoid": lambda: 1 / (1 + np.exp(-x)) if x >= 0 else np.exp(x) / (1 + np.exp(x)),
        "Tanh": lambda: np.tanh(x),
        "Silu": lambda: x / (1 + np.exp(-x)) if x >= 0 else x * np.exp(x) / (1 + np.exp(x)),
        "Erf": lambda: erf(x),
        "Gelu": lambda: x * (1 + erf(x / np.sqrt(2))) / 2,
        "GeluTanh": lambda: x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2,
        "Softplus": lambda: np.logaddexp(0.0, x),
        "Softsign": lambda: x / (1 + abs(x)),
        "Mish": lambda: x * np.tanh(np.logaddexp(0.0, x)),
        "Elu": lambda: x if x >= 0 else float(a["alpha"]) * np.expm1(x),
    }
    return Fraction(float(smooth[node.kind]()))


def window_fold(node, x, fold, pad):
    view = windows(x[None], node.op.kernel, node.op.stride, node.op.pads, value=pad)[0]
    flat = view.reshape(*view.shape[:2], -1, view.shape[-1])
    return np.apply_along_axis(fold, 2, flat)


def run_node(node, *inputs):
    """The value of a node in rationals; object arrays (H, W, C) or (C,)."""
    x = inputs[0]
    if node.kind == "Conv":
        w = node.op.quantized.values * exact(node.op.quantized.scale).reshape(-1, 1, 1, 1)
        kernel = w.shape[1:3]
        view = windows(x[None], kernel, node.op.stride, node.op.pads, node.op.dilation, Fraction(0))[0]
        per = w.shape[0] // node.op.groups
        ci = w.shape[3]
        columns = []
        for o in range(w.shape[0]):
            g = o // per
            columns.append((view[..., g * ci : (g + 1) * ci] * w[o]).sum((2, 3, 4)))
        y = np.stack(columns, -1)
        return y if node.op.bias is None else y + exact(node.op.bias)
    if node.kind == "Dense":
        y = (node.op.quantized.values * exact(node.op.quantized.scale).reshape(-1, 1)) @ x
        return y if node.op.bias is None else y + exact(node.op.bias)
    if node.kind == "Add":
        return inputs[0] + inputs[1]
    if node.kind == "Mul":
        return inputs[0] * inputs[1]
    if node.kind == "Concat":
        return np.concatenate(inputs, axis=-1)
    if node.kind == "MaxPool":
        return window_fold(node, x, max, Fraction(-(10**30)))
    if node.kind == "AveragePool":
        return window_fold(node, x, lambda a: sum(a, Fraction(0)) / len(a), Fraction(0))
    if node.kind == "Pad":
        t, le, b, r = node.op.pads
        return np.pad(x, ((t, b), (le, r), (0, 0)), constant_values=Fraction(float(node.op.value)))
    if node.kind == "Resize":
        x = x if x.ndim == 3 else x[None, None]
        return x.repeat(node.op.factor[0], 0).repeat(node.op.factor[1], 1)
    if node.kind == "Flatten":
        return x.reshape(-1)
    if node.kind == "ArgMax":
        return x.argmax(-1)[..., None]
    out = np.empty(x.shape, object)
    for i, v in np.ndenumerate(x):
        c = i[-1]
        if node.kind == "Quant":
            q = node.op.quantizer
            scale, zero = (Fraction(float(a[c % len(a)])) for a in (q.scale, q.zero_point))
            out[i] = (code(v, q, c) - (0 if q.dtype.bipolar else zero)) * scale
        else:
            out[i] = elementwise(node, v, c)
    return out


class Rational:
    """The reference functions, as tests use them."""

    code = staticmethod(code)
    elementwise = staticmethod(elementwise)
    exact = staticmethod(exact)

    @staticmethod
    def run(graph, x):
        """Every value of a quantized float graph for one input (H, W, C) or (C,), in rationals."""
        values = {"input": exact(x)}
        for node in graph.nodes:
            values[node.name] = run_node(node, *(values[n] for n in node.inputs))
        return values


@pytest.fixture(scope="session")
def rational():
    return Rational


class OnnxTools:
    """Small ONNX models, and the comparison of what is read with ONNX Runtime on the original."""

    @staticmethod
    def model(nodes, constants=(), shape=("N", 3, 6, 5), opset=17, outputs=("y",), element=TensorProto.FLOAT, **more):
        """nodes: (op, inputs, output, attributes); constants: name -> array; input "x", output "y"."""
        made = []
        for i, (op, inputs, output, attributes) in enumerate(nodes):
            names = [output] if isinstance(output, str) else list(output)
            domain = attributes.pop("domain", "")
            made.append(helper.make_node(op, list(inputs), names, name=f"{op}_{i}", domain=domain, **attributes))
        stored = [numpy_helper.from_array(np.asarray(v), k) for k, v in dict(constants).items()]
        info = [helper.make_tensor_value_info("x", element, list(shape))]
        results = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        graph = helper.make_graph(made, "g", info, results, stored)
        domains = {n.domain for n in made} - {""}
        opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9, **more)

    @staticmethod
    def run(model, x, name="x"):
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {name: x})[0]

    @staticmethod
    def run_plain(model, x, name="x"):
        """ONNX Runtime on the file as it is: its optimizations replace some of the file's arithmetic."""
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {name: x})[0]

    @classmethod
    def check(cls, model, seed=0, batch=2, tolerance=1e-5, data=None):
        """Read the model and compare with the original; the graph."""
        dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        batch = 1 if dims[0] == 1 else batch
        x = np.random.default_rng(seed).normal(size=(batch, *dims[1:])).astype(np.float32) * 2
        x = x if data is None else data
        graph = read_model(model)
        expected = cls.run(model, x)
        found = cls.run(to_onnx(graph), x, "input")
        assert found.shape == expected.shape
        assert np.allclose(found, expected, rtol=tolerance, atol=tolerance * max(1, np.abs(expected).max()))
        return graph


@pytest.fixture(scope="session")
def onnx_tools():
    return OnnxTools
