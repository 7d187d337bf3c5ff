# SPDX-License-Identifier: Apache-2.0
"""The report of fine-tuning: that of quantization, the training curve, and the figures of all three networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from bitwright.pages import plots
from bitwright.pages.plot import Axis, Mark, scatter
from bitwright.quantization.report import QuantizationReport
from bitwright.text import in_percent
from bitwright.training.checkpoint import CurvePoint
from bitwright.training.measure import Score


@dataclass(frozen=True)
class FinetuneReport:
    """quantization: of the network that was kept, with the float model's accuracy and its own.

    post_training, fine_tuned: scores on the `measured` samples; best_step: of the network that was kept, 0 for that
    of post-training quantization; held_back: whether the samples are a part of the training data; given_accuracy: of
    the float model as it was given, where it has learned from labels first.
    """

    options: Mapping[str, object]
    quantization: QuantizationReport
    float_accuracy: float | None
    post_training: Score
    fine_tuned: Score
    best_step: int
    steps: int
    samples: int
    measured: int
    held_back: bool
    seconds: float
    curve: tuple[CurvePoint, ...]
    notes: tuple[str, ...] = ()
    given_accuracy: float | None = None

    def as_dict(self) -> dict[str, object]:
        """JSON-able form with stable names."""
        return {**asdict(self), "quantization": self.quantization.as_dict()}

    def rows(self) -> tuple[list[str], list[list[object]]]:
        """Column names and one row for each network: float, post-training, fine-tuned."""
        rows: list[list[object]] = [["float", in_percent(self.float_accuracy), None, None]]
        if self.given_accuracy is not None:
            rows = [["float as given", in_percent(self.given_accuracy), None, None], ["float, taught", *rows[0][1:]]]
        for name, score in (("post-training", self.post_training), ("fine-tuned", self.fine_tuned)):
            rows.append([name, in_percent(score.accuracy), in_percent(score.agreement), score.loss])
        return ["network", "accuracy %", "agreement %", "loss"], rows

    def curve_rows(self) -> tuple[list[str], list[list[object]]]:
        """Column names and one row for each measurement."""
        columns = ["step", "training loss", "accuracy %", "agreement %", "loss"]
        shares = [(in_percent(p.accuracy), in_percent(p.agreement)) for p in self.curve]
        return columns, [[p.step, p.training_loss, *s, p.loss] for p, s in zip(self.curve, shares, strict=True)]

    def summary(self) -> str:
        """Size, how long it took, and what happened on the way."""
        where = "held back from the training data" if self.held_back else "of the evaluation data"
        lines = [
            self.quantization.summary().splitlines()[0],
            f"measured on {self.measured:,} samples {where}",
            f"trained {self.steps:,} steps on {self.samples:,} samples in {self.seconds:.0f} s",
        ]
        if self.best_step == 0:
            lines.append("no trained network was better than that of post-training quantization, which is kept")
        elif self.best_step != self.steps:
            lines.append(f"the network of step {self.best_step:,} was the best and is kept")
        return "\n".join([*lines, *self.notes])

    def html(self, title: str = "Fine-tuning") -> str:
        """A page with plots of the training curve and its table, in one file without further downloads."""
        last = max(self.steps, 1)
        drawn = []
        if self.curve:
            losses = [Mark(p.step, p.training_loss, "training", 4, _words(p), f"s{p.step}") for p in self.curve]
            x = Axis.over("step", [0, last])
            positive = all(mark.y > 0 for mark in losses)
            y = Axis.over("training loss", [mark.y for mark in losses], log=positive)
            drawn.append(("Training loss", scatter(losses, x, y, joined=("training",))))
        by_accuracy = self.post_training.accuracy is not None
        first = self.post_training.accuracy if by_accuracy else self.post_training.agreement
        scored = [(0, first), *((p.step, p.accuracy if by_accuracy else p.agreement) for p in self.curve)]
        known = [(step, 100 * value) for step, value in scored if value is not None]
        if len(known) == len(scored):
            name = "accuracy, %" if by_accuracy else "agreement with the float model, %"
            line = in_percent(self.float_accuracy) if by_accuracy else None
            marks = [Mark(step, v, "network", 4, f"step {step:,}: {v:.2f} %", f"a{step}", False) for step, v in known]
            y = Axis.over(name, [v for _, v in known] + ([] if line is None else [line]))
            drawn.append((name.capitalize(), scatter(marks, Axis.over("step", [0, last]), y, line, ("network",))))
        note = "Step 0 is post-training quantization; the broken line is the float model."
        return plots(title, drawn, self.curve_rows(), unit="measurements", notes=[note])


def _words(p: CurvePoint) -> str:
    return f"step {p.step:,}: training loss {p.training_loss:.4g}"
