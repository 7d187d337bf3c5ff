# SPDX-License-Identifier: Apache-2.0
"""How raw data become a model's input, as options say it; classes of outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from bitwright.errors import OptionError
from bitwright.network import InputSpec, Network

LAYOUTS = ("HWC", "CHW", "C")


def with_data_options(
    spec: InputSpec, layout: str | None, scale: str | None, mean: str | None, std: str | None
) -> InputSpec:
    """The specification with the given ways of raw data; what is None stays as it is."""
    changes: dict[str, Any] = {}
    if layout is not None:
        if layout.upper() not in LAYOUTS:
            raise OptionError(f"--input-layout is {layout!r}; legal are {', '.join(LAYOUTS)}")
        changes["data_layout"] = layout.upper()
    if scale is not None:
        changes["data_scale"] = _number(scale, "--input-scale")
    for name, text in (("mean", mean), ("std", std)):
        if text is not None:
            changes[f"data_{name}"] = _channel_values(text, f"--input-{name}", spec)
    if 0 in changes.get("data_std", (1.0,)):
        raise OptionError("--input-std holds 0; legal are numbers other than 0")
    return dataclasses.replace(spec, **changes) if changes else spec


def with_options_of_all(specs: Sequence[InputSpec], *given: str | None) -> tuple[InputSpec, ...]:
    """The specifications of all inputs with those ways of raw data, which are for one input."""
    if len(specs) == 1:
        return (with_data_options(specs[0], *given),)
    if any(value is not None for value in given):
        names = ", ".join(spec.name for spec in specs)
        raise OptionError(f"--input-layout, -scale, -mean and -std are for models of one input; this one has {names}")
    return tuple(specs)


def orders(spec: InputSpec) -> list[InputSpec]:
    """The specification, and for images that with the other order of axes."""
    if len(spec.type.shape) != 3 or spec.data_layout not in LAYOUTS[:2]:
        return [spec]
    return [spec, dataclasses.replace(spec, data_layout="CHW" if spec.data_layout == "HWC" else "HWC")]


def raw_options(spec: InputSpec) -> dict[str, Any]:
    """How raw data become the model's input, as fields of the specification."""
    return {name: getattr(spec, name) for name in ("data_layout", "data_scale", "data_mean", "data_std")}


def remembering(network: Network, *specs: InputSpec) -> Network:
    """The network with what the specifications of its inputs say of raw data."""
    pairs = zip(network.inputs, specs, strict=True)
    inputs = tuple(dataclasses.replace(own, **raw_options(spec)) for own, spec in pairs)
    return dataclasses.replace(network, inputs=inputs)


def _number(text: str, option: str) -> float:
    """A number, or a fraction such as 1/255."""
    try:
        top, _, bottom = text.partition("/")
        value = float(top) if not bottom else float(Fraction(top) / Fraction(bottom))
    except (ValueError, ZeroDivisionError):
        raise OptionError(f"{option} is {text!r}; legal is a number, or a fraction such as 1/255") from None
    if not np.isfinite(value):
        raise OptionError(f"{option} is {text!r}; legal are finite numbers")
    return value


def _channel_values(text: str, option: str, spec: InputSpec) -> tuple[float, ...]:
    values = tuple(_number(part, option) for part in text.split(","))
    channels = spec.type.channels if len(spec.type.shape) == 3 else spec.shape[0] if len(spec.shape) == 3 else 1
    if len(values) not in (1, channels):
        raise OptionError(f"{option} gives {len(values)} values; legal are 1 or {channels}, one per channel")
    return values


def classes(y: np.ndarray) -> np.ndarray:
    """The class of each output [N, ...]: itself where it is one number, else the index of the first largest."""
    flat = y.reshape(len(y), -1)
    return flat[:, 0].astype(np.int64) if flat.shape[1] == 1 else flat.argmax(axis=1)
