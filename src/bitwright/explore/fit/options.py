# SPDX-License-Identifier: Apache-2.0
"""All options of `fit`, validated in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bitwright import targets
from bitwright.errors import OptionError
from bitwright.explore.study import Candidates, check_candidates
from bitwright.hardware.clock import DEFAULT_MHZ, assumed
from bitwright.options import check_types, from_keywords
from bitwright.quantization.measures import share_of
from bitwright.targets.goals import DEFAULT_FILL, Goals


def _doc(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class FitOptions:
    """What a design is to reach, and what is tried; every field is a keyword of `bitwright.fit`."""

    device: str = _doc("", "part or board that it is to fit")
    fps: float | None = _doc(None, "at least so many frames a second; without, as many as the part holds")
    max_loss: float = _doc(1.0, "largest loss of accuracy, in points; without labels, percent of answers that differ")
    fill: float = _doc(DEFAULT_FILL, "share of the device that may be used, 0 to 1")
    clock_mhz: float = _doc(DEFAULT_MHZ, "clock in MHz by which cycles become seconds")
    targets: tuple[str, ...] = _doc((), "architectures to try; none named: all")
    target_options: Mapping[str, Mapping[str, object]] = field(
        default_factory=dict, metadata={"doc": "options of targets that are not searched, by target"}
    )
    weight_candidates: tuple[int, ...] = _doc((2, 3, 4, 6, 8), "weight bits that a layer may have")
    activation_candidates: tuple[int, ...] = _doc((4, 6, 8), "bits that a layer's input may have")
    points: int = _doc(5, "networks for each target between its cheapest and its dearest")
    finalists: int = _doc(6, "networks for each target that get hardware")
    slower: int = _doc(3, "smaller designs of each of these, each with half the frames a second")
    metric: str = _doc("kl", "loss that tells widths apart: kl (of class probabilities) or error (relative, squared)")
    samples: int = _doc(64, "calibration samples that the loss of each width is measured on")
    finetune_steps: int = _doc(0, "steps of fine-tuning of the finalists, on the calibration data")
    jobs: int = _doc(0, "processes; 0 is one a core")
    cluster: str | None = _doc(None, "address of a Dask scheduler, tcp://host:port")
    cache: str | None = _doc(None, "folder of cached results; default the user's cache folder")

    def __post_init__(self) -> None:
        check_types(self)
        if not self.device:
            raise OptionError("device is missing; legal is the name of a part or board")
        check_candidates(self)
        if not math.isfinite(self.max_loss):
            raise OptionError(f"max_loss is {self.max_loss}; legal are numbers of points")
        for name, low in (("points", 1), ("finalists", 1), ("slower", 0), ("samples", 1), ("jobs", 0)):
            if getattr(self, name) < low:
                raise OptionError(f"{name} is {getattr(self, name)}; legal is at least {low}")
        known = targets.names()
        object.__setattr__(self, "targets", tuple(self.targets) or tuple(known))
        for name in (*self.targets, *self.target_options):
            targets.get(name)
        _ = self.goals  # what is not legal of them ends here

    @property
    def goals(self) -> Goals:
        """What every design is to reach."""
        return Goals(self.fps, None, self.device, self.fill, clock=assumed(self.clock_mhz))

    @property
    def bound(self) -> float:
        """The largest loss as a share of the samples."""
        return share_of(self.max_loss)

    @property
    def candidates(self) -> Candidates:
        """What a study is made of."""
        return Candidates(self.weight_candidates, self.activation_candidates, self.samples, self.metric)


def make_options(values: Mapping[str, Any]) -> FitOptions:
    """Options of keyword arguments; `OptionError` names what is unknown and what is legal."""
    return from_keywords(FitOptions, values, "fit")
