"""The torch module computes what the float graph does, and exports it again."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from bitwright.models import lower  # noqa: E402
from bitwright.models.graph import is_a  # noqa: E402
from bitwright.models.graph.ops import Add, Layer, Quant, Relu  # noqa: E402
from bitwright.quantization.floatrun import FloatRunner, to_value  # noqa: E402
from bitwright.quantization.options import QuantizeOptions  # noqa: E402
from bitwright.quantization.ptq import quantize_model  # noqa: E402
from bitwright.training.export import trained_graph  # noqa: E402
from bitwright.training.groups import scale_groups  # noqa: E402
from bitwright.training.module import GraphModule, Rules  # noqa: E402
from bitwright.training.start import is_power_of_two, without_quantizers  # noqa: E402


def outputs(module, graph, x):
    """What the module gives for samples as the model takes them, in the model's own shape."""
    value = torch.from_numpy(to_value(graph, x))
    with torch.no_grad():
        y = module(value.permute(0, 3, 1, 2) if value.ndim == 4 else value).numpy()
    return y if graph.output_layout == "CHW" or y.ndim == 2 else y.transpose(0, 2, 3, 1)


def same_as_onnx_runtime(graph, count=6, tolerance=1e-4):
    x = np.random.default_rng(3).normal(size=(count, *graph.input_shape)).astype(np.float32) * 2
    expected = FloatRunner(graph).outputs(x)
    found = outputs(GraphModule(graph), graph, x).reshape(expected.shape)
    assert np.abs(found - expected).max() <= tolerance * max(1, np.abs(expected).max())


def concat(m):
    m.add("Concat", inputs=[m.conv(3, 3, 1), "x"], axis=1)


def product(m):
    m.quantizer(0.1, 8)
    inner = m.at
    m.add("Sigmoid")
    m.quantizer(1 / 128, 8, signed=0)
    m.add("Mul", inputs=[inner, m.at])
    m.conv(2, 3, 1)


FLOATS = {
    "conv": lambda m: m.conv(4, 3, pads=[1, 1, 1, 1]),
    "conv without bias": lambda m: m.conv(4, 3, bias=False),
    "uneven pads and strides": lambda m: m.conv(4, 3, pads=[0, 1, 2, 1], strides=[2, 1]),
    "dilation": lambda m: m.conv(4, 3, dilations=[2, 2]),
    "depthwise": lambda m: m.conv(6, 3, groups=3),
    "dense behind an image": lambda m: (m.add("Flatten"), m.add("Gemm", m.weight(5, 192), np.ones(5), transB=1)),
    "affine": lambda m: m.add("Mul", np.array([0.5, -2, 3]).reshape(1, 3, 1, 1)),
    "relu": lambda m: m.add("Relu"),
    "clip": lambda m: m.add("Clip", np.float32(-0.5), np.float32(1.5)),
    "leaky": lambda m: m.add("LeakyRelu", alpha=0.2),
    "prelu": lambda m: m.add("PRelu", np.array([0.1, 0.2, 0.7]).reshape(3, 1, 1)),
    "sigmoid": lambda m: m.add("Sigmoid"),
    "tanh": lambda m: m.add("Tanh"),
    "hard sigmoid": lambda m: m.add("HardSigmoid", alpha=0.3, beta=0.4),
    "hard swish": lambda m: m.add("HardSwish"),
    "silu": lambda m: m.add("Mul", inputs=["x", m.add("Sigmoid")]),
    "elu": lambda m: m.add("Elu", alpha=0.7),
    "sign": lambda m: m.add("Sign"),
    "add": lambda m: m.add("Add", inputs=[m.conv(3, 3, 1), "x"]),
    "concat": concat,
    "product": product,
    "max pool": lambda m: m.add("MaxPool", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1]),
    "average pool": lambda m: m.add("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    "average of inner pixels": lambda m: m.add("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 0, 1]),
    "global pool": lambda m: m.add("GlobalAveragePool"),
    "pad": lambda m: m.nodes.append(pad_node(m)),
    "resize": lambda m: m.nodes.append(resize_node(m)),
}


def pad_node(m):
    from onnx import helper

    names = [m.at, m.constant(np.array([0, 0, 1, 0, 0, 0, 2, 1]), np.int64), m.constant(0.5)]
    m.at = "padded"
    return helper.make_node("Pad", names, [m.at], name=m.at)


