# SPDX-License-Identifier: Apache-2.0
"""The measured points of a search: which are on the Pareto front; as table, CSV and plot."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bitwright.explore.costs import Cost, Pair
from bitwright.explore.sensitivity import Sensitivities
from bitwright.network import Network
from bitwright.pages import plots
from bitwright.pages.plot import Axis, Mark, scatter
from bitwright.text import Shown, cell, in_percent, percent

LEAST_LOSS = 1e-12  # that a logarithmic axis shows


@dataclass(frozen=True)
class Point:
    """Widths (weight, activation) of every layer, what the models predict of them and what was measured.

    loss: of the output, in the search's metric; agreement: share of answers equal to the float model's;
    accuracy: where there are labels; lost: accuracy, where the search has a bound on them.
    """

    label: str
    widths: Mapping[str, Pair]
    predicted_cost: float
    predicted_loss: float
    loss: float
    agreement: float
    accuracy: float | None
    cost: float
    optimal: bool = False
    lost: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult(Shown):
    """All points, cheapest first; `chosen` is the one for the budget or the bound on the loss, where given.

    widest: weight_bits and activation_bits of everything that the widths of a point do not name;
    tuned: the fine-tuned networks, by the labels of their points.
    """

    points: tuple[Point, ...]
    chosen: Point | None
    sensitivities: Sensitivities
    price: Cost
    float_accuracy: float | None
    widest: Mapping[str, Any]
    tuned: Mapping[str, Network] = field(default_factory=dict)

    def facts(self) -> dict[str, object]:
        """How many networks there are, and the chosen one."""
        chosen = None if self.chosen is None else f"{self.chosen.label}, {self.price.quantity} {self.chosen.cost:,.0f}"
        return {"networks": len(self.points), "front": len(self.front), "chosen": chosen}

    @property
    def front(self) -> tuple[Point, ...]:
        """The points that no other point beats in both cost and loss."""
        return tuple(p for p in self.points if p.optimal)

    def rows(self) -> tuple[list[str], list[list[object]]]:
        """Column names and one row a point."""
        columns = ["network", self.price.quantity, "predicted loss", "loss", "agreement %", "accuracy %", "front"]
        rows: list[list[object]] = [
            [p.label, p.cost, p.predicted_loss, p.loss, in_percent(p.agreement), in_percent(p.accuracy), p.optimal]
            for p in self.points
        ]
        return columns, rows

    def csv(self) -> str:
        """All points with their widths, as "layer=weight/activation" joined by spaces; whether each was chosen."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = ("label", "cost", "predicted_cost", "loss", "predicted_loss", "agreement", "accuracy", "optimal")
        writer.writerow([*names, "chosen", "widths"])
        for p in self.points:
            widths = " ".join(f"{name}={w}/{a}" for name, (w, a) in p.widths.items())
            row = [*(getattr(p, name) for name in names), p is self.chosen, widths]
            writer.writerow([cell(value) if isinstance(value, str) else value for value in row])
        return text.getvalue()

    def html(self) -> str:
        """A page with a plot of loss over cost and a table of all points, in one file without further downloads."""
        where = f" ({self.price.target})" if self.price.target else ""
        x = Axis.over(f"{self.price.quantity}{where}", [p.cost for p in self.points])
        y = Axis.over("loss of the output", [max(p.loss, LEAST_LOSS) for p in self.points], log=True)
        marks = [_mark(p, p is self.chosen) for p in sorted(self.points, key=lambda p: p.cost)]
        plot = scatter(marks, x, y, joined=("front",))
        chosen = [i for i, p in enumerate(self.points) if p is self.chosen]
        note = "A point is a network with widths of its own for every layer; no other beats those of the front in both"
        note += " cost and loss. The ring and the mark in the table show the chosen one."
        title = "Mixed precision: loss of the output over cost"
        drawn = [("Networks", plot)]
        return plots(title, drawn, self.rows(), unit="networks", notes=[note], marked=chosen)

    def as_dict(self) -> dict[str, object]:
        """JSON-able form with stable names."""
        return {
            "points": [asdict(p) for p in self.points],
            "chosen": asdict(self.chosen) if self.chosen else None,
            "sensitivities": asdict(self.sensitivities),
            "cost": self.price.quantity,
            "target": self.price.target,
            "float_accuracy": self.float_accuracy,
        }


def _mark(p: Point, chosen: bool) -> Mark:
    words = f"{p.label}: cost {p.cost:,.0f}, loss {p.loss:.4g}, agreement {percent(p.agreement, 2)}"
    words += "" if p.accuracy is None else f", accuracy {percent(p.accuracy, 2)}"
    group = "front" if p.optimal else "other"
    return Mark(p.cost, max(p.loss, LEAST_LOSS), group, 6 if p.optimal else 4, words, p.label, chosen)


def mark_front(points: Sequence[Point]) -> list[Point]:
    """The points, cheapest first; `optimal` where none is at most as dear and loses less, or equal and cheaper."""
    ordered = sorted(points, key=lambda p: (p.cost, p.loss))
    marked, best = [], float("inf")
    for p in ordered:
        marked.append(replace(p, optimal=p.loss < best))
        best = min(best, p.loss)
    return marked
