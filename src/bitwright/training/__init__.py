# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning: a network is trained as the integers that it becomes. It needs PyTorch, which nothing else does."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitwright.errors import ToolError

if TYPE_CHECKING:
    from bitwright.models.graph import FloatGraph
    from bitwright.network import Network
    from bitwright.network.types import Array
    from bitwright.quantization.ranges.calibrate import Progress
    from bitwright.training.run import Finetuned

WIDTHS = ("weight_bits", "activation_bits", "layer_bits", "first_bits", "last_bits")


def need_torch() -> None:
    """`ToolError` where PyTorch is not installed."""
    if find_spec("torch") is None:
        raise ToolError("fine-tuning needs PyTorch: pip install 'bitwright[train]'")


def finetune_model(
    model: str | Path | FloatGraph,
    x: Array | str | Path,
    labels: Array | None = None,
    *,
    evaluation: Array | tuple[Array, Array | None] | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Finetuned:
    """Quantize a model, train it as the integers that it becomes, and keep the best network.

    x: samples [N, *input shape] as the model takes them, which may be memory-mapped, or the path of an `.npz` or
    `.npy` file or of a folder of images; labels [N]. evaluation: samples, or samples and labels, to measure on; without
    them a tenth of x is held back. checkpoint: a file from which an interrupted call resumes. options: the fields of
    `FinetuneOptions` and of `QuantizeOptions`. A model that is quantized already keeps its widths unless options give
    others. Raises a `UserError` of one line for whatever does not fit.
    """
    need_torch()
    from bitwright.data.samples import open_samples, samples_of
    from bitwright.models import read
    from bitwright.models.graph import FloatGraph
    from bitwright.quantization.floatrun import float_input
    from bitwright.quantization.ranges.calibrate import quiet
    from bitwright.training.options import split_options
    from bitwright.training.run import Job, finetune_job

    training, quantize = split_options(options)
    graph = model if isinstance(model, FloatGraph) else read(model)
    spec = float_input(graph)
    data = open_samples(Path(x), spec) if isinstance(x, (str, Path)) else samples_of(x, labels, spec)
    measured = None
    if evaluation is not None:
        pair = evaluation if isinstance(evaluation, tuple) else (evaluation, None)
        measured = samples_of(*pair, spec, "evaluation data")
    narrower = any(options.get(name) is not None for name in WIDTHS)
    where = None if checkpoint is None else Path(checkpoint)
    return finetune_job(Job(graph, data, measured, training, quantize, narrower, where), progress or quiet)


def finetune(
    model: str | Path | FloatGraph, x: Array | str | Path, labels: Array | None = None, **options: Any
) -> Network:
    """The integer network of a model, trained on samples x; arguments are those of `finetune_model`."""
    return finetune_model(model, x, labels, **options).network
