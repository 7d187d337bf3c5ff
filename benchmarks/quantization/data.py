"""Reference networks with their calibration and test data, as the networks take them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SHUFFLE_SEED = 0
IMAGENET_CALIBRATION = 128
KWS_CALIBRATION = 100


@dataclass(frozen=True, eq=False)
class Case:
    """A float network, calibration samples, and labelled test samples that calibration has not seen."""

    model: Path
    calibration: np.ndarray
    x: np.ndarray
    labels: np.ndarray


def resnet8(data: Path) -> Case:
    """MLPerf Tiny ResNet-8 on CIFAR-10: 1,000 training images calibrate, 2,000 test images count."""
    calibration, test = (np.load(data / "cifar10" / name) for name in ("calibration.npz", "dev.npz"))
    images = [part["images"].transpose(0, 3, 1, 2).astype(np.float32) for part in (calibration, test)]
    return Case(data / "mlperf_tiny" / "resnet8.onnx", images[0], images[1], test["labels"])


def kws(data: Path) -> Case:
    """MLPerf Tiny DS-CNN on Speech Commands: 100 clips calibrate, 400 count."""
    clips = np.load(data / "mlperf_tiny" / "speech_commands_dev.npz")
    x = (clips["x_int8"] * clips["input_scale"]).astype(np.float32)
    x = x.reshape(len(x), 1, *x.shape[-2:]).swapaxes(2, 3)
    labels, n = clips["labels"], KWS_CALIBRATION
    return Case(data / "mlperf_tiny" / "kws.onnx", x[:n], x[n:], labels[n:])


def lite0(data: Path) -> Case:
    """EfficientNet-Lite0 on 400 ImageNet images, shuffled: 128 calibrate, 272 count."""
    from PIL import Image

    files = sorted((data / "imagenet" / "img").glob("*.jpg"))
    files = [files[i] for i in np.random.default_rng(SHUFFLE_SEED).permutation(len(files))]
    images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    x = np.ascontiguousarray(((images.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2))
    labels, n = np.array([int(file.name.split("_")[0]) for file in files]), IMAGENET_CALIBRATION
    return Case(data / "imagenet" / "efficientnet_lite0.onnx", x[:n], x[n:], labels[n:])


CASES: dict[str, Callable[[Path], Case]] = {"resnet8": resnet8, "kws": kws, "lite0": lite0}
