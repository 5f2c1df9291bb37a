"""What counts as an array: whatever NumPy reads as numbers, and nothing that would mean something else later."""

import array

import numpy as np
import pandas
import pytest
from scipy import sparse
from strict import StrictArray

from minidl.arrays import as_array, is_array
from minidl.backend import backend_of, to_numpy
from minidl.errors import DTypeError, ShapeError

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")

FRAME = pandas.DataFrame({"a": [1, 2], "b": [1.5, 2.5], "c": [True, False]})

READABLE = {
    "list": ([[1, 2], [3, 4]], [[1, 2], [3, 4]], "int64"),
    "number": (2.5, 2.5, "float64"),
    "numpy scalar": (np.float32(2.5), 2.5, "float32"),
    "matrix": (sparse.csr_matrix([[1.0, 0.0]]).todense(), [[1, 0]], "float64"),
    "masked array with nothing masked": (np.ma.array([1.0, 2.0]), [1, 2], "float64"),
    "series": (FRAME["a"], [1, 2], "int64"),
    "float32 series": (FRAME["b"].astype("float32"), [1.5, 2.5], "float32"),
    "frame": (FRAME[["a", "b"]], [[1, 1.5], [2, 2.5]], "float64"),
    "frame of mixed columns": (FRAME, [[1, 1.5, 1], [2, 2.5, 0]], "float64"),
    "nullable series": (pandas.Series([1, 2], dtype="Int64"), [1, 2], "int64"),
    "index": (pandas.Index([1, 2]), [1, 2], "int64"),
    "array.array": (array.array("f", [1, 2]), [1, 2], "float32"),
    "memoryview": (memoryview(b"\x01\x02"), [1, 2], "uint8"),
    "range": (range(3), [0, 1, 2], "int64"),
}


@pytest.mark.parametrize("name", READABLE)
def test_what_numpy_reads_as_numbers_becomes_a_plain_array(name):
    value, expected, dtype = READABLE[name]
    found = as_array(value)
    assert type(found) is np.ndarray
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)
    assert type(to_numpy(value)) is np.ndarray
    assert backend_of(value) == "numpy"


def test_arrays_are_passed_on_as_they_are():
    for own in (np.ones(2), StrictArray(np.ones(2))):
        assert is_array(own)
        assert as_array(own) is own


def test_a_memory_map_is_read_where_it_lies(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(3.0))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert type(as_array(mapped)) is np.ndarray
    assert np.shares_memory(as_array(mapped), mapped)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 1]), r"Tensor: 2 of 3 elements .* masked.*filled.*compressed"),
        ([np.ma.array([1.0], mask=[1]), np.ones(1)], "1 of 1 elements .* masked"),
        (sparse.csr_matrix(np.eye(2)), r"Tensor: a csr_matrix .* sparse: \.toarray\(\)"),
        (sparse.coo_array(np.eye(2)), r"coo_array .*\.toarray\(\)"),
        ({"a": 1}, "a dict is no array of numbers: give an array or a list"),
        ((i for i in range(2)), "a generator is no array"),
        (None, "a NoneType is no array"),
    ],
)
def test_what_would_lose_its_meaning_is_refused_with_the_remedy(value, message):
    with pytest.raises(DTypeError, match=message):
        as_array(value, "Tensor")


def test_ragged_lists_are_refused():
    with pytest.raises(ShapeError, match="Tensor: .* nested lists must be of equal lengths"):
        as_array([[1, 2], [3]], "Tensor")


def test_what_is_no_number_stays_what_it_is_for_the_caller_to_refuse():
    assert as_array(pandas.Series(["a", "b"])).dtype.kind == "U"
    assert as_array(np.array([[1, 2], [3]], object)).dtype == object
