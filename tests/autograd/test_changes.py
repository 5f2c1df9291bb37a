"""Arrays changed in place or replaced: as NumPy would, or refused, and never behind a graph's back."""

import operator

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strict import StrictArray

import minidl
from minidl import Tensor, nn, optim
from minidl.errors import DTypeError, GradientError, ShapeError, UnsupportedError


def leaf(values, dtype=np.float32):
    return Tensor(np.asarray(values, dtype), requires_grad=True)


# --- in-place operators ------------------------------------------------------------------------------------------------
IN_PLACE = [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow]
DTYPES = [np.bool_, np.uint8, np.int8, np.int32, np.int64, np.float16, np.float32, np.float64]
OPERANDS = st.one_of(
    st.sampled_from([2, -1, 300, 0.9, True, np.float64(0.5), np.int64(3), np.uint8(2), [1, 2], [0.5, 1.0]]),
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, st.sampled_from([(2,), (1,), ()]), elements=st.just(1))
    ),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(IN_PLACE), st.sampled_from(DTYPES), OPERANDS)
def test_in_place_operators_cast_or_refuse_as_numpys_do(write, dtype, other):
    expected = np.array([3, 1], dtype)
    tensor = Tensor(expected.copy())
    array = tensor.data
    with np.errstate(all="ignore"):
        try:
            expected = write(expected, other)
        except (TypeError, ValueError, OverflowError) as error:
            with pytest.raises(OverflowError if isinstance(error, OverflowError) else (DTypeError, ShapeError)):
                write(tensor, other)
            np.testing.assert_array_equal(tensor.numpy(), np.array([3, 1], dtype))
            return
        assert write(tensor, other) is tensor
    assert tensor.data is array
    np.testing.assert_array_equal(tensor.numpy(), expected, strict=True)


def test_integers_in_place_take_no_fractions():
    i = Tensor([5, 7], dtype=int)
    with pytest.raises(DTypeError, match="itruediv: .*same_kind"):
        i /= 2
    with pytest.raises(DTypeError, match="same_kind"):
        i += 0.9
    with pytest.raises(DTypeError, match="int64 cannot take float64"):
        i += leaf([1.0, 2.0])
    i += 1
    assert i.tolist() == [6, 8]


def test_a_running_total_keeps_its_dtype_while_it_records():
    total, x = Tensor(np.float32(0.0)), leaf(2.0, np.float64)
    for _ in range(3):
        total += x * x
    assert total.dtype == np.float32
    total.backward()
    assert x.grad.item() == 12.0


def test_assignment_into_an_element_casts_as_numpys_does():
    i = Tensor(np.array([1, 2]))
    i[0] = 2.9
    assert i.tolist() == [2, 2]
    with pytest.raises(GradientError, match="where"):
        i[0] = [leaf(1.0), 2.0][0]
    with pytest.raises(GradientError, match="where"):
        i[:] = [leaf(1.0), 2.0]


# --- graphs and changes ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.__iadd__(1.0),
        lambda w: w.__setitem__(0, 1.0),
        lambda w: setattr(w, "data", w.data * 2),
        lambda w: setattr(w, "data", [5.0, 6.0]),
        lambda w: w.detach().__iadd__(1.0),
        lambda w: Tensor(w).__iadd__(1.0),
        lambda w: nn.Parameter(w).__iadd__(1.0),
        lambda w: w.reshape(2, 1).__iadd__(1.0),
        lambda w: w[:1].__iadd__(1.0),
        lambda w: Tensor(w, backend="numpy").__iadd__(1.0),
        lambda w: Tensor(w, dtype=np.float32).__iadd__(1.0),
    ],
)
@pytest.mark.parametrize("role", ["argument", "result"])
def test_a_change_of_what_a_gradient_needs_is_noticed(change, role):
    w = leaf([1.0, 2.0])
    y = minidl.exp(w)
    with minidl.no_grad():
        change(w if role == "argument" else y)
    with pytest.raises(GradientError, match=f"{role} of exp was changed in place"):
        y.sum().backward()
    assert w.grad is None


def test_a_change_before_or_beside_a_graph_disturbs_nothing():
    w = leaf([1.0, 2.0])
    view = w.detach()
    w.data = np.array([3.0, 4.0], np.float32)  # the view goes on with the old array
    y = (w * w).sum()
    view += 1
    y.backward()
    assert w.grad.tolist() == [6, 8]
    copied = Tensor(w, dtype=np.float64)
    y = (w * w).sum()
    with minidl.no_grad():
        copied += 1
    y.backward()


def test_an_optimizer_made_between_forward_and_backward_changes_no_value():
    w = leaf([1.0, 2.0])
    y = (w * w).sum()
    optim.SGD([w])
    y.backward()
    assert w.grad.tolist() == [2, 4]


