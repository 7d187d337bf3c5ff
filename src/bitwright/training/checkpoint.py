# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: arrays and JSON in an `.npz` file, without pickle, written under another name and renamed."""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bitwright.errors import DataError, OptionError, UserError
from bitwright.files import read_file, write_file
from bitwright.options import check_fields
from bitwright.parsing import MALFORMED, parse_json, parse_npy, unzip
from bitwright.training.measure import Score

ARRAYS = ("flat", "first", "second", "mean", "best")
Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CurvePoint:
    """Where training stood at a measurement: the mean loss since the one before, and the integer network's score."""

    step: int
    training_loss: float
    accuracy: float | None
    agreement: float | None
    loss: float


@dataclass
class State:
    """All that training changes: parameters, both moments of Adam, the mean, and the best network, each [P].

    step: batches done; norm: running mean of the gradient's norm; bad: steps in a row without a finite gradient;
    total, count: training losses since the last measurement; seconds: spent on training.
    """

    flat: Vector
    first: Vector
    second: Vector
    mean: Vector
    best: Vector
    score: Score
    best_step: int = 0
    step: int = 0
    norm: float = 0.0
    bad: int = 0
    total: float = 0.0
    count: int = 0
    seconds: float = 0.0
    curve: list[CurvePoint] = field(default_factory=list)


NUMBERS = ("best_step", "step", "norm", "bad", "total", "count", "seconds")


def save_state(path: Path, key: str, state: State) -> None:
    """Write a checkpoint; `OSError` where it cannot be written, and then an older one stays."""
    tree = {
        "key": key,
        "score": dataclasses.asdict(state.score),
        "curve": [dataclasses.asdict(point) for point in state.curve],
        **{name: getattr(state, name) for name in NUMBERS},
    }
    text = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    file = io.BytesIO()
    np.savez(file, json=text, **{name: getattr(state, name) for name in ARRAYS})
    write_file(path, file.getvalue())


def load_state(path: Path, key: str, count: int) -> State | None:
    """The state of a checkpoint of `count` parameters, None where there is none.

    `DataError` where the file is damaged, `OptionError` where it is of another run.
    """
    if not path.exists():
        return None
    try:
        arrays = {
            name.removesuffix(".npy"): parse_npy(data) for name, data in unzip(read_file(path, DataError)).items()
        }
        tree = parse_json(arrays["json"].tobytes())
        found = tree.pop("key")
        vectors: dict[str, Any] = {name: arrays[name] for name in ARRAYS}
        state = _state(tree, vectors)
    except UserError:
        raise
    except MALFORMED:
        raise DataError(f"{path} is no checkpoint, or it is damaged; delete it to start anew") from None
    if found != key or any(v.shape != (count,) or v.dtype != np.float32 for v in vectors.values()):
        raise OptionError(
            f"{path} is the checkpoint of another run: model, data or options differ; delete it, or choose another one"
        )
    return state


def _state(tree: dict[str, Any], vectors: dict[str, Any]) -> State:
    curve = tree.pop("curve")
    for kind, values in ((Score, tree["score"]), *((CurvePoint, point) for point in curve)):
        check_fields(kind, values)
    score = Score(**tree.pop("score"))
    check_fields(State, tree)
    return State(**vectors, score=score, curve=[CurvePoint(**point) for point in curve], **tree)
