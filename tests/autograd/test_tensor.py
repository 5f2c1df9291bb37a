"""What a Tensor is made of, and how it looks."""

import copy

import numpy as np
import pytest

import minidl
from minidl import Tensor
from minidl.errors import BackendError, DTypeError, OptionError, ShapeError


def has_gpu():
    try:
        import cupy

        return cupy.cuda.runtime.getDeviceCount() > 0
    except Exception:
        return False


GPU = has_gpu()


@pytest.mark.parametrize("data", [1, 2.5, [1, 2], [[1.0], [2.0]], (1.0, 2)])
def test_python_numbers_and_lists_become_float32(data):
    assert Tensor(data).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool"])
def test_an_array_keeps_its_dtype_and_is_not_copied(dtype):
    array = np.ones(3, dtype)
    tensor = Tensor(array)
    assert tensor.dtype == dtype
    assert np.shares_memory(tensor.numpy(), array)


def test_dtype_can_be_asked_for():
    assert Tensor([1, 2], dtype="float64").dtype == np.float64
    assert Tensor(np.arange(3), dtype=np.float32, requires_grad=True).dtype == np.float32


def test_scalars_never_widen_a_tensor():
    x = Tensor([1.0])
    for scalar in (2, 2.0, np.float64(2), np.int64(2), True):
        assert (x * scalar).dtype == np.float32
        assert (scalar * x).dtype == np.float32
    assert (x + [1.0]).dtype == np.float32


def test_two_tensors_promote_as_in_numpy():
    assert (Tensor(np.ones(2, np.float32)) + Tensor(np.ones(2, np.float64))).dtype == np.float64


def test_what_is_no_number_is_refused():
    with pytest.raises(DTypeError, match="<U3"):
        Tensor(np.array(["one"]))
    with pytest.raises(DTypeError, match="complex128"):
        Tensor(np.ones(2, complex))


def test_ragged_lists_are_refused():
    with pytest.raises(ShapeError, match="equal lengths"):
        Tensor([[1, 2], [3]])


def test_repr_shows_values_dtype_and_whether_it_is_trained():
    assert repr(Tensor([1.0, 2.5])) == "Tensor([1. , 2.5])"
    assert repr(Tensor(np.ones(1), requires_grad=True)) == "Tensor([1.], dtype=float64, requires_grad=True)"


def test_detach_shares_the_array_and_drops_the_history():
    x = Tensor([1.0], requires_grad=True)
    alone = (x * 2.0).detach()
    assert not alone.requires_grad
    assert np.shares_memory(x.detach().numpy(), x.numpy())


def test_item_float_bool_len_and_iteration():
    assert Tensor(2.5).item() == 2.5
    assert float(Tensor([2.5])[0]) == 2.5
    assert bool(Tensor(1.0))
    assert len(Tensor([1.0, 2.0])) == 2
    assert [v.item() for v in Tensor([1.0, 2.0])] == [1.0, 2.0]
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Tensor([1.0, 2.0]))
    with pytest.raises(TypeError):
        len(Tensor(1.0))


def test_tensors_can_be_members_of_sets_and_keys():
    x, y = Tensor([1.0]), Tensor([1.0])
    assert len({x, y, x}) == 2


def test_a_deep_copy_is_independent():
    x = Tensor([1.0], requires_grad=True)
    y = copy.deepcopy(x)
    with minidl.no_grad():
        y += 1.0
    assert x.item() == 1.0
    assert y.requires_grad


def test_numpy_makes_an_array_of_a_tensor_when_asked():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert type(np.asarray(x)) is np.ndarray
    np.testing.assert_array_equal(np.asarray(x), [1.0, 2.0])


# the backend


def test_an_unknown_backend_is_refused_with_the_choices():
    with pytest.raises(BackendError, match="'numpy', 'cupy'"):
        minidl.use_backend("torch")
    with pytest.raises(BackendError, match="'numpy', 'cupy'"):
        Tensor([1.0]).to("torch")


def test_cupy_without_cupy_or_a_gpu_says_what_is_missing():
    if GPU:
        pytest.skip("there is a GPU here")
    with pytest.raises(BackendError, match=r"minidl\[cuda12\]|found none"):
        minidl.use_backend("cupy")
    assert minidl.backend.current_backend() == "numpy"


def test_use_backend_holds_for_its_block():
    with minidl.use_backend("numpy") as chosen:
        assert chosen is not None
        assert Tensor([1.0]).backend == "numpy"


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0", None])
def test_a_seed_is_a_non_negative_integer(seed):
    with pytest.raises(OptionError, match="seed: n must be an integer of at least 0"):
        minidl.seed(seed)


def test_one_seed_gives_the_same_draws_whatever_else_is_drawn():
    minidl.seed(5)
    first = minidl.backend.generator("init").random(3)
    minidl.seed(5)
    minidl.backend.generator("dropout").random(100)
    np.testing.assert_array_equal(minidl.backend.generator("init").random(3), first)
    minidl.seed(6)
    assert (minidl.backend.generator("init").random(3) != first).all()
