# SPDX-License-Identifier: Apache-2.0
"""Models of Keras: small networks with each of its activations, and applications; TensorFlow exports them by tf2onnx.

Their inputs and values are [N, H, W, C].
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SEED = 1
ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "tanh_shrink"),
    *("hard_sigmoid", "hard_silu", "hard_tanh", "sigmoid", "tanh", "softplus", "softsign", "log_sigmoid"),
    *("exponential", "squareplus", "soft_shrink", "hard_shrink", "sparse_plus", "celu"),
)
LAYERS = ("PReLU", "LeakyReLU", "ReLU", "ELU")
APPLICATIONS = ("MobileNetV2", "EfficientNetB0", "DenseNet121", "NASNetMobile")


def _keras() -> Any:
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
    import keras

    keras.utils.set_random_seed(SEED)
    return keras


def activated(name: str, shape: tuple[int, ...], classes: int) -> Any:
    """Three blocks with one activation, and a classifier."""
    keras = _keras()
    layers = keras.layers
    given = value = keras.Input(shape)
    for channels, stride in ((16, 2), (32, 2), (32, 1)):
        value = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(value)
        value = layers.BatchNormalization()(value)
        value = getattr(layers, name)()(value) if name in LAYERS else layers.Activation(_function(keras, name))(value)
    value = layers.GlobalAveragePooling2D()(value)
    return keras.Model(given, layers.Dense(classes, activation="softmax")(value))


def _function(keras: Any, name: str) -> Callable[[Any], Any]:
    """The activation; that of GELU with tanh, since tf2onnx does not know the other one's Erfc."""
    found = getattr(keras.activations, name)
    return (lambda x: found(x, approximate=True)) if name == "gelu" else found


def application(name: str, shape: tuple[int, ...], classes: int) -> Any:
    """A network of `keras.applications`."""
    return getattr(_keras().applications, name)(weights=None, input_shape=shape, classes=classes)


def autoencoder(shape: tuple[int, ...], _: int) -> Any:
    """Strided convolutions, transposed ones, and a bilinear enlargement."""
    keras = _keras()
    layers = keras.layers
    given = keras.Input(shape)
    value = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(given)
    value = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu")(value)
    value = layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(value)
    value = layers.UpSampling2D(2, interpolation="bilinear")(value)
    return keras.Model(given, layers.Conv2D(3, 3, padding="same", activation="sigmoid")(value))


def series(shape: tuple[int, ...], classes: int) -> Any:
    """Causal and dilated convolutions on a series."""
    keras = _keras()
    layers = keras.layers
    given = value = keras.Input(shape)
    for k in range(3):
        value = layers.Conv1D(16, 3, padding="causal", dilation_rate=2**k, activation="relu")(value)
    value = layers.MaxPooling1D(2)(value)
    return keras.Model(given, layers.Dense(classes)(layers.GlobalAveragePooling1D()(value)))


def export(make: Callable[[], Any], path: Path, x: np.ndarray) -> None:
    """The model as an ONNX file; its batch norms have seen some data."""
    net, keras = make(), _keras()
    for layer in net.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    for _ in range(2):
        net(x, training=True)
    signature = [keras.InputSpec(shape=(1, *x.shape[1:]), dtype="float32", name="x")]
    net.export(str(path), format="onnx", verbose=False, input_signature=signature)
