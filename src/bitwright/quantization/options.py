# SPDX-License-Identifier: Apache-2.0
"""All options of the quantizer, validated in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bitwright.errors import OptionError
from bitwright.network.ops import Rounding
from bitwright.options import check_types, from_keywords
from bitwright.quantization.ranges.thresholds import METHODS, SCALES
from bitwright.quantization.weights.grids import WEIGHT_METHODS

MAX_QUANTIZED_BITS = 16
WEIGHT_ROUNDINGS = ("nearest", "half_away", "floor", "stochastic", "second_order")
ROUNDINGS = tuple(str(r) for r in Rounding)


def _doc(default: object, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class QuantizeOptions:
    """How a float network becomes integers; every field is a keyword of `bitwright.quantize`."""

    weight_bits: int = _doc(8, "bits of all weights, 1 to 16 (1 is bipolar)")
    activation_bits: int = _doc(8, "bits of all activations, 1 to 16")
    method: str = _doc("mse", f"range of activations: {', '.join(METHODS)}")
    percentile: float = _doc(99.99, "of the percentile method, in percent, above 50 to 100")
    scales: str = _doc(
        "free", "free (multiplier and shift) or power_of_two (shift alone, best radix point of each tensor)"
    )
    refine_scales: bool = _doc(False, "choose scales of layer inputs by the error of the layers' outputs")
    weight_method: str = _doc("mse", "weight scales: mse (least squared error) or minmax (nothing clips)")
    per_channel: bool = _doc(True, "a weight scale for every output channel, or one for the tensor")
    zero_points: bool = _doc(False, "unsigned codes with a zero point for activations that become negative")
    weight_rounding: str = _doc("nearest", f"of weights: {', '.join(WEIGHT_ROUNDINGS)} (nearest: ties to even)")
    compensate: bool = _doc(True, "second-order rounding makes up for errors of the layers before")
    activation_rounding: str = _doc("half_even", f"in the integer network: {', '.join(ROUNDINGS)}")
    equalize: bool = _doc(False, "cross-layer equalization before quantization")
    channel_scales: bool = _doc(False, "a scale for every channel of activations, folded into the weights")
    bias_correction: bool = _doc(True, "restore each channel's mean, measured on the calibration data")
    first_bits: tuple[int, int] | None = _doc(None, "(weight, activation) bits of the first layer")
    last_bits: tuple[int, int] | None = _doc(None, "(weight, activation) bits of the last layer")
    layer_bits: Mapping[str, tuple[int, int]] = field(
        default_factory=dict, metadata={"doc": "(weight, input activation) bits of layers, by name"}
    )
    input_bits: int | None = _doc(None, "bits of the network's input; default 8, or activation_bits where that is more")
    output_bits: int | None = _doc(None, "bits of an output behind a function; default as input_bits")
    add_extra_bits: int = _doc(4, "bits that operands of residual additions have beyond activation_bits")
    multiplier_bits: int = _doc(16, "bits of the multipliers of free scales, 2 to 24")
    samples: int = _doc(1024, "calibration samples used at most; further ones are not read")
    correction_samples: int = _doc(1024, "samples that bias correction and second-order rounding use at most")
    seed: int = _doc(1, "of every random choice, 1 to 2**32 - 1")
    jobs: int = _doc(0, "threads of float runs; 0 is all cores")

    def __post_init__(self) -> None:
        for name in ("weight_bits", "activation_bits", "input_bits", "output_bits"):
            self._check_bits(name, getattr(self, name), optional=name in ("input_bits", "output_bits"))
        if not isinstance(self.layer_bits, Mapping):
            raise OptionError(f"layer_bits is {self.layer_bits!r}; legal is a mapping of names to pairs of bits")
        object.__setattr__(self, "layer_bits", {str(k): _pair(k, v) for k, v in dict(self.layer_bits).items()})
        for name in ("first_bits", "last_bits"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _pair(name, getattr(self, name)))
        for name, value in [*self.layer_bits.items(), ("first_bits", self.first_bits), ("last_bits", self.last_bits)]:
            for bits in value or ():
                self._check_bits(name, bits)
        for name, legal in (
            ("method", METHODS),
            ("scales", SCALES),
            ("weight_method", WEIGHT_METHODS),
            ("weight_rounding", WEIGHT_ROUNDINGS),
            ("activation_rounding", ROUNDINGS),
        ):
            if getattr(self, name) not in legal:
                raise OptionError(f"{name} is {getattr(self, name)!r}; legal are {', '.join(legal)}")
        check_types(self)
        for name, low, high in (
            ("percentile", 50, 100),
            ("add_extra_bits", 0, 8),
            ("multiplier_bits", 2, 24),
            ("samples", 1, 1 << 40),
            ("correction_samples", 1, 1 << 40),
            ("seed", 1, (1 << 32) - 1),
            ("jobs", 0, 1 << 16),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise OptionError(f"{name} is {value!r}; legal are {low} to {high}")

    @staticmethod
    def _check_bits(name: str, bits: Any, *, optional: bool = False) -> None:
        if bits is None and optional:
            return
        if isinstance(bits, bool) or not hasattr(bits, "__index__") or not 1 <= bits <= MAX_QUANTIZED_BITS:
            raise OptionError(f"{name} asks for {bits!r} bits; legal are 1 to {MAX_QUANTIZED_BITS}")


def _pair(name: str, value: Any) -> tuple[int, int]:
    try:
        weight, activation = value
    except (TypeError, ValueError):
        raise OptionError(f"{name} is {value!r}; legal is a pair (weight bits, activation bits)") from None
    return weight, activation


def make_options(values: Mapping[str, Any]) -> QuantizeOptions:
    """Options of keyword arguments; `OptionError` names what is unknown and what is legal."""
    return from_keywords(QuantizeOptions, values, "quantize")
