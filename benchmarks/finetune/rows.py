"""What is measured: each row a network, widths, how long and with what share of labels, and its bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

EDGES = {"first_bits": (8, 8), "last_bits": (8, 8)}
IMAGES = {"augment": ("flip", "shift=4"), "temperature": 2.0}
CLIPS = {"augment": ("shift=4x0",), "features": 1.0, "steps": 800}  # moved in time
SMALL = {"learning_rate": 0.03}  # better than 0.01 on folds of the training data
DENSE = {"learning_rate": 0.015}  # closer to the float network's answers than 0.03
EPOCH = 25_000  # training images of CIFAR-10


@dataclass(frozen=True)
class Row:
    """kind: how it is measured (`run.KINDS`); max_loss: in points of accuracy against the float network.

    folds: parts of the data that are tested in turn, 1 where there are test data of their own.
    """

    name: str
    kind: str
    network: str
    options: Mapping[str, object] = field(default_factory=dict)
    max_loss: float | None = None
    folds: int = 1


def widths(bits: int, edges: bool = False) -> dict[str, object]:
    """Options for uniform widths, with first and last layer at 8 bits or without."""
    return {"weight_bits": bits, "activation_bits": bits, **(EDGES if edges else {})}


def resnet8(name: str, bits: int, edges: bool, epochs: float, max_loss: float | None, **labels: float) -> Row:
    options = {**widths(bits, edges), **IMAGES, "steps": round(epochs * EPOCH / 64), **labels}
    return Row(f"resnet8 {name}", "train", "resnet8", options, max_loss)


TIMED = "resnet8 W3A3, edges 8"  # ten epochs, whose processor time has a bound
ROWS = (
    resnet8("W3A3, edges 8", 3, True, 10, 0.5),
    resnet8("W3A3, all layers", 3, False, 20, 0.6),
    resnet8("W4A4, all layers", 4, False, 10, 0.3),
    resnet8("W2A2, edges 8", 2, True, 30, 2.0),
    resnet8("W2A2, all layers", 2, False, 20, 5.0),
    resnet8("W3A3, edges 8, labels", 3, True, 2, 0.0, label_share=0.5),
    resnet8("W3A3, all layers, labels", 3, False, 2, 0.0, label_share=0.5),
    # against the float network that has learned from the same labels first
    resnet8("W2A2, edges 8, labels", 2, True, 30, None, label_share=0.5, float_epochs=30.0),
    Row("kws W3A3, edges 8", "train", "kws", {**widths(3, True), **CLIPS}, folds=5),
    Row("kws W2A2, edges 8", "train", "kws", {**widths(2, True), **CLIPS}, folds=5),
    Row("digits CNN W2A2", "train", "digits", {**widths(2), **SMALL, "augment": ("shift=1",), "epochs": 300}, 0.5),
    Row("TFC W2A2", "train", "tfc", {**widths(2), **DENSE, "augment": ("shift=1",), "batch": 256, "epochs": 800}, 0.5),
    Row("killed and resumed", "resume", "resnet8", {**widths(3, True), **IMAGES, "steps": 400}),
    Row("hardware", "hardware", "resnet8", {"images": 100}),
)
MAX_MINUTES = 10.0  # of processor time, for ten epochs of 25,000 images
MIN_AGREEMENT = 99.0  # percent of answers of the torch module and of the integers
MAX_TAUGHT_LOSS = 2.0  # of W2A2 with labels, against the float network that has learned from them
