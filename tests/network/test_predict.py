"""Floats in, floats out: the session agrees with the written definition; bad data get one line."""

import dataclasses

import numpy as np
import pytest
from random_networks import random_input

from bitwright.errors import DataError, ModelError
from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, OutputSpec, TensorType, evaluate, ops
from bitwright.network.inputs import FUNCTIONS, VECTOR_FUNCTIONS


def with_specs(network: Network, rng: np.random.Generator) -> Network:
    """The network with a drawn float side: scales, offsets, layouts, function."""
    t, out = network.input.type, network.output_type
    image, image_out = len(t.shape) == 3, len(out.shape) == 3
    channels = t.channels if rng.random() < 0.5 else 1
    layout = "CHW" if image and rng.random() < 0.6 else ("HWC" if image else "C")
    shape = (t.shape[2], *t.shape[:2]) if layout == "CHW" else t.shape
    if rng.random() < 0.3:
        shape = (1, *shape)
    scale, offset = rng.uniform(0.01, 2, channels), rng.integers(-3, 4, channels)
    chw_out = image_out and rng.random() < 0.5
    out_shape = (out.shape[2], *out.shape[:2]) if chw_out else out.shape
    output = OutputSpec(
        rng.uniform(0.1, 2, out.channels if rng.random() < 0.5 else 1),
        rng.integers(-3, 4, 1),
        out_shape,
        "CHW" if chw_out else ("HWC" if image_out else "C"),
        str(rng.choice(FUNCTIONS if image_out else VECTOR_FUNCTIONS)),
    )
    return dataclasses.replace(network, inputs=InputSpec(t, scale, offset, shape, layout), outputs=output)


def test_functions_along_axes_of_images_are_refused_for_vectors(random_network):
    network = random_network(3, image=False)
    for function in set(FUNCTIONS) - set(VECTOR_FUNCTIONS):
        with pytest.raises(ModelError, match="is along an axis of an image; legal are identity"):
            dataclasses.replace(network, outputs=OutputSpec(function=function))


@pytest.mark.parametrize("seed", range(40))
def test_predict_equals_its_definition(random_network, seed):
    rng = np.random.default_rng(seed)
    network = with_specs(random_network(seed, input_bits=(1, 30) if seed % 4 == 0 else (1, 8)), rng)
    x = rng.normal(0, 1.5**network.input.type.dtype.bits, (7, *network.input.shape)).astype(np.float32)
    x.flat[:3] = 0.0, 1e30, -1e30
    q = network.input.quantize(x)
    assert network.input.type.dtype.contains(q)
    expected = network.output.dequantize(evaluate(network, q)[network.output_name])
    found = network.predict(x)
    assert found.dtype == np.float32
    assert found.shape == (7, *network.output.shape)
    np.testing.assert_array_equal(found, expected)


def test_batches_are_cut_and_joined(random_network):
    network = random_network(3, image=True)
    evaluator = network.evaluator
    evaluator.batch = 4
    x = random_input(network, 11)
    np.testing.assert_array_equal(evaluator.run(x), evaluate(network, x)[network.output_name])
    assert evaluator.run(x[:0]).shape == (0, *network.output_type.shape)
    assert network.predict(np.zeros((0, *network.input.shape), np.float32)).shape == (0, *network.output.shape)


def test_half_to_even_and_limits():
    spec = InputSpec(TensorType((6,), IntType(4, True)), low=-7)
    x = np.array([[0.5, 1.5, -0.5, -1.5, 9.0, -9.0]], np.float32)
    assert spec.quantize(x).tolist() == [[0, 2, 0, -2, 7, -7]]
    signs = InputSpec(TensorType((3,), BIPOLAR))
    assert signs.quantize(np.array([[0.0, -0.1, 3.0]], np.float32)).tolist() == [[1, -1, 1]]


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("bits", [1, 3, 7, 8, 9])
@pytest.mark.parametrize(("scale", "offset"), [(0.5, -1.0), (0.7, 0.3), (0.25, 0), (1 / 255, 0)])
def test_inputs_around_every_step(dense, bits, scale, offset):
    """The floats next to every rounding limit, by both ways that codes enter a network."""
    dtype = IntType(bits, bits > 1 and offset != 0)
    spec = InputSpec(TensorType((1,), dtype), scale=[scale], offset=[offset], low=dtype.min + (bits > 2))
    steps = ((np.arange(2 * dtype.min - 4, 2 * dtype.max + 5) / 2 - offset) * scale).astype(np.float32)
    x = np.concatenate([np.nextafter(steps, -np.inf), steps, np.nextafter(steps, np.inf)])[:, None]
    op = ops.Dense([[1]], IntType(2, True)) if dense else ops.Requantize(dtype)
    network = Network(spec, (Node("y", op, ("input",)),))
    np.testing.assert_array_equal(network.predict(x), spec.quantize(x).astype(np.float32))


