# SPDX-License-Identifier: Apache-2.0
"""Quantized files: what ONNX Runtime makes of an exported network, and networks made with Brevitas."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from architectures import CLASSES, MODELS, SERIES, SMALL
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

SEED = 1
U8, S8, U16, S16, S4, U4 = (
    getattr(QuantType, f"Q{name}") for name in ("UInt8", "Int8", "UInt16", "Int16", "Int4", "UInt4")
)
QDQ, QOPERATOR = QuantFormat.QDQ, QuantFormat.QOperator
# By name: format, type of activations, of weights, and whether weights have a scale a channel.
VARIANTS: dict[str, tuple[QuantFormat, QuantType, QuantType, bool]] = {
    "qdq_u8s8_channel": (QDQ, U8, S8, True),
    "qdq_u8s8_tensor": (QDQ, U8, S8, False),
    "qdq_s8s8_channel": (QDQ, S8, S8, True),
    "qdq_s8s8_tensor": (QDQ, S8, S8, False),
    "qdq_u8u8_tensor": (QDQ, U8, U8, False),
    "qdq_u16s8_channel": (QDQ, U16, S8, True),
    "qdq_s16s16_tensor": (QDQ, S16, S16, False),
    "qdq_u8s4_channel": (QDQ, U8, S4, True),
    "qdq_u16s4_tensor": (QDQ, U16, S4, False),
    "qoperator_u8s8_channel": (QOPERATOR, U8, S8, True),
    "qoperator_u8u8_tensor": (QOPERATOR, U8, U8, False),
    "qoperator_s8s8_tensor": (QOPERATOR, S8, S8, False),
}
EVERY = tuple(VARIANTS)
SOME = ("qdq_u8s8_channel", "qdq_s8s8_tensor", "qdq_u16s8_channel", "qoperator_s8s8_tensor")
RUNTIME: dict[str, tuple[str, ...]] = {
    "act_leakyrelu": EVERY,
    "ecg": tuple(v for v in EVERY if v != "qdq_s16s16_tensor"),
    "yolo_c2f": SOME,
    "tcn": SOME,
    "cbam": SOME,
    "unet_bilinear": SOME,
    "unet_transposed": SOME,
    "act_gelu": SOME,
    "act_sigmoid": SOME,
    "act_prelu": SOME,
    "torchvision/shufflenet_v2_x0_5": SOME,
    "torchvision/mobilenet_v3_small": SOME,
    "torchvision/mobilenet_v2": SOME,
    "torchvision/squeezenet1_1": SOME,
    "torchvision/resnet18": SOME,
    "torchvision/efficientnet_b0": SOME,
}


class Reader(CalibrationDataReader):
    """Samples one by one."""

    def __init__(self, x: np.ndarray) -> None:
        self.left = [{"x": x[i : i + 1]} for i in range(len(x))]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self.left.pop() if self.left else None


def by_runtime(path: Path, variant: str, calibration: np.ndarray) -> Path:
    """The file beside `path` that ONNX Runtime's static quantizer writes, after its own preparation."""
    ready, made = path.with_suffix(".ready.onnx"), path.with_suffix(".quantized.onnx")
    if not ready.exists():
        quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
    form, activations, weights, channels = VARIANTS[variant]
    kinds: dict[str, Any] = {"activation_type": activations, "weight_type": weights}
    quantize_static(str(ready), str(made), Reader(calibration), quant_format=form, per_channel=channels, **kinds)
    return made


@dataclass(frozen=True)
class Trained:
    """A network of Brevitas: what makes it for a number of bits, which numbers, and the shape of its input."""

    make: Callable[[int], nn.Module]
    bits: tuple[int, ...]
    shape: tuple[int, ...] = SMALL


FORMS = ("qonnx", "qcdq")
NO_FILE = {(1, "qcdq")}  # Brevitas has no QCDQ form of bipolar numbers


@dataclass
class Layers:
    """Constructors for a number of bits: convolution, dense layer, rectifier, quantizer of a sum, and average."""

    conv: Callable[..., nn.Module]
    dense: Callable[..., nn.Module]
    act: Callable[[], nn.Module]
    same: Callable[[], nn.Module]
    pool: Callable[..., nn.Module]


def _layers(bits: int) -> Layers:
    """An even number of bits has a scale a channel; weights and activations of one bit are -1 or 1."""
    import brevitas.nn as qnn
    from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst

    given: dict[str, Any] = {"return_quant_tensor": True}
    weight: dict[str, Any] = {"weight_bit_width": bits, "weight_scaling_per_output_channel": bits % 2 == 0}
    act, same = (partial(made, bit_width=bits, **given) for made in (qnn.QuantReLU, qnn.QuantIdentity))
    if bits == 1:
        weight = {"weight_quant": SignedBinaryWeightPerTensorConst}
        act = same = partial(qnn.QuantIdentity, act_quant=SignedBinaryActPerTensorConst, **given)
    conv, dense = partial(qnn.QuantConv2d, bias=False, **weight), partial(qnn.QuantLinear, bias=True, **weight)
    return Layers(conv, dense, act, same, qnn.TruncAvgPool2d)


