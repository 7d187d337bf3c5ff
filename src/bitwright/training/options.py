# SPDX-License-Identifier: Apache-2.0
"""All options of fine-tuning, validated in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bitwright.errors import OptionError
from bitwright.options import check_types
from bitwright.quantization.options import QuantizeOptions

MAX_TRAINED_BITS = 8
DEFAULT_EPOCHS = 10.0
LOSSES = ("auto", "kl", "binary", "error")
PRECISIONS = ("auto", "float32", "bf16")
DEVICES = ("auto", "cpu", "cuda")
AUGMENTATIONS = {"flip": False, "shift": True, "crop": True}  # whether they have pixels
MAX_PIXELS = 64
LEARNING_RATES = {2: 1e-2, 3: 5e-3, 4: 2.5e-3}  # of bits: as the steps of a grid; the ends hold beyond


def _doc(default: object, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class FinetuneOptions:
    """How a quantized network is trained; every field is a keyword of `bitwright.finetune`."""

    epochs: float | None = _doc(None, "passes over the data; 10 where neither steps nor minutes are given")
    steps: int | None = _doc(None, "batches in all, in place of epochs")
    minutes: float | None = _doc(None, "time for training, in place of epochs; the result is not reproducible")
    batch: int = _doc(64, "samples of a step")
    learning_rate: float | None = _doc(
        None, "of Adam; default 0.01 where 2 bits or fewer are trained, 0.005 of 3, 0.0025 of more"
    )
    label_share: float = _doc(0.0, "share of the labels in the loss, 0 to 1; the rest is the float model's answers")
    float_epochs: float = _doc(0.0, "passes in which the float model learns from labels first, so that it teaches more")
    loss: str = _doc("auto", f"distance to the float model's outputs: {', '.join(LOSSES)}")
    temperature: float = _doc(1.0, "of class probabilities in the loss kl: 2 weighs unlikely classes more")
    features: float = _doc(0.0, "weight in the loss of what every layer computes, against the float model's layers")
    augment: tuple[str, ...] = _doc((), "of images: flip, shift=PIXELS, crop=PIXELS, or ROWSxCOLUMNS of pixels")
    evaluations: int = _doc(10, "how often the integer network is measured on the way")
    held_back: int = _doc(2000, "samples kept for measuring where no evaluation data are given; a tenth at most")
    precision: str = _doc("auto", f"of convolutions while training: {', '.join(PRECISIONS)}")
    device: str = _doc("auto", f"{', '.join(DEVICES)}")
    checkpoint_seconds: float = _doc(30.0, "time between two checkpoints")
    seed: int = _doc(1, "of every random choice, 1 to 2**32 - 1")
    jobs: int = _doc(0, "threads; 0 is all cores")

    def __post_init__(self) -> None:
        check_types(self)
        object.__setattr__(self, "augment", tuple(self.augment))
        given = [name for name in ("epochs", "steps", "minutes") if getattr(self, name) is not None]
        if len(given) > 1:
            raise OptionError(f"{' and '.join(given)} exclude each other; legal is one of epochs, steps and minutes")
        for name, legal in (("loss", LOSSES), ("precision", PRECISIONS), ("device", DEVICES)):
            if getattr(self, name) not in legal:
                raise OptionError(f"{name} is {getattr(self, name)!r}; legal are {', '.join(legal)}")
        for name, low, high in (
            ("epochs", 1e-6, 1e6),
            ("steps", 1, 1 << 40),
            ("minutes", 1e-3, 1e6),
            ("batch", 1, 1 << 16),
            ("learning_rate", 1e-9, 1.0),
            ("label_share", 0, 1),
            ("float_epochs", 0, 1e6),
            ("temperature", 0.1, 100),
            ("features", 0, 1000),
            ("evaluations", 1, 1 << 20),
            ("held_back", 1, 1 << 40),
            ("checkpoint_seconds", 0, 1e6),
            ("seed", 1, (1 << 32) - 1),
            ("jobs", 0, 1 << 16),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OptionError(f"{name} is {value!r}; legal are {low:g} to {high:g}")
        if self.float_epochs and not self.label_share:
            raise OptionError("float_epochs needs labels: legal with a label_share above 0")
        self.pixels  # noqa: B018 - checks the augmentations

    @property
    def pixels(self) -> dict[str, tuple[int, int]]:
        """Augmentations with their rows and columns of pixels; `OptionError` where one is unknown."""
        found: dict[str, tuple[int, int]] = {}
        for text in self.augment:
            name, equals, value = text.partition("=")
            sides = [int(side) if side.isdecimal() else MAX_PIXELS + 1 for side in value.split("x")] if equals else [0]
            reach = (sides[0], sides[-1])
            legal = 0 < max(reach) <= MAX_PIXELS and len(sides) <= 2 if AUGMENTATIONS.get(name) else not equals
            if name not in AUGMENTATIONS or not legal:
                raise OptionError(
                    f"augment holds {text!r}; legal are flip, and shift and crop with =PIXELS or =ROWSxCOLUMNS, "
                    f"1 to {MAX_PIXELS} in one of them"
                )
            found[name] = reach
        return found

    @property
    def mirrored(self) -> bool:
        """Whether the float model answers for each image and its mirror image: where images are flipped."""
        return "flip" in self.pixels

    def rate(self, bits: int) -> float:
        """The learning rate for a network whose narrowest trained grid has so many bits."""
        if self.learning_rate is not None:
            return self.learning_rate
        return LEARNING_RATES[min(max(bits, 2), 4)]


def split_options(values: Mapping[str, Any]) -> tuple[FinetuneOptions, QuantizeOptions]:
    """Options of training and of the quantizer of one set of keyword arguments; seed and jobs are for both.

    Weights are rounded by second order and have 4 bits, as activations, unless the values say otherwise.
    `OptionError` names what is unknown and what is legal.
    """
    own, quantizer = ([f.name for f in fields(kind)] for kind in (FinetuneOptions, QuantizeOptions))
    unknown = sorted(set(values) - {*own, *quantizer})
    if unknown:
        legal = ", ".join(dict.fromkeys([*own, *quantizer]))
        raise OptionError(f"finetune has no option {', '.join(map(repr, unknown))}; legal are {legal}")
    made = FinetuneOptions(**{name: value for name, value in values.items() if name in own})
    return made, start_options({name: value for name, value in values.items() if name in quantizer})


def start_options(values: Mapping[str, Any]) -> QuantizeOptions:
    """The quantizer's options for the start of training; `OptionError` where they ask for more than 8 bits."""
    options = QuantizeOptions(**{"weight_rounding": "second_order", "weight_bits": 4, "activation_bits": 4, **values})
    asked = {
        "weight_bits": options.weight_bits,
        "activation_bits": options.activation_bits,
        **{name: max(pair) for name, pair in options.layer_bits.items()},
        **{name: max(getattr(options, name) or (0,)) for name in ("first_bits", "last_bits")},
    }
    for name, bits in asked.items():
        if bits > MAX_TRAINED_BITS:
            raise OptionError(f"{name} asks for {bits} bits; fine-tuning trains 1 to {MAX_TRAINED_BITS}")
    return options
