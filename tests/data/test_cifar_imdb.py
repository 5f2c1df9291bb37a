"""CIFAR-10 and IMDB, on small files written in the true formats; minidl ships neither."""

import re

import numpy as np
import pytest
from data_files import write_cifar, write_imdb

from minidl.data import Loader
from minidl.data._cifar10 import cifar10
from minidl.data._imdb import imdb
from minidl.errors import DataError, LabelError, OptionError


@pytest.fixture
def places(tmp_path, monkeypatch):
    """No data set anywhere but where a test puts it."""
    monkeypatch.delenv("MINIDL_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


# --- CIFAR-10


def test_cifar_records_are_a_label_and_three_planes(places):
    train, test = cifar10(write_cifar(places / "here"))
    assert (len(train), len(test)) == (15, 3)
    assert train.shape == (3, 32, 32)
    assert train.inputs.dtype == np.uint8
    assert train.labels.dtype == np.int64
    assert train.labels.tolist() == [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6]
    assert test.labels.tolist() == [5, 6, 7]
    assert train.classes[0] == "airplane"
    assert train.classes[9] == "truck"
    red, green, blue = train.inputs[4].reshape(3, 32, 32)  # file 1, record 1
    assert (red == 1).all()
    assert (green == 1).all()
    assert (blue == 7).all()
    assert (test.inputs[2].reshape(3, 32, 32)[1] == 2).all()


def test_cifar_batches_come_scaled(places):
    train, _ = cifar10(write_cifar(places / "here"))
    x, y = next(iter(Loader(train, 15, shuffle=False)))
    assert x.shape == (15, 3072)
    assert x.dtype == np.float32
    assert x.max() == pytest.approx(7 / 255)
    assert y.shape == (15,)


@pytest.mark.parametrize(
    "where", ["data/cifar-10", "data", "data/cifar-10-batches-bin", "data/cifar-10/cifar-10-batches-bin"]
)
def test_cifar_is_found_by_the_environment(places, monkeypatch, where):
    write_cifar(places / where)
    monkeypatch.setenv("MINIDL_DATA", str(places / "data"))
    assert len(cifar10()[0]) == 15


def test_cifar_is_found_in_the_cache(places):
    write_cifar(places / "cache/minidl/cifar-10/cifar-10-batches-bin")
    assert len(cifar10()[1]) == 3


def test_the_argument_goes_before_the_environment(places, monkeypatch):
    monkeypatch.setenv("MINIDL_DATA", str(write_cifar(places / "chosen", 2)))
    assert len(cifar10(write_cifar(places / "argument", 4))[1]) == 4
    assert len(cifar10()[1]) == 2


def test_without_cifar_the_error_says_what_to_download_and_where_to_put_it(places, monkeypatch):
    monkeypatch.setenv("MINIDL_DATA", str(places / "data"))
    write_cifar(places / "data")
    (places / "data/data_batch_4.bin").unlink()
    with pytest.raises(DataError) as caught:
        cifar10()
    said = str(caught.value)
    assert f"{places / 'data'}: lacks data_batch_4.bin\n" in said
    assert f"{places / 'cache/minidl/cifar-10'}: no such folder" in said
    assert "CIFAR-10 binary version" in said
    assert "University of Toronto" in said
    assert "MINIDL_DATA" in said


@pytest.mark.parametrize("cut", [1, 3072])
def test_a_cut_cifar_file_is_refused_by_name(places, cut):
    folder = write_cifar(places / "here")
    content = (folder / "data_batch_2.bin").read_bytes()
    (folder / "data_batch_2.bin").write_bytes(content[:-cut])
    with pytest.raises(DataError, match=r"data_batch_2.bin: expected records of 3073 bytes"):
        cifar10(folder)


def test_an_empty_cifar_file_is_refused(places):
    folder = write_cifar(places / "here")
    (folder / "test_batch.bin").write_bytes(b"")
    with pytest.raises(DataError, match=r"test_batch.bin: expected records"):
        cifar10(folder)


def test_a_label_above_nine_is_refused(places):
    folder = write_cifar(places / "here")
    (folder / "data_batch_1.bin").write_bytes(bytes([10]) * 3073)
    with pytest.raises(LabelError, match="cifar-10 train: label 10 at index 0"):
        cifar10(folder)


# --- IMDB


def test_imdb_is_a_bag_of_the_most_frequent_words(places):
    train, test = imdb(write_imdb(places / "here"), words=5)
    # in training: bad 3, film 3, good 2, i 2, it 2, like 2, the 2, ...; ties by the alphabet
    assert train.inputs.shape == (5, 5)
    assert train.inputs.dtype == np.uint8
    assert (train.inputs // 255).tolist() == [
        [1, 1, 0, 1, 1],  # bad film i it
        [1, 0, 0, 0, 0],  # bad
        [0, 1, 0, 1, 1],  # film i it
        [0, 0, 1, 0, 0],  # good
        [0, 1, 1, 0, 0],  # film good
    ]
    assert train.labels.tolist() == [0, 0, 1, 1, 1]
    assert test.labels.tolist() == [0, 1, 1]
    assert (test.inputs // 255).tolist() == [[1, 0, 0, 0, 0], [0] * 5, [0] * 5]
    assert train.classes == ("neg", "pos")


def test_a_loader_makes_ones_of_the_words_that_are_there(places):
    train, _ = imdb(write_imdb(places / "here"), words=5)
    x, _ = next(iter(Loader(train, 5, shuffle=False)))
    assert x.dtype == np.float32
    assert set(np.unique(x)) == {np.float32(0), np.float32(1)}


def test_imdb_asks_for_8000_words_and_fills_up_with_empty_columns(places):
    train, test = imdb(write_imdb(places / "here"))
    assert train.inputs.shape == (5, 8000)
    assert test.inputs.shape == (3, 8000)
    assert (train.inputs.any(axis=0)).sum() == len(set("bad film i don't like it the plot is best it's good".split()))


@pytest.mark.parametrize("where", ["data/imdb", "data", "data/aclImdb", "data/imdb/aclImdb"])
def test_imdb_is_found_by_the_environment(places, monkeypatch, where):
    write_imdb(places / where)
    monkeypatch.setenv("MINIDL_DATA", str(places / "data"))
    assert len(imdb()[0]) == 5


def test_without_imdb_the_error_says_what_to_download_and_where_to_put_it(places):
    with pytest.raises(DataError) as caught:
        imdb(places / "here")
    said = str(caught.value)
    assert re.search(r"here: no such folder", said)
    assert "Large Movie Review Dataset v1.0" in said
    assert "Stanford" in said
    assert "aclImdb" in said


def test_a_folder_without_reviews_is_refused(places):
    folder = write_imdb(places / "here")
    for file in (folder / "test/pos").glob("*.txt"):
        file.unlink()
    with pytest.raises(DataError, match=r"pos: holds no review"):
        imdb(folder)


def test_a_review_that_is_no_text_is_refused_by_name(places):
    folder = write_imdb(places / "here")
    (folder / "train/neg/9_1.txt").write_bytes(b"fine \xff")
    with pytest.raises(DataError, match=r"9_1.txt: not UTF-8: byte 5 is 0xff"):
        imdb(folder)


@pytest.mark.parametrize("words", [0, -1, 2.0, True])
def test_words_must_be_a_count(places, words):
    with pytest.raises(OptionError, match="words must be an integer of at least 1"):
        imdb(places, words=words)
