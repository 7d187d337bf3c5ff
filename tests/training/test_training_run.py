"""Fine-tuning as a whole: what it gains, that it repeats itself, and what it does when something goes wrong."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

import bitwright as bw  # noqa: E402
from bitwright.data.samples import samples_of  # noqa: E402
from bitwright.errors import DataError, OptionError  # noqa: E402
from bitwright.models import lower  # noqa: E402
from bitwright.models.graph.ops import Quant  # noqa: E402
from bitwright.quantization.floatrun import FloatRunner, float_input  # noqa: E402
from bitwright.training import checkpoint as checkpoints  # noqa: E402
from bitwright.training import finetune_model, loop  # noqa: E402
from bitwright.training.batches import Batches  # noqa: E402
from bitwright.training.measure import Examiner, Score  # noqa: E402
from bitwright.training.module import GraphModule  # noqa: E402

HOW = {"weight_bits": 2, "activation_bits": 2, "jobs": 1, "batch": 32}


def tuned(small, x, *more, **options):
    return finetune_model(small.graph(), x, *more, **{**HOW, "steps": 60, **options})


@pytest.fixture(scope="module")
def made(small, x):
    return tuned(small, x, steps=150)


def test_it_is_better_than_post_training_quantization(made):
    report = made.report
    assert report.fine_tuned.agreement > report.post_training.agreement
    assert report.fine_tuned.loss < 0.7 * report.post_training.loss
    assert report.best_step > 0
    assert made.network.types
    assert [point.step for point in report.curve] == [15 * i for i in range(1, 11)]
    assert report.held_back
    assert report.measured == 40


def test_the_report_tells_all_three_networks(made, small, x, labels):
    columns, rows = made.report.rows()
    assert columns == ["network", "accuracy %", "agreement %", "loss"]
    assert [row[0] for row in rows] == ["float", "post-training", "fine-tuned"]
    tree = made.report.as_dict()
    assert tree["quantization"]["agreement"] == made.report.fine_tuned.agreement
    assert len(tree["curve"]) == 10
    assert "trained 150 steps on 360 samples" in made.report.summary()
    assert {layer.weight_bits for layer in made.report.quantization.layers} == {2}
    assert "agreement with the float model" in made.report.html()
    scales = {n.name: n.op.quantizer.scale[0] for n in made.graph.of(Quant)}
    assert all(v.scale == scales[v.name] for v in made.report.quantization.values)


def test_the_network_is_that_of_the_graph(made, x):
    assert lower(made.graph, multiplier_bits=16).digest == made.network.digest


def test_the_graph_computes_what_the_network_does(made, small, x):
    """Scales of weights stand for the network's multipliers, so that exact rationals give the same codes."""
    assert np.array_equal(lower(made.graph).predict(x), made.network.predict(x))
    with torch.no_grad():
        value = torch.from_numpy(np.ascontiguousarray(x, np.float32))
        answers = GraphModule(made.graph)(value).numpy().argmax(1)
    assert np.array_equal(answers, made.network.predict(x).argmax(1))


