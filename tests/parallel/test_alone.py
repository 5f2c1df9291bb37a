"""What of ranks needs no second process: shares, the message's tail, errors, and that one process pays nothing."""

import os
import queue
import subprocess
import sys

import numpy as np
import pytest
from command_line import said
from kernel_cases import results
from rank_cases import dense, samples, trained

import minidl
from minidl import nn
from minidl.data import Loader
from minidl.errors import MissingExtraError, OptionError
from minidl.nn._shared_batch import SharedBatch
from minidl.nn._shared_norm import Statistics, batch_norm_across
from minidl.parallel.board import CALLS, COLUMNS, PID, WAITING
from minidl.parallel.launch import _without_launching
from minidl.parallel.message import Tail
from minidl.parallel.shares import cut, share, shared_loader
from minidl.parallel.watch import Watch
from minidl.train import evaluate, fit
from minidl.train.metrics import RunningMetrics


class Rank:
    """A communicator that sends nothing."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size

    def sum(self, array):
        return array

    def sum_(self, vector):
        pass


@pytest.mark.parametrize(("count", "size"), [(128, 3), (7, 4), (2, 4), (0, 2), (5, 1)])
def test_each_sample_is_one_ranks_and_shares_differ_by_one_at_most(count, size):
    shares = [range(*share(count, rank, size)) for rank in range(size)]
    assert [sample for part in shares for sample in part] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(("batch", "part"), [(50, None), (50, 20), (3, None), (60, 2)])
def test_the_rows_of_all_ranks_are_the_batches_of_one_process(batch, part):
    whole = Loader(samples(count=130), batch)
    loaders = [shared_loader(whole, Rank(rank, 4), part) for rank in range(4)]
    order = np.random.default_rng(0).permutation(130)
    for number, (x, y) in enumerate(whole.batches(order)):
        found = np.full(x.shape, np.nan, np.float32)
        shares = 0.0
        for loader in loaders:
            rows, labels = next(loader.batches(order, number, number + 1))
            own = loader.cut
            shares += own.share
            for place, what in own.parts:
                if what.counts:
                    found[own.numbers[place]] = rows[place]
                    assert np.array_equal(labels[place], y[own.numbers[place]])
        assert np.array_equal(found, x)
        assert shares == pytest.approx(1, abs=1e-12)


def test_a_loader_of_ones_own_is_read_whole_and_cut():
    class Backwards(Loader):
        def batches(self, order, first=0, last=None):
            return ((x[::-1], y[::-1]) for x, y in super().batches(order, first, last))

    whole = Backwards(samples(), 50, shuffle=False)
    x, _ = next(shared_loader(whole, Rank(1, 2), None).batches(None))
    assert np.array_equal(x, samples().inputs[24::-1])


def test_a_rank_without_samples_computes_one_that_does_not_count():
    own = cut(2, 2, Rank(3, 4))
    assert own.numbers.tolist() == [0]
    assert own.share == 0
    assert not own.parts[0][1].counts


def test_losses_counts_and_statistics_of_all_ranks_travel_in_one_message():
    buffer = minidl.Tensor(np.arange(3, dtype=np.float32))
    rng = np.random.default_rng(1)
    output, y = (rng.normal(1e3, 1, (30, 1)).astype(np.float32) for _ in range(2))
    tails = [Tail(2, ["mine"], [buffer], rank, 3) for rank in range(3)]
    message, alone = np.zeros(tails[0].size, np.float32), RunningMetrics({"mine": lambda output, y: output.mean()})
    alone.add(minidl.Tensor(0.0), output, y, nn.mean_squared_error)
    for rank, tail in enumerate(tails):
        rows = slice(*share(30, rank, 3))
        own = RunningMetrics(alone.own)
        own.add(minidl.Tensor(0.0), output[rows], y[rows], nn.mean_squared_error)
        piece = np.empty_like(message)
        tail.fill(piece, 0.5, [rank == 1, False], own, 1 / 3)
        message += piece
    whole = tails[2].counted(message)
    assert tails[2].moved(message) == [True, False]
    assert whole.samples == 30
    assert float(whole.loss) == 1.5 * 30
    assert whole.others["mine"] == pytest.approx(alone.others["mine"], rel=1e-6)
    assert whole.means()["r2"] == pytest.approx(alone.means()["r2"], rel=1e-6)
    assert np.allclose(tails[2].statistics(message)[0][1], buffer.data)


def test_without_a_launcher_the_world_is_this_process_and_training_is_the_same_to_the_bit():
    world = minidl.parallel.world()
    assert (world.rank, world.size) == (0, 1)
    minidl.seed(1)
    with_it, _ = trained(dense(), parallel=world, epochs=2)
    minidl.seed(1)
    without, _ = trained(dense(), epochs=2)
    assert all(np.array_equal(a, without[key]) for key, a in with_it.items())


def test_who_imports_minidl_or_asks_for_the_world_alone_does_not_import_an_mpi():
    code = "import sys, minidl; assert 'minidl.parallel' not in sys.modules; minidl.parallel.world(); print('mpi4py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.fixture(params=["PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
def launched_by_two(request, monkeypatch):
    monkeypatch.setenv(request.param, "2")


def test_fit_started_twice_by_a_launcher_says_how_to_train_one_model(launched_by_two):
    with pytest.raises(
        OptionError, match=r"2 processes were started together: give fit\(\.\.\., parallel=minidl\.parallel"
    ):
        trained(dense())
    trained(dense(), epochs=1, parallel=False)  # who means it, says so


def test_so_does_the_command_line(launched_by_two):
    text, code = said("train", "--epochs", "0")
    assert code == 1
    assert "2 processes were started together, and each would train the same: give --parallel" in text


def test_without_mpi4py_the_error_names_the_extra(launched_by_two, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(MissingExtraError, match=r"several processes need mpi4py and an MPI.*"):
        minidl.parallel.world()


def test_more_ranks_than_cores_have_to_be_insisted_on():
    text, code = said("train", "--ranks", "9999")
    assert code == 1
    assert "ranks that share one wait for each other" in text
    assert "--oversubscribe" in text


def test_what_is_no_communicator_is_refused_before_anything_is_trained():
    model = dense()
    with pytest.raises(OptionError, match="parallel=True: give minidl.parallel.world"):
        fit(model, samples(), epochs=1, parallel=True)


def test_ranks_are_started_with_the_options_that_were_given():
    typed = ["--ranks", "4", "--lr", "0.1", "--ranks=4", "--oversubscribe", "--quiet"]
    assert _without_launching(typed) == ["--lr", "0.1", "--quiet"]


def test_a_batch_norm_of_each_rank_alone_is_kept_in_model_files(tmp_path):
    model = nn.Sequential(nn.BatchNorm(4, sync=False), nn.BatchNorm(4))
    minidl.save(tmp_path / "model", model)
    found = minidl.load(tmp_path / "model")
    assert [layer.sync for layer in found.layers] == [False, True]


@pytest.mark.parametrize("counts", [True, False])
def test_the_kernel_of_a_shared_batch_norm_agrees_with_its_composition(counts):
    rng, into = np.random.default_rng(0), [Statistics(), Statistics()]
    arrays = rng.standard_normal((5, 4)), rng.standard_normal(4), rng.standard_normal(4)
    batch = SharedBatch(9, 0, 5, counts, 1, (4, 5) if counts else (9, 0), Rank(1, 2))
    found = [
        results(function, arrays, (), {"eps": 1e-5, "shared": batch, "into": of}, np.float64)
        for function, of in zip((batch_norm_across, batch_norm_across.forward), into, strict=True)
    ]
    if counts:
        for a, b in zip(*found, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(into[0].mean, into[1].mean)
    np.testing.assert_allclose(into[0].variance, into[1].variance)


def test_a_rank_that_is_killed_within_a_message_is_missed_by_those_that_wait_in_it():
    """Where no mpiexec ends the others, as under srun."""
    board, ended = np.zeros((2, len(COLUMNS)), np.int64), queue.Queue()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    board[:, PID] = os.getpid(), dead.pid
    board[1, CALLS] = 1  # it has come, and then was ended
    Watch(board, 0, 60, lambda ranks, what: ended.put((ranks, what))).enter()
    assert ended.get(timeout=20) == ([1], "has ended")
    board[0, WAITING] = 0  # and it goes on looking, at nothing


def test_evaluation_is_what_it_was():
    model = dense()
    assert evaluate(model, samples()).keys() == {"loss", "accuracy"}
