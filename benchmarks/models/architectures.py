# SPDX-License-Identifier: Apache-2.0
"""The models of the benchmark: architectures with seeded random weights, whose batch norms know their data.

`MODELS` has for every name a function that makes the network, and the shape of its input without the batch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras_models
import torch
from torch import Tensor, nn

IMAGE, SMALL, SERIES = (3, 96, 96), (3, 64, 64), (4, 256)
CLASSES = 10
HEADLESS = ("alexnet", "vgg")  # whose classifiers are made for larger images: one dense layer stands in their place
# Of torchvision; those of one family are built of the same blocks.
TORCHVISION = [
    "alexnet",
    "vgg11",
    "vgg11_bn",
    "squeezenet1_0",
    "squeezenet1_1",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext50_32x4d",
    "wide_resnet50_2",
    "densenet121",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "mnasnet0_5",
    "mnasnet1_0",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_v2_s",
    "regnet_x_400mf",
    "regnet_y_400mf",
    "googlenet",
]
# Of timm: one of every family of convolutional networks, and a second one where the blocks differ.
TIMM = [
    "resnet10t",
    "resnet18d",
    "resnet26t",
    "seresnet18",
    "skresnet18",
    "ecaresnet26t",
    "resnet26d",
    "legacy_seresnet18",
    "res2net50_14w_8s",
    "resnest14d",
    "hrnet_w18_small",
    "dla34",
    "dla46_c",
    "darknet17",
    "darknet21",
    "cspresnet50",
    "cspdarknet53",
    "cs3darknet_s",
    "vovnet39a",
    "ese_vovnet19b_dw",
    "ghostnet_050",
    "ghostnet_100",
    "ghostnetv2_100",
    "mixnet_s",
    "tinynet_a",
    "tinynet_e",
    "lcnet_050",
    "mobilenetv2_050",
    "mobilenetv3_rw",
    "mobilenetv4_conv_small",
    "mobileone_s0",
    "repvgg_a0",
    "repghostnet_050",
    "fbnetc_100",
    "fbnetv3_b",
    "hardcorenas_a",
    "spnasnet_100",
    "semnasnet_075",
    "mnasnet_small",
    "efficientnet_lite0",
    "efficientnet_es",
    "efficientnet_b0",
    "tf_efficientnetv2_b0",
    "gernet_s",
    "regnetx_002",
    "regnety_002",
    "regnetz_005",
    "rexnet_100",
    "selecsls42",
    "xception41",
    "inception_v3",
    "nf_resnet26",
    "nfnet_f0",
    "dm_nfnet_f0",
    "hgnet_tiny",
    "hgnetv2_b0",
    "fasternet_t0",
    "starnet_s1",
    "dpn48b",
    "convnext_atto",
    "edgenext_xx_small",
    "mobilevit_xxs",
    "efficientvit_b0",
    "repvit_m0_9",
    "vit_tiny_patch16_224",
]


SEGMENTATION = ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50"]  # of torchvision
# Of segmentation_models_pytorch, each on two encoders.
DECODERS = ["Unet", "UnetPlusPlus", "FPN", "Linknet", "PAN", "MAnet", "PSPNet", "DeepLabV3", "DeepLabV3Plus"]
ENCODERS = ["resnet18", "mobilenet_v2"]
ULTRALYTICS = ["yolov5n", "yolov8n", "yolo11n"]


@dataclass(frozen=True)
class Model:
    """A network of PyTorch, or of Keras, and the shape of its input, channels first; Keras takes them last."""

    make: Callable[[], Any]
    shape: tuple[int, ...] = IMAGE
    keras: bool = False


def block(inputs: int, outputs: int, act: nn.Module, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs), act)


class Activated(nn.Sequential):
    """Three blocks with one activation, and a classifier."""

    def __init__(self, act: nn.Module) -> None:
        blocks = block(3, 16, act, stride=2), block(16, 32, act, stride=2), block(32, 32, act)
        super().__init__(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, CLASSES))


class Bottleneck(nn.Module):
    """C2f of YOLOv8: halves, one of which goes through blocks, all of them joined."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        half, act = channels // 2, nn.SiLU()
        self.first = block(channels, channels, act, 1)
        self.inner = nn.ModuleList(nn.Sequential(block(half, half, act), block(half, half, act)) for _ in range(count))
        self.last = block(half * (2 + count), channels, act, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.first(x).chunk(2, 1))
        for inner in self.inner:
            parts.append(parts[-1] + inner(parts[-1]))
        return self.last(torch.cat(parts, 1))


