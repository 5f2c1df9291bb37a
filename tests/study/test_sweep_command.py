"""`minidl sweep` and `minidl study`: a sweep on the command line, looked at, gone on with, and interrupted."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from command_line import said
from data_files import write_digits

from minidl.study import Study


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("sweeps") / "digits", 300)


def options(digits, trials=3):
    small = "--layers 8 --epochs 2 --batch-size 50 --validation 100 --workers 1".split()
    return ["--dataset", str(digits), *small, "--trials", str(trials), "--lr", "1e-3..1:log"]


@pytest.fixture(scope="module")
def swept(digits):
    """The folder of a sweep over two rules, and what it printed."""
    folder = digits.parent / "swept"
    told, code = said("sweep", str(folder), "--optimizer", "sgd", "--optimizer", "momentum", *options(digits))
    assert not code, told
    return folder, told


@pytest.mark.slow
def test_a_sweep_ends_with_its_best_settings_first_and_says_how_far_it_came(swept):
    folder, told = swept
    assert "6 of 6 trials" in told
    assert "best validation_loss" in told
    best = Study(folder).best("validation_loss")
    row = told.splitlines()[2].split()
    assert row[0] == best.cell
    assert float(row[1]) == pytest.approx(best.config["lr"], rel=1e-3)
    assert float(row[2]) == pytest.approx(best.value, rel=1e-3)
    assert said("study", "status", str(folder))[0].startswith("6 of 6 trials; best validation_loss")


@pytest.mark.slow
def test_a_study_is_shown_as_a_table_a_file_and_a_picture(swept):
    folder, _ = swept
    told, _ = said("study", "table", str(folder), "--metric", "validation_accuracy", "--most", "2")
    assert len(told.splitlines()) == 3
    medians = [float(line.split()[2]) for line in told.splitlines()[1:]]
    assert medians == sorted(medians, reverse=True)
    assert said("study", "table", str(folder), "--csv", str(folder / "all.csv")) == (f"Written: {folder}/all.csv\n", 0)
    assert len((folder / "all.csv").read_text().splitlines()) == 7
    assert said("study", "plot", str(folder))[1] == 0
    assert (folder / "figures/sensitivity.png").stat().st_size > 5000


@pytest.mark.slow
def test_the_same_command_with_more_trials_adds_them(swept, digits):
    folder, _ = swept
    told, code = said("sweep", str(folder), "--optimizer", "sgd", "--optimizer", "momentum", *options(digits, trials=4))
    assert not code
    assert "8 of 8 trials" in told
    told, code = said("sweep", str(folder), "--optimizer", "sgd", *options(digits, trials=4))
    assert code == 1
    assert "holds another study: Momentum: its lr is 0.001..1:log, not left out" in told


@pytest.mark.parametrize(
    ("words", "said_of"),
    [
        (["--lr", "1e-1..1e-5:log"], "two finite numbers, the smaller one first"),
        (["--set", "beta7=0.5..1"], "beta7"),
        (["--set", "epochs=1..2"], "write NAME=RANGE for a hyperparameter"),
        (["--dataset", "nowhere"], "choose mnist"),
        (["--samples", "300"], "that leaves 200 to train on"),
        (["--optimizer", "adamw2"], "choose one of"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_in_one_line_before_anything_is_made(tmp_path, digits, words, said_of):
    told, code = said("sweep", str(tmp_path / "new"), *options(digits), *words)
    assert code in (1, 2)
    assert said_of in told.splitlines()[-1]
    assert not (tmp_path / "new").exists()


def test_a_folder_without_a_study_is_told_so(tmp_path):
    for command in (["status"], ["table"], ["plot"], ["retry", "--failed"]):
        told, code = said("study", command[0], str(tmp_path), *command[1:])
        assert code == 1
        assert "no study is kept there" in told


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_sweep_that_is_interrupted_says_how_to_go_on(tmp_path, digits, number, status):
    words = ["sweep", str(tmp_path / "cut"), *options(digits, trials=500)]
    command = [sys.executable, "-m", "minidl", *words]
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    while not driver.poll() and not list((tmp_path / "cut").glob(".workers/*")):
        time.sleep(0.05)
    os.killpg(driver.pid, number)  # as a terminal does
    told, errors = (text.decode() for text in driver.communicate(timeout=60))
    assert driver.returncode == status, errors
    assert f"to go on: minidl sweep {tmp_path / 'cut'} --dataset" in errors
    counts = Study(tmp_path / "cut").counts()
    assert counts.running == 0
    assert re.search(rf"{counts.ended} of 500 trials", told)
