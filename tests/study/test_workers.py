"""What becomes of a study whose workers or driver are killed, or whose trials hang: nothing is lost, nothing doubled."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trainings
from trainings import SPACE

from minidl.study import Study
from minidl.study.notes import Note, take
from minidl.study.table import Trial

PROGRAM = Path(trainings.__file__)
loky = pytest.mark.slow  # its processes import minidl first


def ran(folder, train, trials=20, **options):
    made = Study(folder, space=SPACE, trials=trials, train=getattr(trainings, train))
    counts = made.run(workers=2, progress=False, **options)
    return made, counts


def test_a_note_tells_at_which_trial_its_worker_was_and_is_gone_once_it_was_read(tmp_path):
    note, idle = Note(str(tmp_path)), Note(str(tmp_path))
    note.write(7)
    idle.write(3)
    idle.write(None)
    assert take(tmp_path, [Trial(3, "", 0, 0)]) == {}
    assert take(tmp_path, [Trial(7, "", 0, 0), Trial(8, "", 0, 0)]) == {7: False}
    assert take(tmp_path) == {}


@loky
def test_a_trial_that_kills_its_worker_is_lost_after_three_and_all_others_are_done(tmp_path):
    made, counts = ran(tmp_path, "kills_its_worker")
    table = made.table()
    bad = table["lr"] > 0.03
    assert counts.lost == sum(bad) > 0
    assert counts.done == sum(~bad)
    assert set(table["attempts"][bad]) == {3}
    assert set(table["error"][bad]) == {"its worker died at it 3 times"}
    assert made.best("loss").config["lr"] < 0.03


@loky
@pytest.mark.parametrize("train", ["hangs", "hangs_for_good"])
def test_a_trial_that_hangs_is_ended_and_counts_as_worst(tmp_path, train):
    made, counts = ran(tmp_path, train, trials=10, timeout=0.5)
    table = made.table()
    assert counts.timeout == sum(table["lr"] > 0.03) > 0
    assert counts.done == sum(table["lr"] <= 0.03)
    assert all("0.5 s" in error or "in time" in error for error in table["error"] if error)


@loky
def test_each_worker_is_a_process_with_one_thread_that_loads_what_it_needs_once(tmp_path):
    made, _ = ran(tmp_path, "whose")
    table = made.table()
    assert 1 <= len(set(table["pid"])) <= 2
    assert os.getpid() not in table["pid"]
    assert set(table["blas"]) <= {1}
    assert max(table["seen"]) >= 10


@loky
def test_a_driver_that_is_killed_takes_its_workers_along_and_the_next_one_ends_with_the_same_numbers(tmp_path):
    driver = subprocess.Popen([sys.executable, str(PROGRAM), str(tmp_path / "cut"), "slow_bowl"])
    ended = waited(lambda: read(tmp_path / "cut").ended > 10)
    workers = children(driver.pid)
    driver.kill()
    driver.wait()
    assert ended
    assert workers
    assert waited(lambda: not any(alive(pid) for pid in workers))
    assert read(tmp_path / "cut").ended < 120
    done = subprocess.run([sys.executable, str(PROGRAM), str(tmp_path / "cut"), "slow_bowl"], capture_output=True)
    assert b"done=120" in done.stdout, done.stderr
    whole = Study(tmp_path / "whole", space=SPACE, trials=60, seeds=2, train=trainings.bowl)
    with ThreadPoolExecutor(1) as executor:
        whole.run(1, executor, progress=False)
    assert Study(tmp_path / "cut").digest() == whole.digest()


@loky
def test_a_worker_that_is_killed_from_outside_costs_no_trial(tmp_path):
    driver = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(tmp_path), "slow_bowl"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert waited(lambda: read(tmp_path).ended > 5)
    os.kill(children(driver.pid)[0], signal.SIGKILL)
    told, _ = driver.communicate(timeout=60)
    assert b"done=120" in told
    assert max(Study(tmp_path).table()["attempts"]) <= 2


def read(folder):
    """The counts of a study that somebody else runs; of none while it is not there."""
    try:
        return Study(folder).counts()
    except (OSError, ValueError):
        return type("None", (), {"ended": 0})


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def waited(condition, seconds=60):
    """Whether a condition came true in time, which on a busy machine may take long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
