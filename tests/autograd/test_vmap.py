"""vmap: a function of one sample, for a batch."""

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn
from minidl.errors import OptionError, ShapeError

X = np.arange(6.0).reshape(3, 2)


def test_a_function_of_a_sample_becomes_one_of_a_batch():
    found = minidl.vmap(lambda x: x @ x)(X)
    assert isinstance(found, Tensor)
    np.testing.assert_array_equal(found.numpy(), (X * X).sum(1))


def test_python_may_decide_by_values_for_each_slice():
    found = minidl.vmap(lambda x: x.sum() if x[0] > 1 else -x.sum())(X)
    assert found.tolist() == [-1, 5, 9]


def test_the_gradient_of_each_sample_of_a_dict_of_parameters():
    params = {"w": np.array([1.0, -1.0]), "b": np.array(0.5)}
    y = np.array([0.0, 1.0, 2.0])

    def loss(params, x, y):
        return (x @ params["w"] + params["b"] - y) ** 2

    each = minidl.vmap(minidl.grad(loss), in_axes=(None, 0, 0))(params, X, y)
    errors = 2 * (X @ params["w"] + params["b"] - y)
    np.testing.assert_allclose(each["w"].numpy(), errors[:, None] * X)
    np.testing.assert_allclose(each["b"].numpy(), errors)
    value, gradient = minidl.vmap(minidl.value_and_grad(loss), in_axes=(None, 0, 0))(params, X, y)
    np.testing.assert_allclose(value.numpy(), errors**2 / 4)
    np.testing.assert_allclose(gradient["b"].numpy(), errors)


def test_the_derivative_of_a_function_of_numbers_at_many_points():
    points = np.linspace(-1, 1, 5)
    np.testing.assert_allclose(minidl.vmap(minidl.grad(minidl.tanh))(points).numpy(), 1 / np.cosh(points) ** 2)
    np.testing.assert_allclose(minidl.vmap(minidl.hessian(lambda x: (x**3).sum()))(X).numpy()[2], np.diag([24, 30]))


def test_the_axes_that_are_cut_and_keywords_that_are_not():
    found = minidl.vmap(lambda a, b, *, by: a * by + b, in_axes=(1, None))(X, 1.0, by=np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(found.numpy(), X.T * [1, 2, 3] + 1)
    assert minidl.vmap(lambda a: a, in_axes=-1)(X).shape == (2, 3)
    np.testing.assert_array_equal(minidl.vmap(lambda a, b: a - b)(X, X).numpy(), np.zeros((3, 2)))


def test_arguments_and_results_may_be_dicts_lists_and_tuples():
    found = minidl.vmap(lambda p: (p["a"] + p["b"][0], {"n": 1.0}))({"a": X, "b": [X]})
    np.testing.assert_array_equal(found[0].numpy(), 2 * X)
    assert found[1]["n"].tolist() == [1, 1, 1]
    assert minidl.vmap(lambda x: 2 * x)([1.0, 2.0, 3.0]).tolist() == [2, 4, 6]


def test_gradients_pass_through_at_every_order():
    minidl.check_grads(lambda x, w: minidl.vmap(lambda x: minidl.exp(x @ w), 0)(x), X / 5, np.array([0.5, -0.3]))


def test_vmaps_nest():
    np.testing.assert_array_equal(
        minidl.vmap(lambda a: minidl.vmap(lambda b: a @ b)(X))(X).numpy(), X @ X.T
    )  # the matrix of all products


def test_a_loss_with_labels_is_the_batchs():
    minidl.seed(0)
    model = nn.Sequential(nn.Dense(2, 3))
    x, y = X.astype(np.float32), np.array([0, 2, 1])
    each = minidl.vmap(lambda x, y: nn.softmax_cross_entropy(model(x[None]), y[None]))(x, y)
    np.testing.assert_allclose(each.numpy(), nn.softmax_cross_entropy(model(x), y, reduction="none").numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (
            OptionError,
            lambda: minidl.vmap(lambda x: x, in_axes=(0, 0))(X),
            r"in_axes=\(0, 0\) is for 2 arguments, but 1 were",
        ),
        (OptionError, lambda: minidl.vmap(lambda x: x, in_axes=None)(X), "no argument to be cut"),
        (OptionError, lambda: minidl.vmap(lambda x: x)(), "no argument to be cut"),
        (
            ShapeError,
            lambda: minidl.vmap(lambda a, b: a)(X, X[:2]),
            r"of one length.*but argument 0 has 3, argument 1 has 2",
        ),
        (
            ShapeError,
            lambda: minidl.vmap(lambda p: p)({"a": X, "b": X[0]}),
            r"argument 0\['a'\] has 3, argument 0\['b'\] has 2",
        ),
        (ShapeError, lambda: minidl.vmap(lambda x: x)(X[:0]), "not empty"),
        (
            ShapeError,
            lambda: minidl.vmap(lambda x, y: x)(X, 2.0),
            "argument 1 is a number, with no axis to cut: .*in_axes",
        ),
        (
            ShapeError,
            lambda: minidl.vmap(lambda x: x[: int(x[0])])(X),
            r"of one form and shape.*slice 0 have \[\(0,\)\], of",
        ),
        (ShapeError, lambda: minidl.vmap(lambda x: [x] * int(x[0]))(X), "of one form and shape"),
        (IndexError, lambda: minidl.vmap(lambda x: x, in_axes=2)(X), "axis 2 is out of bounds"),
    ],
)
def test_a_mistake_is_named(error, call, message):
    with pytest.raises(error, match=message):
        call()
