"""What may be put into a `Dataset`: whatever holds numbers, under whoever's name; and what is said of the rest."""

import math

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader
from minidl.errors import DataError, DTypeError, LabelError
from minidl.train import fit

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")

X = np.array([[1.5, 2.0], [3.0, 4.0], [5.0, 6.5]], np.float32)
Y = np.array([0, 1, 1])
FRAME = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": Y}, index=[7, 3, 5])


class Foreign:
    """Some other library's array."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


INPUTS = {
    "array": X,
    "list": X.tolist(),
    "list of arrays": list(X),
    "frame": FRAME[["a", "b"]],
    "matrix": np.matrix(X),
    "dense matrix of a sparse one": sparse.csr_matrix(X).todense(),
    "masked array with nothing masked": np.ma.array(X),
    "objects": X.astype(object),
    "tensor": minidl.Tensor(X),
    "foreign": Foreign(X),
    "big-endian": X.astype(">f4"),
    "read-only": np.frombuffer(X.tobytes(), np.float32).reshape(3, 2),
}
LABELS = {
    "array": Y,
    "list": Y.tolist(),
    "tuple": tuple(Y),
    "series": FRAME["y"],
    "nullable series": FRAME["y"].astype("Int64"),
    "index": pandas.Index(Y),
    "masked array with nothing masked": np.ma.array(Y),
    "objects": Y.astype(object),
    "tensor": minidl.Tensor(Y),
    "foreign": Foreign(Y),
    "uint64": Y.astype("u8"),
}


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("labels", LABELS)
def test_whatever_holds_numbers_makes_batches_of_plain_arrays(inputs, labels):
    dataset = Dataset(INPUTS[inputs], LABELS[labels])
    assert type(dataset.inputs) is type(dataset.labels) is np.ndarray
    (x, y), = Loader(dataset, "full", shuffle=False)  # fmt: skip
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


@pytest.mark.parametrize("inputs", INPUTS)
def test_a_model_trains_on_them_to_the_same_weights(inputs):
    def weights(values):
        minidl.seed(0)
        model = nn.Sequential(nn.Dense(2, 2))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        fit(
            model,
            Dataset(values, FRAME["y"]),
            optimizer=optimizer,
            epochs=2,
            batch_size=2,
            progress=False,
            guards=False,
        )
        return model.layers[0].weight.numpy()

    np.testing.assert_allclose(weights(INPUTS[inputs]), weights(X), rtol=1e-6)


def test_a_memory_map_is_not_copied(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(Dataset(mapped, Y).inputs, mapped)


@pytest.mark.parametrize(
    ("inputs", "labels", "error", "message"),
    [
        (np.ma.array(X, mask=X > 6), Y, DTypeError, "data: inputs: 1 of 6 elements of this array are masked"),
        (X, np.ma.array(Y, mask=Y > 0), DTypeError, "data: labels: 2 of 3 elements of this array are masked"),
        (object(), Y, DTypeError, "data: inputs: a object is no array of numbers"),
        ([["a"], ["b"], ["c"]], Y, DTypeError, "data: inputs: expected numbers, got <U1"),
        ([[1], [2, 3], [4]], Y, DTypeError, "data: inputs: "),
        (pandas.DataFrame({"t": pandas.to_datetime(["2020"] * 3)}), Y, DTypeError, "data: inputs: expected numbers"),
        (X, FRAME[["y"]], LabelError, r"got int64 of shape \(3, 1\); a single column: labels.ravel\(\)"),
        (X, np.eye(3, dtype=int), LabelError, "if they are one-hot: labels.argmax"),
        (X, ["cat", None, "dog"], LabelError, "None at index 1 is no string, as others are"),
        (X, pandas.Series(["cat", None, "dog"]), LabelError, "(nan|None) at index 1 is no string, as others are"),
        (X, ["cat", math.nan, "dog"], LabelError, "nan at index 1 is no string, as others are"),
        (X, pandas.Series([0, 1, None]), LabelError, "nan at index 2: fill in what is missing"),
        (X, pandas.Series([0, 1, None], dtype="Int64"), LabelError, "nan at index 2: fill in what is missing"),
        (X, None, (DTypeError, LabelError), "data: labels"),
        (None, Y, (DTypeError, DataError), "data: "),
    ],
)  # fmt: skip
def test_what_holds_no_numbers_is_refused_with_its_remedy(inputs, labels, error, message):
    with pytest.raises(error, match=message):
        Dataset(inputs, labels)


def test_samples_are_chosen_by_whatever_numbers_them():
    dataset = Dataset(X, Y, classes=[10, 20])
    for index in ([2, 0], (2, 0), pandas.Series([2, 0]), minidl.Tensor(np.array([2, 0]))):
        np.testing.assert_array_equal(dataset[index].inputs, X[[2, 0]])
    for mask in ([True, False, True], FRAME["y"] != FRAME["a"] - 2, np.matrix([1, 0, 1]).A1 > 0):
        np.testing.assert_array_equal(dataset[mask].labels, Y[[0, 2]])
    assert len(dataset[[]]) == 0
    assert dataset[[]].classes == ("10", "20")


@given(values=arrays.arrays(dtype=st.one_of(arrays.floating_dtypes(endianness="="), arrays.unsigned_integer_dtypes(endianness="=")),
                            shape=st.tuples(st.integers(1, 5), st.integers(0, 3))))  # fmt: skip
def test_every_form_of_the_same_numbers_makes_the_same_data_set(values):
    labels = np.zeros(len(values), int)
    plain = Dataset(values, labels)
    for form in (np.ma.array(values), np.asfortranarray(values), values.view(np.matrix), values[::-1][::-1]):
        other = Dataset(form, labels)
        np.testing.assert_array_equal(other.inputs, plain.inputs, strict=True)


def test_an_empty_set_to_validate_on_is_refused_before_anything_is_trained():
    model = nn.Sequential(nn.Dense(2, 2))
    before = model.layers[0].weight.numpy().copy()
    with pytest.raises(DataError, match="data is empty"):
        fit(
            model,
            Dataset(X, Y),
            optimizer=optim.SGD(model.parameters()),
            epochs=1,
            batch_size=2,
            validation=Dataset(X, Y)[:0],
        )
    np.testing.assert_array_equal(model.layers[0].weight.numpy(), before)
