# SPDX-License-Identifier: Apache-2.0
"""Options of the tlmac target."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from bitwright.devices import find_device
from bitwright.errors import OptionError
from bitwright.hardware.clock import assumed

FOLDED, UNROLLED = ("private", "products", "gates"), "unrolled"
ELEMENTS = (*FOLDED, "shared", "shared_signed", UNROLLED)
LAYER_SETTINGS = ("lanes", "outputs", "blocks", "group", "digit", "element", "taps", "every")
_SIDE = ("columns", "rows", "columns+rows")
TAPS = ("plain", "pairs", *_SIDE, *(f"pairs+{name}" for name in _SIDE))


@dataclass(frozen=True)
class TlmacOptions:
    """Folding goals and limits; see each field's `doc`."""

    interval: int | None = field(
        default=None, metadata={"doc": "goal: at most this many clock cycles between frames (least LUTs that reach it)"}
    )
    lut: int | None = field(
        default=None, metadata={"doc": "goal: at most this many LUTs (smallest interval that fits them)"}
    )
    latency: int | None = field(
        default=None,
        metadata={"doc": "goal: at most this many clock cycles from a frame's first word to its last result"},
    )
    clock: float | None = field(
        default=None, metadata={"doc": "goal: a clock in MHz that every unit keeps on `device`, by the clock model"}
    )
    elements: tuple[str, ...] | None = field(
        default=None,
        metadata={
            "doc": "processing elements that the planner may choose from; unless given "
            f"{', '.join(FOLDED)}, and {UNROLLED} for layers that are not large"
        },
    )
    bram36: float | None = field(
        default=None, metadata={"doc": "limit on block RAMs (36 Kb), which are free up to it: what is left saves LUTs"}
    )
    dsp: float | None = field(
        default=None, metadata={"doc": "limit on DSP blocks; beyond it, rescaling multiplies in LUTs"}
    )
    device: str | None = field(
        default=None, metadata={"doc": "a device whose LUTs, block RAMs and DSP blocks the circuit must keep to"}
    )
    fill: float = field(default=1.0, metadata={"doc": "the share of the device that the circuit may take, up to 1"})
    layers: Mapping[str, Mapping[str, object]] = field(
        default_factory=dict,
        metadata={"doc": "per layer by name, in place of the planner's choice: " + ", ".join(LAYER_SETTINGS)},
    )

    jobs: int = field(default=0, metadata={"doc": "threads of the planner, 0 for one a core; the plan is the same"})

    def __post_init__(self) -> None:
        if self.interval is not None and self.lut is not None:
            raise OptionError("interval and lut are two goals; give one of them")
        if self.latency is not None and self.lut is not None:
            raise OptionError("latency and lut are two goals; give one of them")
        for name in ("interval", "latency", "lut"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise OptionError(f"{name} must be a whole number of at least 1, not {value!r}")
        for name in ("bram36", "dsp"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and 0 <= value < math.inf):
                raise OptionError(f"{name} must be a number of at least 0, not {value!r}")
        if self.device is not None:
            find_device(self.device)  # an unknown one ends here
        if not (_is_number(self.fill) and 0 < self.fill <= 1):
            raise OptionError(f"fill must be a share above 0 and up to 1, not {self.fill!r}")
        self._check_clock()
        if not isinstance(self.jobs, int) or isinstance(self.jobs, bool) or self.jobs < 0:
            raise OptionError(f"jobs must be a whole number of at least 0, not {self.jobs!r}")
        _check_layers(self.layers)
        if self.elements is None:
            return
        object.__setattr__(self, "elements", tuple(self.elements))
        if not self.elements:
            raise OptionError("elements must name at least one element")
        for name in self.elements:
            if name not in ELEMENTS:
                raise OptionError(f"unknown element {name!r}; legal are {', '.join(ELEMENTS)}")

    def _check_clock(self) -> None:
        if self.clock is None:
            return
        if not _is_number(self.clock):
            raise OptionError(f"clock must be a number of MHz, not {self.clock!r}")
        assumed(self.clock, "clock")
        if self.device is None:
            raise OptionError("clock is a goal for a part; name it by the option device")

    @property
    def chosen(self) -> dict[str, object]:
        """What differs from the defaults and changes the plan: with it the design is made again."""
        defaults = TlmacOptions()
        names = [f.name for f in fields(self) if f.name != "jobs"]
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(defaults, name)}

    @property
    def threads(self) -> int:
        """Threads of the planner, at most one a core."""
        cores = os.cpu_count() or 1
        return min(self.jobs or cores, cores)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_layers(layers: object) -> None:
    """Raise `OptionError` unless `layers` maps names to mappings whose values have the type of their setting."""
    if not isinstance(layers, Mapping):
        raise OptionError(f"layers is {layers!r}; legal is a mapping from layer names to their settings")
    for name, settings in layers.items():
        if not isinstance(settings, Mapping):
            raise OptionError(f"layers: {name} is {settings!r}; legal is a mapping of {', '.join(LAYER_SETTINGS)}")
        for key, value in settings.items():
            if key not in LAYER_SETTINGS:
                raise OptionError(f"layers: {name} has no setting {key!r}; legal are {', '.join(LAYER_SETTINGS)}")
            if key == "element":
                if value not in ELEMENTS:
                    raise OptionError(f"layers: {name} has element {value!r}; legal are {', '.join(ELEMENTS)}")
            elif key == "taps":
                if value not in TAPS:
                    raise OptionError(f"layers: {name} has taps {value!r}; legal are {', '.join(TAPS)}")
            elif not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise OptionError(f"layers: {name} has {key} {value!r}; legal is a whole number of at least 1")
