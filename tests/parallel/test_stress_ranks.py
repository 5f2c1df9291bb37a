"""A share of tests/support/stress_ranks.py, which ends ranks at random moments."""

import subprocess
import sys

import pytest
from mpiexec import HERE, MPIEXEC

pytestmark = [pytest.mark.mpi, pytest.mark.slow]


@pytest.mark.skipif(MPIEXEC is None, reason="needs the extra mpi")
def test_a_rank_that_is_killed_at_any_moment_leaves_no_process_and_a_run_that_goes_on_to_the_same_bits():
    command = [sys.executable, str(HERE / "stress_ranks.py"), "--rounds", "1", "killed 1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed 1: 1 rounds, 0 wrong" in done.stdout