# --- .data = ... -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "new",
    [
        lambda p: p.data - 0.5 * p.grad,
        lambda p: (p.data - 0.5 * p.grad).tolist(),
        lambda p: tuple((p.data - 0.5 * p.grad).tolist()),
        lambda p: p.data - 0.5 * p.grad.numpy(),
        lambda p: pandas.Series([0.0, 0.0], dtype="float32"),
    ],
)
@pytest.mark.parametrize("optimized", [False, True])
def test_data_can_be_replaced_by_whatever_is_an_array(new, optimized):
    p = leaf([1.0, 2.0])
    optimizer = optim.SGD([p], lr=1.0) if optimized else None
    (p * p).sum().backward()
    p.data = new(p)
    assert type(p.data) is np.ndarray
    assert (p.tolist(), p.dtype, p.requires_grad) == ([0, 0], np.float32, True)
    p.grad = None
    (p * 3.0).sum().backward()
    assert p.grad.tolist() == [3, 3]
    if optimized:
        optimizer.step()
        assert p.tolist() == [-3, -3]


def test_a_tensor_given_as_data_is_copied_not_shared():
    p, q = leaf([1.0, 2.0]), Tensor([3.0, 4.0])
    p.data = q
    q += 1
    assert p.tolist() == [3, 4]


def test_data_takes_another_shape_dtype_or_place_and_gradients_follow():
    p = leaf([1.0, 2.0])
    p.data = np.ones((3, 1))
    (p * 2.0).sum().backward()
    assert (p.grad.shape, p.grad.dtype) == ((3, 1), np.float64)
    p.data = StrictArray(np.ones((3, 1)))
    assert p.backend == "strict"


@pytest.mark.parametrize(
    ("new", "error", "message"),
    [
        (np.array([1, 2]), DTypeError, r"data: cannot hold dtype int64, and this Tensor requires a gradient.*astype"),
        (np.array(["a", "b"]), DTypeError, "data: cannot hold dtype <U1"),
        (["a", "b"], DTypeError, "data: cannot hold dtype <U1"),
        ([[1.0], [1.0, 2.0]], ShapeError, "data: .*equal lengths"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), DTypeError, "data: 1 of 2 elements .* masked"),
        (None, DTypeError, "data: a NoneType"),
        (np.ones(2, complex), DTypeError, "complex128"),
    ],
)
def test_data_that_is_no_array_of_numbers_is_refused_at_the_assignment(new, error, message):
    p = leaf([1.0, 2.0])
    before = p.data
    with pytest.raises(error, match=message):
        p.data = new
    assert p.data is before


def test_the_advice_for_an_update_of_data_in_place_is_the_one_that_works():
    p = leaf([1.0, 2.0])
    (p * p).sum().backward()
    with pytest.raises(UnsupportedError, match=r"with minidl.no_grad\(\): p -= lr \* p.grad"):
        p.data -= 0.5 * p.grad
    with minidl.no_grad():
        p -= 0.5 * p.grad
    assert p.tolist() == [0, 0]


# --- .grad -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("optimized", [False, True])
def test_gradients_that_are_kept_keep_their_values(optimized):
    w = leaf([1.0, 1.0])
    optimizer = optim.SGD([w], lr=0.0) if optimized else None
    kept, arrays = [], []
    for k in (1.0, 10.0, 100.0):
        w.zero_grad()
        (w * k).sum().backward()
        kept.append(w.grad)
        arrays.append(w.grad.numpy().copy())
        if optimized:
            optimizer.step()
    assert [g.tolist() for g in kept] == [[1, 1], [10, 10], [100, 100]]
    for g, values in zip(kept, arrays, strict=True):
        np.testing.assert_array_equal(g.numpy(), values)


def test_a_kept_gradient_costs_the_optimizer_nothing_and_an_old_one_can_be_put_back():
    w = leaf([1.0, 1.0])
    optimizer = optim.SGD([w], lr=1.0)
    w.sum().backward()
    first, place = w.grad, w.grad.data
    w.zero_grad()
    (w * 5.0).sum().backward()
    assert w.grad.data is place  # the new one lies where the optimizer looks for it
    w.grad = first
    optimizer.step()
    assert w.tolist() == [0, 0]


@pytest.mark.parametrize("wrong", [np.ones(2, np.float32), [1.0, 1.0], 0.0, Tensor([1.0, 2.0, 3.0])])
def test_a_gradient_that_cannot_be_added_to_is_named_before_any_is_touched(wrong):
    x, w = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    w.grad = wrong
    with pytest.raises(GradientError, match=r"the .grad of a Tensor of shape \(2,\) was set to a .*set it to None"):
        (x * w).sum().backward()
    assert x.grad is None