def identity_network(spec: InputSpec) -> Network:
    return Network(spec, (Node("y", ops.MaxPool((1, 1)), ("input",)),))


def test_raw_images_become_the_models_input():
    t = TensorType((2, 3, 3), IntType(8))
    raw = np.arange(18, dtype=np.uint8).reshape(1, 2, 3, 3)
    spec = InputSpec(t, layout="CHW", shape=(3, 2, 3), data_layout="HWC", data_mean=(1, 2, 3), data_std=(2, 2, 4))
    expected = (raw.astype(np.float32) - np.array([1, 2, 3], np.float32)) / np.array([2, 2, 4], np.float32)
    np.testing.assert_array_equal(spec.prepare(raw), expected.transpose(0, 3, 1, 2))


def test_a_missing_axis_of_size_one_is_added():
    spec = InputSpec(TensorType((784,), IntType(2)), shape=(1, 28, 28), data_scale=1 / 255)
    x = spec.prepare(np.full((2, 28, 28), 255, np.uint8))
    assert x.shape == (2, 1, 28, 28)
    np.testing.assert_array_equal(x, np.float32(255) * np.float32(1 / 255))


def test_flattened_color_images_follow_the_models_order():
    spec = InputSpec(TensorType((12,), IntType(8)), shape=(3, 2, 2), data_layout="HWC")
    raw = np.arange(12).reshape(1, 2, 2, 3)
    np.testing.assert_array_equal(spec.prepare(raw), raw.transpose(0, 3, 1, 2).astype(np.float32))


IMAGE = InputSpec(TensorType((4, 5, 3), IntType(8)), layout="CHW", shape=(3, 4, 5), data_layout="HWC")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 3, 4), np.float32), "input has shape (2, 3, 4); legal is (N, 3, 4, 5)"),
        (np.zeros((2, 3, 5, 4), np.float32), "input has shape (2, 3, 5, 4); legal is (N, 3, 4, 5)"),
        (
            np.zeros((2, 3, 4, 5), np.uint8),
            "the model's input is float, not uint8; raw data become floats by InputSpec.prepare",
        ),
        (
            np.where(np.arange(120).reshape(2, 3, 4, 5) == 61, np.nan, 0.0),
            "data hold nan at index (1, 0, 0, 1); legal are finite numbers",
        ),
        (
            np.where(np.arange(120).reshape(2, 3, 4, 5) >= 4, -np.inf, 0.0),
            "data hold -inf at index (0, 0, 0, 4); legal are finite numbers",
        ),
    ],
)
def test_bad_floats_get_one_line(x, message):
    with pytest.raises(DataError) as caught:
        identity_network(IMAGE).predict(x)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (np.zeros((2, 3, 4, 5)), "data have shape (2, 3, 4, 5); legal is (N, 4, 5, 3) in HWC"),
        (np.zeros(()), "data have shape (); legal is (N, 4, 5, 3) in HWC"),
        (np.array(["a"]), "data are <U1; legal are integers and floats"),
        (np.full((1, 4, 5, 3), np.inf), "data hold inf at index (0, 0, 0, 0); legal are finite numbers"),
    ],
)
def test_bad_raw_data_get_one_line(raw, message):
    with pytest.raises(DataError) as caught:
        IMAGE.prepare(raw)
    assert str(caught.value) == message


def test_integers_outside_the_type_are_refused():
    network = identity_network(IMAGE)
    with pytest.raises(DataError, match=r"input spans \[0, 256\], outside uint8 \[0, 255\]"):
        network.evaluator.run(np.full((1, 4, 5, 3), [0, 1, 256]))
    with pytest.raises(KeyError):
        network.evaluator.run(np.zeros((1, 4, 5, 3), int), ["nowhere"])
