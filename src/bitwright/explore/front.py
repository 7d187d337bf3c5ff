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
from bitwright.text import Shown, cell, markup


@dataclass(frozen=True)
class Point:
    """Widths (weight, activation) of every layer, what the models predict of them and what was measured.

    loss: of the output, in the search's metric; agreement: percent of answers equal to the float model's;
    accuracy: percent, where there are labels; lost: points lost, where the search has a bound on them.
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
            [p.label, p.cost, p.predicted_loss, p.loss, p.agreement, p.accuracy, p.optimal] for p in self.points
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
        """An interactive plot of loss over cost, in one file without further downloads."""
        import plotly.graph_objects as go

        figure = go.Figure()
        for name, mode, points in (
            ("front", "lines+markers", self.front),
            ("other", "markers", [p for p in self.points if not p.optimal]),
        ):
            figure.add_scatter(
                name=name,
                mode=mode,
                x=[p.cost for p in points],
                y=[p.loss for p in points],
                text=[_hover(p) for p in points],
                hovertemplate="%{text}<extra></extra>",
            )
        where = f" ({self.price.target})" if self.price.target else ""
        figure.update_layout(
            title="Mixed precision: loss of the output over cost",
            xaxis_title=f"{self.price.quantity}{where}",
            yaxis_title="loss",
            yaxis_type="log",
        )
        return str(figure.to_html(include_plotlyjs=True, div_id="front"))

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


def _hover(p: Point) -> str:
    accuracy = "" if p.accuracy is None else f"<br>accuracy {p.accuracy:.2f} %"
    return f"{markup(p.label)}<br>cost {p.cost:,.0f}<br>loss {p.loss:.4g}<br>agreement {p.agreement:.2f} %{accuracy}"


def mark_front(points: Sequence[Point]) -> list[Point]:
    """The points, cheapest first; `optimal` where none is at most as dear and loses less, or equal and cheaper."""
    ordered = sorted(points, key=lambda p: (p.cost, p.loss))
    marked, best = [], float("inf")
    for p in ordered:
        marked.append(replace(p, optimal=p.loss < best))
        best = min(best, p.loss)
    return marked
