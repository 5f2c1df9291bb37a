"""The command line, as a newcomer meets it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from minidl import cli
from minidl.data import mnist, read_digit
from minidl.errors import DataError
from minidl.nn._mlp import ACTIVATIONS, mlp

FAST = ["--epochs", "1", "--layers", "32", "--batch-size", "500", "--lr", "0.005"]


def minidl(*arguments, cwd, code=0):
    command = [sys.executable, "-m", "minidl.cli", *map(str, arguments)]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    return folder, minidl("train", *FAST, "--output", "first", cwd=folder)


def test_train_prints_its_epochs_and_the_test_accuracy(run):
    _, printed = run
    assert "55,000 samples to train on, 5,000 held out, 10,000 to test on" in printed
    assert "epoch 1  loss" in printed
    assert "test accuracy" in printed
    assert "\x1b" not in printed  # no bar, no colours in a pipe


def test_train_leaves_model_history_config_and_curve(run):
    folder = run[0] / "first"
    assert sorted(p.name for p in folder.iterdir()) == [
        "checkpoints",
        "config.json",
        "curve.png",
        "history.jsonl",
        "model.safetensors",
    ]
    config = json.loads((folder / "config.json").read_text())
    assert (config["batch_size"], config["layers"], config["lr"]) == (500, [32], 0.005)
    assert set(config["versions"]) == {"minidl", "numpy", "python"}
    assert config["engine"] in (["replay"], ["machine code"])
    assert config["reason"] is None
    assert len((folder / "history.jsonl").read_text().splitlines()) == 1
    with Image.open(folder / "curve.png") as picture:
        assert picture.size[0] > 500


def test_evaluate_shows_the_same_test_accuracy(run):
    folder, printed = run
    accuracy = printed.split("test accuracy ")[1].split()[0]
    assert f"test accuracy {accuracy}" in minidl("evaluate", "--model", "first", cwd=folder)


def test_predict_reads_pictures_of_digits_dark_on_light_of_any_size(run):
    folder, _ = run
    _, test = mnist()
    right = 0
    for i in range(10):
        digit = 255 - test.inputs[i].reshape(28, 28)  # dark ink on white paper
        Image.fromarray(np.pad(digit, 20, constant_values=255)).resize((300, 300)).save(folder / f"{i}.png")
    printed = minidl("predict", *[f"{i}.png" for i in range(10)], "--model", "first", cwd=folder).splitlines()
    for i, line in enumerate(printed):
        right += line.startswith(f"{i}.png: {test.labels[i]} ")
    assert right >= 8


@pytest.mark.slow
def test_without_a_model_the_newest_run_is_used(run):
    folder, _ = run
    assert "no trained model in runs/: run `minidl train` first" in minidl("evaluate", cwd=folder, code=1)
    minidl("train", "--epochs", "0", cwd=folder)
    assert "runs/mnist-" in minidl("evaluate", cwd=folder)


@pytest.mark.slow
def test_same_seed_same_model_file(run, tmp_path):
    for name in ("a", "b"):
        minidl("train", *FAST, "--seed", "7", "--output", name, cwd=tmp_path)
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


def test_the_activations_offered_are_those_that_a_model_is_made_with():
    (option,) = [option for option in cli.train.params if option.name == "activation"]
    assert [*option.type.choices] == [*ACTIVATIONS]
    for name, layer in ACTIVATIONS.items():
        assert sum(type(part) is layer for part in mlp(4, [3, 3], 2, activation=name)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--batch-norm", "before"], ["--batch-norm", "after", "--dropout", "0.1"], ["--layers", "none"],
                                     ["--optimizer", "momentum", "--schedule", "linear"], ["--activation", "tanh"]])  # fmt: skip
def test_every_kind_of_network_trains(options, tmp_path):
    assert "test accuracy" in minidl("train", *FAST, *options, "--output", "out", cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--layers", "10,x"], "give sizes of hidden layers of at least 1, such as 256,128, or none"),
        (["train", "--batch-size", "0"], "give a number of samples of at least 1 (1 is SGD), or full"),
        (["train", "--optimizer", "adamm"], "choose one of adadelta, adagrad, adam,"),
        (["train", "--lr", "-1"], "lr"),
        (["train", "--dataset", "nowhere"], "choose mnist, fashion-mnist, or an existing folder"),
        (["train", "--validation", "60000"], "has only 60000 samples"),
        (["train", "--activation", "relux"], "relu"),
        (["train", "--batch-size", "70000"], "70000"),
        (["evaluate", "--model", "absent"], "absent: no such file"),
        (["predict", "absent.png", "--model", "absent"], "absent: no such file"),
        (["traine"], "No such command"),
    ],
)
def test_a_wrong_option_says_what_is_allowed_in_one_line_and_leaves_nothing(arguments, message, tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "minidl.cli", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode in (1, 2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_an_output_folder_with_something_in_it_is_not_overwritten(run):
    folder, _ = run
    assert "first: exists already" in minidl("train", "--output", "first", cwd=folder, code=1)


def test_help_names_commands_and_defaults(tmp_path):
    assert all(command in minidl("--help", cwd=tmp_path) for command in ("train", "evaluate", "predict"))
    assert "[default: 512,256]" in minidl("train", "--help", cwd=tmp_path)


# pictures of digits


def test_an_mnist_digit_comes_back_nearly_as_it_was(tmp_path):
    _, test = mnist()
    right = 0
    for i in range(20):
        Image.fromarray(test.inputs[i].reshape(28, 28)).save(tmp_path / "d.png")
        again = read_digit(tmp_path / "d.png")
        assert again.shape == (784,)
        assert again.dtype == np.uint8
        a, b = again.astype(float), test.inputs[i].astype(float)
        assert (a @ b) / np.sqrt((a @ a) * (b @ b)) > 0.8
        right += (a @ b) / np.sqrt((a @ a) * (b @ b)) > 0.99
    assert right >= 19


def test_the_centre_of_mass_lies_where_mnists_does(tmp_path):
    picture = np.full((60, 90), 255, np.uint8)
    picture[5:45, 70:74] = 0  # a stroke in a corner
    Image.fromarray(picture).save(tmp_path / "one.png")
    digit = read_digit(tmp_path / "one.png").reshape(28, 28).astype(float)
    rows, columns = np.indices((28, 28))
    assert (digit * rows).sum() / digit.sum() == pytest.approx(14, abs=0.5)
    assert (digit * columns).sum() / digit.sum() == pytest.approx(14, abs=0.5)
    assert digit.any(axis=1).sum() == 20


def test_transparent_ground_counts_as_paper(tmp_path):
    picture = np.zeros((40, 40, 4), np.uint8)
    picture[10:30, 18:22] = [0, 0, 0, 255]
    Image.fromarray(picture).save(tmp_path / "t.png")
    digit = read_digit(tmp_path / "t.png").reshape(28, 28)
    assert digit[14, 13:15].min() > 200
    assert digit[0].max() == 0


@pytest.mark.parametrize("content", [b"not a picture", None, "blank"])
def test_what_is_no_digit_is_refused_by_name(content, tmp_path):
    path = tmp_path / "x.png"
    if content == "blank":
        Image.new("L", (50, 50), 200).save(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="x.png: "):
        read_digit(path)
