"""Data of training: files, batches, augmentation; what does not fit is told in one line."""

import numpy as np
import pytest
from PIL import Image

from bitwright.errors import DataError, OptionError
from bitwright.limits import limit
from bitwright.quantization.floatrun import float_input, to_value
from bitwright.training.batches import Batches, augmented, generator
from bitwright.training.data import open_samples, samples_of
from bitwright.training.options import FinetuneOptions, split_options


@pytest.fixture(scope="module")
def spec(small):
    return float_input(small.graph())


def all_of(samples):
    return samples.take(np.arange(len(samples)))


def test_npz(spec, x, tmp_path):
    np.savez(tmp_path / "a.npz", x=x, labels=np.arange(len(x)) % 4)
    found = open_samples(tmp_path / "a.npz", spec)
    assert np.array_equal(all_of(found), x)
    assert found.labels.tolist() == [i % 4 for i in range(len(x))]


def test_a_large_npz_is_mapped(spec, x, tmp_path):
    np.savez(tmp_path / "a.npz", x=x, labels=np.arange(len(x)) % 4)
    np.savez_compressed(tmp_path / "b.npz", x=x)
    np.savez(tmp_path / "c.npz", y=x)
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "d.npz").write_bytes(whole.replace(b"'shape': (400, 3", b"'shape': (401, 3"))
    with limit(bytes=10_000):
        found = open_samples(tmp_path / "a.npz", spec)
        assert isinstance(found.raw, np.memmap)
        assert np.array_equal(all_of(found), x)
        assert found.labels.tolist() == [i % 4 for i in range(len(x))]
        for name, message in (("b", "is compressed"), ("c", "no array x"), ("d", "x.npy is no plain array")):
            with pytest.raises(DataError, match=message):
                open_samples(tmp_path / f"{name}.npz", spec)


def test_npy_is_mapped_with_the_labels_beside_it(spec, x, tmp_path):
    np.save(tmp_path / "a.npy", x)
    assert open_samples(tmp_path / "a.npy", spec).labels is None
    np.save(tmp_path / "a.labels.npy", np.arange(len(x)) % 4)
    found = open_samples(tmp_path / "a.npy", spec)
    assert isinstance(found.raw, np.memmap)
    assert np.array_equal(all_of(found), x)
    assert len(found.labels) == len(x)


def write_images(folder, count=3, size=(8, 8)):
    rng = np.random.default_rng(0)
    pixels = {}
    for kind in ("cat", "dog"):
        (folder / kind).mkdir(parents=True)
        for i in range(count):
            pixels[kind, i] = rng.integers(0, 256, (*size, 3), np.uint8)
            Image.fromarray(pixels[kind, i]).save(folder / kind / f"{i}.png")
    return pixels


def test_a_folder_of_images(spec, tmp_path):
    pixels = write_images(tmp_path)
    found = open_samples(tmp_path, spec)
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(all_of(found)[4], pixels["dog", 1].transpose(2, 0, 1))


def damaged_npy(folder):
    (folder / "a.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00")
    return folder / "a.npy"


def pickled_npy(folder):
    np.save(folder / "p.npy", np.array([{}], object), allow_pickle=True)
    return folder / "p.npy"


def wrong_size(folder):
    write_images(folder / "i", size=(8, 9))
    return folder / "i"


def no_image(folder):
    (folder / "j").mkdir()
    (folder / "j" / "a.png").write_bytes(b"\x89PNG and no more")
    return folder / "j"


def empty(folder):
    (folder / "k").mkdir()
    return folder / "k"


def wrong_labels(folder):
    np.save(folder / "n.npy", np.zeros((5, 3, 8, 8), np.uint8))
    np.save(folder / "n.labels.npy", np.zeros(4, int))
    return folder / "n.npy"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none.npy", "cannot read"),
        (damaged_npy, "no .npy file of a plain array"),
        (pickled_npy, "no .npy file of a plain array"),
        (wrong_size, "has 8 by 9 pixels; legal are 8 by 8"),
        (no_image, "is no image, or it is damaged"),
        (empty, "holds no images"),
        (wrong_labels, "labels of shape (4,) for 5"),
    ],
)
def test_bad_files(spec, tmp_path, make, message):
    with pytest.raises(DataError) as error:
        open_samples(make(tmp_path), spec)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_shapes(spec, x):
    with pytest.raises(DataError, match=r"legal are real numbers of shape \(N, 3, 8, 8\)"):
        samples_of(x[:, :2], None, spec)


def batches(small, x, **more):
    spec, graph = float_input(small.graph()), small.graph()
    how = {"size": 32, "seed": 7, "pixels": {"flip": 1, "shift": 2}, **more}
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
    flips = [augmented(x, {"flip": 1}, generator(1, 1, i)) for i in range(20)]
    assert {tuple(f[0, 0, :, 0]) for f in flips} == {(0, 1, 2, 3), (3, 2, 1, 0)}
    moved = {augmented(x, {"shift": 1}, generator(1, 1, i))[0, 1, 1, 0] for i in range(60)}
    assert moved == {x[0, i, j, 0] for i in range(3) for j in range(3)}
    cut = [augmented(x, {"crop": 3}, generator(1, 1, i)) for i in range(60)]
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
    assert FinetuneOptions().rate(2) == 0.01
    assert FinetuneOptions().rate(3) == 0.005
