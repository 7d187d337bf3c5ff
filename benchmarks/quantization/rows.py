"""What is measured: each row a network, options of the quantizer, and the bound that it has to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SECOND = {"weight_rounding": "second_order"}
EDGES = {"first_bits": (8, 8), "last_bits": (8, 8)}
P2 = {"scales": "power_of_two"}
METHODS = ("kl", "mse", "minmax", "percentile", "moving_average")


@dataclass(frozen=True)
class Row:
    """max_loss in points of accuracy, min_agreement in percent of equal answers; None where nothing is promised."""

    group: str
    name: str
    network: str
    options: Mapping[str, object] = field(default_factory=dict)
    max_loss: float | None = None
    min_agreement: float | None = None
    samples: int | None = None  # of the test data; None is all


def widths(weight: int, activation: int, **more: object) -> dict[str, object]:
    """Options for uniform widths."""
    return {"weight_bits": weight, "activation_bits": activation, **more}


ACCURACY = [
    Row("accuracy", "resnet8 W8A8", "resnet8", {}, 0.3),
    Row("accuracy", "resnet8 W8A8 power of two, second order", "resnet8", {**P2, **SECOND}, 0.6),
    Row("accuracy", "resnet8 W8A8 power of two, nearest", "resnet8", P2),
    Row("accuracy", "resnet8 W8A8 power of two, nearest, refined", "resnet8", {**P2, "refine_scales": True}),
    Row("accuracy", "resnet8 W8A8, multipliers of 12 bits", "resnet8", {"multiplier_bits": 12}, 0.3),
    Row("accuracy", "resnet8 W16A16", "resnet8", widths(16, 16)),
    Row("accuracy", "resnet8 W16A16 power of two", "resnet8", widths(16, 16, **P2)),
    Row("accuracy", "resnet8 W4A8 second order, edges 8", "resnet8", widths(4, 8, **SECOND, **EDGES), 1.0),
    Row("accuracy", "resnet8 W4A8 second order", "resnet8", widths(4, 8, **SECOND)),
    Row("accuracy", "resnet8 W4A8 nearest, edges 8", "resnet8", widths(4, 8, **EDGES)),
    Row("accuracy", "resnet8 W4A4 second order, edges 8", "resnet8", widths(4, 4, **SECOND, **EDGES), 3.0),
    Row("accuracy", "resnet8 W4A4 second order", "resnet8", widths(4, 4, **SECOND)),
    Row("accuracy", "resnet8 W4A4 nearest, edges 8", "resnet8", widths(4, 4, **EDGES)),
    Row("accuracy", "kws W8A8", "kws", {}, 0.5),
    Row("accuracy", "kws W8A8 power of two", "kws", P2),
    Row("accuracy", "kws W4A8 second order", "kws", widths(4, 8, **SECOND)),
    Row("accuracy", "lite0 W8A8", "lite0", {}, 0.8, 96.0),
    Row("accuracy", "lite0 W4A8 second order", "lite0", widths(4, 8, **SECOND), 2.5),
    Row("accuracy", "lite0 W4A8 nearest", "lite0", widths(4, 8)),
]

# Each 8-bit model beside the 16-bit one of the same kind of scales.
SIZES = (
    ("resnet8 W8A8, multipliers of 12 bits", "resnet8 W16A16"),
    ("resnet8 W8A8", "resnet8 W16A16"),
    ("resnet8 W8A8 power of two, second order", "resnet8 W16A16 power of two"),
)
MAX_SIZE = 50.5  # percent

RANGES = [
    Row("ranges", f"resnet8 W8A{bits} {method}", "resnet8", widths(8, bits, method=method))
    for bits in range(4, 9)
    for method in METHODS
]

LITE0_RANGES = [
    Row(
        "lite0_ranges",
        f"lite0 W8A{bits} {method}",
        "lite0",
        widths(8, bits, method=method, bias_correction=False),
        samples=96,
    )
    for bits in (4, 8, 6, 5, 7)
    for method in METHODS[:4]
]


def _roundings(network: str, samples: int | None, activation_roundings: tuple[str, ...]) -> list[Row]:
    """Stochastic against nearest: of weights, and of activations inside the integer network."""
    rows = []
    for bits in (4, 6, 8):
        for how in ("nearest", "stochastic"):
            options = widths(bits, 8, weight_rounding=how)
            rows.append(Row("roundings", f"{network} W{bits}A8 weights {how}", network, options, samples=samples))
        for how in activation_roundings:
            options = widths(8, bits, activation_rounding=how, bias_correction=False)
            rows.append(Row("roundings", f"{network} W8A{bits} activations {how}", network, options, samples=samples))
    return rows


ROUNDINGS = [
    *_roundings("resnet8", None, ("half_even", "half_away", "floor", "stochastic")),
    *_roundings("lite0", 96, ("half_even", "stochastic")),
]

ROWS = [*ACCURACY, *RANGES, *ROUNDINGS, *LITE0_RANGES]