class Yolo(nn.Module):
    """Focus stem, C2f, pyramid pooling and an upsampled path, as detectors of the YOLO family have them."""

    def __init__(self) -> None:
        super().__init__()
        act = nn.SiLU()
        self.stem, self.down = block(12, 16, act), block(16, 32, act, stride=2)
        self.inner, self.deep = Bottleneck(32, 1), block(32, 64, act, stride=2)
        self.pool, self.spread = nn.MaxPool2d(5, 1, 2), block(256, 64, act, 1)
        self.up, self.head = nn.Upsample(scale_factor=2), nn.Conv2d(96, 20, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)
        fine = self.inner(self.down(self.stem(x)))
        pools = [self.deep(fine)]
        for _ in range(3):
            pools.append(self.pool(pools[-1]))
        return self.head(torch.cat([self.up(self.spread(torch.cat(pools, 1))), fine], 1))


class UNet(nn.Module):
    """Two levels, joined again by the given enlargement."""

    def __init__(self, up: nn.Module) -> None:
        super().__init__()
        act = nn.ReLU()
        self.a, self.b, self.pool, self.up = block(3, 16, act), block(16, 32, act), nn.MaxPool2d(2), up
        self.end = nn.Sequential(block(48, 16, act), nn.Conv2d(16, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        return self.end(torch.cat([self.up(self.b(self.pool(a))), a], 1))


class Attention(nn.Module):
    """CBAM: a gate of every channel, then one of every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = block(3, 32, nn.ReLU(), stride=2)
        self.squeeze = nn.Sequential(nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 32))
        self.map = nn.Conv2d(32, 1, 7, padding=3)
        self.end = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        gate = torch.sigmoid(self.squeeze(x.mean((2, 3))) + self.squeeze(x.amax((2, 3))))
        x = x * gate[:, :, None, None]
        return self.end(x * torch.sigmoid(self.map(x)))


class Temporal(nn.Module):
    """Gated causal convolutions on a series, dilated more and more, with residuals."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, 16, 1)
        self.inner = nn.ModuleList(nn.Conv1d(16, 32, 3, dilation=2**k) for k in range(4))
        self.end = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for k, inner in enumerate(self.inner):
            a, b = inner(nn.functional.pad(x, (2 << k, 0))).chunk(2, 1)
            x = x + torch.tanh(a) * torch.sigmoid(b)
        return self.end(x)


def ecg() -> nn.Module:
    """A classifier of series: convolutions, batch norms and pools."""
    layers: list[nn.Module] = []
    for a, b in ((4, 16), (16, 32), (32, 32)):
        layers += [nn.Conv1d(a, b, 7, padding=3), nn.BatchNorm1d(b), nn.ReLU(), nn.MaxPool1d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, CLASSES))


ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish),
    *(nn.Hardsigmoid, nn.Hardtanh, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign),
)
OWN = {
    **{f"act_{act.__name__.lower()}": Model(lambda act=act: Activated(act())) for act in ACTIVATIONS},
    "yolo_c2f": Model(Yolo),
    "unet_nearest": Model(lambda: UNet(nn.Upsample(scale_factor=2))),
    "unet_bilinear": Model(lambda: UNet(nn.Upsample(scale_factor=2, mode="bilinear"))),
    "unet_transposed": Model(lambda: UNet(nn.ConvTranspose2d(32, 32, 2, 2))),
    "cbam": Model(Attention),
    "tcn": Model(Temporal, SERIES),
    "ecg": Model(ecg, SERIES),
}