def resize_node(m):
    from onnx import helper

    names = [m.at, "", m.constant([1, 1, 2, 3])]
    m.at = "resized"
    how = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    return helper.make_node("Resize", names, [m.at], name=m.at, **how)


@pytest.mark.parametrize("what", FLOATS)
def test_every_kind_of_node(model_kit, what):
    m = model_kit((3, 8, 8))
    FLOATS[what](m)
    same_as_onnx_runtime(m.graph())


QUANTIZERS = {
    "signed": {"scale": 0.25, "bits": 3},
    "unsigned": {"scale": 0.25, "bits": 3, "signed": 0},
    "narrow": {"scale": 0.25, "bits": 3, "narrow": 1},
    "zero point": {"scale": 0.25, "bits": 4, "signed": 0, "zero": 5.0},
    "floor": {"scale": 0.25, "bits": 4, "rounding": "FLOOR"},
    "bipolar": {"scale": 0.5, "bits": 1},
    "of channels": {"scale": np.array([0.1, 0.2, 0.3, 0.4]).reshape(1, 4, 1, 1), "bits": 4},
}


@pytest.mark.parametrize("what", QUANTIZERS)
def test_quantizers(model_kit, what):
    m = model_kit((3, 8, 8))
    m.conv(4, 3)
    m.quantizer(**QUANTIZERS[what])
    same_as_onnx_runtime(m.graph(), tolerance=0.3)  # a value on a threshold may fall to either side ...
    graph = m.graph()
    x = np.random.default_rng(4).normal(size=(20, 3, 8, 8)).astype(np.float32)
    found = outputs(GraphModule(graph), graph, x)
    assert np.mean(np.abs(found - FloatRunner(graph).outputs(x)) > 1e-4) < 1e-3  # ... but that is rare


def quantized(small, x, **options):
    how = {"weight_bits": 3, "activation_bits": 3, "weight_rounding": "second_order", **options}
    return quantize_model(small.graph(), x, QuantizeOptions(**how))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scales": "power_of_two"},
        {"zero_points": True, "activation_bits": 4},
        {"per_channel": False},
        {"weight_bits": 1, "activation_bits": 2},
        {"activation_rounding": "floor", "activation_bits": 6},
        {"channel_scales": True},
    ],
    ids=str,
)
def test_training_starts_at_the_network_of_post_training_quantization(small, x, options):
    made = quantized(small, x, **options)
    module = GraphModule(made.graph, Rules(power_of_two="scales" in options))
    graph = trained_graph(module)
    for before, after in zip(made.graph.nodes, graph.nodes, strict=True):
        if is_a(before, Layer):
            assert np.array_equal(before.op.quantized.values, after.op.quantized.values)
            assert np.array_equal(before.op.quantized.scale, after.op.quantized.scale)
    network = lower(graph, multiplier_bits=16)
    expected, found = made.network.predict(x), network.predict(x)
    assert np.mean(expected.argmax(1) == found.argmax(1)) >= 0.99
    assert np.mean(outputs(module, graph, x).argmax(1) == found.argmax(1)) >= 0.99


@pytest.mark.parametrize("scales", ["free", "power_of_two"])
def test_the_integer_network_is_the_trained_module(small, x, scales):
    """After steps in random directions, as training takes them."""
    made = quantized(small, x, scales=scales)
    module = GraphModule(made.graph, Rules(power_of_two=scales == "power_of_two"))
    generator = torch.Generator().manual_seed(0)
    module.flat.add_(torch.randn(module.flat.shape, generator=generator), alpha=0.1)
    graph = trained_graph(module)
    network = lower(graph, multiplier_bits=16)
    agree = outputs(module, graph, x).argmax(1) == network.predict(x).argmax(1)
    assert agree.mean() >= 0.99
    assert is_power_of_two(graph) == (scales == "power_of_two")
    assert any(
        not np.array_equal(a.op.quantized.values, b.op.quantized.values)
        for a, b in zip(made.graph.layers, graph.layers, strict=True)
    )


