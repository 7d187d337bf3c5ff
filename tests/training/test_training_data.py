"""Data of training: batches, augmentation; what does not fit is told in one line."""

import numpy as np
import pytest

from bitwright.data.samples import samples_of
from bitwright.errors import DataError, OptionError
from bitwright.quantization.floatrun import float_input, to_value
from bitwright.training.batches import Batches, augmented, generator
from bitwright.training.options import FinetuneOptions, split_options


@pytest.fixture(scope="module")
def spec(small):
    return float_input(small.graph())


def test_wrong_shapes(spec, x):
    with pytest.raises(DataError, match=r"legal are real numbers of shape \(N, 3, 8, 8\)"):
        samples_of(x[:, :2], None, spec)


def batches(small, x, **more):
    spec, graph = float_input(small.graph()), small.graph()
    how = {"size": 32, "seed": 7, "pixels": {"flip": (0, 0), "shift": (2, 2)}, **more}
    return Batches(samples_of(x, np.arange(len(x)), spec), np.arange(len(x)), graph, **how)


def test_a_batch_is_a_function_of_seed_and_index(small, x):
    one, other = batches(small, x), batches(small, x)
    later = [one[i] for i in range(30)][25]
    values, labels = other[25]
    assert np.array_equal(values, later[0])
    assert np.array_equal(labels, later[1])
    assert not np.array_equal(batches(small, x, seed=8)[25][1], labels)


def test_a_pass_takes_each_sample_once(small, x):
    b = batches(small, x, pixels={})
    taken = np.concatenate([b[i][1] for i in range(b.per_epoch)])
    assert len(taken) == len(set(taken)) == b.per_epoch * 32
    again = np.concatenate([b[i][1] for i in range(b.per_epoch, 2 * b.per_epoch)])
    assert not np.array_equal(taken, again)
    assert np.array_equal(b[0][0], to_value(small.graph(), x)[b[0][1]])


def test_few_samples_are_one_batch(small, x):
    assert len(batches(small, x[:5])[3][1]) == 5


def test_augmentations():
    x = np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4, 1).repeat(3, 3)
    flips = [augmented(x, {"flip": (0, 0)}, generator(1, 1, i)) for i in range(20)]
    assert {tuple(f[0, 0, :, 0]) for f in flips} == {(0, 1, 2, 3), (3, 2, 1, 0)}
    moved = {augmented(x, {"shift": (1, 1)}, generator(1, 1, i))[0, 1, 1, 0] for i in range(60)}
    assert moved == {x[0, i, j, 0] for i in range(3) for j in range(3)}
    in_time = {augmented(x, {"shift": (1, 0)}, generator(1, 1, i))[0, 1, 1, 0] for i in range(60)}
    assert in_time == {x[0, i, 1, 0] for i in range(3)}
    cut = [augmented(x, {"crop": (3, 3)}, generator(1, 1, i)) for i in range(60)]
    assert {len(np.unique(c[0])) for c in cut} >= {1, 4, 9, 16}
    assert all(c.shape == x.shape for c in cut)


def test_augmentation_is_for_images(model_kit, x):
    m = model_kit((12,))
    m.add("Gemm", m.weight(4, 12), transB=1)
    with pytest.raises(OptionError, match="for models of images"):
        batches(m, x[:, :, 0, :4].reshape(-1, 12))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 1.0, "steps": 5}, "exclude each other"),
        ({"label_share": 1.5}, "label_share is 1.5; legal are 0 to 1"),
        ({"augment": ("turn",)}, "augment holds 'turn'"),
        ({"augment": ("shift=0",)}, "augment holds 'shift=0'"),
        ({"augment": ("flip=2",)}, "augment holds 'flip=2'"),
        ({"augment": ("shift=0x0",)}, "augment holds 'shift=0x0'"),
        ({"augment": ("crop=1x65",)}, "augment holds 'crop=1x65'"),
        ({"augment": ("shift=1x2x3",)}, "augment holds 'shift=1x2x3'"),
        ({"loss": "l1"}, "loss is 'l1'; legal are auto, kl, binary, error"),
        ({"steps": 0}, "steps is 0"),
        ({"batch": 2.5}, "option batch is 2.5"),
        ({"weight_bits": 9}, "weight_bits asks for 9 bits; fine-tuning trains 1 to 8"),
        ({"first_bits": (16, 8)}, "first_bits asks for 16 bits"),
        ({"depth": 3}, "finetune has no option 'depth'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(OptionError) as error:
        split_options(options)
    assert message in str(error.value)


def test_options_are_for_training_or_for_the_quantizer():
    training, quantize = split_options({"steps": 5, "weight_bits": 3, "seed": 9, "jobs": 1})
    assert (training.steps, training.seed, training.jobs) == (5, 9, 1)
    assert (quantize.weight_bits, quantize.activation_bits, quantize.seed, quantize.jobs) == (3, 4, 9, 1)
    assert quantize.weight_rounding == "second_order"
    assert FinetuneOptions(augment=("flip", "shift=4x0", "crop=2")).pixels == {
        "flip": (0, 0),
        "shift": (4, 0),
        "crop": (2, 2),
    }
    assert FinetuneOptions().rate(2) == 0.01
    assert FinetuneOptions().rate(3) == 0.005
    assert FinetuneOptions().rate(4) == FinetuneOptions().rate(8) == 0.0025
