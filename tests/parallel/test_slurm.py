"""Ranks under a real Slurm of one node, where Slurm is installed: srun instead of mpiexec."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from mpiexec import HERE, MPIEXEC
from one_node_slurm import missing, one_node_slurm
from stress_ranks import processes

REASON = missing()
pytestmark = [pytest.mark.mpi, pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]
SMALL = "--validation 59000 --layers 16 --batch-size 50 --seed 4 --no-guards".split()


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with one_node_slurm(tmp_path_factory.mktemp("slurm")) as environment:
        path = os.pathsep.join(filter(None, [str(HERE.parents[1]), environment.get("PYTHONPATH")]))
        yield environment | {"PYTHONPATH": path}


def srun(environment, *arguments):
    command = ["srun", "--mpi=pmi2", "-n", "2", "--oversubscribe", "--kill-on-bad-exit"]
    train = [sys.executable, "-m", "minidl", "train", "--parallel", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
    return subprocess.Popen([*command, *train], env=environment, text=True, **pipes)


@pytest.mark.skipif(MPIEXEC is None, reason="needs the extra mpi")
def test_srun_trains_one_model_by_two_ranks_and_when_one_is_killed_all_end_and_the_run_goes_on(slurm, tmp_path):
    folder = tmp_path / "run"
    process = srun(slurm, *SMALL, "--epochs", 4000, "--checkpoint-every", "20 steps", "--quiet", "--output", folder)
    ranks = ranks_once_saved(folder, process)
    assert sorted(ranks) == [0, 1]
    os.kill(ranks[1], signal.SIGKILL)
    killed = time.monotonic()
    said, _ = process.communicate(timeout=30)
    assert time.monotonic() - killed < 10
    assert process.returncode
    line = r"Error: rank 1 of 2 \(.*\), in step [\d,]+: has ended; saved at step [\d,]+; to go on: srun .*-n 2 minidl train"
    assert re.search(line, said), said
    assert processes(folder) == {}

    process = srun(slurm, "--resume", folder)
    os.kill(ranks_once_saved(folder, process)[0], signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert "interrupted; saved at step" in said
    assert process.returncode == 143


def ranks_once_saved(folder, process):
    """The processes of the ranks, once they have saved something."""
    latest, until = folder / "checkpoints/latest.safetensors", time.monotonic() + 60
    before = latest.stat().st_mtime_ns if latest.exists() else 0
    while not latest.exists() or latest.stat().st_mtime_ns == before:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    return {rank: pid for pid, rank in processes(folder).items() if rank is not None}
