"""What a user relies on from the `Loader`: every sample once an epoch, in [0, 1], in an order that a seed fixes."""

import numpy as np
import pytest
from strict import strict

from minidl.backend import seed
from minidl.data import Dataset, Loader
from minidl.data.loader import resident
from minidl.errors import BackendError, DataError, DTypeError, OptionError

N = 10


@pytest.fixture
def data():
    """Ten samples of four pixels; every pixel of sample i is 25 i, its label i."""
    return Dataset(np.repeat(np.arange(N, dtype=np.uint8) * 25, 4).reshape(N, 2, 2), np.arange(N))


def labels_of(loader):
    return [y.tolist() for _, y in loader]


def test_pixels_become_float32_from_0_to_1():
    every = Dataset(np.arange(256, dtype=np.uint8).reshape(256, 1), np.zeros(256, int))
    for shuffle in (False, True):
        ((x, _),) = Loader(every, "full", shuffle=shuffle)
        assert x.dtype == np.float32
        np.testing.assert_allclose(np.sort(x[:, 0]), np.arange(256) / 255, rtol=1e-7)
        assert x.min() == 0
        assert x.max() == 1


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_floating_inputs_stay_as_they_are(dtype, shuffle):
    inputs = np.linspace(-3, 300, 12).astype(dtype).reshape(6, 2)
    for x, y in Loader(Dataset(inputs, np.arange(6)), 4, shuffle=shuffle):
        np.testing.assert_array_equal(x, inputs[y], strict=True)


