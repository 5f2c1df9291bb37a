"""What becomes of all ranks when one of them fails, and that the run goes on from its checkpoint."""

import shutil
import time

import numpy as np
import pytest
from mpiexec import ranks

pytestmark = [pytest.mark.mpi, pytest.mark.slow]


def failed(what, folder, *which, count=2):
    """What the ranks of a training have printed in which one fails, the exit status and the seconds."""
    start = time.monotonic()
    done = ranks(count, "rank_failures.py", what, folder, *which)
    return done.stdout + done.stderr, done.returncode, time.monotonic() - start


@pytest.mark.parametrize(
    ("what", "status", "said"),
    [
        ("raises", 1, "in step 20: ended by ValueError: a mistake in a callback; saved at step 10"),
        ("exits", 3, "in step 20: ended by sys.exit(3); saved at step 10"),
        ("hangs", 75, "in step 20: has not come for"),
        ("fails early", 1, "ended by FileNotFoundError: no such data here; nothing was saved"),
    ],
)
def test_a_rank_that_fails_alone_ends_all_and_one_line_says_which(tmp_path, what, status, said):
    told, code, seconds = failed(what, tmp_path / "run")
    assert f"Error: rank 1 of 2 ({told.partition('rank 1 of 2 (')[2].partition(')')[0]}), in step" in told
    assert said in told
    assert code == status
    assert seconds < 15  # of which the start takes some, on a busy machine


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("drifts", "the weights of rank 1 differ from those of rank 0 at step 100"),
        ("other seed", "rank 1 of 2 is not like rank 0: seed: 1 instead of 0"),
        ("other data", "rank 1 of 2 is not like rank 0: training data: 2000 samples with SHA-256"),
        ("other model", "rank 1 of 2 is not like rank 0: model: layers.1: BatchNorm"),
        ("bad data", "first in sample 1234 of drawn"),
    ],
)
def test_what_all_ranks_find_wrong_is_told_once(tmp_path, what, said):
    told, code, _ = failed(what, tmp_path / "run")
    assert told.count(said) == 1
    assert code == 1


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    told, code, _ = failed("nothing", folder)
    assert code == 0, told
    return weights(folder)


def weights(folder):
    return dict(np.load(folder / "weights.npz"))


@pytest.mark.parametrize(
    ("what", "which", "status"), [("SIGKILL", 0, 9), ("SIGKILL", 1, 9), ("SIGTERM", 1, 143), ("SIGINT", 0, 1)]
)
def test_a_run_that_a_signal_has_ended_goes_on_to_the_same_bits(tmp_path, uninterrupted, what, which, status):
    told, code, seconds = failed(what, tmp_path / "run", which)
    assert code == status, told
    assert seconds < 15
    assert not (tmp_path / "run" / "weights.npz").exists()
    failed("nothing", tmp_path / "run")
    assert all(np.array_equal(a, weights(tmp_path / "run")[key]) for key, a in uninterrupted.items())


def test_it_also_goes_on_with_another_number_of_ranks_to_rounding_and_says_so(tmp_path, uninterrupted):
    failed("SIGKILL", tmp_path / "run")
    for count in (1, 3):
        shutil.copytree(tmp_path / "run", tmp_path / f"{count}")
        told, code, _ = failed("nothing", tmp_path / f"{count}", count=count)
        assert code == 0, told
        assert f"the results may differ from those of a run that was not interrupted: ranks was 2, is {count}" in told
        found = weights(tmp_path / f"{count}")
        assert all(np.abs(a - found[key]).max() < 1e-5 for key, a in uninterrupted.items())
