"""What becomes of a study whose workers or driver are killed, or whose trials hang: nothing is lost, nothing doubled."""

import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trainings
from trainings import SPACE

from minidl.errors import StateError
from minidl.study import Study
from minidl.study.carry import carry
from minidl.study.executors import Crew
from minidl.study.notes import Note, take
from minidl.study.pickling import pickled
from minidl.study.table import Trial, opened
from minidl.study.worker import carry_out

PROGRAM = Path(trainings.__file__)
loky = pytest.mark.slow  # its processes import minidl first


def ran(folder, train, trials=10, **options):
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
    bad = table["lr"] > 0.05
    assert counts.lost == sum(bad) > 0
    assert counts.done == sum(~bad)
    assert set(table["attempts"][bad]) == {3}
    assert set(table["error"][bad]) == {"its worker died at it 3 times"}
    assert made.best("loss").config["lr"] < 0.05


def test_a_trial_that_takes_too_long_is_ended_and_the_next_one_goes_on(tmp_path):
    trials = [Trial(1, '{"lr": 0.06}', 0, 0), Trial(2, '{"lr": 0.01}', 0, 0)]
    slow, quick = carry_out(pickled(trainings.hangs), trials, str(tmp_path), 0.2)
    assert (slow.state, slow.result, slow.error) == ("timeout", None, "took longer than 0.2 s")
    assert quick.state == "done"


@loky
def test_a_worker_whose_trial_hangs_for_good_ends_itself_and_the_others_are_done(tmp_path):
    made, counts = ran(tmp_path, "hangs_for_good", trials=10, timeout=0.5)
    table = made.table()
    assert counts.timeout == sum(table["lr"] > 0.05) > 0
    assert counts.done == sum(table["lr"] <= 0.05)
    assert set(table["error"][table["lr"] > 0.05]) == {"did not end in time, nor when told to"}


def test_a_function_that_a_worker_cannot_load_is_told_so_once(tmp_path):
    made = Study(tmp_path, space=SPACE, trials=3, train=trainings.bowl)
    gone = pickle.dumps(trainings.bowl).replace(b"trainings", b"nowhereto")
    told = pytest.raises(
        StateError, match="cannot load the train function .ModuleNotFoundError: No module named 'nowhe"
    )
    with opened(tmp_path) as table, ThreadPoolExecutor(1) as executor, told:
        carry(table, gone, Crew(1, lambda: executor), tmp_path, None, progress=False)
    assert made.counts().ended == 0


@loky
def test_each_worker_is_a_process_with_one_thread_that_loads_what_it_needs_once(tmp_path):
    made, _ = ran(tmp_path, "whose")
    table = made.table()
    assert 1 <= len(set(table["pid"])) <= 2
    assert os.getpid() not in table["pid"]
    assert set(table["blas"]) <= {1}
    assert max(table["seen"]) >= 5


@loky
def test_a_study_whose_worker_and_driver_are_killed_ends_with_the_same_numbers(tmp_path):
    driver = subprocess.Popen([sys.executable, str(PROGRAM), str(tmp_path / "cut"), "slow_bowl"])
    assert waited(lambda: read(tmp_path / "cut").ended > 5)
    os.kill(children(driver.pid)[0], signal.SIGKILL)
    ended = read(tmp_path / "cut").ended
    assert waited(lambda: read(tmp_path / "cut").ended > ended + 5)  # others have taken its place
    workers = children(driver.pid)
    driver.kill()
    driver.wait()
    assert workers
    assert waited(lambda: not any(alive(pid) for pid in workers))
    assert read(tmp_path / "cut").ended < 120
    done = subprocess.run([sys.executable, str(PROGRAM), str(tmp_path / "cut"), "slow_bowl"], capture_output=True)
    assert b"done=120" in done.stdout, done.stderr
    assert max(Study(tmp_path / "cut").table()["attempts"]) <= 3
    whole = Study(tmp_path / "whole", space=SPACE, trials=60, seeds=2, train=trainings.bowl)
    with ThreadPoolExecutor(1) as executor:
        whole.run(1, executor, progress=False)
    assert Study(tmp_path / "cut").digest() == whole.digest()


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
