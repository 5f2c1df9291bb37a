"""What may stand beside the samples: names, numbers, booleans, targets; and what each is taken for."""

import numpy as np
import pandas
import pytest

from minidl.data import Dataset
from minidl.errors import LabelError

X = np.arange(8, dtype=np.float32).reshape(4, 2)
NAMES = ["cat", "dog", "ant", "dog"]


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        np.array(NAMES),
        np.array(NAMES, object),
        np.array(NAMES, np.dtypes.StringDType()),
        pandas.Series(NAMES),
        pandas.Series(NAMES, dtype="category"),
    ],
    ids=["list", "array", "objects", "StringDType", "Series", "categories"],
)
def test_labels_that_are_strings_name_their_classes_sorted(names):
    data = Dataset(X, names)
    assert data.classes == ("ant", "cat", "dog")
    assert data.labels.tolist() == [1, 2, 0, 2]
    assert data.labels.dtype.kind == "i"


def test_names_are_looked_up_among_the_classes_given():
    data = Dataset(X, NAMES, classes=["dog", "cat", "bee", "ant"])
    assert data.labels.tolist() == [1, 0, 3, 0]
    assert data.classes == ("dog", "cat", "bee", "ant")
    with pytest.raises(LabelError, match="label 'ant' at index 2 is none of the classes 'dog', 'cat'"):
        Dataset(X, NAMES, classes=["dog", "cat"])


def test_booleans_and_whole_floats_are_classes_if_the_classes_are_named():
    assert Dataset(X, [True, False, True, True], classes=["no", "yes"]).labels.tolist() == [1, 0, 1, 1]
    data = Dataset(X, [0.0, 2.0, 1.0, 0.0], classes="abc")
    assert (data.labels.tolist(), data.labels.dtype.kind, data.classes) == ([0, 2, 1, 0], "i", ("a", "b", "c"))
    with pytest.raises(LabelError, match=r"label 0\.5 at index 1: with classes= labels are their numbers"):
        Dataset(X, [0.0, 0.5, 1.0, 0.0], classes="ab")
    with pytest.raises(LabelError, match="nan at index 1: fill in"):
        Dataset(X, [0.0, np.nan, 1.0, 0.0], classes="ab")


def test_floats_alone_are_targets_even_if_they_are_whole():
    data = Dataset(X, [0.0, 2.0, 1.0, 0.0])
    assert (data.labels.shape, data.classes) == ((4, 1), ())


def test_several_booleans_a_sample_are_yes_or_no_targets():
    data = Dataset(X, X > 2)
    assert (data.labels.dtype, data.classes) == (np.float32, ())
    np.testing.assert_array_equal(data.labels, X > 2)


def test_names_that_are_no_vector_are_refused():
    with pytest.raises(LabelError, match=r"expected names of shape \(N,\), got shape \(4, 1\)"):
        Dataset(X, np.array(NAMES)[:, None])
