"""What a Module takes over from a state: all of it, or nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import Tensor, nn
from minidl.errors import StateError


class Mixed(nn.Module):
    """Parameters and buffers of several dtypes."""

    def __init__(self):
        self.single = nn.Parameter(np.ones((2, 2), np.float32))
        self.half = nn.Parameter(np.ones(3, np.float16))
        self.double = nn.Parameter(np.ones(2))
        self.count = nn.Buffer(np.zeros(2, np.int32))
        self.flag = nn.Buffer(np.zeros(1, bool))


BAD = {
    "text": ("single", np.array([["a", "b"], ["c", "d"]]), "is <U1, expected real numbers"),
    "objects": ("single", np.array([[None, 1], [2, 3]], object), "is object, expected real numbers"),
    "complex": ("single", np.ones((2, 2), complex), "is complex128, expected real numbers"),
    "dates": ("single", np.zeros((2, 2), "M8[s]"), "is datetime64.*, expected real numbers"),
    "too large for float32": ("single", np.full((2, 2), 1e300), "holds 1e.300, which float32 cannot hold"),
    "too large for float16": ("half", np.array([1, 70_000, 2]), "holds 70000, which float16 cannot hold"),
    "an integer beyond every dtype": ("single", [[2**200, 1], [1, 1]], "is object, expected real numbers"),
    "a fraction for an integer": ("count", np.array([1, 1.5]), "holds 1.5, which int32 cannot hold"),
    "too large for int32": ("count", np.array([1, 2**31]), "holds 2147483648, which int32 cannot hold"),
    "NaN for an integer": ("count", np.array([1, np.nan]), "holds nan, which int32 cannot hold"),
    "a number for a flag": ("flag", np.array([2]), "holds 2, which bool cannot hold"),
    "another shape": ("double", np.ones(3), r"has shape \(3,\), expected \(2,\)"),
    "ragged lists": ("single", [[1, 2], [3]], "is nested lists of different lengths"),
    "a number": ("single", 1.0, r"has shape \(\), expected \(2, 2\)"),
    "None": ("half", None, r"has shape \(\), expected"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_state_with_one_bad_value_changes_nothing(case):
    name, value, message = BAD[case]
    model = Mixed()
    before = model.state_dict()
    changes = {n: t._changes for n, t in model._state().items()}
    with pytest.raises(StateError, match=f"nothing was loaded into Mixed: '{name}' {message}"):
        model.load_state_dict({n: v * 0 + 1 for n, v in before.items()} | {name: value})
    assert all((before[n] == v).all() for n, v in model.state_dict().items())
    assert changes == {n: t._changes for n, t in model._state().items()}


@settings(max_examples=100, deadline=None)
@given(
    bad=st.sampled_from(sorted(BAD)),
    good=st.dictionaries(st.sampled_from(["single", "half", "double", "count", "flag"]), st.integers(0, 1)),
    order=st.permutations(["single", "half", "double", "count", "flag"]),
    missing=st.booleans(),
)
def test_a_bad_value_anywhere_in_a_state_leaves_all_as_it_was(bad, good, order, missing):
    model = Mixed()
    before = model.state_dict()
    name, value, _ = BAD[bad]
    state = {n: np.full(before[n].shape, good.get(n, 1)) for n in order} | {name: value}
    if missing:
        del state[next(n for n in order if n != name)]
    with pytest.raises(StateError):
        model.load_state_dict(state)
    with pytest.raises(StateError):
        model.load_state_dict(state, strict=False)
    assert all((before[n] == v).all() for n, v in model.state_dict().items())


def test_numbers_that_fit_are_taken_whatever_they_come_as():
    model = Mixed()
    model.load_state_dict(
        {"single": [[1, np.nan], [np.inf, 4.0]], "half": Tensor([1.0, 2.0, 3.0]), "double": (1, 2), "count": np.array([3.0, 4.0]),
         "flag": np.array([1])}
    )  # fmt: skip
    np.testing.assert_array_equal(model.single.numpy(), np.array([[1, np.nan], [np.inf, 4]], np.float32))
    assert model.half.tolist() == [1, 2, 3]
    assert model.count.tolist() == [3, 4]
    assert model.flag.tolist() == [True]
    assert [t.dtype for t in model._state().values()] == ["f4", "f2", "f8", "i4", "?"]


def pair():
    model = nn.Module()
    model.kept = [nn.Parameter([1.0, 2.0]), nn.Parameter([3.0, 4.0])]
    return model


def test_values_that_are_views_of_the_model_itself_are_exchanged_rightly():
    model = pair()
    model.load_state_dict({"kept.0": model.kept[1].data, "kept.1": model.kept[0].data})
    assert [p.tolist() for p in model.parameters()] == [[3, 4], [1, 2]]


def test_an_array_that_is_read_only_is_said_before_anything_changes():
    model = pair()
    model.kept[1].data.flags.writeable = False
    with pytest.raises(StateError, match="'kept.1' would be written into an array that is read-only"):
        model.load_state_dict({"kept.0": [0, 0], "kept.1": [0, 0]})
    assert model.kept[0].tolist() == [1, 2]


def test_a_part_of_a_state_is_loaded_if_asked_for():
    model, other = nn.Sequential(nn.Dense(2, 3), nn.ReLU(), nn.Dense(3, 4)), nn.Sequential(nn.Dense(2, 3), nn.ReLU())
    head = model[2].weight.numpy().copy()
    model.load_state_dict(other.state_dict() | {"of another": np.ones(3)}, strict=False)
    assert (model[0].weight.numpy() == other[0].weight.numpy()).all()
    assert (model[2].weight.numpy() == head).all()
    with pytest.raises(StateError, match=r"'layers.0.weight' has shape \(1,\)"):
        model.load_state_dict({"layers.0.weight": np.ones(1)}, strict=False)


@pytest.mark.parametrize("state", [None, 5, "model.safetensors", [np.ones(2)]])
def test_what_is_no_state_is_said(state):
    with pytest.raises(StateError, match=r"expected a dict of arrays, as state_dict\(\) gives, got a "):
        nn.Dense(2, 2).load_state_dict(state)
