"""One study on MPI's ranks, Dask's workers and batch jobs: the same numbers, to the last bit."""

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trainings
from mpiexec import ranks

from minidl.errors import MissingExtraError, OptionError
from minidl.study import Study
from minidl.study.clusters import driver
from minidl.study.executors import crew

SUPPORT = Path(trainings.__file__).parent


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the study ends with in one process."""
    made = Study(tmp_path_factory.mktemp("one"), space=trainings.SPACE, trials=2, train=trainings.bowl)
    with ThreadPoolExecutor(1) as executor:
        counts = made.run(executor=executor, progress=False)
    return f"{counts} {made.digest()}\n"


@pytest.mark.mpi
@pytest.mark.slow
def test_ranks_carry_out_a_study_and_the_first_drives(tmp_path, expected):
    done = ranks(3, "cluster_sweep.py", tmp_path / "mpi", "mpi")
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr


@pytest.mark.slow
def test_dasks_workers_carry_out_a_study(tmp_path, expected):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.ERROR}
    with distributed.LocalCluster(**options) as cluster:
        command = [sys.executable, str(SUPPORT / "cluster_sweep.py"), str(tmp_path / "dask")]
        done = subprocess.run([*command, f"dask:{cluster.scheduler_address}"], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr


@pytest.mark.slow
def test_batch_jobs_carry_out_a_study(tmp_path, expected):
    pytest.importorskip("submitit")
    found = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])])}  # by the jobs
    command = [sys.executable, str(SUPPORT / "cluster_sweep.py"), str(tmp_path / "jobs"), "slurm:cluster=local,array=1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, env=found)
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr
    assert any((tmp_path / ".slurm").iterdir())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("crowd", "give 'loky', 'mpi', 'dask:tcp://HOST:PORT'"),
        ("dask:", "give 'loky'"),
        ("loky:2", "give 'loky'"),
        ("slurm:partition", "write NAME=VALUE|pip install submitit"),
        ("slurm:array=0", "write NAME=VALUE|pip install submitit"),
        ("dask:nowhere", "no scheduler answers there|pip install distributed"),
    ],
)
def test_an_executor_that_is_none_is_refused_in_one_line(name, said):
    with pytest.raises((OptionError, MissingExtraError), match=said) as found:
        crew(name, None)
    assert "\n" not in str(found.value)


def test_an_executor_that_knows_how_many_work_for_it_is_given_work_for_all():
    class Ranks(ThreadPoolExecutor):
        num_workers = 64

    with Ranks(1) as executor:
        assert crew(executor, None).workers == 64
        assert crew(executor, 3).workers == 3


def test_several_processes_that_mpiexec_has_started_are_told_to_work_together(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "3")
    with pytest.raises(OptionError, match="started 3 of this: add --executor mpi"), driver("loky"):
        pass
    monkeypatch.delenv("PMI_SIZE")
    with driver("loky") as found:
        assert found == "loky"
