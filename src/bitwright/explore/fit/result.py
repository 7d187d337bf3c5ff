# SPDX-License-Identifier: Apache-2.0
"""What `fit` answers: designs, the Pareto front, the recommendation, and the commands that make each point."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from bitwright.explore.costs import Pair
from bitwright.explore.fit.options import FitOptions
from bitwright.hardware.clock import DEFAULT_MHZ
from bitwright.network import Network
from bitwright.options import as_text
from bitwright.quantization.options import QuantizeOptions
from bitwright.text import Shown, cell, figure, percent

VERSION = 2
LOSSES = {"kl": "KL divergence, nats", "error": "relative squared error"}


@dataclass(frozen=True)
class FitPoint:
    """One design: a network on a target. All figures of hardware are estimated by the target's cost model.

    network: its name; widths: (weight, input activation) bits of every layer. lost: accuracy against the float
    model; without labels, answers that differ; loss: of the output, in the metric; agreement, accuracy: of the
    integers. All but the loss are shares of the samples. options: of the target. share: of the device, of the
    resource `fullest`.
    """

    network: str
    target: str
    lost: float
    loss: float
    agreement: float
    accuracy: float | None
    options: Mapping[str, Any]
    interval_cycles: int
    latency_cycles: int
    frames_per_second: float
    resources: Mapping[str, float]
    share: float
    fullest: str
    widths: Mapping[str, Pair] = field(default_factory=dict)
    fine_tuned: bool = False
    optimal: bool = False
    recommended: bool = False

    @property
    def beaten_by(self) -> tuple[float, float, float]:
        """What counts, each the less the better: loss, negated frames a second, share."""
        return self.lost, -self.frames_per_second, self.share


def mark_front(points: Iterable[FitPoint]) -> list[FitPoint]:
    """The points, the fastest first; `optimal` where no other is at least as good in all and better in one.

    Of points that are equal in all, the first one stays.
    """
    ordered = sorted(points, key=lambda p: (-p.frames_per_second, p.lost, p.share))
    front: list[FitPoint] = []
    marked = []
    for p in ordered:
        beaten = any(all(a <= b for a, b in zip(q.beaten_by, p.beaten_by, strict=True)) for q in front)
        marked.append(replace(p, optimal=not beaten))
        if not beaten:
            front.append(p)
    return marked


@dataclass(frozen=True, eq=False, repr=False)
class FitResult(Shown):
    """All designs that fit the device, the fastest first; shortfall: why none is recommended, with the nearest that is.

    networks: by name; quantize, options: with which they were made.
    """

    points: tuple[FitPoint, ...]
    networks: Mapping[str, Network]
    options: FitOptions
    quantize: QuantizeOptions | None
    float_accuracy: float | None
    labels: bool
    samples: int
    shortfall: str = ""

    def facts(self) -> dict[str, object]:
        """The recommendation and how many designs there are."""
        told = {"recommended" if self.recommendation else "out of reach": self.summary()}
        return {"device": self.options.device, "designs": len(self.points), "front": len(self.front)} | told

    @property
    def front(self) -> tuple[FitPoint, ...]:
        """The designs that no other beats in accuracy, frames a second and share of the device at once."""
        return tuple(p for p in self.points if p.optimal)

    @property
    def recommendation(self) -> FitPoint | None:
        """The design of the most frames a second that keeps all bounds; of the least share, where those are a goal."""
        return next((p for p in self.points if p.recommended), None)

    @property
    def network(self) -> Network | None:
        """The integer network of the recommendation."""
        found = self.recommendation
        return None if found is None else self.networks[found.network]

    def columns(self) -> list[str]:
        """Names of the columns of `rows`, with units."""
        clock = self.options.goals.clock
        lost = "accuracy loss, points" if self.labels else "answers that differ, %"
        return [
            "network",
            "target",
            lost,
            LOSSES[self.options.metric],
            *(["accuracy, %"] if self.labels else []),
            f"frames/s at {clock}",
            "latency, µs",
            f"share of {self.options.device}, %",
            "fullest",
            "recommended",
        ]

    def rows(self, points: Sequence[FitPoint] | None = None) -> list[list[object]]:
        """One row a point of the front, or of `points`."""
        clock = self.options.goals.clock
        return [
            [
                p.network,
                p.target,
                round(100 * p.lost, 2),
                float(f"{p.loss:.3g}"),
                *([] if p.accuracy is None else [round(100 * p.accuracy, 2)]),
                round(p.frames_per_second, 1),
                round(clock.microseconds(p.latency_cycles), 1),
                round(100 * p.share, 1),
                p.fullest,
                "yes" if p.recommended else "",
            ]
            for p in (self.front if points is None else points)
        ]

    def csv(self, commands: Mapping[str, str] | None = None) -> str:
        """All designs as a table, with widths, options of the target and, where given by `key`, commands."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*self.columns(), "front", "widths", "options", *(["command"] if commands else [])])
        for p, row in zip(self.points, self.rows(self.points), strict=True):
            widths = " ".join(f"{name}={w}/{a}" for name, (w, a) in p.widths.items())
            more = [widths, json.dumps(dict(p.options)), *([commands[key(p)]] if commands else [])]
            written = [*row, "yes" if p.optimal else "", *more]
            writer.writerow([cell(value) if isinstance(value, str) else value for value in written])
        return text.getvalue()

    def as_dict(self, commands: Mapping[str, str] | None = None) -> dict[str, Any]:
        """JSON-able form with stable names; `version` counts changes of them."""
        tree = [asdict(p) | ({"command": commands[key(p)]} if commands else {}) for p in self.points]
        found = next((t for t in tree if t["recommended"]), None)
        return {
            "version": VERSION,
            "device": self.options.device,
            "goals": {name: getattr(self.options, name) for name in ("fps", "fill", "clock_mhz")}
            | {"max_loss": self.options.bound},
            "loss": "accuracy" if self.labels else "answers that differ",
            "metric": self.options.metric,
            "float_accuracy": self.float_accuracy,
            "samples": self.samples,
            "points": tree,
            "recommendation": found,
            "shortfall": self.shortfall,
        }

    def command(self, point: FitPoint, model: str, data: str, folder: str = "", extra: Sequence[str] = ()) -> str:
        """The shell commands that make a point of `model` and `data`; extra: further flags of `quantize`.

        folder: where the networks lie as `NAME.bw`, so that only the design is left to make; "" makes the network too.
        """
        name = f"{point.network}.bw"
        compiled = ["bitwright", "compile", f"{folder}/{name}" if folder else name, "--target", point.target]
        given = self.options.target_options.get(point.target, {})
        compiled += [
            part for name, value in {**given, **point.options}.items() for part in ("-O", f"{name}={as_text(value)}")
        ]
        if self.options.clock_mhz != DEFAULT_MHZ:
            compiled += ["--clock-mhz", f"{self.options.clock_mhz:g}"]
        steps = [shlex.join([*compiled, "-o", f"{point.network}-{point.target}"])]
        if not folder and self.quantize is not None:
            steps.insert(0, shlex.join([*self._quantized(point, model, data), *extra, "-o", name]))
        return " && ".join(steps)

    def _quantized(self, point: FitPoint, model: str, data: str) -> list[str]:
        """The command that makes the network."""
        assert self.quantize is not None
        widest = self.options.candidates.widest
        made = replace(self.quantize, **widest, layer_bits=dict(point.widths))
        settings = [f"{f.name}={as_text(getattr(made, f.name))}" for f in fields(made) if _differs(made, f.name, point)]
        flag = "-Q" if point.fine_tuned else "-O"
        command = ["bitwright", "finetune" if point.fine_tuned else "quantize", model, "--data", data]
        if point.fine_tuned:
            command += ["--steps", str(self.options.finetune_steps)]
        if made.seed != QuantizeOptions().seed:
            command += ["--seed", str(made.seed)]
        return [*command, *(part for setting in settings for part in (flag, setting))]

    def summary(self) -> str:
        """The recommendation in one line, or why there is none."""
        p = self.recommendation
        if p is None:
            return self.shortfall
        lost = f"loses {100 * p.lost:.2f} points" if self.labels else f"{percent(p.lost, 2)} of answers differ"
        at = f"{figure(round(p.frames_per_second, 1))} frames/s at {self.options.goals.clock}"
        return f"{p.network} on {p.target}: {lost}, {at}, {percent(p.share)} of {self.options.device} ({p.fullest})"


def key(point: FitPoint) -> str:
    """What tells a point from all others."""
    return f"{point.network} {point.target} {json.dumps(dict(point.options), sort_keys=True)}"


def _differs(made: QuantizeOptions, name: str, point: FitPoint) -> bool:
    """Whether the command must say it; fine-tuning starts from options of its own."""
    if name in ("jobs", "seed"):
        return False
    changed = {"weight_rounding", "weight_bits", "activation_bits"} if point.fine_tuned else set()
    return name in changed or getattr(made, name) != getattr(QuantizeOptions(), name)