def test_it_repeats_itself(small, x, tmp_path):
    files = []
    for name in ("a", "b"):
        bw.save(tuned(small, x, jobs=2, steps=40).network, tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    other = tuned(small, x, seed=2, jobs=2, steps=10)
    assert other.network.digest != bw.load(tmp_path / "a").digest


class Killed(BaseException):
    pass


@pytest.mark.parametrize(("step", "float_epochs"), [(7, 0), (31, 0), (58, 0), (7, 1), (31, 1)])
def test_an_interrupted_run_resumes_to_the_same_bytes(small, x, labels, tmp_path, monkeypatch, step, float_epochs):
    how = {"labels": labels, "label_share": 0.5, "float_epochs": float_epochs} if float_epochs else {}
    expected = tuned(small, x, **how).network.digest
    path, adam = tmp_path / "run.ckpt", loop.Trainer._adam

    def dies(self, state, *rest):
        if state.step == step:
            raise Killed
        adam(self, state, *rest)

    monkeypatch.setattr(loop.Trainer, "_adam", dies)
    with pytest.raises(Killed):
        tuned(small, x, checkpoint=path, checkpoint_seconds=0, **how)
    monkeypatch.setattr(loop.Trainer, "_adam", adam)
    found = tuned(small, x, checkpoint=path, checkpoint_seconds=0, **how)
    assert found.network.digest == expected
    assert found.report.steps == 60


SCRIPT = """
import sys
sys.path[:0] = [sys.argv[1]]
from conftest import images, small_model
import bitwright as bw
how = dict(weight_bits=2, activation_bits=2, batch=32, steps=400, jobs=1, checkpoint=sys.argv[2], checkpoint_seconds=0)
bw.save(bw.finetune(small_model().graph(), images(), **how), sys.argv[3])
"""


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_bytes(tmp_path):
    def run(name, seconds):
        arguments = [str(Path(__file__).parent), str(tmp_path / name), str(tmp_path / f"{name}.bw")]
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], env=dict(os.environ))
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    assert run("whole", None) == 0
    seconds = 6.0
    while run("killed", seconds) != 0:
        seconds *= 1.3
    assert (tmp_path / "whole.bw").read_bytes() == (tmp_path / "killed.bw").read_bytes()


def test_a_checkpoint_of_another_run_is_refused(small, x, tmp_path):
    path = tmp_path / "run.ckpt"
    tuned(small, x, checkpoint=path, steps=4)
    with pytest.raises(OptionError, match="is the checkpoint of another run"):
        tuned(small, x, checkpoint=path, steps=5)
    with pytest.raises(OptionError, match="is the checkpoint of another run"):
        tuned(small, x + 0.5, checkpoint=path, steps=4)
    tuned(small, x, checkpoint=path, steps=4, jobs=2)  # threads may change


@pytest.mark.parametrize("cut", [0, 100, -30])
def test_a_damaged_checkpoint_is_one_line(small, x, tmp_path, cut):
    path = tmp_path / "run.ckpt"
    tuned(small, x, checkpoint=path, steps=4)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="is no checkpoint, or it is damaged; delete it to start anew"):
        tuned(small, x, checkpoint=path, steps=4)


def test_a_full_disk_does_not_stop_it(small, x, tmp_path, monkeypatch):
    path, write = tmp_path / "run.ckpt", checkpoints.write_file
    count = []

    def fails(*arguments):
        count.append(1)
        if len(count) > 3:
            raise OSError(28, "No space left on device", str(path))
        write(*arguments)

    monkeypatch.setattr(checkpoints, "write_file", fails)
    found = tuned(small, x, checkpoint=path, checkpoint_seconds=0)
    assert len(count) > 10
    assert found.report.notes == (
        f"checkpoint {path} cannot be written: No space left on device; training goes on without",
    )
    assert found.network.digest == tuned(small, x).network.digest


def test_a_checkpoint_that_cannot_be_written_at_all_is_told_at_once(small, x, tmp_path):
    with pytest.raises(OSError, match="No such file or directory"):
        tuned(small, x, checkpoint=tmp_path / "none" / "run.ckpt")


def test_losses_that_are_not_finite(small, x, monkeypatch):
    """Single steps are left out; many in a row end the training, and the best network until then is kept."""
    distance, count = loop.distance, []

    def breaks(outputs, *rest):
        count.append(1)
        return distance(outputs, *rest) * (float("nan") if len(count) == 5 or len(count) > 45 else 1)

    monkeypatch.setattr(loop, "distance", breaks)
    report = tuned(small, x, steps=100, evaluation=x).report
    assert report.steps == 45 + loop.BAD_STEPS
    (note,) = report.notes
    assert note.startswith("the loss is not finite since step 46: training ended there")
    assert report.fine_tuned == max([report.post_training, report.fine_tuned], key=Score._rank)
    assert 0 < report.best_step <= 50


