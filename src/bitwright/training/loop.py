# SPDX-License-Identifier: Apache-2.0
"""The training loop: distillation, Adam on one vector, a warm-up and a cosine; measured and saved on the way.

What is measured and kept is a mean of the parameters over the last steps: codes near a threshold go to and fro from
step to step, which costs a network of few bits much of its accuracy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bitwright.network.types import Array
from bitwright.quantization.ranges.calibrate import Progress
from bitwright.training.batches import Batches
from bitwright.training.checkpoint import CurvePoint, State, save_state
from bitwright.training.measure import LEAST, Score
from bitwright.training.module import GraphModule

BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-8
WARM_UP = 0.05  # of the whole
NORM_MEMORY, NORM_EXCESS, NORM_STEPS = 0.99, 10.0, 20  # a gradient beyond 10 times the usual norm is shortened
AVERAGING = 16  # the network that counts is a mean over about the last 1/16 of the steps
BAD_STEPS = 20  # in a row without a finite gradient end the training


@dataclass(frozen=True)
class Plan:
    """How long and how: steps, or minutes in their place; rate of Adam; share of labels; evaluations on the way.

    temperature: of the class probabilities in the loss `kl`. mirrored: whether the teacher answers for an image and its
    mirror image, and the mean counts.
    """

    steps: int | None
    minutes: float | None
    rate: float
    labels: float
    loss: str
    evaluations: int
    temperature: float = 1.0
    mirrored: bool = False
    features: float = 0.0

    def done(self, state: State) -> float:
        """The part of the work that is behind, 0 to 1."""
        if self.steps is not None:
            return min(1.0, state.step / self.steps)
        assert self.minutes is not None
        return min(1.0, state.seconds / (60 * self.minutes))

    def expected_steps(self, state: State) -> int:
        """In all, as far as known."""
        return self.steps or max(state.step + 1, round(state.step / max(self.done(state), 1e-6)))


def learning_rate(plan: Plan, done: float) -> float:
    """Rising from 0 in the first part, then a cosine to 0."""
    if done < WARM_UP:
        return plan.rate * (done + 0.01) / (WARM_UP + 0.01)
    return plan.rate * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def distance(outputs: Tensor, wanted: Tensor, loss: str, temperature: float = 1.0) -> Tensor:
    """Mean loss of outputs [N, C, ...] against those of the teacher.

    kl: T^2 KL(softmax(wanted / T) || softmax(outputs / T)), whose gradient has the same size at all temperatures T
    (Hinton et al., 2015).
    """
    if loss == "kl":
        p, q = F.log_softmax(wanted / temperature, 1), F.log_softmax(outputs / temperature, 1)
        return temperature**2 * (p.exp() * (p - q)).sum(1).mean()
    if loss == "binary":
        p, q = (v.clamp(LEAST, 1 - LEAST) for v in (wanted, outputs))
        return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    return ((outputs - wanted) ** 2).sum() / (wanted**2).sum().clamp_min(1e-30)


def inputs_of(x: Array, device: torch.device) -> Tensor:
    """A batch as the module takes it."""
    inputs = torch.from_numpy(x).to(device)
    return inputs.permute(0, 3, 1, 2) if inputs.ndim == 4 else inputs


@dataclass(eq=False)
class Trainer:
    """Trains a module towards a teacher; `measure` scores what it is now.

    checkpoint: (path, digest of the run, seconds between two) or None; start: the score that no kept network
    falls behind; notes: what went wrong, one line each.
    """

    module: GraphModule
    teacher: GraphModule
    batches: Batches
    plan: Plan
    measure: Callable[[], Score]
    progress: Progress
    checkpoint: tuple[Path, str, float] | None = None
    start: Score | None = None
    notes: list[str] = field(default_factory=list)

    def run(self, state: State) -> None:
        """Train until the plan is done, changing the state; in the end the module has the best parameters."""
        self._load(state.flat)
        self.first, self.second, self.mean = map(self._tensor, (state.first, state.second, state.mean))
        start, saved = time.perf_counter() - state.seconds, time.perf_counter()
        if state.step == 0:
            self._save(state, required=True)
        while (done := self.plan.done(state)) < 1 and state.bad < BAD_STEPS:
            self._step(state, learning_rate(self.plan, done))
            state.seconds = time.perf_counter() - start
            after = self.plan.done(state)
            if math.floor(after * self.plan.evaluations) > math.floor(done * self.plan.evaluations):
                self._evaluate(state)
            self._tell(state)
            if self.checkpoint is not None and (after == 1 or time.perf_counter() - saved > self.checkpoint[2]):
                self._save(state)
                saved = time.perf_counter()
        if state.bad >= BAD_STEPS:
            self.notes.append(
                f"the loss is not finite since step {state.step - state.bad + 1}: training ended there, the best "
                "network until then is kept; a lower learning_rate helps"
            )
        self._load(state.best)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.copy()).to(self.module.flat.device)

    def _load(self, flat: np.ndarray) -> None:
        self.module.flat.copy_(torch.from_numpy(flat))

    def _step(self, state: State, rate: float) -> None:
        device = self.module.flat.device
        x, labels = self.batches[state.step]
        inputs = inputs_of(x, device)
        outputs, features = self._answers(self.module, inputs)
        share, loss = self.plan.labels, outputs.new_zeros(())
        if share < 1 or features:
            wanted, known = self._wanted(inputs)
            loss = (1 - share) * distance(outputs, wanted, self.plan.loss, self.plan.temperature)
            for name, value in features.items():
                loss = loss + self.plan.features / len(features) * distance(value, known[name], "error")
        if share > 0 and labels is not None:
            loss = loss + share * self._against(outputs, torch.from_numpy(labels.astype(np.int64)).to(device))
        self.module.gradient.zero_()
        loss.backward()
        state.step += 1
        value, norm = float(loss.detach()), float(self.module.gradient.norm())
        if not (math.isfinite(value) and math.isfinite(norm)):
            state.bad += 1
            return
        state.bad = 0
        state.total, state.count = state.total + value, state.count + 1
        self._adam(state, rate, norm)

    def _answers(self, module: GraphModule, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What a module answers and, where they count, what its layers compute."""
        features: dict[str, Tensor] = {}
        return module(inputs, features=features if self.plan.features else None), features

    @torch.no_grad()
    def _wanted(self, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The teacher's answers and features."""
        wanted, features = self._answers(self.teacher, inputs)
        if self.plan.mirrored:
            other = self.teacher(inputs.flip(3))
            wanted = (wanted + (other.flip(3) if other.ndim == 4 else other)) / 2
        return wanted, features

    def _against(self, outputs: Tensor, labels: Tensor) -> Tensor:
        if self.plan.loss == "binary":
            q = outputs.reshape(len(outputs)).clamp(LEAST, 1 - LEAST)
            return F.binary_cross_entropy(q, labels.float())
        return F.cross_entropy(outputs, labels)

    def _adam(self, state: State, rate: float, norm: float) -> None:
        g = self.module.gradient
        if state.step > NORM_STEPS and norm > NORM_EXCESS * state.norm > 0:
            g.mul_(NORM_EXCESS * state.norm / norm)
            norm = NORM_EXCESS * state.norm
        state.norm = NORM_MEMORY * state.norm + (1 - NORM_MEMORY) * norm if state.norm else norm
        self.first.mul_(BETA1).add_(g, alpha=1 - BETA1)
        self.second.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
        size = rate / (1 - BETA1**state.step)
        root = (self.second / (1 - BETA2**state.step)).sqrt_().add_(EPSILON)
        self.module.flat.addcdiv_(self.first, root, value=-size)
        self.mean.lerp_(self.module.flat, (AVERAGING + 1) / (AVERAGING + state.step))

    def _evaluate(self, state: State) -> None:
        """Measure the integer network of the mean parameters; keep those of the best one."""
        now = self.module.flat.clone()
        self.module.flat.copy_(self.mean)
        score = self.measure()
        self.module.flat.copy_(now)
        if state.count:
            mean = state.total / state.count
            state.curve.append(CurvePoint(state.step, mean, score.accuracy, score.agreement, score.loss))
        state.total, state.count = 0.0, 0
        if score.better(state.score) and not (self.start and score.agrees_less(self.start)):
            state.score, state.best_step = score, state.step
            state.best = self.mean.cpu().numpy().copy()

    def _tell(self, state: State) -> None:
        """Progress: the mean loss since the last measurement, and what the best network is worth."""
        last = state.curve[-1].training_loss if state.curve else math.nan
        mean = state.total / state.count if state.count else last
        self.progress(
            f"fine-tune: loss {mean:.4g}, best {state.score.text}", state.step, self.plan.expected_steps(state)
        )

    def _save(self, state: State, required: bool = False) -> None:
        """Write a checkpoint; a disk that fills on the way is noted once, and training goes on."""
        if self.checkpoint is None:
            return
        state.flat = self.module.flat.cpu().numpy().copy()
        state.first, state.second, state.mean = (v.cpu().numpy() for v in (self.first, self.second, self.mean))
        path, key, _ = self.checkpoint
        try:
            save_state(path, key, state)
        except OSError as error:
            note = f"checkpoint {path} cannot be written: {error.strerror or error}; training goes on without"
            if required:
                raise
            if note not in self.notes:
                self.notes.append(note)
