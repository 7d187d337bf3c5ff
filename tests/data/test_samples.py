"""Data files: arrays, images and tables become samples of a model; what does not fit is told in one line."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bitwright.data.samples import open_samples
from bitwright.errors import DataError
from bitwright.limits import limit
from bitwright.network import InputSpec, IntType, TensorType


@pytest.fixture
def spec():
    return InputSpec(TensorType((8, 8, 3), IntType(8, False)), shape=(3, 8, 8), layout="CHW")


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(size=(400, 3, 8, 8)).astype(np.float32)


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
    np.savez(tmp_path / "c.npz", z=x[:, :2])
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "d.npz").write_bytes(whole.replace(b"'shape': (400, 3", b"'shape': (401, 3"))
    with limit(bytes=10_000):
        found = open_samples(tmp_path / "a.npz", spec)
        assert isinstance(found.raw, np.memmap)
        assert np.array_equal(all_of(found), x)
        assert found.labels.tolist() == [i % 4 for i in range(len(x))]
        for name, message in (
            ("b", "is compressed"),
            ("c", r"holds z \(400, 2, 8, 8\); legal"),
            ("d", "x.npy is no plain array"),
        ):
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


def test_arrays_by_name(spec, x, tmp_path):
    """Named, or the only one that fits; labels by a usual name, but not what only happens to be called so."""
    labels = np.arange(len(x)) % 4
    np.savez(tmp_path / "a.npz", x_int8=x, scale=np.ones(3), y=labels, twice=x[:, :, ::2])
    for source, expected in (("a.npz", labels), ("a.npz:x_int8", None), ("a.npz:x_int8,y", labels)):
        found = open_samples(f"{tmp_path}/{source}", spec)
        assert np.array_equal(all_of(found), x)
        assert np.array_equal(found.labels, expected) if expected is not None else found.labels is None
    np.savez(tmp_path / "b.npz", x=x, y=np.linspace(0, 1, len(x)))
    assert open_samples(tmp_path / "b.npz", spec).labels is None


def test_the_order_of_axes_is_found(spec, x, tmp_path):
    np.savez(tmp_path / "a.npz", x=x.transpose(0, 2, 3, 1))
    found = open_samples(tmp_path / "a.npz", spec)
    assert found.spec.data_layout == "HWC"
    assert np.array_equal(all_of(found), x)
    with pytest.raises(DataError, match=r"legal is \(N, 3, 8, 8\) in CHW; --input-layout names another order"):
        open_samples(tmp_path / "a.npz", spec, layout_given=True)


def test_where_both_orders_fit_the_model_has_its_own(tmp_path):
    spec = InputSpec(TensorType((3, 3, 3), IntType(8, False)), shape=(3, 3, 3), layout="CHW")
    x = np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3)
    np.save(tmp_path / "a.npy", x)
    assert np.array_equal(all_of(open_samples(tmp_path / "a.npy", spec)), x)
    raw = replace(spec, data_layout="HWC")
    assert np.array_equal(all_of(open_samples(tmp_path / "a.npy", raw)), x.transpose(0, 3, 1, 2))


TABLE = InputSpec(TensorType((4,), IntType(8, False)))
TABLES = {
    "plain": ("1,2,3,4\n5,6,7,8\n", "", None),
    "named": ("a,label,b,c,d\n1,0,2,3,4\n5,1,6,7,8\n", "", [0, 1]),
    "quoted, semicolons": ('"a";"b";"c";"d";"class"\n1;2;3;4;7\n5;6;7;8;9\n', "", [7, 9]),
    "tabs and a mark": ("\ufeff1\t2\t3\t4\r\n5\t6\t7\t8\r\n", "", None),
    "column by number": ("3,1,2,3,4\n-1,5,6,7,8\n", ":1", [3, -1]),
    "column by name": ("a,b,c,d,digit\n1,2,3,4,9\n5,6,7,8,0\n", ":digit", [9, 0]),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables(tmp_path, kind):
    text, column, labels = TABLES[kind]
    (tmp_path / "a.csv").write_text(text)
    found = open_samples(f"{tmp_path}/a.csv{column}", TABLE)
    assert all_of(found).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert labels is None if found.labels is None else found.labels.tolist() == labels


def test_rows_of_a_table_are_images_in_the_order_of_raw_data(tmp_path):
    values = np.arange(24).reshape(2, 12)
    np.savetxt(tmp_path / "a.csv", values, fmt="%d", delimiter=",")
    spec = InputSpec(TensorType((2, 2, 3), IntType(8, False)), shape=(3, 2, 2), layout="CHW", data_layout="HWC")
    assert np.array_equal(
        all_of(open_samples(tmp_path / "a.csv", spec)), values.reshape(2, 2, 2, 3).transpose(0, 3, 1, 2)
    )


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("1,2,3\n", "", "has 3 columns; legal are 4, the values of a sample; "),
        ("label,a,b\n1,2,3\n", "", "has 2 columns beside the labels; legal are 4"),
        ("1,2,3,4\n1,2,x,4\n", "", "could not convert string 'x' to float64 at row 1, column 3"),
        ("1,2,3,4\n1,2\n", "", "number of columns changed from 4 to 2"),
        ("1,2,3,4,0.5\n", ":5", "the label of sample 0 is 0.5; legal are integers"),
        ("1,2,3,4,0\n", ":6", "has no column '6'; legal is a number from 1 to 5"),
        ("a,b,c,d\n", "", "has no samples"),
        ("1,2,nan,4\n", "", "hold nan at index"),
    ],
)
def test_bad_tables(tmp_path, text, column, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError) as error:
        open_samples(f"{tmp_path}/a.csv{column}", TABLE).prepared()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (":z", "has no array 'z'; it holds a, b"),
        (":a,b,c", "names no arrays"),
        ("", r"holds a (5, 3, 8, 8), b (5, 8, 8, 3), of which 2 fit the model; legal is an array x or images"),
    ],
)
def test_bad_names(spec, tmp_path, names, message):
    np.savez(tmp_path / "a.npz", a=np.zeros((5, 3, 8, 8)), b=np.zeros((5, 8, 8, 3)))
    with pytest.raises(DataError) as error:
        open_samples(f"{tmp_path}/a.npz{names}", spec)
    assert message in str(error.value)