def test_the_distance_of_probabilities_at_a_temperature():
    """T^2 KL(p || q) of softmax at T, by NumPy; its gradient at equal outputs is 0."""
    rng, t = np.random.default_rng(0), 2.0
    a, b = rng.normal(0, 3, (2, 5, 4))
    p, q = (np.exp(v / t) / np.exp(v / t).sum(1, keepdims=True) for v in (b, a))
    found = loop.distance(torch.from_numpy(a), torch.from_numpy(b), "kl", t)
    assert float(found) == pytest.approx(t * t * (p * np.log(p / q)).sum(1).mean())
    same = torch.from_numpy(b).requires_grad_()
    loop.distance(same, torch.from_numpy(b), "kl", t).backward()
    assert float(same.grad.abs().max()) < 1e-12


def test_the_teacher_answers_for_mirror_images_where_they_are_trained_on(small, x):
    """The mean of both answers, put back in place where there is one for each pixel."""
    images = torch.from_numpy(x[:3])
    for outputs in (lambda v: v.flatten(1), lambda v: v * torch.arange(v.shape[3])):
        teacher = lambda v, features=None, outputs=outputs: outputs(v)  # noqa: E731
        trainer = loop.Trainer(None, teacher, None, loop.Plan(1, None, 0.1, 0.0, "kl", 1, 1.0, True), None, None)
        other = outputs(images.flip(3))
        expected = (outputs(images) + (other.flip(3) if other.ndim == 4 else other)) / 2
        assert torch.equal(trainer._wanted(images)[0], expected)
    alike = tuned(small, x, steps=40, augment=("shift=1",)).network.digest
    assert tuned(small, x, steps=40, augment=("shift=1", "flip")).network.digest != alike


def test_features_are_what_the_layers_compute(small, x):
    """Of every layer but the last one, before quantizers and activations; equal for a float module and itself."""
    module = GraphModule(small.graph())
    inputs = loop.inputs_of(x[:4].transpose(0, 2, 3, 1), module.flat.device)
    features = {}
    assert torch.equal(module(inputs, features=features), module(inputs))
    layers = [node.name for node in small.graph().layers]
    assert list(features) == layers[:-1]
    outputs = FloatRunner(small.graph(), layers[:1]).run(x[:4])[layers[0]]
    assert np.allclose(features[layers[0]].detach().permute(0, 2, 3, 1).numpy(), outputs, atol=1e-4)


def test_the_loss_counts_features(small, x):
    """Adds the mean of the layers' relative squared errors, times the weight; a quantized model has none."""
    plain, more = (tuned(small, x, steps=60, features=weight).report for weight in (0.0, 2.0))
    assert more.curve[0].training_loss > plain.curve[0].training_loss
    assert more.curve[-1].training_loss < more.curve[0].training_loss
    assert more.fine_tuned.loss < more.post_training.loss


@pytest.mark.parametrize("end", ["classes", "softmax", "image"])
def test_networks_are_measured_against_both_answers(model_kit, end):
    """An examiner of mirrored training: the mean of logits, or of pixels put back in place; what is told is plain."""
    m = model_kit((2, 4, 6))
    m.add("Conv", m.weight(4, 2, 3, 3), pads=[1, 1, 1, 1])
    if end != "image":
        m.add("Flatten")
        m.add("Gemm", m.weight(5, 96), transB=1)
    if end == "softmax":
        m.add("Softmax", axis=1)
    graph = m.graph()
    x = np.random.default_rng(0).normal(size=(12, 2, 4, 6)).astype(np.float32)
    samples = samples_of(x, None, float_input(graph))
    plain, both = (Examiner(graph, samples, np.arange(12), "kl", 1, mirrored) for mirrored in (False, True))
    y, other = (FloatRunner(graph).outputs(v).astype(np.float64) for v in (x, x[..., ::-1].copy()))
    if end == "softmax":
        mean = np.exp((np.log(y) + np.log(other)) / 2)
        expected = mean / mean.sum(1, keepdims=True)
    else:
        expected = (y + (other[..., ::-1] if end == "image" else other)) / 2
    assert np.allclose(both.wanted, expected, atol=1e-6)
    assert np.array_equal(both.reference, plain.reference)
    assert np.array_equal(plain.wanted, plain.reference)


