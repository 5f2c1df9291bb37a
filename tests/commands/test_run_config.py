"""config.json, altered by hand: judged as the options on the command line are. And the folder that it lies in."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import warnings

import click
import pytest
from data_files import write_digits
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import cli
from minidl.commands import run_folder
from minidl.commands.run_config import LATER, RECORDS, read_config
from minidl.errors import DataError, MinidlError

READERS = cli._readers(click.Context(cli.train))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a small data set, in "digits", and a run of two epochs that is not quite finished, in "run"."""
    place = tmp_path_factory.mktemp("configs")
    write_digits(place / "digits", 60)
    options = "--layers 4 --batch-size 10 --validation 10 --epochs 2 --no-guards".split()
    printed, code = said("train", "--dataset", str(place / "digits"), *options, "--output", str(place / "run"))
    assert code in (0, None), printed
    (place / "run/model.safetensors").unlink()
    return place


def said(*arguments):
    """What a command line prints, here in this process, and its exit code."""
    out = io.StringIO()
    with warnings.catch_warnings(action="default"), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            cli.main(list(arguments))
        except SystemExit as end:
            return out.getvalue(), end.code
    raise AssertionError("a command ends by SystemExit")


def altered(place, tmp_path, **values):
    """A copy of the run whose config.json holds other values."""
    copy = tmp_path / "copy"
    shutil.copytree(place / "run", copy, symlinks=True)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | values))
    return copy


@pytest.mark.slow
def test_what_train_wrote_is_read_as_it_was_given(place):
    config = json.loads((place / "run/config.json").read_text())
    options = read_config(place / "run", READERS)
    assert set(options) == set(config) - set(RECORDS)
    assert options["layers"] == (4,)
    assert options["epochs"] == 2
    assert options["guards"] is False


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"activation": "nope"}, "activation: 'nope' is not one of 'relu', 'leaky_relu', 'tanh', 'sigmoid'"),
        ({"schedule": "nope"}, "schedule: 'nope' is not one of"),
        ({"validation": "5"}, 'validation: "5": expected 5'),
        ({"dataset": 5}, 'dataset: 5: expected "5"'),
        ({"optimizer": 7}, "optimizer: optimizer '7': choose one of adadelta,"),
        ({"dropout": "x"}, "dropout: 'x': give a number from 0 up to, but not including, 1"),
        ({"dropout": 1}, "dropout: '1': give a number from 0"),
        ({"epochs": "6"}, 'epochs: "6": expected 6'),
        ({"epochs": 2.5}, "epochs: '2.5': give an integer of at least 0"),
        ({"epochs": True}, "epochs: 'true': give an integer of at least 0"),
        ({"epochs": None}, "epochs: null: leave it at such as 6"),
        ({"batch_norm": ["x"]}, "batch_norm: '\"x\"' is not one of"),
        ({"batch_norm": ["before"]}, "batch_norm: "),
        ({"guards": "false"}, 'guards: "false": expected false'),
        ({"guards": 1}, "guards: 1: expected true"),
        ({"layers": 4}, "layers: 4: expected [4]"),
        ({"layers": ["4"]}, "layers: "),
        ({"layers": [0]}, "layers: '0': give sizes of hidden layers of at least 1"),
        ({"layers": [10**12]}, "layers: '1000000000000': at most 1,000,000 units in a hidden layer"),
        ({"layers": [2] * 200}, "at most 100 hidden layers"),
        ({"lr": -1}, "lr: '-1': give a finite number of at least 0"),
        ({"lr": float("nan")}, "lr: 'NaN': give a finite number"),
        ({"seed": {"a": [1]}}, "seed: "),
        ({"threads": 0}, "threads: '0': give an integer of at least 1"),
        ({"checkpoint_every": "often"}, "checkpoint_every: checkpoint every 'often': give a number of updates"),
        ({"batch_size": "32"}, 'batch_size: "32": expected 32'),
        ({"speed": 3}, 'no option is called "speed"'),
        ({"a\x1b[31m": 3}, r'no option is called "a\u001b[31m"'),
    ],
)  # fmt: skip
def test_a_value_that_the_option_would_not_take_is_refused_by_its_name(values, message, place, tmp_path):
    printed, code = said("train", "--resume", str(altered(place, tmp_path, **values)))
    assert code == 1
    assert message in printed
    assert len(printed.splitlines()) <= 3
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "text",
    ["", "[", "[]", "3", "null", '"x"', "{}", "[" * 200_000, '{"a":' * 100_000, "\ud800", "\xff", " " * 2_000_000, "1" * 5000, '{"lr": 1e999999}'],
    ids=lambda text: repr(text[:9]),
)  # fmt: skip
def test_a_file_that_is_no_configuration_is_refused_in_a_line(text, place, tmp_path):
    copy = altered(place, tmp_path)
    (copy / "config.json").write_bytes(text.encode("utf-16" if text == "\xff" else "utf-8", "surrogatepass"))
    printed, code = said("train", "--resume", str(copy))
    assert code == 1
    assert len(printed.splitlines()) == 1
    assert "config.json" in printed