@pytest.mark.parametrize("scales", ["free", "power_of_two"])
def test_a_module_that_knows_what_its_layers_read_computes_the_same(small, x, scales):
    graph = quantized(small, x, scales=scales).graph
    plain, centered = (GraphModule(graph, Rules(power_of_two=scales == "power_of_two")) for _ in range(2))
    centered.center(torch.from_numpy(to_value(graph, x[:64])).permute(0, 3, 1, 2))
    assert np.abs(outputs(plain, graph, x) - outputs(centered, graph, x)).max() < 1e-3
    before, after = trained_graph(plain), trained_graph(centered)
    for a, b in zip(before.layers, after.layers, strict=True):
        assert np.allclose(a.op.bias, b.op.bias, atol=1e-5)


def test_codes_that_change_do_not_move_the_mean(model_kit):
    m = model_kit((3, 8, 8))
    m.conv(6, 3, groups=3)
    x = np.random.default_rng(0).normal(2, 1, (100, 3, 8, 8)).astype(np.float32)
    graph = quantize_model(m.graph(), x, QuantizeOptions(weight_bits=2)).graph
    value = torch.from_numpy(to_value(graph, x)).permute(0, 3, 1, 2)
    moved = {}
    for centered in (False, True):
        module = GraphModule(graph)
        if centered:
            module.center(value)
        (layer,) = module.layers.values()
        with torch.no_grad():
            means = module(value).mean((0, 2, 3))
            layer.u.add_(torch.randn(layer.u.shape, generator=torch.Generator().manual_seed(0)))
            moved[centered] = float((module(value).mean((0, 2, 3)) - means).abs().max())
        network = lower(trained_graph(module), multiplier_bits=16)
        assert np.abs(network.predict(x) - outputs(module, graph, x)).max() < 0.1
    assert moved[True] < 0.1 * moved[False]


def quants(graph):
    return {n.name: float(n.op.quantizer.scale[0]) for n in graph.of(Quant)}


def test_operands_of_additions_keep_their_ratio(small, x):
    made = quantized(small, x)
    groups = scale_groups(made.graph)
    (add,) = made.graph.of(Add)
    assert len({groups[v] for v in add.inputs}) == 1
    module = GraphModule(made.graph)
    module.flat.add_(torch.randn(module.flat.shape, generator=torch.Generator().manual_seed(1)), alpha=0.3)
    before, after = quants(made.graph), quants(trained_graph(module))
    for name, root in groups.items():
        assert after[name] / after[root] == before[name] / before[root]  # exactly
        assert after[name] != before[name]


def test_the_grid_of_the_input_stays(small, x):
    made = quantized(small, x)
    first = made.graph.of(Quant)[0].name
    assert made.graph.node(first).inputs == ("input",)
    assert first not in scale_groups(made.graph)


def test_a_grid_that_holds_the_value_of_a_pad_stays(model_kit):
    from onnx import helper

    m = model_kit((3, 8, 8))
    m.quantizer(0.1, 8)
    m.conv(4, 3)
    fixed = m.quantizer(0.25, 4)
    names = [m.at, m.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.int64), m.constant(0.5)]
    m.nodes.append(helper.make_node("Pad", names, ["padded"], name="padded"))
    m.at = "padded"
    m.conv(4, 4)
    free = m.quantizer(0.25, 4)
    assert list(scale_groups(m.graph())) == [free]
    assert fixed != free


def test_a_relu_before_its_grid_costs_no_pass(small, x):
    module = GraphModule(quantized(small, x).graph)
    relus = [function for node, function in module.work if isinstance(node.op, Relu)]
    assert relus
    assert all(f(torch.tensor([-1.0])).item() == -1 for f in relus)


def test_the_float_model_in_a_quantized_one(model_kit):
    m = model_kit((3, 8, 8))
    m.quantizer(0.1, 8)
    m.conv(4, 3)
    m.quantizer(0.25, 3, signed=0)
    m.conv(2, 4)
    plain = without_quantizers(m.graph())
    assert [n.kind for n in plain.nodes] == ["Conv", "Relu", "Conv"]
    assert all(n.op.quantized is None for n in plain.layers)
    n = model_kit((3, 8, 8))
    product(n)
    assert [node.kind for node in without_quantizers(n.graph()).nodes] == ["Silu", "Conv"]


def test_half_precision_is_close(small, x):
    graph = small.graph()
    full, half = (outputs(GraphModule(graph, Rules(half=h)), graph, x) for h in (False, True))
    assert 0 < np.abs(full - half).max() < 0.05 * np.abs(full).max()