def test_a_rate_that_explodes_keeps_the_start(small, x):
    found = tuned(small, x, learning_rate=1.0, steps=20)
    assert found.report.best_step == 0
    assert found.report.fine_tuned == found.report.post_training
    assert np.array_equal(lower(found.graph).predict(x), found.network.predict(x))
    assert "which is kept" in found.report.summary()


def test_no_kept_network_agrees_less_than_the_start(small, x, monkeypatch):
    scores = iter(
        [Score(None, 0.5, 9.0), *(Score(None, a, 1 / i) for i, a in enumerate([0.49, 0.5, 0.48, 0.6, 0.2], 1))]
    )
    monkeypatch.setattr("bitwright.training.run.Examiner.score", lambda self, network: next(scores))
    report = tuned(small, x, steps=5, evaluations=5).report
    assert (report.best_step, report.fine_tuned.agreement) == (4, 0.6)


def test_evaluation_data_choose_the_network(small, x, labels):
    report = tuned(small, x[:300], evaluation=(x[300:], labels[300:])).report
    assert not report.held_back
    assert report.measured == 100
    assert report.float_accuracy == 1
    assert report.fine_tuned.accuracy == report.fine_tuned.agreement  # the labels are the float model's answers
    assert report.fine_tuned.accuracy >= report.post_training.accuracy
    assert report.samples == 300


def test_labels_teach_more_than_the_model_knows(small, x, labels):
    """Labels that are not the float model's answers: a share of them moves the network to them."""
    other = (labels + 1) % 4
    with_labels = tuned(small, x, other, label_share=1.0, steps=150, learning_rate=0.03).report
    without = tuned(small, x, other, steps=20).report
    assert with_labels.fine_tuned.accuracy > without.fine_tuned.accuracy + 0.2


def test_the_float_model_learns_from_labels_first(small, x, labels):
    other = (labels + 1) % 4
    how = {"label_share": 0.5, "learning_rate": 0.03}
    plain = tuned(small, x, other, **how).report
    taught = tuned(small, x, other, float_epochs=20.0, **how).report
    assert plain.given_accuracy is None
    assert taught.given_accuracy == plain.float_accuracy
    assert taught.float_accuracy > taught.given_accuracy + 0.2
    assert taught.fine_tuned.accuracy > plain.fine_tuned.accuracy
    assert [row[0] for row in taught.rows()[1]] == ["float as given", "float, taught", "post-training", "fine-tuned"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"float_epochs": 1.0}, OptionError, "float_epochs needs labels"),
        ({"label_share": 0.5}, OptionError, "data has none"),
        ({"device": "cuda"}, OptionError, "torch finds no GPU"),
    ],
)
def test_contradictions(small, x, change, error, message):
    if change.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(error, match=message):
        tuned(small, x, **change)


def test_labels_outside_the_classes(small, x, labels):
    with pytest.raises(DataError, match="labels span 0 to 9; the model's classes are 0 to 3"):
        tuned(small, x, np.where(np.arange(len(x)) == 3, 9, labels * 0), label_share=0.5)


def test_too_little_data(small, x):
    with pytest.raises(DataError, match="has 9 samples; legal are at least 10, or evaluation data"):
        tuned(small, x[:9])
    assert tuned(small, x[:10], steps=3).report.samples == 9


def test_values_that_are_not_finite(small, x):
    bad = x.copy()
    bad[50, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match=r"hold nan at index \(50, 0, 0, 0\); legal are finite numbers"):
        tuned(small, bad, steps=40)


def test_minutes_end_it(small, x):
    report = tuned(small, x, steps=None, minutes=0.03).report
    assert 1.8 <= report.seconds < 10
    assert report.steps > 5


