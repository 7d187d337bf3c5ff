# SPDX-License-Identifier: Apache-2.0
"""The float model learns from labels first, so that the integers have a better teacher and start from its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bitwright.models.graph import FloatGraph
from bitwright.quantization.ranges.calibrate import Progress
from bitwright.training.batches import Batches
from bitwright.training.checkpoint import State, load_state
from bitwright.training.export import trained_graph
from bitwright.training.loop import Plan, Trainer, inputs_of
from bitwright.training.measure import Examiner, Score
from bitwright.training.module import GraphModule, Rules

RATE = 5e-3  # of Adam


def teacher_file(checkpoint: Path) -> Path:
    """Where the float model's training is resumed from, beside the checkpoint of a run."""
    return checkpoint.with_name(f"{checkpoint.name}.float")


def taught(
    graph: FloatGraph,
    batches: Batches,
    plan: Plan,
    rules: Rules,
    device: str,
    examiner: Examiner | None = None,
    progress: Progress | None = None,
    checkpoint: tuple[Path, str, float] | None = None,
) -> tuple[FloatGraph, list[str]]:
    """The float model after the plan, or its best state on the way where an examiner measures it; and notes.

    checkpoint: (path, digest of the run, seconds between two), from which an interrupted call resumes.
    """
    module, teacher = (GraphModule(graph, rules).on(device) for _ in range(2))
    module.center(inputs_of(batches[0][0], module.flat.device))
    first = examiner.score_model(graph) if examiner else Score(None, None, np.inf)
    flat = module.flat.detach().cpu().numpy()
    found = None if checkpoint is None else load_state(*checkpoint[:2], module.flat.numel())
    state = found or State(flat.copy(), np.zeros_like(flat), np.zeros_like(flat), flat.copy(), flat.copy(), first)

    def measure() -> Score:
        if examiner is None:
            return Score(None, None, -float(state.step))  # the last one is the best one
        return examiner.score_model(trained_graph(module))

    def tell(what: str, done: int, total: int) -> None:
        if progress is not None:
            progress(what.replace("fine-tune", "teach the float model"), done, total)

    trainer = Trainer(module, teacher, batches, plan, measure, tell, checkpoint)
    trainer.run(state)
    return (trained_graph(module) if state.best_step else graph), trainer.notes
