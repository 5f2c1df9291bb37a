"""A share of tests/support/stress.py: trainings side by side, forks, Ctrl-C twice at random moments. A hang is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STRESS = Path(__file__).parents[1] / "support" / "stress.py"


@pytest.mark.parametrize(
    ("part", "options"),
    [
        pytest.param("threads", ["--rounds", "9"], marks=pytest.mark.slow),
        pytest.param("forks", ["--forks", "12"], marks=pytest.mark.slow),
        pytest.param("signals", ["--signals", "40"], marks=pytest.mark.slow),
        ("forks", ["--forks", "2"]),
    ],
)
def test_nothing_is_wrong_hangs_or_crashes_beside_one_another(part, options):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}  # with one thread there would be nothing to share
    command = [sys.executable, "-W", "error", "-X", "dev", STRESS, part, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 wrong, 0 hung" in done.stdout
