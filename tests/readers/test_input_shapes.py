"""A model's input of any rank, however it becomes an image or a vector: accepted and then usable, or refused."""

import numpy as np
import pytest

import bitwright as bw
from bitwright import cli
from bitwright.errors import ModelError
from bitwright.models import lower, read_model, to_onnx
from bitwright.network import InputSpec, IntType, TensorType


def f(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def random_chain(rng, shape):
    """Layout operations on a tensor of that shape, batch first: nodes, constants, and the shape in the end."""
    nodes, constants, at = [], {}, "x"
    shape = (1, *shape)
    for i in range(int(rng.integers(0, 4))):
        op, to, name = str(rng.choice(["Unsqueeze", "Squeeze", "Transpose", "Reshape"])), f"t{i}", f"k{i}"
        attributes, inputs = {}, (at, name)
        if op == "Unsqueeze" and len(shape) < 5:
            axis = int(rng.integers(1, len(shape) + 1))
            constants[name], shape = np.array([axis]), (*shape[:axis], 1, *shape[axis:])
        elif op == "Squeeze" and 1 in shape[1:] and len(shape) > 2:
            axis = int(rng.choice([a for a in range(1, len(shape)) if shape[a] == 1]))
            constants[name], shape = np.array([axis]), (*shape[:axis], *shape[axis + 1 :])
        elif op == "Transpose":
            order = [0, *(1 + rng.permutation(len(shape) - 1)).tolist()]
            attributes, inputs, shape = {"perm": order}, (at,), tuple(shape[a] for a in order)
        elif op == "Reshape":
            split = int(rng.choice([n for n in (1, 2, 3, 4) if np.prod(shape) % n == 0]))
            rest = int(np.prod(shape)) // split
            wide = int(rng.choice([n for n in (1, 2, 4) if rest % n == 0]))
            shape = [(1, split * rest), (1, split, rest), (1, split, wide, rest // wide)][int(rng.integers(3))]
            constants[name] = np.array([-1, *shape[1:]])
        else:
            continue
        nodes.append((op, inputs, to, attributes))
        at = to
    return nodes, constants, at, shape


def random_model(onnx_tools, rng, opset):
    """A chain of layout operations, then a convolution or a dense layer, then a classifier."""
    rank = int(rng.integers(1, 5))
    shape = tuple(int(n) for n in rng.choice([1, 2, 3, 4, 8], rank))
    shape = (*shape[:-1], shape[-1] * 4)
    nodes, constants, at, now = random_chain(rng, shape)
    if len(now) == 4 and rng.random() < 0.8:
        constants["w"] = f(rng, 4, now[1], 1, 1)
        nodes += [("Conv", (at, "w"), "c", {}), ("Relu", ("c",), "r", {}), ("GlobalAveragePool", ("r",), "g", {})]
        at, size = "g", 4
    else:
        size = int(np.prod(now))
    nodes.append(("Flatten", (at,), "flat", {}))
    constants["v"] = f(rng, size, 3)
    nodes.append(("MatMul", ("flat", "v"), "y", {}))
    return onnx_tools.model(nodes, constants, ("N", *shape), opset=opset), shape


@pytest.mark.parametrize("seed", range(40))
def test_what_is_accepted_can_be_used(seed, onnx_tools, tmp_path, capsys):
    """Read, quantized, saved, loaded, evaluated and compiled with the model's own input shape; or one line."""
    rng = np.random.default_rng(seed)
    model, shape = random_model(onnx_tools, rng, opset=17)
    x = f(rng, 16, *shape)
    try:
        graph = read_model(model)
    except ModelError as error:
        refusal = str(error)
        graph = None
    if graph is None:
        assert "reshaped or transposed" in refusal
        assert "\n" not in refusal
        return
    expected = onnx_tools.run(model, x)
    np.testing.assert_allclose(onnx_tools.run(to_onnx(graph), x, "input"), expected, rtol=1e-4, atol=1e-5)
    network = bw.quantize(graph, x, weight_rounding="nearest", channel_scales=False)
    assert network.input.shape == shape
    found = network.predict(x)
    assert found.shape == expected.shape
    assert ((found - expected) ** 2).mean() < 0.02 * (expected**2).mean() + 1e-6
    np.testing.assert_array_equal(network.input.prepare(x), x)
    if seed % 12 == 0:
        use_from_the_command_line(model, x, tmp_path)
        capsys.readouterr()


def use_from_the_command_line(model, x, tmp_path):
    source, data, net = (str(tmp_path / name) for name in ("net.onnx", "x.npz", "net.bw"))
    with open(source, "wb") as file:
        file.write(model.SerializeToString())
    np.savez(data, x=x, labels=np.zeros(len(x), int))
    assert cli.main(["check", source]) == 0
    assert cli.main(["quantize", source, "--data", data, "-o", net]) == 0
    assert cli.main(["evaluate", net, "--data", data, "--float", source]) == 0
    assert cli.main(["compile", net, "-o", str(tmp_path / "build")]) == 0


@pytest.mark.parametrize("rounding", ["nearest", "second_order"])
def test_series_unsqueezed_to_an_image(rounding, onnx_tools):
    """[N, C, T] as [N, C, 1, T], with the quantizer's every use of calibration data."""
    rng = np.random.default_rng(0)
    nodes = [
        ("Unsqueeze", ("x", "ax"), "i", {}),
        ("Conv", ("i", "w"), "c", {}),
        ("Relu", ("c",), "a", {}),
        ("Conv", ("a", "v"), "y", {}),
    ]
    constants = {"ax": np.array([2]), "w": f(rng, 8, 4, 1, 5), "v": f(rng, 4, 8, 1, 1)}
    model = onnx_tools.model(nodes, constants, ("N", 4, 32))
    x = f(rng, 32, 4, 32)
    expected = onnx_tools.run(model, x)
    network = bw.quantize(read_model(model), x, weight_rounding=rounding)
    found = network.predict(x)
    assert found.shape == expected.shape
    assert 10 * np.log10((expected**2).mean() / ((expected - found) ** 2).mean()) > 30


@pytest.mark.parametrize("rank", [1, 5, 6])
def test_ranks_without_a_batch_or_with_many_axes(rank, onnx_tools):
    shape = ("N", *[2] * (rank - 1))
    model = onnx_tools.model(
        [("Flatten", "x", "a", {}), ("MatMul", "aw", "y", {})], {"w": np.ones((2**5, 2), "f4")}, shape
    )
    if rank == 6:
        read_model(model)
        return
    with pytest.raises(ModelError, match=r"legal are a batch and at least one more axis|do not fit the 16 inputs"):
        read_model(model)


@pytest.mark.parametrize(
    ("shape", "layout", "value"),
    [
        ((4, 32), "CHW", (1, 32, 4)),
        ((32, 4), "HWC", (1, 32, 4)),
        ((128,), "CHW", (8, 4, 4)),
        ((128,), "HWC", (8, 4, 4)),
    ],
)
def test_raw_data_of_an_input_that_is_no_image_itself(shape, layout, value):
    """The mean of each channel, whatever the rank, and data as images in either order."""
    mean = (1.0, 2.0, 3.0, 4.0)
    spec = InputSpec(TensorType(value, IntType(8)), shape=shape, layout=layout, data_mean=mean)
    images = np.random.default_rng(1).normal(size=(5, *value)).astype(np.float32)
    expected = images - np.float32(mean)
    own = (lambda a: a.transpose(0, 3, 1, 2)) if layout == "CHW" else (lambda a: a)
    expected = own(expected).reshape(5, *shape)
    np.testing.assert_array_equal(spec.prepare(own(images).reshape(5, *shape)), expected)
    np.testing.assert_array_equal(spec.prepare(own(images)), expected)
    other = InputSpec(
        spec.type, shape=shape, layout=layout, data_mean=mean, data_layout="HWC" if layout == "CHW" else "CHW"
    )
    turned = images if layout == "CHW" else images.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(other.prepare(turned), expected)


def test_a_quantized_series(onnx_tools):
    """QuantizeLinear on [N, C, T], before it becomes an image."""
    rng = np.random.default_rng(0)
    nodes = [
        ("QuantizeLinear", ("x", "s", "z"), "q", {}),
        ("DequantizeLinear", ("q", "s", "z"), "d", {}),
        ("Unsqueeze", ("d", "ax"), "i", {}),
        ("DequantizeLinear", ("w", "s"), "v", {}),
        ("Conv", ("i", "v"), "y", {}),
    ]
    constants = {"ax": np.array([3]), "w": rng.integers(-9, 9, (8, 4, 5, 1)).astype(np.int8)}
    constants |= {"s": np.float32(0.05), "z": np.uint8(131)}
    model = onnx_tools.model(nodes, constants, ("N", 4, 32))
    x = f(rng, 16, 4, 32)
    np.testing.assert_allclose(lower(read_model(model)).predict(x), onnx_tools.run(model, x), atol=1e-4)
