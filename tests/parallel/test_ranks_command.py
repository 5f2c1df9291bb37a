"""``minidl train --ranks``: several processes by one command."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minidl.parallel.board import BOARD

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

SMALL = "--validation 59000 --layers 16 --batch-size 50 --seed 4 --no-guards --oversubscribe".split()


def started(*arguments):
    command = [sys.executable, "-m", "minidl", "train", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def process_of(rank, folder):
    """The process that is this rank of a run in `folder`."""
    for entry in Path("/proc").iterdir():
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
            typed = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        ours = any(v.startswith(BOARD.encode()) for v in variables) and str(folder).encode() in typed
        if ours and f"PMI_RANK={rank}".encode() in variables and b"--parallel" in typed:
            return int(entry.name)
    raise AssertionError("there is no such rank")


def wait_for_checkpoint(folder, process):
    until = time.monotonic() + 40
    while not (folder / "checkpoints/latest.safetensors").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_run_of_two_ranks_leaves_what_a_run_of_one_does(tmp_path):
    for folder, ranks in ((tmp_path / "one", ()), (tmp_path / "two", ("--ranks", 2))):
        process = started(*SMALL, "--epochs", 2, "--output", folder, *ranks)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.count("epoch 1  loss") == 1
        assert out.count("test accuracy") == 1
        assert err == ""
    assert {p.name for p in (tmp_path / "one").iterdir()} == {p.name for p in (tmp_path / "two").iterdir()}
    rows = [
        [json.loads(line) for line in (tmp_path / f / "history.jsonl").read_text().splitlines()] for f in ("one", "two")
    ]
    for one, two in zip(*rows, strict=True):
        assert one.keys() == two.keys()
        assert np.isclose(one["loss"], two["loss"], rtol=1e-5)
        assert np.isclose(one["validation_accuracy"], two["validation_accuracy"], atol=1e-3)


@pytest.mark.parametrize("rank", [0, 1])
def test_when_a_rank_is_killed_one_line_says_which_and_how_to_go_on(tmp_path, rank):
    folder = tmp_path / "run"
    process = started(
        *SMALL, "--epochs", 4000, "--checkpoint-every", "20 steps", "--quiet", "--output", folder, "--ranks", 2
    )
    wait_for_checkpoint(folder, process)
    os.kill(process_of(rank, folder), signal.SIGKILL)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 9
    assert out == ""
    assert err.startswith(f"Error: rank {rank} of 2 (")
    assert "ended by signal 9; saved at step " in err
    assert err.endswith(f"; to go on: minidl train --ranks 2 --resume {folder}\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_run_and_ends_all_ranks(tmp_path, number, status):
    folder = tmp_path / "run"
    process = started(
        *SMALL, "--epochs", 4000, "--checkpoint-every", "20 steps", "--quiet", "--output", folder, "--ranks", 2
    )
    wait_for_checkpoint(folder, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == status
    assert err.startswith("\ninterrupted; saved at step ")
    assert err.endswith(f"; to go on: minidl train --ranks 2 --resume {folder}\n")
