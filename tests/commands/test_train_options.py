"""``minidl train``'s options for how it trains: recorded, honoured, and the same run after ``--resume``."""

import json
import shutil
import signal

import numpy as np
import pytest
from command_line import said
from data_files import write_digits
from safetensors.numpy import load_file

import minidl
from minidl import data, optim, train
from minidl.nn._mlp import mlp
from minidl.train import Checkpoint

TRAINED = (
    "--optimizer momentum --set beta=0.8 --weight-decay 0.01 --ema 0.9 --clip-norm 0.5 --accumulate 2 "
    "--early-stopping 5 --layers 8 --batch-norm before --batch-size 10 --validation 20 --epochs 2 --no-guards"
).split()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"), 120)


@pytest.fixture(scope="module")
def run(digits):
    folder = digits.parent / "run"
    printed, code = said("train", "--dataset", str(digits), *TRAINED, "--output", str(folder))
    assert code in (0, None), printed
    return folder


def test_the_options_are_what_fit_is_given(digits, run):
    """The same training in Python: weights, the average among them, are the same bits."""
    minidl.seed(0)
    samples, _ = data.idx_dataset("digits", path=digits)
    model = mlp(784, [8], 10, "relu", "before", 0.0)
    optimizer = optim.Momentum(optim.decay_groups(model, 0.01), lr=optim.schedules.cosine(0.01, 10), beta=0.8, ema=0.9)
    train.fit(model, samples[:100], optimizer=optimizer, epochs=2, batch_size=10, validation=samples[100:], accumulate=2,
              clip_norm=0.5, callbacks=[train.EarlyStopping(5)], progress=False, guards=False)  # fmt: skip
    found = load_file(run / "model.safetensors")
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(found[name], array)


def test_they_are_recorded_and_a_resumed_run_has_them_all(digits, run, tmp_path):
    config = json.loads((run / "config.json").read_text())
    recorded = {"settings": "beta=0.8", "weight_decay": 0.01, "ema": 0.9, "clip_norm": 0.5, "accumulate": 2,
                "early_stopping": 5, "quiet": False}  # fmt: skip
    assert {name: config[name] for name in recorded} == recorded
    copy = tmp_path / "copy"
    shutil.copytree(run, copy, symlinks=True)
    (copy / "model.safetensors").unlink()
    printed, code = said("train", "--resume", str(copy))
    assert code in (0, None), printed
    assert (copy / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_run_that_is_interrupted_goes_on_with_them_bit_for_bit(digits, run, tmp_path, monkeypatch):
    saved, save = [], Checkpoint.save

    def interrupted(self, run):
        save(self, run)
        saved.append(run.step)
        if len(saved) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", interrupted)
    folder = str(tmp_path / "cut")
    _, code = said("train", "--dataset", str(digits), *TRAINED, "--checkpoint-every", "3 steps", "--output", folder)
    assert (code, saved) == (130, [3])
    assert said("train", "--resume", folder)[1] in (0, None)
    assert (tmp_path / "cut/model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_an_interrupted_command_called_in_a_program_leaves_ctrl_c_to_it(digits, tmp_path, monkeypatch):
    def interrupted(self, run):
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", interrupted)
    before = signal.getsignal(signal.SIGINT)
    _, code = said("train", "--dataset", str(digits), *TRAINED, "--output", str(tmp_path / "cut"))
    assert (code, signal.getsignal(signal.SIGINT)) == (130, before)


def test_a_run_from_before_there_were_such_options_is_read(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy, symlinks=True)
    config = json.loads((copy / "config.json").read_text())
    for name in ("settings", "weight_decay", "ema", "clip_norm", "accumulate", "early_stopping", "quiet"):
        del config[name]
    (copy / "config.json").write_text(json.dumps(config))
    printed, code = said("train", "--resume", str(copy))
    assert code in (0, None)
    assert "this run is finished" in printed


def test_quiet_prints_the_result_only(digits, tmp_path):
    printed, _ = said("train", "--dataset", str(digits), *TRAINED, "--quiet", "--output", str(tmp_path / "out"))
    assert [line.split()[0] for line in printed.splitlines()] == ["test", "results", "model.safetensors,"]


def test_find_lr_shows_a_loss_for_each_rate_in_eighty_columns_and_trains_nothing(digits, tmp_path):
    printed, code = said("train", "--dataset", str(digits), *TRAINED, "--find-lr", "--output", str(tmp_path / "out"))
    assert code in (0, None), printed
    lines = printed.splitlines()
    assert lines[0].split() == ["learning", "rate", "loss"]
    assert lines[1].startswith("     1.00e-06   2.")
    assert max(map(len, lines[:-1])) <= 80
    assert lines[-2].startswith("to begin with: --lr ")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["learning_rates.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--set", "bata=0.9"],
            "Adam: unknown hyperparameter 'bata'; known ones: beta1, beta2, eps, eps_mode, amsgrad",
        ),
        (["--set", "beta"], "write NAME=VALUE, such as beta=0.5"),
        (["--set", "lr=0.1"], "there is an option for that, --lr"),
        (["--set", "weight_decay=0.1"], "there is an option for that, --weight-decay"),
        (["--set", "beta1=2"], "beta1 must be a number in [0, 1)"),
        (["--clip-norm", "0"], "give a finite number above 0"),
        (["--accumulate", "0"], "give an integer of at least 1"),
        (["--ema", "1"], "give a number from 0 up to, but not including, 1"),
        (["--early-stopping", "0"], "give an integer of at least 1"),
        (["--early-stopping", "3", "--validation", "0"], "--early-stopping needs samples to validate on"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(options, message, digits, tmp_path):
    printed, code = said(
        "train",
        "--dataset",
        str(digits),
        "--validation",
        "20",
        "--batch-size",
        "20",
        *options,
        "--output",
        str(tmp_path / "o"),
    )
    assert code in (1, 2)
    assert message in printed
    assert not list(tmp_path.iterdir())


def test_several_hyperparameters_may_be_set(digits, tmp_path):
    options = [
        "--validation",
        "20",
        "--batch-size",
        "20",
        "--epochs",
        "1",
        "--layers",
        "4",
        "--no-guards",
        "--output",
        str(tmp_path / "o"),
    ]
    printed, code = said("train", "--dataset", str(digits), "--set", "beta1=0.8", "--set", "amsgrad=True", *options)
    assert code in (0, None), printed
    assert json.loads((tmp_path / "o/config.json").read_text())["settings"] == "beta1=0.8,amsgrad=True"
