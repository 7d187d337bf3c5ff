"""Options of the tlmac target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bitwright.errors import OptionError

ELEMENTS = ("private", "products", "gates", "shared", "shared_signed")
LAYER_SETTINGS = ("lanes", "outputs", "blocks", "group", "digit", "element")


@dataclass(frozen=True)
class TlmacOptions:
    """Folding goals and limits; see each field's `doc`."""

    interval: int | None = field(
        default=None, metadata={"doc": "goal: at most this many clock cycles between frames (least LUTs that reach it)"}
    )
    lut: int | None = field(
        default=None, metadata={"doc": "goal: at most this many LUTs (smallest interval that fits them)"}
    )
    elements: tuple[str, ...] = field(
        default=("private", "products", "gates"),
        metadata={"doc": "processing elements that the planner may choose from"},
    )
    bram36: float | None = field(default=None, metadata={"doc": "limit on block RAMs (36 Kb)"})
    layers: Mapping[str, Mapping[str, object]] = field(
        default_factory=dict,
        metadata={
            "doc": "per layer by name, in place of the planner's choice: lanes, outputs, blocks, group, digit, element"
        },
    )

    def __post_init__(self) -> None:
        if self.interval is not None and self.lut is not None:
            raise OptionError("interval and lut are two goals; give one of them")
        for name in ("interval", "lut"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise OptionError(f"{name} must be a whole number of at least 1, not {value!r}")
        object.__setattr__(self, "elements", tuple(self.elements))
        if not self.elements:
            raise OptionError("elements must name at least one element")
        for name in self.elements:
            if name not in ELEMENTS:
                raise OptionError(f"unknown element {name!r}; legal are {', '.join(ELEMENTS)}")
