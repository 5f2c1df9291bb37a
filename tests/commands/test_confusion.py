"""``minidl evaluate --confusion``: the matrix in 80 columns, and its picture."""

import struct
import sys

import numpy as np
import pytest
from command_line import said

import minidl
from minidl import nn
from minidl.data import mnist
from minidl.train import confusion_matrix


@pytest.fixture
def folder(tmp_path):
    """A model file, and a data set of IDX files with 300 samples of as many classes as a test wants."""

    def made(classes):
        data = mnist()[1][:300]
        labels = (np.arange(300) % classes).astype("u1")
        for name in ("train", "t10k"):
            (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(
                struct.pack(">4I", 0x803, 300, 28, 28) + data.inputs.tobytes()
            )
            (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 300) + labels.tobytes())
        minidl.seed(1)
        minidl.save(tmp_path / "m.safetensors", nn.Sequential(nn.Dense(784, classes)))
        return tmp_path

    return made


def evaluated(folder):
    printed, code = said("evaluate", "--confusion", "--dataset", str(folder), "--model", str(folder / "m.safetensors"))
    assert code in (0, None), printed
    return printed


def test_each_row_is_a_true_class_and_ends_in_how_often_it_was_right(folder):
    place = folder(10)
    lines = evaluated(place).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("true"))
    model = minidl.load(place / "m.safetensors")
    expected = confusion_matrix(model, mnist()[1][:300].inputs, np.arange(300) % 10)
    for i, row in enumerate(expected):
        name, *counts, right = lines[head + 1 + i].split()
        assert name == str(i)
        assert [0 if count == "." else int(count) for count in counts] == row.tolist()
        assert right == f"{row[i] / 30:.1%}"
    assert max(map(len, lines[head : head + 11])) <= 80
    assert (place / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_of_many_classes_the_commonest_mistakes_are_listed(folder):
    lines = evaluated(folder(60)).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("true"))
    assert lines[head].split() == ["true", "predicted", "times", "of", "the", "true", "class"]
    times = [int(line.split()[2]) for line in lines[head + 1 : head + 21]]
    assert times == sorted(times, reverse=True)
    assert times[0] > 0


def test_without_matplotlib_the_table_is_there_and_a_line_says_what_is_missing(folder, monkeypatch):
    place = folder(3)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    printed = evaluated(place)
    assert "true" in printed
    assert "(no confusion.png: figures need matplotlib: pip install 'minidl[plot]')" in printed
    assert not (place / "confusion.png").exists()