def test_fewer_epochs_than_are_done_are_refused_and_nothing_is_changed(place, tmp_path):
    copy = altered(place, tmp_path, epochs=1)
    printed, code = said("train", "--resume", str(copy))
    assert code == 1
    assert "nothing was loaded:\n- epochs: 2 are done already, and only 1 asked for" in printed
    assert not (copy / "model.safetensors").exists()


def test_the_altered_value_that_the_option_takes_is_used(place, tmp_path):
    printed, code = said("train", "--resume", str(altered(place, tmp_path, epochs=3, checkpoint_every="1 epoch")))
    assert code in (0, None)
    assert "epoch 3" in printed


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(["relu", "full", "none", "adam", "10 s", "true", "1"])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip


@pytest.mark.slow
@given(changes=st.dictionaries(st.one_of(st.sampled_from(sorted(READERS)), st.text()), JSON, min_size=1, max_size=3),
       gone=st.lists(st.sampled_from(sorted(READERS)), max_size=1))  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_any_other_values_are_refused_or_are_what_would_be_written_again(changes, gone, place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("config")
    config = json.loads((place / "run/config.json").read_text()) | changes
    for name in gone:
        config.pop(name, None)
    (folder / "config.json").write_text(json.dumps(config))
    config = LATER | config
    try:
        options = read_config(folder, READERS)
    except MinidlError as error:
        assert type(error) is DataError  # noqa: PT017
        return
    again = {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
    assert {key: config[key] for key in READERS} == again
    assert all(isinstance(config[key], bool) == isinstance(value, bool) for key, value in again.items())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_pipe_in_the_place_of_any_file_is_not_waited_for(place, tmp_path):
    copy = altered(place, tmp_path)
    (copy / "config.json").unlink()
    os.mkfifo(copy / "config.json")
    os.mkfifo(copy / "pipe")
    for arguments in (["train", "--resume", str(copy)], ["evaluate", "--model", str(copy / "pipe")],
                      ["evaluate", "--model", "/dev/zero"], ["predict", str(copy / "pipe"), "--model", "/dev/null"]):  # fmt: skip
        printed, code = said(*arguments)
        assert code == 1
        assert ("Is a pipe, not a file" in printed) or ("Is a device, not a file" in printed)


# the folder


OPTIONS = "--dataset digits --layers 4 --batch-size 10 --validation 10 --epochs 1 --no-guards".split()


def test_a_run_that_was_killed_before_it_began_can_be_begun_there(place, tmp_path):
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    (tmp_path / "run/checkpoints/.lock").touch()
    (tmp_path / "run/.config.json.4711.tmp").write_text('{"dataset"')
    printed, code = said("train", "--resume", str(tmp_path / "run"))
    assert code == 1
    assert "no run is kept there: it has no config.json; to begin one there, name the folder as --output" in printed
    digits = ["--dataset", str(place / "digits"), *OPTIONS[2:]]
    printed, code = said("train", *digits, "--output", str(tmp_path / "run"))
    assert code in (0, None), printed
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(
        ["checkpoints", "config.json", "curve.png", "history.jsonl", "model.safetensors"]
    )


@pytest.mark.parametrize("inside", ["config.json", "notes.txt", "checkpoints/step-00000001.safetensors", "checkpoints"])
def test_a_folder_with_anything_else_in_it_is_refused(inside, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / inside).parent.mkdir(exist_ok=True)
    (tmp_path / "run" / inside).write_text("mine")
    with pytest.raises(MinidlError, match="exists already and is not an empty folder|in use|cannot be written"):
        run_folder.begin(tmp_path / "run", "digits", {})
    assert (tmp_path / "run" / inside).read_text() == "mine"


def test_a_process_that_comes_second_by_a_hair_leaves_the_first_ones_options(tmp_path, monkeypatch):
    taken = run_folder.locked

    @contextlib.contextmanager
    def after_another(folder):
        (tmp_path / "run/config.json").write_text("the first one's")
        with taken(folder):
            yield

    monkeypatch.setattr(run_folder, "locked", after_another)
    with pytest.raises(MinidlError, match="exists already and is not an empty folder"):
        run_folder.begin(tmp_path / "run", "digits", {})
    assert (tmp_path / "run/config.json").read_text() == "the first one's"


@pytest.mark.slow
def test_of_many_processes_that_ask_for_one_folder_exactly_one_gets_it(place):
    command = [sys.executable, "-m", "minidl", "train", *OPTIONS, "--output"]
    for name in ("contested", None):
        started = [subprocess.Popen(command[:-1] if name is None else [*command, name], cwd=place, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]  # fmt: skip
        ended = [(process.communicate(timeout=120), process.returncode) for process in started]
        good = [out for (out, _), code in ended if code == 0]
        assert len(good) == (1 if name else 4)
        assert all("exists already" in errors or "in use by process" in errors for (_, errors), code in ended if code)
    assert len(list((place / "runs").glob("*/model.safetensors"))) == 4
