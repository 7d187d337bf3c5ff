"""Random quantized float graphs: the integer network equals rational arithmetic, value by value."""

import numpy as np
import pytest

from bitwright.models import FloatGraph, FloatNode, QuantizedWeight, Quantizer, lower
from bitwright.models.graph import ExtraRounding, ops
from bitwright.network import BIPOLAR, IntType, evaluate
from bitwright.network.ops import Rounding

ROUNDINGS = [r for r in Rounding if r != Rounding.STOCHASTIC] + list(ExtraRounding)


class Maker:
    """A random graph that grows node by node; `grid` says where a value's real numbers lie (scale, zero)."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.powers = bool(self.rng.integers(2))  # exact ties happen with powers of two
        self.nodes, self.shapes = [], {}

    def scales(self, n):
        r = self.rng
        values = 2.0 ** r.integers(-4, 1, n) if self.powers else r.lognormal(-1, 0.7, n)
        return np.float32(values).astype(float)

    def put(self, kind, *inputs, **attributes):
        node = FloatNode(f"{kind.lower()}{len(self.nodes)}", getattr(ops, kind)(**attributes), inputs)
        self.nodes.append(node)
        self.shapes = FloatGraph.build(self.nodes, input_shape=(5, 4, 2), input_layout="HWC").shapes
        return node.name

    def quantizer(self, bits=None, zero=True):
        r = self.rng
        bits = int(r.integers(1, 7)) if bits is None else bits
        dtype = BIPOLAR if bits == 1 and r.integers(2) else IntType(bits, bool(r.integers(2)) and bits > 1)
        if dtype.bipolar:
            return Quantizer(dtype, self.scales(1))
        z = r.integers(dtype.min, dtype.max + 1, 1) if zero and r.random() < 0.4 else np.zeros(1)
        low = dtype.min + (1 if bits > 1 and dtype.signed and r.integers(2) else 0)
        rounding = ROUNDINGS[r.integers(len(ROUNDINGS))] if r.random() < 0.5 else Rounding.HALF_EVEN
        return Quantizer(dtype, self.scales(1), z, low, dtype.max, rounding)

    def weights(self, shape):
        r = self.rng
        dtype = [BIPOLAR, IntType(2, True), IntType(3, True), IntType(2)][r.integers(4)]
        values = r.choice(dtype.values(), shape)
        scale = self.scales(shape[0] if r.integers(2) else 1)
        return QuantizedWeight(values, dtype, scale)

    def layer(self, x):
        r, shape = self.rng, self.shapes[x]
        if len(shape) == 1:
            q = self.weights((int(r.integers(1, 5)), shape[0]))
            attributes = {}
            kind = "Dense"
        else:
            groups = shape[2] if r.random() < 0.3 else 1
            outputs = groups * int(r.integers(1, 3))
            kernel = (int(r.integers(1, min(4, shape[0] + 1))), int(r.integers(1, min(4, shape[1] + 1))))
            q = self.weights((outputs, *kernel, shape[2] // groups))
            pads = tuple(int(v) for v in r.integers(0, 2, 4)) if r.integers(2) else (0, 0, 0, 0)
            stride = tuple(int(v) for v in r.integers(1, 3, 2))
            attributes = {"stride": stride, "pads": pads, "dilation": (1, 1), "groups": groups}
            kind = "Conv"
        o = len(q.values)
        weight = q.values * q.scale.reshape(-1, *[1] * (q.values.ndim - 1))
        bias = np.float32(r.normal(size=o)).astype(float) if r.integers(2) else None
        return self.put(kind, x, quantized=q, weight=weight, bias=bias, **attributes)

    def elementwise(self, x):
        r, channels = self.rng, self.shapes[x][-1]
        for kind in r.choice(["Affine", "Affine", "Relu", "Clip", "LeakyRelu", "HardSwish", ""], 2):
            if kind == "Affine":
                scale = self.scales(channels) * r.choice([1, 1, -1], channels)
                scale[0] *= r.random() > 0.1
                shift = np.round(r.normal(size=channels) * 4) / 4
                x = self.put(kind, x, scale=scale, shift=shift)
            elif kind == "Clip":
                x = self.put(kind, x, low=-1.0, high=6.0)
            elif kind == "LeakyRelu":
                x = self.put(kind, x, slope=np.array([0.125]))
            elif kind:
                x = self.put(kind, x)
        return x

    def quant(self, x, quantizer=None):
        return self.put("Quant", x, quantizer=quantizer or self.quantizer())

    def move(self, x):
        r, shape = self.rng, self.shapes[x]
        if len(shape) == 1:
            return x
        kind = r.choice(["MaxPool", "AveragePool", "Resize", "Pad", "", ""])
        if kind == "Resize":
            return self.put(kind, x, factor=(2, 1))
        if kind == "Pad":
            return self.put(kind, x, pads=(1, 0, 0, 1), value=0.0) if self.at_quantizer(x) else x
        if kind and min(shape[:2]) > 1:
            pads = (0, 1, 1, 0) if r.integers(2) and (kind == "MaxPool" or self.at_quantizer(x)) else (0, 0, 0, 0)
            window = {"kernel": (2, 2), "stride": (1, 2), "pads": pads}
            more = {"count_include_pad": True} if kind == "AveragePool" else {}
            return self.put(kind, x, **window, **more)
        return x

    def at_quantizer(self, x):
        """Whether 0 is an integer of the value, so that it may be padded."""
        return next(n for n in self.nodes if n.name == x).kind == "Quant"

    def block(self, x):
        r = self.rng
        y = self.layer(x)
        y = self.move(y) if r.integers(2) else y
        shared = self.quantizer()
        y = self.quant(self.elementwise(y), shared)
        z = self.move(y)
        z = self.quant(z, shared if r.integers(2) else None) if r.integers(2) else z
        if z != y and self.shapes[z] == self.shapes[y]:
            return self.quant(self.put("Add", y, z))
        if r.random() < 0.3:
            other = self.quant(y)
            kind = "Concat" if r.integers(2) else "Add"
            return self.quant(self.put(kind, y, other))
        return z if self.nodes[-1].kind == "Quant" else self.quant(z)

    def graph(self):
        r = self.rng
        x = self.quant(
            "input", Quantizer(IntType(3, bool(r.integers(2))), self.scales(1), np.full(1, r.integers(0, 3)))
        )
        for _ in range(int(r.integers(1, 3))):
            x = self.block(x)
        x = self.put("Flatten", x)
        x = self.layer(x)
        self.put("Affine", x, scale=self.scales(self.shapes[x][-1]), shift=r.normal(size=self.shapes[x][-1]))
        return FloatGraph.build(self.nodes, input_shape=(5, 4, 2), input_layout="HWC")


def compare(graph, rational, seed, samples=2):
    notes = []
    network = lower(graph, notes=notes)
    if notes:
        return 0
    spec = network.input
    rng = np.random.default_rng(seed)
    q = rng.integers(spec.low, spec.high + 1, (samples, *spec.type.shape))
    real = (q - spec.offset) * spec.scale
    found = evaluate(network, q)
    names = {node.name: node for node in graph.nodes if node.kind == "Quant"}
    for n in range(samples):
        expected = rational.run(graph, real[n])
        for name, node in names.items():
            if name in found and found[name][n].shape == expected[name].shape:
                quantizer = node.op.quantizer
                zero = 0 if quantizer.dtype.bipolar else quantizer.zero_point
                codes = expected[name] / rational.exact(quantizer.scale) + zero
                assert np.array_equal(found[name][n], codes.astype(np.int64)), name
        y = (found[network.output_name][n] - network.output.offset) * network.output.scale
        exact = expected[graph.output_name].astype(float)
        assert np.allclose(y, exact, rtol=1e-9, atol=1e-9 * max(1, np.abs(exact).max()))
    return 1


@pytest.mark.parametrize("start", range(0, 120, 10))
def test_random_graphs_lower_exactly(start, rational):
    assert sum(compare(Maker(seed).graph(), rational, seed) for seed in range(start, start + 10)) >= 8
