"""From a float model to integers: what 8, 4 and 2 bits cost in accuracy.

    pip install scikit-learn
    python examples/quantize_float.py

Shows quantization after training. A small classifier for 8x8 digits is trained with scikit-learn and written as a
float ONNX file, as any training framework would; `bitwright.quantize` turns it into integer networks of several widths
with nothing but calibration images. Weights below 8 bits gain from second-order rounding, which the last column adds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import bitwright as bw

BITS = (8, 4, 2)


def train() -> tuple[MLPClassifier, np.ndarray, np.ndarray, np.ndarray]:
    """The trained classifier, its training images, and test images float32 [N, 64] in 0..1 with classes [N]."""
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        (x / 16).astype(np.float32), y, test_size=0.3, random_state=0, stratify=y
    )
    classifier = MLPClassifier((48, 32), learning_rate_init=0.005, tol=1e-3, random_state=0)
    return classifier.fit(x_train, y_train), x_train, x_test, y_test


def write_onnx(classifier: MLPClassifier, path: Path) -> None:
    """The classifier up to its class scores: Gemm and Relu in turn, float32 [N, 64] -> [N, 10]."""
    nodes, constants, value = [], [], "x"
    layers = list(zip(classifier.coefs_, classifier.intercepts_, strict=True))
    for i, (weight, bias) in enumerate(layers):
        constants += [numpy_helper.from_array(weight.astype(np.float32), f"weight_{i}")]
        constants += [numpy_helper.from_array(bias.astype(np.float32), f"bias_{i}")]
        nodes.append(helper.make_node("Gemm", [value, f"weight_{i}", f"bias_{i}"], [f"sum_{i}"], name=f"layer_{i}"))
        value = f"sum_{i}"
        if i < len(layers) - 1:
            nodes.append(helper.make_node("Relu", [value], [f"relu_{i}"], name=f"relu_{i}"))
            value = f"relu_{i}"
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", classifier.n_features_in_])
    y = helper.make_tensor_value_info(value, TensorProto.FLOAT, ["N", classifier.n_outputs_])
    graph = helper.make_graph(nodes, "digits_mlp", [x], [y], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def main(bits: Sequence[int] = BITS) -> dict[str, float]:
    """Train, export, quantize; test accuracies by name."""
    classifier, x_train, x_test, y_test = train()
    found = {"float": float(np.mean(classifier.predict(x_test) == y_test))}
    print(f"float:   {found['float']:.1%}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlp.onnx"
        write_onnx(classifier, path)
        for width in bits:
            for rounding in ("nearest", "second_order"):
                network = bw.quantize(
                    path, x_train, weight_bits=width, activation_bits=width, input_bits=4, weight_rounding=rounding
                )
                accuracy = np.mean(network.predict(x_test).argmax(axis=1) == y_test)
                found[f"{width} bits, {rounding}"] = float(accuracy)
            nearest, second = found[f"{width} bits, nearest"], found[f"{width} bits, second_order"]
            print(f"{width} bits:  {nearest:.1%} rounded to nearest, {second:.1%} with second-order rounding")
    return found


if __name__ == "__main__":
    main()
