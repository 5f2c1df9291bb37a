"""Models that others have made, or that went wrong, in the hands of ``minidl predict`` and ``evaluate``."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest
from command_line import OBEYED, said
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import minidl
from minidl import nn
from minidl.data import mnist

DIGIT = mnist()[1].inputs[0].reshape(28, 28)


@pytest.fixture(scope="module")
def digit(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "seven.png"
    Image.fromarray(DIGIT).save(path)
    return str(path)


def saved(folder, model=None, **notes):
    path = folder / "m.safetensors"
    minidl.save(path, nn.Sequential(nn.Dense(784, 10)) if model is None else model, **notes)
    return str(path)


def test_a_picture_that_cannot_be_read_does_not_keep_the_others_from_it(digit, tmp_path):
    Image.new("L", (30, 30)).save(tmp_path / "blank.png")
    pictures = [digit, str(tmp_path / "blank.png"), str(tmp_path / "absent.png"), digit]
    printed, code = said("predict", *pictures, "--model", saved(tmp_path))
    assert code == 1
    assert printed.count("seven.png: ") == 2
    assert "blank.png: found no ink" in printed
    assert "absent.png: no such file" in printed
    assert said("predict", digit, "--model", saved(tmp_path))[1] in (0, None)


@pytest.mark.slow
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_model_of_numbers_that_are_none_predicts_nothing(value, digit, tmp_path):
    model = nn.Sequential(nn.Dense(784, 10))
    model.layers[0].weight.data[:, 3] = value
    for arguments in (["predict", digit], ["evaluate"]):
        printed, code = said(*arguments, "--model", saved(tmp_path, model))
        assert code == 1
        assert "layers.0.weight holds infinite numbers or NaN" in printed
        assert len(printed.splitlines()) == 1


def test_a_model_of_other_classes_is_told_from_one_of_digits(digit, tmp_path):
    five = nn.Sequential(nn.Dense(784, 5))
    printed, code = said("predict", digit, "--model", saved(tmp_path, five))
    assert code == 1
    assert "has 5 outputs and tells no classes: digits have 10" in printed
    printed, code = said("evaluate", "--model", saved(tmp_path, five))
    assert code == 1
    assert "has 5 outputs, and mnist test has 10 classes" in printed
    printed, code = said("predict", digit, "--model", saved(tmp_path, five, classes=list("abcde")))
    assert code in (0, None)
    assert printed.split(": ")[1][0] in "abcde"


@pytest.mark.slow
@given(classes=st.one_of(
    st.none(), st.integers(), st.text(), st.dictionaries(st.text(), st.integers(), max_size=3),
    st.lists(st.one_of(st.text(), st.integers(), st.none()), max_size=12), st.lists(st.text(), min_size=10, max_size=10)))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_whatever_a_strangers_file_calls_its_classes_is_shown_as_text_or_refused(classes, digit, tmp_path_factory):
    printed, code = said("predict", digit, "--model", saved(tmp_path_factory.mktemp("m"), classes=classes))
    named = isinstance(classes, list) and len(classes) == 10 and all(isinstance(name, str) for name in classes)
    assert (code in (0, None)) == (named or classes is None)
    assert not OBEYED.search(printed)
    assert named or classes is None or "its notes are to tell 10 classes, one name for each output" in printed


def test_a_model_of_other_pictures_is_refused_in_a_line(digit, tmp_path):
    for model in (nn.Sequential(nn.Dense(9, 10)), nn.Sequential(nn.Dense(784, 4), nn.Dense(4, 4)), nn.Sequential()):
        printed, code = said("predict", digit, "--model", saved(tmp_path, model))
        assert code == 1
        assert "m.safetensors: " in printed or "Dense(in_features=" in printed
        assert len(printed.splitlines()) == 1


# memory, and what Matplotlib has to say


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))


def test_a_model_too_large_for_the_memory_is_refused_in_a_line_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "minidl", "train", "--layers", "1000000,1000000"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=limited, timeout=120)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: out of memory: Unable to allocate")
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layers", ["99999999999", "1,1e9", "2," * 101 + "2"])
def test_sizes_that_can_only_be_a_slip_are_refused(layers):
    printed, code = said("train", "--layers", layers)
    assert code == 2
    assert "Invalid value for '--layers'" in printed


def trained(tmp_path, **environment):
    command = [sys.executable, "-m", "minidl", "train", "--epochs", "1", "--layers", "4", "--batch-size", "5000"]
    return subprocess.run([*command, "--output", "run"], cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | environment, timeout=120)  # fmt: skip


@pytest.mark.slow
def test_a_home_that_cannot_be_written_to_is_nothing_to_warn_of(tmp_path):
    (tmp_path / "file").touch()
    home = str(tmp_path / "file" / "home")
    result = trained(tmp_path, HOME=home, XDG_CONFIG_HOME=home, XDG_CACHE_HOME=home, MPLCONFIGDIR=home)
    assert result.returncode == 0
    assert "matplotlib" not in result.stderr.lower()
    assert (tmp_path / "run/curve.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("raise ImportError('libfoo.so: failed to map segment')", "installed but cannot be loaded: libfoo.so: failed to map"),
        ("raise MemoryError", "out of memory"),
        ("raise ModuleNotFoundError('none', name='matplotlib')", "figures need matplotlib: pip install 'minidl[plot]'"),
    ],
)  # fmt: skip
def test_a_curve_that_cannot_be_drawn_costs_nothing_else_and_is_told_for_what_it_is(module, told, tmp_path):
    (tmp_path / "lib/matplotlib").mkdir(parents=True)
    (tmp_path / "lib/matplotlib/__init__.py").write_text(module)
    result = trained(tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path / "lib"), *sys.path]))
    assert result.returncode == 0, result.stderr
    assert "(no curve.png: " in result.stdout
    assert told in result.stdout
    assert (tmp_path / "run/model.safetensors").exists()
