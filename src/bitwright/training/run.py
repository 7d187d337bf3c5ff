# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning from the model to the integer network."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from bitwright.data.samples import Samples
from bitwright.errors import DataError, OptionError
from bitwright.models.graph import FloatGraph
from bitwright.models.graph.ops import ArgMax
from bitwright.network import Network
from bitwright.network.types import Ints
from bitwright.quantization.digests import digest
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.ranges.calibrate import Progress, quiet
from bitwright.training.batches import Batches, generator
from bitwright.training.checkpoint import State, load_state
from bitwright.training.export import trained_graph
from bitwright.training.loop import Plan, Trainer, inputs_of
from bitwright.training.measure import Examiner, Score, loss_of
from bitwright.training.module import GraphModule, Rules
from bitwright.training.options import DEFAULT_EPOCHS, FinetuneOptions
from bitwright.training.report import FinetuneReport
from bitwright.training.start import Start, has_grids, is_power_of_two, narrowest, start_of

SPLIT = 2  # a stream of random numbers beside those of the batches
LEAST_SAMPLES = 10
TAUGHT_RATE = 5e-3  # of Adam, where the float model learns
WHERE = ("jobs", "device", "checkpoint_seconds")  # options that a resumed run may change


@dataclass(frozen=True, eq=False)
class Finetuned:
    """The integer network that is kept, its report, the quantized graph that it was lowered from, and its teacher.

    teacher: the float model whose answers were learned; the given one but with `float_epochs`.
    """

    network: Network
    report: FinetuneReport
    graph: FloatGraph
    teacher: FloatGraph


@dataclass(frozen=True, eq=False)
class Job:
    """What is fine-tuned: a model, the data to train on, those to measure on (else a part of the others), and how.

    narrower: a model that is quantized already gets the widths of `quantize`, and keeps its own otherwise;
    checkpoint: the file that a run is resumed from.
    """

    graph: FloatGraph
    data: Samples
    evaluation: Samples | None
    options: FinetuneOptions
    quantize: QuantizeOptions
    narrower: bool = True
    checkpoint: Path | None = None


def finetune_job(job: Job, progress: Progress = quiet) -> Finetuned:
    """Quantize, train, and keep the best integer network.

    Raises `OptionError`, `DataError` or `ModelError`, and `OSError` where the checkpoint cannot be written at all.
    """
    _check(job)
    with _torch(job.options):
        train, measured = _split(job)
        some = generator(job.options.seed, SPLIT, 1).permutation(train)[: job.quantize.samples]
        calibration = job.data.take(np.sort(some))
        job, given, notes = _with_teacher(job, train, measured, progress)
        start = start_of(job.graph, calibration, job.quantize, job.narrower, progress)
        _check_teacher(job, start)
        made = _trained(job, start, train, _examiner(job, start.teacher, measured), progress)
        report = replace(made.report, given_accuracy=given, notes=(*notes, *made.report.notes))
        return replace(made, report=report)


def _examiner(job: Job, teacher: FloatGraph, measured: Ints) -> Examiner:
    options, data = job.options, job.evaluation or job.data
    return Examiner(teacher, data, measured, loss_of(teacher, options.loss), options.jobs, options.mirrored)


def _with_teacher(job: Job, train: Ints, measured: Ints, progress: Progress) -> tuple[Job, float | None, list[str]]:
    """The job with the float model that has learned from labels, the given one's accuracy, and notes."""
    options = job.options
    if not options.float_epochs:
        return job, None, []
    if has_grids(job.graph):
        raise OptionError(
            f"{job.graph.source or job.graph.name} is quantized already: no float model learns first; legal is "
            "float_epochs 0"
        )
    examiner, device = _examiner(job, job.graph, measured), _device(options)
    half = _in_half(options, device)
    batches = Batches(job.data, train, job.graph, options.batch, options.seed, options.pixels)
    steps, rate = max(1, round(options.float_epochs * batches.per_epoch)), options.learning_rate or TAUGHT_RATE
    usual = _plan(options, batches, narrowest(job.graph), examiner.loss)
    plan = replace(usual, steps=steps, minutes=None, rate=rate, features=0.0)
    saved = None
    if job.checkpoint is not None:
        saved = (teacher_file(job.checkpoint), _key(job, job.graph, job.graph, half), options.checkpoint_seconds)
    graph, notes = taught(job.graph, batches, plan, Rules(half=half), device, examiner, progress, saved)
    return replace(job, graph=graph), examiner.float_accuracy, notes


def _check(job: Job) -> None:
    if job.options.label_share == 0:
        return
    labels, classes = job.data.labels, job.graph.shapes[job.graph.output_name]
    if labels is None:
        raise OptionError(f"the loss has a share of labels, but {job.data.where} has none")
    if len(classes) != 1:
        raise OptionError("labels are for models with one answer for each sample")
    count = max(2, _channels(job.graph))
    if labels.min() < 0 or labels.max() >= count:
        raise DataError(
            f"{job.data.where}: labels span {labels.min()} to {labels.max()}; the model's classes are 0 to {count - 1}"
        )


def _channels(graph: FloatGraph) -> int:
    """Of the last value that has some: an arg-max has the classes before it."""
    last = graph.nodes[-1]
    return graph.shapes[last.inputs[0] if isinstance(last.op, ArgMax) else last.name][-1]


