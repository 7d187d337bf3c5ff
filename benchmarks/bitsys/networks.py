"""The networks of the benchmark and their frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import bitwright as bw
from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Dense, Requantize, Threshold

MIXED = {
    **{f"conv2d_{k}": (4, 4) for k in (3, 4)},
    **{f"conv2d_{k}": (2, 2) for k in (6, 7)},
    "conv2d_5": (4, 4),
    "conv2d_8": (2, 2),
}
TFC_WIDTHS = ((8, 4, 2, 8), (8, 2, 2, 4), (4, 2, 1, 8), (1, 1, 1, 1))
TFC_SIZES = (784, 64, 64, 64, 10)


def load(name: str, data: Path) -> tuple[Network, np.ndarray]:
    """Network and frames (floats in the model's layout): tfc_1w2a, tfc_2w2a, kws, digits, resnet8, resnet8_mixed."""
    if name.startswith("tfc"):
        images = np.load(data / "mnist/dev.npz")["images"][:, None].astype(np.float32) / 255
        return bw.load(str(data / f"qonnx/TFC_{name[4:].upper()}.onnx")), images
    if name == "kws":
        clips = np.load(data / "mlperf_tiny/speech_commands_dev.npz")
        frames = clips["x_int8"].astype(np.float32) * clips["input_scale"]
        return bw.load(str(data / "qonnx/kws_finn_submission_v0.7.onnx")), frames.reshape(-1, 1, 10, 49)
    if name == "digits":
        demo = Path(bw.__file__).parent / "demo"
        images = np.load(demo / "digits_test.npz")["images"][:, None].astype(np.float32) / 16
        return bw.load(str(demo / "digits.onnx")), images
    frames, calibration = (
        np.load(data / f"cifar10/{part}.npz")["images"].transpose(0, 3, 1, 2).astype(np.float32)
        for part in ("dev", "calibration")
    )
    bits = MIXED if name == "resnet8_mixed" else {}
    return bw.quantize(str(data / "mlperf_tiny/resnet8.onnx"), calibration[:256], layer_bits=bits), frames


def tfc(widths: tuple[int, int, int, int], seed: int = 1) -> Network:
    """784-64-64-64-10 with random weights; layer i has weights and activations of widths[i] bits, 1 is bipolar."""
    rng = np.random.default_rng(seed)
    types = [(BIPOLAR, BIPOLAR) if w == 1 else (IntType(w), IntType(w, True)) for w in widths]
    nodes, source = [], "input"
    for k, (_, weight_type) in enumerate(types):
        weight = rng.choice(weight_type.values(), (TFC_SIZES[k + 1], TFC_SIZES[k]))
        nodes.append(Node(f"dense{k}", Dense(weight, weight_type), (source,)))
        if k == len(types) - 1:
            break
        nodes.append(Node(f"act{k}", _activation(rng, types[k + 1][0], weight, types[k][0]), (f"dense{k}",)))
        source = f"act{k}"
    return Network(
        InputSpec(TensorType((TFC_SIZES[0],), types[0][0])), tuple(nodes), name="tfc_" + "_".join(map(str, widths))
    )


def _activation(rng, dtype: IntType, weight: np.ndarray, source: IntType):
    """A quantizer that uses the range of the sums: one threshold for bipolar, else scale and shift."""
    spread = float(np.sqrt((weight**2).sum(1).mean() * (source.values() ** 2).mean()))
    channels = weight.shape[0]
    if dtype.bipolar:
        return Threshold(rng.integers(-int(spread), int(spread) + 1, (channels, 1)), dtype, -1, 2)
    shift = 16
    multiplier = np.maximum(1, rng.uniform(0.7, 1.4, channels) * dtype.levels / (3 * spread) * (1 << shift)).astype(int)
    return Requantize(dtype, multiplier, shift, 1 << (shift - 1))