class Straight(nn.Module):
    """Layers one behind the other, and a dense layer."""

    def __init__(self, layers: Callable[[Layers], list[nn.Module]], bits: int) -> None:
        super().__init__()
        import brevitas.nn as qnn

        q = _layers(bits)
        self.first = qnn.QuantIdentity(bit_width=8, return_quant_tensor=True)
        self.inner = nn.Sequential(*layers(q))
        self.end = nn.Sequential(nn.Flatten(), q.dense(32 * 64, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.inner(self.first(x)))


def plain(bits: int) -> nn.Module:
    """Convolutions, batch norms and pools, as the VGG family has them."""

    def layers(q: Layers) -> list[nn.Module]:
        found: list[nn.Module] = []
        for a, b in ((3, 16), (16, 32), (32, 32)):
            found += [q.conv(a, b, 3, padding=1), nn.BatchNorm2d(b), q.act(), nn.MaxPool2d(2)]
        return found

    return Straight(layers, bits)


def series(bits: int) -> nn.Module:
    """1-D convolutions."""
    import brevitas.nn as qnn

    def layers(q: Layers) -> list[nn.Module]:
        found: list[nn.Module] = []
        for a, b in ((4, 16), (16, 32)):
            found += [qnn.QuantConv1d(a, b, 5, padding=2, weight_bit_width=bits), nn.BatchNorm1d(b), q.act()]
            found += [nn.MaxPool1d(2)]
        return found

    return Straight(layers, bits)


class Residual(nn.Module):
    """Two residual blocks; both branches of a sum have one quantizer."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        import brevitas.nn as qnn

        q = _layers(bits)
        self.first = qnn.QuantIdentity(bit_width=8, return_quant_tensor=True)
        self.stem = nn.Sequential(q.conv(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16))
        self.ins = nn.ModuleList(q.same() for _ in range(2))
        self.outs = nn.ModuleList(q.act() for _ in range(2))
        self.inner = nn.ModuleList(
            nn.Sequential(
                *(q.conv(16, 16, 3, padding=1), nn.BatchNorm2d(16), q.act()),
                *(q.conv(16, 16, 3, padding=1), nn.BatchNorm2d(16)),
            )
            for _ in range(2)
        )
        self.end = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), q.same(), q.dense(16, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(self.first(x))
        for inner, given, made in zip(self.inner, self.ins, self.outs, strict=True):
            x = given(x)
            x = made(given(inner(x)) + x)
        return self.end(x)


class Separable(nn.Module):
    """Depthwise and pointwise convolutions, as MobileNet has them, and a truncated average."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        import brevitas.nn as qnn

        q = _layers(bits)
        self.first = qnn.QuantIdentity(bit_width=8, return_quant_tensor=True)
        layers: list[nn.Module] = [q.conv(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), q.act()]
        for stride in (2, 1, 2):
            layers += [q.conv(16, 16, 3, stride=stride, padding=1, groups=16), nn.BatchNorm2d(16), q.act()]
            layers += [q.conv(16, 16, 1), nn.BatchNorm2d(16), q.act()]
        self.inner = nn.Sequential(*layers)
        self.pool = q.pool(8) if bits > 1 else nn.MaxPool2d(8)
        self.end = q.dense(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.pool(self.inner(self.first(x))).flatten(1))


def _after_training(name: str, bits: int) -> nn.Module:
    """A network of torchvision that Brevitas traces and quantizes."""
    from brevitas.graph.quantize import preprocess_for_quantize, quantize

    torch.manual_seed(SEED)
    net = MODELS[f"torchvision/{name}"].make().eval()
    traced = torch.fx.symbolic_trace(net)
    return quantize(preprocess_for_quantize(traced), compute_layer_map=_widths(bits))


def _widths(bits: int) -> Any:
    """Brevitas' own layers with other bit widths of weights."""
    from brevitas.graph.quantize import COMPUTE_LAYER_MAP

    found = copy.copy(COMPUTE_LAYER_MAP)
    for kind in (nn.Conv2d, nn.Linear):
        made, settings = found[kind]
        found[kind] = (made, {**settings, "weight_bit_width": bits})
    return found


BREVITAS = {
    "plain": Trained(plain, (1, 2, 3, 4, 5, 6, 7, 8)),
    "residual": Trained(Residual, (2, 3, 4, 8)),
    "separable": Trained(Separable, (2, 4, 6, 8)),
    "series": Trained(series, (2, 4, 8), SERIES),
    "resnet18": Trained(lambda bits: _after_training("resnet18", bits), (4, 8)),
    "mobilenet_v2": Trained(lambda bits: _after_training("mobilenet_v2", bits), (8,)),
}


def by_brevitas(name: str, bits: int, form: str, path: Path) -> Path:
    """The file that Brevitas writes of a network whose batch norms and scales have seen some data."""
    from brevitas.export import export_onnx_qcdq, export_qonnx
    from run import images

    network = BREVITAS[name]
    torch.manual_seed(SEED)
    net = network.make(bits)
    x = torch.from_numpy(images(network.shape, 16, 2))
    net.train()
    with torch.no_grad():
        for _ in range(2):
            net(x)
    export = {"qonnx": export_qonnx, "qcdq": export_onnx_qcdq}[form]
    export(net.eval(), x[:1], str(path), opset_version=17, dynamo=False)
    return path