def test_memory_mapped_data(small, x, tmp_path):
    np.save(tmp_path / "x.npy", x)
    found = tuned(small, tmp_path / "x.npy", steps=10)
    assert found.network.digest == tuned(small, x, steps=10).network.digest


def test_half_precision(small, x):
    report = tuned(small, x, precision="bf16", steps=100).report
    assert report.options["precision"] == "bf16"
    assert report.fine_tuned.agreement > report.post_training.agreement


def test_power_of_two_scales_stay_so(small, x):
    found = tuned(small, x, scales="power_of_two", weight_bits=3, activation_bits=3, steps=100, learning_rate=0.002)
    assert found.report.best_step > 0
    multipliers = [m for n in found.network.nodes for m in np.ravel(getattr(n.op, "multiplier", 1))]
    assert all(int(m).bit_count() == 1 for m in multipliers)


def quantized_model(model_kit, bits):
    m = model_kit((3, 8, 8), seed=3)
    m.quantizer(1 / 16, 8)
    m.conv(8, 3, pads=[1, 1, 1, 1])
    m.add("Relu")
    m.quantizer(0.2, bits, signed=0)
    m.add("GlobalAveragePool")
    m.quantizer(0.05, 8, signed=0)
    m.add("Flatten")
    m.add("Gemm", m.weight(4, 8) * 3, np.zeros(4), transB=1)
    return with_quantized_weights(m, bits)


