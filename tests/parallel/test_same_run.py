"""Several ranks train the model that one process would: `fit(parallel=)` beside `fit`."""

from functools import cache

import numpy as np
import pytest
from mpiexec import ranks
from rank_cases import CASES, RULES, made

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

BY_ENGINE = ["SGD", "dropout", "batch norm", "batch norm of each", "clipped", "small last batch"]
AGAIN = [
    "SGD@callback",
    "SGD@hosts",
    "SGD@hosts, machine code",
    "batch norm@hosts",
    "batch norm@again",
    "dropout@again",
    "more ranks than samples@machine code",
]
AGAIN += [f"{name}@{engine}" for name in BY_ENGINE for engine in ("replay", "machine code")]
APART = "@hosts", "@hosts, machine code", "@callback"  # those whose ranks are made to share no memory
ABOUT = {"engines", "sums", "shared"}  # what is told of a training beside its numbers
FEW = {
    3: [
        "SGD",
        "Adam",
        "float64",
        "small last batch",
        "batch norm",
        "dropout",
        "accumulated",
        "more ranks than samples",
    ],
    4: ["SGD", "Adam", "float64", "batch norm", "more ranks than samples"],
}
CLOSE = dict.fromkeys(["SGD", "eager", "clipped", "schedule", "weighted", "unshuffled loader", "streamed"], 2e-7)
# Twice the spacing of float32 at 1, or 1.2e-7: a sum in another order moves the last digit of a weight, and no more.
CLOSE |= {"float64": 1e-12, "more ranks than samples": 1e-12}


@pytest.fixture(scope="module")
def by_ranks(tmp_path_factory, machine_code):
    """The trainings as so many ranks have made them: for each name, what each rank has in the end."""

    @cache
    def trainings(count):
        folder = tmp_path_factory.mktemp(f"ranks-{count}")
        names = FEW.get(count, [*CASES, *AGAIN])
        done = ranks(count, "rank_cases.py", folder, *names)
        assert done.returncode == 0, done.stdout + done.stderr
        return {name: [dict(np.load(folder / f"{name}-{rank}.npz")) for rank in range(count)] for name in names}

    return trainings


@cache
def alone(name):
    return made(name)[0]


def furthest(ours, theirs):
    """The largest difference, as a share of the largest number of each array (1 at least)."""
    return max(np.abs(a - theirs[key]).max() / max(np.abs(a).max(), 1) for key, a in ours.items() if key not in ABOUT)


@pytest.mark.parametrize("name", [name for name in CASES if name != "batch norm of each"])
def test_two_ranks_train_what_one_process_does(by_ranks, name):
    assert furthest(alone(name), by_ranks(2)[name][0]) <= CLOSE.get(name, 1e-6)


@pytest.mark.parametrize(("count", "name"), [(count, name) for count in FEW for name in FEW[count]])
def test_so_do_three_and_four_whose_shares_are_unequal(by_ranks, count, name):
    assert furthest(alone(name), by_ranks(count)[name][0]) <= CLOSE.get(name, 1e-6)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_all_ranks_have_the_same_bits_in_the_end_and_the_same_history(by_ranks, count):
    for name, (first, *others) in by_ranks(count).items():
        for other in others:
            assert same_bits(first, other), name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("batch norm", "batch norm@again"),
        ("dropout", "dropout@again"),
        ("SGD", "eager"),
        ("dropout", "dropout, eager"),
        ("batch norm", "batch norm, eager"),
        *((f"SGD@{way}", "SGD@replay") for way in ("callback", "hosts", "hosts, machine code")),
        ("batch norm@hosts", "batch norm@replay"),
        *((f"{name}@machine code", f"{name}@replay") for name in BY_ENGINE),
        *((name, f"{name}@replay") for name in BY_ENGINE),
    ],
)
def test_the_same_ranks_give_the_same_bits_again_and_by_every_engine(by_ranks, one, other):
    assert same_bits(by_ranks(2)[one][0], by_ranks(2)[other][0])


def same_bits(ours, theirs):
    return all(np.array_equal(a, theirs[key]) for key, a in ours.items() if key not in ABOUT)


def test_steps_are_recorded_and_made_by_machine_code_where_they_would_be_in_one_process(by_ranks):
    engines = {name: set(found[0]["engines"]) for name, found in by_ranks(2).items()}
    assert engines["own model"] == engines["eager"] == {"eager"}
    for name in BY_ENGINE:
        assert engines[f"{name}@machine code"] == {"machine code"}
        assert engines[f"{name}@replay"] == {"replay"}


@pytest.mark.parametrize("name", ["SGD", "dropout", "batch norm", "batch norm of each"])
def test_in_machine_code_no_message_of_a_step_is_pythons(by_ranks, name):
    of_a_step = 3 if name == "batch norm" else 1  # forward, backward, and the gradients
    assert by_ranks(2)[f"{name}@replay"][0]["sums"] == 50 * of_a_step
    assert by_ranks(2)[f"{name}@machine code"][0]["sums"] == 0


def test_on_one_machine_gradients_are_in_memory_that_the_ranks_share(by_ranks):
    assert all(found[0]["shared"] == (not name.endswith(APART)) for name, found in by_ranks(2).items())


def test_batch_norm_without_sync_normalises_each_share_and_averages_its_statistics(by_ranks):
    (first, second), synchronised = by_ranks(2)["batch norm of each"], by_ranks(2)["batch norm"][0]
    assert np.array_equal(first["layers.1.running_var"], second["layers.1.running_var"])
    assert 1e-4 < furthest(synchronised, first) < 0.5


def test_every_rule_is_among_the_trainings():
    from minidl import optim

    assert set(RULES) == {
        name for name in optim.__all__ if hasattr(getattr(optim, name), "rule") and name != "Optimizer"
    }