@functools.cache
def _operators() -> torch.library.Library:
    """Names for torchvision's compiled operators, with which no model here computes: it loads without them."""
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def _torchvision(name: str) -> nn.Module:
    _operators()
    import torchvision

    more = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    net = torchvision.models.get_model(name, weights=None, num_classes=CLASSES, **more)
    if name.startswith(HEADLESS):
        net.avgpool = nn.AdaptiveAvgPool2d(1)
        net.classifier = nn.Linear(512 if name.startswith("vgg") else 256, CLASSES)
    return net


class Segmentation(nn.Module):
    """The first of the outputs."""

    def __init__(self, name: str) -> None:
        super().__init__()
        _operators()
        import torchvision

        get = torchvision.models.get_model
        self.net = get(name, weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)["out"]


def _decoder(name: str, encoder: str) -> nn.Module:
    _operators()
    import segmentation_models_pytorch as smp

    return getattr(smp, name)(encoder, encoder_weights=None, classes=CLASSES)


class Detector(nn.Module):
    """A detector of Ultralytics up to the raw map of boxes and scores of its coarsest scale, which all else leads to.

    What follows in a full export are a softmax of every 16 numbers and the decoding of boxes.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        _operators()
        from ultralytics.nn.tasks import DetectionModel

        self.net = DetectionModel(f"{name}.yaml", verbose=False)
        head = self.net.model[-1]
        boxes, scores = head.cv2[-1], head.cv3[-1]
        head.forward = lambda maps: torch.cat([boxes(maps[-1]), scores(maps[-1])], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def _timm(name: str) -> nn.Module:
    _operators()
    import timm

    more = {"img_size": SMALL[1]} if name.startswith("vit") else {}
    return timm.create_model(name, pretrained=False, num_classes=CLASSES, exportable=True, **more)


def _decoder_shape(name: str) -> tuple[int, ...]:
    """Two decoders pool the smallest maps to sizes that larger images have."""
    return {"PAN": (3, 128, 128), "PSPNet": IMAGE}.get(name, SMALL)


def _of_keras(make: Callable[..., Any], shape: tuple[int, ...], *given: Any) -> Model:
    return Model(lambda: make(*given, (*shape[1:], shape[0]), CLASSES), shape, keras=True)


def _shape(name: str) -> tuple[int, ...]:
    """Of a network of timm; a few take no smaller images."""
    return IMAGE if name.startswith("inception") else SMALL


MODELS: dict[str, Model] = {
    **OWN,
    **{f"torchvision/{name}": Model(lambda name=name: _torchvision(name)) for name in TORCHVISION},
    **{f"segmentation/{name}": Model(lambda name=name: Segmentation(name)) for name in SEGMENTATION},
    **{
        f"segmentation/{name}_{encoder}": Model(
            lambda name=name, encoder=encoder: _decoder(name, encoder), _decoder_shape(name)
        )
        for name in DECODERS
        for encoder in ENCODERS
    },
    **{f"ultralytics/{name}": Model(lambda name=name: Detector(name)) for name in ULTRALYTICS},
    **{
        f"keras/act_{name.lower()}{'_layer' * (name in keras_models.LAYERS)}": _of_keras(
            keras_models.activated, IMAGE, name
        )
        for name in (*keras_models.ACTIVATIONS, *keras_models.LAYERS)
    },
    **{f"keras/{name.lower()}": _of_keras(keras_models.application, IMAGE, name) for name in keras_models.APPLICATIONS},
    "keras/autoencoder": _of_keras(keras_models.autoencoder, IMAGE),
    "keras/series": _of_keras(keras_models.series, SERIES),
    **{f"timm/{name}": Model(lambda name=name: _timm(name), _shape(name)) for name in TIMM},
}
