"""Files that an earlier minidl wrote (tests/support/fixtures): they are read, and runs go on from them as they would have then."""

import importlib.util
import json
import shutil
import warnings

import make_old_files as old
import numpy as np
import pytest
from safetensors.numpy import load_file

import minidl
from minidl import cli
from minidl.data import idx_dataset
from minidl.train import evaluate
from minidl.train.saving.model_file import notes

MADE = json.loads((old.FIXTURES / "made.json").read_text())
# The last bits of a sum are the processor's and its library's, and those of the kernels that may be deleted.
SAME_BITS = old.kernel().items() <= MADE.items() and importlib.util.find_spec("minidl.kernels") is not None


def check(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        if SAME_BITS:
            assert found[name].tobytes() == array.tobytes(), name
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-5, err_msg=name)


def check_rows(found, expected):
    """The history's rows say what they said then, their seconds aside; later code may say more."""
    names = [name for name in expected[0] if name != "seconds"]
    numbers = [[[row[name] for name in names] for row in rows] for rows in (found, expected)]
    assert numbers[0] == numbers[1] if SAME_BITS else np.allclose(*numbers, rtol=1e-4, atol=0.011)  # one of 100 samples


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


# models


@pytest.mark.parametrize("name", ["mlp", "activations", "nested", "double"])
def test_a_model_file_gives_the_outputs_that_it_gave_then(name):
    folder = old.FIXTURES / "models"
    outputs = load_file(folder / "outputs.safetensors")
    model = minidl.load(folder / f"{name}.safetensors")
    found = model(outputs["x"].astype(outputs[name].dtype)).numpy()
    check({name: found}, {name: outputs[name]})
    assert notes(folder / f"{name}.safetensors") == {"made": "here", "number": 3}


@pytest.mark.parametrize("name", old.BY_COMMAND)
def test_the_model_file_of_a_finished_run_is_as_good_as_it_says(name):
    file = old.FIXTURES / "finished" / name / "model.safetensors"
    test = idx_dataset("digits", path=old.FIXTURES / "digits")[1]
    result = evaluate(minidl.load(file), test)
    assert result == pytest.approx(notes(file)["test"], rel=1e-5)


@pytest.mark.parametrize("name", old.BY_FIT)
def test_the_best_model_of_a_run_is_as_good_as_it_says(name):
    file = old.FIXTURES / "stopped" / name / "best.safetensors"
    test = idx_dataset("digits", path=old.FIXTURES / "digits")[1]
    model = minidl.load(file, old.BY_FIT[name][0]())
    assert evaluate(model, test)["loss"] == pytest.approx(notes(file)["validation_loss"], rel=1e-5)


# runs


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the digits, in which a run can go on without a trace in the fixtures."""
    shutil.copytree(old.FIXTURES / "digits", tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def go_on(run):
    """Resume the command's run in that folder; another NumPy than then is said, and is no fault here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".* NumPy was [^;]*$")
        cli.main(["train", "--resume", str(run)], standalone_mode=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in old.BY_COMMAND if name != "zeros"])
def test_an_interrupted_run_of_the_command_ends_with_the_model_that_it_would_have_made(name, place):
    shutil.copytree(old.FIXTURES / "stopped" / name, place / "run")
    go_on(place / "run")
    finished = old.FIXTURES / "finished" / name
    check(load_file(place / "run" / "model.safetensors"), load_file(finished / "model.safetensors"))
    check_rows(rows(place / "run" / "history.jsonl"), rows(finished / "history.jsonl"))


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again_as_it_began(place):
    shutil.copytree(old.FIXTURES / "stopped" / "adam", place / "run")
    shutil.rmtree(place / "run" / "checkpoints")
    go_on(place / "run")
    finished = old.FIXTURES / "finished" / "adam"
    check(load_file(place / "run" / "model.safetensors"), load_file(finished / "model.safetensors"))


def test_a_run_by_machine_code_that_passes_over_zeros_goes_on_by_it(place):
    pytest.importorskip("numba")
    from minidl import nn, optim
    from minidl.compiler.native.cache.background import compile_now
    from minidl.compiler.native.executor import needed

    compile_now(needed(optim.SGD(nn.Dense(2, 2).parameters())))
    shutil.copytree(old.FIXTURES / "stopped" / "zeros", place / "run")
    go_on(place / "run")
    finished = old.FIXTURES / "finished" / "zeros"
    check(load_file(place / "run" / "model.safetensors"), load_file(finished / "model.safetensors"))
    check_rows(rows(place / "run" / "history.jsonl"), rows(finished / "history.jsonl"))


@pytest.mark.parametrize("name", old.BY_FIT)
def test_an_interrupted_fit_ends_with_the_weights_and_the_optimizer_that_it_would_have_had(name, place):
    shutil.copytree(old.FIXTURES / "stopped" / name, place / "run")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".* NumPy was [^;]*$")
        model, optimizer, history = old.trained(name, place / "run", resume=True)
    finished = old.FIXTURES / "finished" / name
    check(old.final_state(model, optimizer), load_file(finished / "model.safetensors"))
    check_rows(history.rows, rows(finished / "history.jsonl"))
