"""Samples one by one, of two data sets, in folds, with weights, and of a sparse matrix."""

import numpy as np
import pytest
from scipy import sparse

import minidl
from minidl.data import Dataset, Loader
from minidl.errors import DataError, DTypeError, OptionError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 3)).astype(np.float32)
Y = np.arange(20) % 3
DATA = Dataset(X, Y, sample_weight=np.arange(20))


def test_one_sample_is_its_inputs_and_its_label():
    x, y = DATA[3]
    np.testing.assert_array_equal(x, X[3])
    assert y == 0
    assert DATA[-1][1] == Y[-1]
    assert DATA[np.int64(4)][1] == 1
    np.testing.assert_array_equal(Dataset(X, X)[2][1], X[2])


def test_a_data_set_is_iterated_over_sample_by_sample():
    samples = list(DATA)
    assert len(samples) == len(DATA) == 20
    assert [y for _, y in samples] == Y.tolist()
    np.testing.assert_array_equal(np.stack([x for x, _ in samples]), X)


def test_a_part_keeps_the_weights_of_its_samples():
    assert DATA[[4, 2]].sample_weight.tolist() == [4, 2]
    assert DATA[:3].sample_weight.tolist() == [0, 1, 2]
    assert DATA.split(0.25)[1].sample_weight.sum() < 190


def test_two_data_sets_are_added_up():
    other = Dataset(X[:5] + 1, [0, 1, 2, 3, 4])
    both = DATA + other
    np.testing.assert_array_equal(both.inputs, np.concatenate([X, X[:5] + 1]))
    assert both.labels.tolist() == [*Y, 0, 1, 2, 3, 4]
    assert both.classes == ("0", "1", "2", "3", "4")
    assert both.sample_weight.tolist() == [*range(20), 1, 1, 1, 1, 1]
    assert (Dataset(X, X[:, 0]) + Dataset(X, X[:, 1])).labels.shape == (40, 1)
    assert (other + other).sample_weight is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Dataset(X[:, :2], Y), "numbers in a sample: 3 and 2"),
        (Dataset((X > 0).astype(np.uint8), Y), "dtype of inputs: float32 and uint8"),
        (Dataset(X, X[:, 0]), "shape of targets"),
        (Dataset(X, Y, classes="abc"), "other classes"),
    ],
)
def test_data_sets_of_other_kinds_are_not_added_up(other, message):
    with pytest.raises(DataError, match=message):
        DATA + other


def test_each_sample_is_validated_on_in_one_fold_and_trained_on_in_the_others():
    def folds():
        pairs = list(Dataset(X, np.arange(20.0)).k_folds(3))
        return [(sorted(train.labels.ravel()), sorted(held_out.labels.ravel())) for train, held_out in pairs]

    minidl.seed(1)
    found = folds()
    assert [len(held_out) for _, held_out in found] == [7, 7, 6]
    assert sorted(y for _, held_out in found for y in held_out) == list(range(20))
    assert all(sorted(train + held_out) == list(range(20)) for train, held_out in found)
    assert folds() != found
    minidl.seed(1)
    assert folds() == found


def test_folds_hold_all_classes_alike():
    labels = np.array([0] * 40 + [1] * 10 + [2] * 5)
    for _, validation in Dataset(np.zeros((55, 1)), labels).k_folds(5):
        assert np.bincount(validation.labels).tolist() == [8, 2, 1]
    assert [len(v) for _, v in Dataset(X, X[:, 0]).k_folds(4)] == [5, 5, 5, 5]


@pytest.mark.parametrize("k", [1, 0, 21, 2.5, True])
def test_another_number_of_folds_is_refused_at_once(k):
    with pytest.raises(OptionError, match="k_folds: k must be an integer from 2 to 20"):
        DATA.k_folds(k)


def test_batches_carry_the_weights_of_their_samples_beside_the_labels():
    weights = RNG.random(20)
    for shuffle in (True, False):
        seen = 0
        for x, (y, w) in Loader(Dataset(X, Y, sample_weight=weights), 8, shuffle=shuffle):
            for row, label, weight in zip(x, y, w, strict=True):
                (i,) = np.flatnonzero((row == X).all(axis=1))
                assert (label, weight) == (Y[i], np.float32(weights[i]))
            assert w.dtype == x.dtype
            seen += len(y)
        assert seen == 20


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"a number for each of the 20 samples, got int64 of shape \(2,\)"),
        (np.where(Y > 1, -1, 1), "-1 at index 2: expected finite numbers of at least 0"),
        (np.where(Y > 1, np.nan, 1), "nan at index 2"),
        (["a"] * 20, "a number for each"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message):
    with pytest.raises(DataError, match=message):
        Dataset(X, Y, sample_weight=weights)


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_a_bag_of_words_is_made_dense(form):
    counts = RNG.poisson(0.2, (20, 30))
    data = Dataset(form(counts), Y)
    np.testing.assert_array_equal(data.inputs, counts)
    assert data.inputs.dtype == np.float32
    assert Dataset(form(counts.astype(np.float64)), Y).inputs.dtype == np.float64
    assert Dataset(form(counts.astype(np.uint8)), Y).inputs.dtype == np.uint8


def test_a_bag_of_words_that_is_too_large_to_be_dense_is_refused_at_once():
    words = sparse.csr_matrix((100_000, 100_000), dtype=np.float32)
    with pytest.raises(DataError, match=r"\(100000, 100000\) is 40.0 GB once it is dense.*max_features"):
        Dataset(words, np.zeros(100_000, int))


class OfDLPack:
    """An array of a library that speaks DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __len__(self):
        return len(self.array)

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_what_speaks_dlpack_is_an_array():
    data = Dataset(OfDLPack(X), OfDLPack(Y))
    np.testing.assert_array_equal(data.inputs, X)
    np.testing.assert_array_equal(data.labels, Y)
    assert np.shares_memory(data.inputs, X)


def test_what_dlpack_cannot_hand_over_is_a_dtype_error():
    class Elsewhere(OfDLPack):
        def __dlpack_device__(self):
            return (2, 0)

        def __dlpack__(self, **options):
            raise BufferError("it is on a GPU")

    with pytest.raises(DTypeError, match="data: inputs: "):
        Dataset(Elsewhere(X), Y)
