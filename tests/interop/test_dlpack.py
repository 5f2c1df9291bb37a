"""Memory shared with other libraries by DLPack. (With PyTorch and JAX the same was tried by hand: they are no part of the tests.)"""

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn
from minidl.errors import DTypeError, GradientError


class Foreign:
    """Another library's array, which is none of NumPy's: it gives its memory out by DLPack alone."""

    def __init__(self, array, **asked):
        self.array, self.asked = array, asked

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**(options | self.asked))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "u1", "?"])
def test_what_numpy_takes_from_a_tensor_is_the_tensors_own_memory(dtype):
    x = Tensor(np.zeros((2, 3), dtype))
    array = np.from_dlpack(x)
    assert array.dtype == dtype
    assert np.shares_memory(array, x.data)
    x[1, 2] = 1
    assert array[1, 2] == 1


def test_what_a_tensor_takes_from_another_library_is_that_librarys_own_memory():
    theirs = np.arange(6.0).reshape(2, 3)
    x = minidl.from_dlpack(Foreign(theirs))
    assert type(x) is Tensor
    assert not x.requires_grad
    assert x.dtype == np.float64
    assert np.shares_memory(x.data, theirs)
    theirs[0, 0] = 9
    assert x[0, 0] == 9


def test_what_is_written_into_the_tensor_is_seen_in_the_other_library():
    theirs = np.zeros(3, np.float32)
    x = minidl.from_dlpack(theirs)
    if np.lib.NumpyVersion(np.__version__) < "2.2.6":  # which takes in what it may only read
        with pytest.raises(ValueError, match="read-only"):
            x += 2
        return
    x += 2
    assert theirs.tolist() == [2, 2, 2]
    np.from_dlpack(x)[0] = 5
    assert x.tolist() == theirs.tolist() == [5, 2, 2]


def test_every_second_column_and_a_single_number_are_shared_too():
    theirs = np.arange(12.0).reshape(3, 4)[:, ::2]
    assert minidl.from_dlpack(theirs).tolist() == theirs.tolist()
    assert minidl.from_dlpack(np.array(3)).tolist() == 3


@pytest.mark.parametrize("make", [lambda: Tensor([1.0], requires_grad=True), lambda: nn.Parameter([1.0]) * 2])
@pytest.mark.parametrize("take", [np.from_dlpack, minidl.from_dlpack])
def test_a_tensor_that_requires_a_gradient_is_refused_and_its_detach_is_not(make, take):
    x = make()
    with pytest.raises(GradientError, match=r"\.detach\(\)"):
        take(x)
    with minidl.no_grad(), pytest.raises(GradientError):
        take(x)
    assert np.shares_memory(np.asarray(take(x.detach())), x.data)


def test_an_array_of_another_library_that_requires_a_gradient_is_refused():
    theirs = Foreign(np.zeros(2))
    theirs.requires_grad = True
    with pytest.raises(GradientError, match=r"this Foreign requires a gradient.*\.detach\(\)"):
        minidl.from_dlpack(theirs)


@pytest.mark.parametrize(("copy", "shared"), [(None, True), (False, True), (True, False)])
def test_who_asks_for_a_copy_gets_one_and_nobody_else(copy, shared):
    x = Tensor([1.0, 2.0])
    array = np.from_dlpack(Foreign(x, copy=copy))
    assert array.tolist() == [1, 2]
    assert np.shares_memory(array, x.data) == shared


def test_the_protocols_options_are_taken_as_every_librarys_arrays_take_them():
    x = Tensor([1.0])
    assert x.__dlpack_device__() == (1, 0)
    for options in ({}, {"stream": None}, {"max_version": (1, 0)}, {"max_version": (1, 0), "dl_device": (1, 0)}):
        assert "dltensor" in repr(x.__dlpack__(**options))
    with pytest.raises((BufferError, ValueError), match="device"):
        x.__dlpack__(dl_device=(2, 0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0, 2.0], "a list has no __dlpack__: minidl.Tensor"),
        (np.array(["a"]), "this ndarray of <U1 cannot be shared"),
        (np.zeros(2, complex), "cannot hold dtype complex128"),
    ],
)
def test_what_cannot_be_shared_is_told(given, message):
    with pytest.raises(DTypeError, match=message):
        minidl.from_dlpack(given)


def test_numpys_first_arrays_with_dlpack_know_no_options(monkeypatch):
    class First(np.ndarray):
        def __dlpack__(self, *, stream=None):
            return super().__dlpack__(stream=stream)

    monkeypatch.setattr(minidl.dlpack, "_FIRST_PROTOCOL", True)
    x = minidl.node.wrap(np.arange(3.0).view(First))
    for copy in (None, True):
        array = np.from_dlpack(Foreign(x, copy=copy))
        assert array.tolist() == [0, 1, 2]
        assert np.shares_memory(array, x.data) == (not copy)
    with pytest.raises(BufferError, match=r"on device \(1, 0\), not on \(2, 0\)"):
        x.__dlpack__(dl_device=(2, 0))
