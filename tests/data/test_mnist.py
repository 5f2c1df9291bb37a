"""What a user relies on from the data sets: complete, unharmed, found without a network, or told how to get them."""

import gzip
import importlib
import lzma
import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest

import minidl.data
from minidl.data import Dataset, fashion_mnist, idx_dataset, mnist
from minidl.errors import DataError, LabelError

SHIPPED = Path(minidl.data.__file__).parent / "files" / "mnist"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
FILES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype("u1").tobytes()


def write_set(folder, *, labels=(0, 1, 2), test_labels=(1, 0), pack=bytes, ending=""):
    """A data set of 2 × 3 pictures in four files; each picture shows its own index."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, its_labels in (("train", labels), ("t10k", test_labels)):
        images = np.broadcast_to(np.arange(len(its_labels))[:, None, None], (len(its_labels), 2, 3))
        (folder / f"{part}-images-idx3-ubyte{ending}").write_bytes(pack(idx_bytes(images)))
        (folder / f"{part}-labels-idx1-ubyte{ending}").write_bytes(pack(idx_bytes(np.array(its_labels))))
    return folder


@pytest.fixture
def places(tmp_path, monkeypatch):
    """No data set anywhere but where a test puts it."""
    monkeypatch.delenv("MINIDL_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    module = importlib.import_module("minidl.data._mnist")
    monkeypatch.setattr(module, "_DEBIAN_FASHION", tmp_path / "debian")
    return tmp_path


@pytest.fixture(scope="module")
def digits():
    return mnist()


# --- MNIST


def test_mnist_is_complete(digits):
    train, test = digits
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(train.labels).tolist() == counts
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert train.inputs.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert train.inputs.std() / 255 == pytest.approx(0.3081, abs=5e-5)


def test_mnist_has_the_promised_form(digits):
    for half, count in zip(digits, (60_000, 10_000), strict=True):
        assert len(half) == count
        assert half.inputs.shape == (count, 784)
        assert half.inputs.dtype == np.uint8
        assert half.labels.shape == (count,)
        assert half.labels.dtype == np.int64
        assert half.shape == (28, 28)
        assert half.classes == tuple("0123456789")
    assert [half.name for half in digits] == ["mnist train", "mnist test"]
    assert repr(digits[0]) == "<Dataset mnist train: 60000 samples of 28 × 28 uint8, 10 classes>"


def test_mnist_needs_no_network(monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    assert len(mnist()[1]) == 10_000


def test_mnist_from_a_folder_of_the_users_own_must_be_the_real_one(tmp_path):
    for name in FILES:
        (tmp_path / name).write_bytes(gzip.decompress((SHIPPED / f"{name}.gz").read_bytes()))
    assert len(mnist(tmp_path)[0]) == 60_000

    with open(tmp_path / "t10k-labels-idx1-ubyte", "r+b") as file:
        file.seek(100)
        file.write(b"\x03")
    found = r"t10k-labels-idx1-ubyte: sha256 .*: expected ff7bcfd416de.*, found (?!ff7bcfd416de)[0-9a-f]{64}"
    with pytest.raises(DataError, match=found):
        mnist(tmp_path)


def test_mnist_from_a_folder_without_it_says_what_is_lacking(tmp_path):
    shutil.copy(SHIPPED / "train-images-idx3-ubyte.gz", tmp_path)
    with pytest.raises(DataError, match=f"{tmp_path}: lacks train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-lab"):
        mnist(tmp_path)


# --- the other sets: where they are looked for


@pytest.mark.parametrize(("pack", "ending"), [(bytes, ""), (gzip.compress, ".gz"), (lzma.compress, ".xz")])
def test_any_set_in_the_four_file_form_is_read_from_a_folder(places, pack, ending):
    train, test = idx_dataset("mine", write_set(places / "here", pack=pack, ending=ending))
    assert train.inputs.tolist() == [[0] * 6, [1] * 6, [2] * 6]
    assert (train.shape, train.name, train.classes) == ((2, 3), "mine train", ("0", "1", "2"))
    assert train.labels.dtype == np.int64
    assert (test.labels.tolist(), test.name, test.classes) == ([1, 0], "mine test", ("0", "1", "2"))


def test_minidl_data_comes_before_the_cache_and_the_sets_own_folder_before_a_shared_one(places, monkeypatch):
    write_set(places / "cache" / "minidl" / "mine", labels=[0], test_labels=[0])
    monkeypatch.setenv("MINIDL_DATA", str(places / "data"))
    assert len(idx_dataset("mine")[0]) == 1
    write_set(places / "data", labels=[0, 1], test_labels=[0])
    assert len(idx_dataset("mine")[0]) == 2
    write_set(places / "data" / "mine", labels=[0, 1, 2], test_labels=[0])
    assert len(idx_dataset("mine")[0]) == 3
    (places / "data" / "mine" / FILES[3]).unlink()
    assert len(idx_dataset("mine")[0]) == 2


def test_the_cache_is_in_the_home_folder_unless_xdg_says_otherwise(places, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(places / "home"))
    write_set(places / "home" / ".cache" / "minidl" / "mine")
    assert len(idx_dataset("mine")[0]) == 3


def test_a_folder_named_by_the_user_is_the_only_one_looked_in(places):
    write_set(places / "cache" / "minidl" / "mine")
    with pytest.raises(DataError, match=f"{places}/typo: no such folder"):
        idx_dataset("mine", places / "typo")


def test_fashion_mnist_that_is_nowhere_tells_where_it_looked_and_how_to_get_it(places, monkeypatch):
    monkeypatch.setenv("MINIDL_DATA", str(places / "data"))
    (places / "data").mkdir()
    with pytest.raises(DataError) as error:
        fashion_mnist()
    message = str(error.value)
    for part in [
        f"{places}/data/fashion-mnist: no such folder",
        f"{places}/data: lacks {', '.join(FILES)}",
        f"{places}/cache/minidl/fashion-mnist: no such folder",
        f"{places}/debian: no such folder",
        "sudo apt install dataset-fashion-mnist",
        "MINIDL_DATA",
    ]:
        assert part in message


def test_digits_are_not_taken_for_clothes(places, monkeypatch):
    monkeypatch.setenv("MINIDL_DATA", str(SHIPPED))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: sha256"):
        fashion_mnist()


@pytest.mark.slow
@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs the Debian package dataset-fashion-mnist")
def test_fashion_mnist_from_debians_package(monkeypatch, tmp_path):
    monkeypatch.delenv("MINIDL_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    train, test = fashion_mnist()
    assert np.bincount(train.labels).tolist() == [6000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert train.shape == test.shape == (28, 28)
    assert [train.classes[label] for label in test.labels[:3]] == ["Ankle boot", "Pullover", "Trouser"]


# --- sets that do not hold together


def test_images_and_labels_that_differ_in_number_are_refused_with_both_numbers(places):
    folder = write_set(places / "here")
    (folder / FILES[1]).write_bytes(idx_bytes(np.array([0, 1])))
    with pytest.raises(DataError, match=r"mine train: 3 images in .*train-images.* but 2 labels in .*train-labels"):
        idx_dataset("mine", folder)


def test_swapped_files_are_refused_by_name(places):
    folder = write_set(places / "here")
    os.replace(folder / FILES[1], folder / "labels")
    shutil.copy(folder / FILES[0], folder / FILES[1])
    with pytest.raises(
        DataError, match=r"train-labels-idx1-ubyte: labels: expected .* found uint8 of shape \(3, 2, 3\)"
    ):
        idx_dataset("mine", folder)
    os.replace(folder / "labels", folder / FILES[0])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: images: .* found shape \(3,\)"):
        idx_dataset("mine", folder)


def test_a_label_without_a_class_is_refused_with_its_value_and_place(places):
    folder = write_set(places / "here", labels=[0, 1, 0, 2])
    with pytest.raises(LabelError, match=r"mine train: label 2 at index 3: expected 0 to 1"):
        idx_dataset("mine", folder, classes=["cat", "dog"])


# --- Dataset: the user's own arrays


def test_a_dataset_is_made_of_two_arrays():
    inputs = np.arange(24.0).reshape(4, 2, 3)
    data = Dataset(inputs, np.array([0, 2, 1, 2], np.int8))
    assert data.inputs.shape == (4, 6)
    assert np.shares_memory(data.inputs, inputs)
    assert (data.shape, data.classes, data.name, data.labels.dtype) == ((2, 3), ("0", "1", "2"), "data", np.int8)
    assert Dataset(inputs.reshape(4, 6), [0, 0, 0, 0], shape=(3, 2), classes=["only"]).shape == (3, 2)


def test_lists_become_float32_like_everywhere_in_minidl():
    xor = Dataset([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    assert xor.inputs.dtype == np.float32


def test_slices_are_views_and_indices_pick(digits):
    train = digits[0]
    first, rest = train[:55_000], train[55_000:]
    assert (len(first), len(rest)) == (55_000, 5_000)
    assert np.shares_memory(first.inputs, train.inputs)
    assert np.shares_memory(rest.labels, train.labels)
    assert (rest.shape, rest.classes, rest.name) == (train.shape, train.classes, train.name)
    assert train[:1].classes == train.classes
    picked = train[np.array([3, 1, 1])]
    assert picked.labels.tolist() == train[[3, 1, 1]].labels.tolist() == [1, 0, 0]
    np.testing.assert_array_equal(picked.inputs, train.inputs[[3, 1, 1]])
    assert set(train[train.labels == 7].labels.tolist()) == {7}
    assert len(train[:0]) == 0


def test_a_sample_that_is_not_there_is_an_index_error(digits):
    with pytest.raises(IndexError):
        digits[0][[60_000]]
    with pytest.raises(IndexError):
        digits[0][60_000]


def test_arrays_that_do_not_belong_together_are_refused():
    with pytest.raises(DataError, match=r"inputs of shape \(3, 2\) and labels of shape \(2,\)"):
        Dataset(np.zeros((3, 2)), [0, 1])
    with pytest.raises(DataError, match=r"shape \(4,\) does not reshape to \(3, 2\)"):
        Dataset(np.zeros((2, 4)), [0, 1], shape=(3, 2))
    with pytest.raises(DataError, match=r"inputs of shape \(\)"):
        Dataset(np.float32(1), [0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.eye(3, dtype=int), r"got int64 of shape \(3, 3\); if they are one-hot: labels.argmax\(axis=1\)"),
        (np.array([0.0, np.inf, 2]), "inf at index 1: fill in what is missing"),
        (np.array([True, False, True]), "got bool"),
        ([0, -1, 2], r"label -1 at index 1: expected 0 to 2 for 3 classes \(1 of 3 labels are outside\)"),
        ([0, 1, 2**31 - 1], r"label 2147483647 at index 2: class names are made up for at most 65536"),
    ],
)
def test_labels_that_are_none_are_refused(labels, message):
    with pytest.raises(LabelError, match=message):
        Dataset(np.zeros((3, 2)), labels)