def _check_teacher(job: Job, start: Start) -> None:
    if start.prepared is None and job.options.label_share == 0:
        raise OptionError(
            f"{job.graph.source or job.graph.name} is quantized already and learns nothing from itself; "
            "legal are other widths, or a share of labels"
        )
    if start.prepared is None and job.options.features:
        raise OptionError(
            f"{job.graph.source or job.graph.name} keeps its grids: its layers learn nothing from features; legal is 0"
        )


def _split(job: Job) -> tuple[Ints, Ints]:
    """Indices of the samples to train on and of those to measure on."""
    count = len(job.data)
    if job.evaluation is not None:
        return np.arange(count), np.arange(len(job.evaluation))
    if count < LEAST_SAMPLES:
        raise DataError(
            f"{job.data.where} has {count} samples; legal are at least {LEAST_SAMPLES}, or evaluation data of their own"
        )
    order = generator(job.options.seed, SPLIT, 0).permutation(count)
    held = min(job.options.held_back, count // 10)
    return np.sort(order[held:]), np.sort(order[:held])


@contextlib.contextmanager
def _torch(options: FinetuneOptions) -> Iterator[None]:
    """Threads of torch as the options say, and on a GPU the same algorithms in every run."""
    threads, fixed = torch.get_num_threads(), torch.backends.cudnn.deterministic
    torch.set_num_threads(options.jobs or os.cpu_count() or 1)
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.deterministic = fixed


def _device(options: FinetuneOptions) -> str:
    if options.device == "cuda" and not torch.cuda.is_available():
        raise OptionError("device is cuda, but torch finds no GPU; legal is cpu")
    return "cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu"


def _in_half(options: FinetuneOptions, device: str) -> bool:
    """Whether convolutions are computed in bfloat16: by choice, or where the processor has it."""
    if options.precision != "auto":
        return options.precision == "bf16"
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    known = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(has() for has in known if has is not None)


def _trained(job: Job, start: Start, train: Ints, examiner: Examiner, progress: Progress) -> Finetuned:
    options = job.options
    device = _device(options)
    half = _in_half(options, device)
    module = GraphModule(start.graph, Rules(is_power_of_two(start.graph), start.prepared is None, half)).on(device)
    teacher = GraphModule(start.prepared.graph if start.prepared else start.teacher, Rules(half=half)).on(device)
    batches = Batches(job.data, train, start.graph, options.batch, options.seed, options.pixels)
    module.center(inputs_of(batches[0][0], module.flat.device))
    plan = _plan(options, batches, narrowest(start.graph), examiner.loss)

    def measure() -> Score:
        return examiner.score(start.lowered(trained_graph(module)))

    first = examiner.score(start.network)
    key = _key(job, start.teacher, start.graph, half)
    count = module.flat.numel()
    found = None if job.checkpoint is None else load_state(job.checkpoint, key, count)
    state = found or _fresh(module, first)
    saved = None if job.checkpoint is None else (job.checkpoint, key, options.checkpoint_seconds)
    trainer = Trainer(module, teacher, batches, plan, measure, progress, saved, first)
    trainer.run(state)
    graph, network = start.graph, start.network
    if state.best_step:
        graph = trained_graph(module)
        network = start.lowered(graph)
    graph = start.computed(graph, network)
    report = _report(job, start, (graph, network), examiner, first, trainer, state)
    return Finetuned(network, report, graph, start.teacher)


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
    found = None if checkpoint is None else load_state(*checkpoint[:2], module.flat.numel())
    state = found or _fresh(module, first)

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


def _fresh(module: GraphModule, first: Score) -> State:
    flat = module.flat.detach().cpu().numpy()
    return State(flat.copy(), np.zeros_like(flat), np.zeros_like(flat), flat.copy(), flat.copy(), first)


def _plan(options: FinetuneOptions, batches: Batches, bits: int, loss: str) -> Plan:
    steps = options.steps
    if steps is None and options.minutes is None:
        epochs = DEFAULT_EPOCHS if options.epochs is None else options.epochs
        steps = max(1, round(epochs * batches.per_epoch))
    return Plan(
        steps,
        options.minutes,
        options.rate(bits),
        options.label_share,
        loss,
        options.evaluations,
        options.temperature,
        mirrored=options.mirrored,
        features=options.features,
    )


def _key(job: Job, teacher: FloatGraph, graph: FloatGraph, half: bool) -> str:
    """Of all that the result depends on, but for threads and the device."""
    options = {name: value for name, value in asdict(job.options).items() if name not in WHERE}
    data = [job.data.identity(), job.evaluation.identity() if job.evaluation else None]
    return digest("finetune, scores as shares", teacher, graph, options, half, data)


def _report(
    job: Job,
    start: Start,
    kept: tuple[FloatGraph, Network],
    examiner: Examiner,
    first: Score,
    trainer: Trainer,
    state: State,
) -> FinetuneReport:
    made = start.report(*kept, state.seconds)
    made = replace(
        made,
        accuracy_float=examiner.float_accuracy,
        accuracy=state.score.accuracy,
        agreement=state.score.agreement,
        evaluated_samples=len(examiner.indices),
    )
    return FinetuneReport(
        options={**asdict(job.options), "precision": "bf16" if trainer.module.rules.half else "float32"},
        quantization=made,
        float_accuracy=examiner.float_accuracy,
        post_training=first,
        fine_tuned=state.score,
        best_step=state.best_step,
        steps=state.step,
        samples=len(trainer.batches.indices),
        measured=len(examiner.indices),
        held_back=job.evaluation is None,
        seconds=state.seconds,
        curve=tuple(state.curve),
        notes=tuple(trainer.notes),
    )