@pytest.mark.parametrize("batch_size", [1, 3, 5, N, np.int64(4), "full"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_an_epoch_has_every_sample_once_with_its_own_label(data, batch_size, shuffle):
    loader = Loader(data, batch_size, shuffle=shuffle)
    seen = []
    for x, y in loader:
        assert x.shape == (len(y), 4)
        np.testing.assert_allclose(x, np.repeat(y[:, None] * 25 / 255, 4, axis=1), rtol=1e-6)
        assert y.dtype == data.labels.dtype
        seen += y.tolist()
    assert sorted(seen) == list(range(N))
    assert (seen == list(range(N))) is (not shuffle)


def test_the_last_smaller_batch_is_kept_unless_the_user_drops_it(data):
    kept, dropped = Loader(data, 4), Loader(data, 4, drop_last=True)
    assert [len(y) for _, y in kept] == [4, 4, 2]
    assert [len(y) for _, y in dropped] == [4, 4]
    assert (len(kept), len(dropped)) == (3, 2)
    assert [len(y) for _, y in Loader(data, 5, drop_last=True)] == [5, 5]


def test_full_is_one_batch_of_everything(data):
    loader = Loader(data, "full")
    assert (loader.batch_size, len(loader)) == (N, 1)
    assert Loader(data, np.int64(4)).batch_size == 4


def test_without_a_batch_size_it_is_128_or_all_there_are(data):
    assert Loader(data).batch_size == N
    assert Loader(Dataset(np.zeros((300, 2)), np.zeros(300, int))).batch_size == 128


def test_one_seed_gives_one_order_and_each_epoch_another(data):
    loader = Loader(data, 3)
    seed(7)
    first = [labels_of(loader) for _ in range(4)]
    seed(7)
    assert [labels_of(loader) for _ in range(4)] == first
    assert len({str(epoch) for epoch in first}) == 4
    seed(8)
    assert labels_of(loader) != first[0]


def test_an_epoch_without_shuffle_draws_nothing(data):
    seed(7)
    expected = labels_of(Loader(data, 3))
    seed(7)
    assert labels_of(Loader(data, 3, shuffle=False)) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert labels_of(Loader(data, 3)) == expected


def test_two_epochs_at_once_do_not_disturb_each_other(data):
    loader = Loader(data, 2)
    for epoch in zip(*zip(loader, loader, strict=True), strict=True):
        assert sorted(label for _, y in epoch for label in y.tolist()) == list(range(N))


@pytest.mark.parametrize("dtype", ["u1", "f4"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_are_the_users_to_keep_and_to_write_into(data, dtype, shuffle):
    data = Dataset(data.inputs.astype(dtype), data.labels)
    before = data.inputs.copy()
    kept = list(Loader(data, 3, shuffle=shuffle))
    for x, y in kept:
        x += y[:, None]
        y[:] = -1
    np.testing.assert_array_equal(data.inputs, before)
    np.testing.assert_array_equal(data.labels, np.arange(N))
    assert not any(np.shares_memory(a, b) for a, _ in kept for b, _ in kept if a is not b)


def test_every_other_sample_makes_batches_too(data):
    for strided in (data[::2], data[::-1]):
        seen = []
        for x, y in Loader(strided, 4):
            np.testing.assert_allclose(x[:, 0], y * 25 / 255, rtol=1e-6)
            seen += y.tolist()
        assert sorted(seen) == sorted(strided.labels)


@pytest.mark.parametrize("batch_size", [0, -1, True, 32.0, "all"])
def test_a_batch_size_that_is_none_is_told_what_is_allowed(data, batch_size):
    with pytest.raises(OptionError, match=rf'must be an integer from 1 to 10 .*or "full".*, got {batch_size!r}'):
        Loader(data, batch_size)


def test_a_batch_larger_than_the_data_is_refused_with_both_numbers(data):
    with pytest.raises(OptionError, match=r"from 1 to 10 \(the size of data\).* got 11"):
        Loader(data, 11)


def test_an_empty_data_set_has_no_batches(data):
    for batch_size in (1, "full"):
        with pytest.raises(DataError, match="data is empty"):
            Loader(data[:0], batch_size)


def test_inputs_of_another_dtype_are_refused_with_the_remedy(data):
    with pytest.raises(DTypeError, match=r"uint8 .* or floating, got .*inputs\.astype\(np\.float32\)"):
        Loader(Dataset(data.inputs.astype("c8"), data.labels), 2)


def test_both_halves_at_once_are_no_data_set(data):
    with pytest.raises(OptionError, match="train, test = mnist"):
        Loader((data, data), 2)


def test_a_backend_that_is_not_there_is_refused_at_once(data):
    with pytest.raises(BackendError, match="unknown backend 'gpu'"):
        Loader(data, 2, backend="gpu")


def test_batches_go_to_the_loaders_backend_or_else_the_current_one(data, monkeypatch):
    moved_to = []
    monkeypatch.setattr("minidl.data.loader.to_backend", lambda array, name: moved_to.append(name) or array)
    loaders = Loader(data, "full"), Loader(data, "full", backend="numpy")
    monkeypatch.setattr("minidl.backend.use_backend.now", "cupy")
    for loader in loaders:
        next(iter(loader))
        moved_to.append("-")
    assert moved_to == ["cupy", "cupy", "cupy", "-", "-"]  # inputs, labels and the order of the epoch


@pytest.mark.parametrize("dtype", ["u1", "f4"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_cut_out_elsewhere_equal_those_on_the_cpu(data, dtype, shuffle, monkeypatch):
    modules = {"numpy": np, "strict": strict}
    monkeypatch.setattr("minidl.backend.module_of", modules.__getitem__)
    monkeypatch.setattr("minidl.data.loader.module_of", modules.__getitem__)
    for dataset in (
        Dataset(data.inputs.astype(dtype), data.labels),
        Dataset(data.inputs.astype(dtype), data.labels)[::-2],
    ):
        for drop_last in (False, True):
            seed(3)
            here = list(Loader(dataset, 4, shuffle, drop_last))
            seed(3)
            there = list(Loader(dataset, 4, shuffle, drop_last, backend="strict"))
            for (x, y), (far_x, far_y) in zip(here, there, strict=True):
                np.testing.assert_array_equal(far_x.get(), x, strict=True)
                np.testing.assert_array_equal(far_y.get(), y, strict=True)


def test_some_of_the_samples_in_an_order_of_ones_own(data, monkeypatch):
    modules = {"numpy": np, "strict": strict}
    monkeypatch.setattr("minidl.backend.module_of", modules.__getitem__)
    monkeypatch.setattr("minidl.data.loader.module_of", modules.__getitem__)
    order = np.array([7, 1, -1, 7, 0], np.int32)
    for backend in modules:
        loader = Loader(data, 3, backend=backend)
        assert [y.tolist() for _, y in loader.batches(order, 0, 2)] == [[7, 1, 9], [7, 0]]
        assert [y.tolist() for _, y in loader.batches(order, 1, 2)] == [[7, 0]]
        with pytest.raises(IndexError):
            list(loader.batches(np.array([3, N, 0]), 0, 1))


def test_a_data_set_travels_once(data, monkeypatch):
    monkeypatch.setattr("minidl.backend.module_of", {"numpy": np, "strict": strict}.__getitem__)
    first = resident(data, "strict")
    assert all(a is b for a, b in zip(first, resident(data, "strict"), strict=True))
    assert resident(data[:], "strict")[0] is not first[0]