def with_quantized_weights(m, bits):
    """The model with a quantizer of its own at every weight."""
    from onnx import helper

    nodes = []
    for node in m.nodes:
        if node.op_type in ("Conv", "Gemm"):
            name = f"{node.name}_weight"
            names = [node.input[1], m.constant(0.15), m.constant(0.0), m.constant(float(bits))]
            more = {"domain": "onnx.brevitas", "signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
            nodes.append(helper.make_node("Quant", names, [name], name=name, **more))
            node.input[1] = name
        nodes.append(node)
    m.nodes = nodes
    return m


def test_a_quantized_model_is_refined_with_labels(model_kit, x):
    graph = quantized_model(model_kit, 4).graph()
    labels = (x.mean((1, 2, 3)) > 0).astype(int)
    how = {"jobs": 1, "batch": 32, "steps": 200}
    report = finetune_model(graph, x, labels, label_share=1.0, **how).report
    assert report.fine_tuned.accuracy > report.post_training.accuracy
    assert {layer.weight_bits for layer in report.quantization.layers} == {4}
    with pytest.raises(OptionError, match="is quantized already and learns nothing from itself"):
        finetune_model(graph, x, **how)
    with pytest.raises(OptionError, match="no float model learns first; legal is float_epochs 0"):
        finetune_model(graph, x, labels, label_share=0.5, float_epochs=1.0, **how)
    with pytest.raises(OptionError, match="its layers learn nothing from features; legal is 0"):
        finetune_model(graph, x, labels, features=1.0, label_share=0.5, steps=5)
    with pytest.raises(OptionError, match="keeps its grids; weight_rounding would do nothing without widths"):
        finetune_model(graph, x, labels, label_share=1.0, weight_rounding="nearest", **how)


def test_the_mean_of_the_last_parameters_is_kept(small, x):
    """The first step counts alone; then the n-th counts 17 / (16 + n), and the mean of those before it the rest."""
    graph = tuned(small, x, steps=1, evaluations=1).graph
    module, path = GraphModule(graph), []

    class Recorder(loop.Trainer):
        def _adam(self, state, rate, norm):
            super()._adam(state, rate, norm)
            path.append(self.module.flat.numpy().copy())

    batches = Batches(samples_of(x, None, float_input(small.graph())), np.arange(len(x)), graph, 32, 1, {})
    plan, quiet = loop.Plan(30, None, 0.01, 0.0, "kl", 1), lambda *_: None
    flat = module.flat.numpy().copy()
    state = checkpoints.State(flat, 0 * flat, 0 * flat, flat, flat, Score(None, None, np.inf))
    Recorder(module, GraphModule(small.graph()), batches, plan, lambda: Score(None, None, 0.0), quiet).run(state)
    mean = path[0]
    for step, now in enumerate(path, 1):
        mean = mean + (now - mean) * 17 / (16 + step)
    assert np.allclose(state.best, mean, atol=1e-5)
    assert not np.allclose(state.best, path[-1], atol=1e-5)
    assert np.array_equal(module.flat.numpy(), state.best)


def test_codes_of_a_refined_model_stay_narrow(model_kit, x):
    graph = quantized_model(model_kit, 2).graph()
    found = finetune_model(graph, x, np.arange(len(x)) % 4, label_share=1.0, jobs=1, steps=30, learning_rate=0.1).graph
    codes = [node.op.quantized.values for node in found.layers]
    assert all(c.min() >= -1 for c in codes)


def test_a_quantized_model_is_made_narrower(model_kit, x):
    graph = quantized_model(model_kit, 6).graph()
    found = finetune_model(graph, x, weight_bits=2, activation_bits=3, jobs=1, batch=32, steps=100)
    assert {layer.weight_bits for layer in found.report.quantization.layers} == {2}
    reference = lower(graph).predict(x)
    assert found.report.fine_tuned.agreement > found.report.post_training.agreement
    agreement = 100 * np.mean(found.network.predict(x).argmax(1) == reference.argmax(1))
    assert agreement > 80


def end(m, op, **attributes):
    m.add(op, **attributes)
    return m.graph()


@pytest.mark.parametrize(
    ("op", "attributes", "loss"),
    [("Softmax", {"axis": 1}, "kl"), ("ArgMax", {"axis": 1}, "kl"), ("Sigmoid", {}, "binary"), ("Tanh", {}, "error")],
)
def test_ends_of_models(make_small, x, op, attributes, loss):
    graph = end(make_small(), op, **attributes)
    found = finetune_model(graph, x, weight_bits=3, activation_bits=3, steps=60, batch=32, jobs=1)
    before, after = found.report.post_training, found.report.fine_tuned
    assert found.report.best_step > 0
    assert (after.agreement is None) == (loss == "error")
    assert after.better(before)


def test_outputs_for_every_pixel(model_kit, x):
    m = model_kit((3, 8, 8))
    m.conv(8, 3, pads=[1, 1, 1, 1])
    m.add("Relu")
    m.conv(4, 8, 1)
    found = finetune_model(m.graph(), x, loss="kl", weight_bits=2, activation_bits=2, steps=60, batch=32, jobs=1)
    reference, outputs = FloatRunner(m.graph()).outputs(x), found.network.predict(x)
    assert np.mean(reference.argmax(1) == outputs.argmax(1)) > 0.7
    with pytest.raises(OptionError, match="labels are for models with one answer for each sample"):
        finetune_model(m.graph(), x, np.zeros(len(x), int), label_share=0.5, steps=1, jobs=1)


def test_progress_tells_loss_score_and_steps(small, x):
    seen = []
    tuned(small, x, steps=20, progress=lambda *told: seen.append(told))
    told = [t for t in seen if t[0].startswith("fine-tune: loss ")]
    assert [done for _, done, _ in told] == list(range(1, 21))
    assert all(total == 20 and "best agreement" in text for text, _, total in told)


def test_scores_are_ordered():
    assert Score(0.6, 0.5, 9.0).better(Score(0.59, 0.8, 1.0))
    assert Score(0.6, 0.5, 1.0).better(Score(0.6, 0.8, 2.0))
    assert Score(None, 0.59, 0.5).better(Score(None, 0.6, 1.0))
    assert Score(None, 0.59, 0.5).agrees_less(Score(None, 0.6, 1.0))
    assert not Score(0.5, 0.59, 0.5).agrees_less(Score(0.5, 0.6, 1.0))
    assert Score(None, None, 0.5).better(Score(None, None, 0.6))
    assert not Score(0.6, 0.5, 1.0).better(Score(0.6, 0.5, 1.0))
