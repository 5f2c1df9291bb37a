"""Dicts, lists and tuples of arrays as arguments of what is differentiated, keywords, and the numbers of arguments."""

from typing import NamedTuple

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn
from minidl.errors import DTypeError, GradientError, OptionError

W, B, X = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([0.1, 0.2]), np.array([1.0, 2.0])


def loss(params, x):
    return ((x @ params["w"] + params["b"]) ** 2).sum()


EXPECTED = {"w": 2 * np.outer(X, X @ W + B), "b": 2 * (X @ W + B)}


def test_the_gradient_by_a_dict_of_arrays_is_a_dict_of_gradients():
    params = {"w": W, "b": B}
    value, gradients = minidl.value_and_grad(loss)(params, X)
    assert gradients.keys() == params.keys()
    np.testing.assert_allclose(value.item(), ((X @ W + B) ** 2).sum())
    for name, expected in EXPECTED.items():
        assert isinstance(gradients[name], Tensor)
        assert not gradients[name].requires_grad
        np.testing.assert_allclose(gradients[name].numpy(), expected)


@pytest.mark.parametrize("kind", [list, tuple])
def test_the_gradient_by_a_list_or_tuple_of_arrays_is_such_a_one(kind):
    found = minidl.grad(lambda pair, x: loss({"w": pair[0], "b": pair[1]}, x))(kind([W, B]), X)
    assert type(found) is kind
    for gradient, name in zip(found, "wb", strict=True):
        np.testing.assert_allclose(gradient.numpy(), EXPECTED[name])


class Layer(NamedTuple):
    w: np.ndarray
    b: np.ndarray


def test_trees_may_be_of_any_depth_and_kind_and_hold_none():
    tree = {"layers": [Layer(W, B), Layer(np.eye(2), np.zeros(2))], "scale": 2.0, "unused": None}

    def f(tree):
        x = X
        for layer in tree["layers"]:
            x = x @ layer.w + layer.b
        return x.sum() * tree["scale"]

    found = minidl.grad(f)(tree)
    assert type(found["layers"][0]) is Layer
    assert found["unused"] is None
    np.testing.assert_allclose(found["layers"][0].b.numpy(), [2, 2])
    np.testing.assert_allclose(found["scale"].item(), (X @ W + B).sum(), rtol=1e-6)


def test_a_list_of_numbers_is_a_vector_and_a_list_of_tensors_without_axes_too():
    assert minidl.grad(lambda x: (x * x).sum())([1.0, 2.0]).tolist() == [2, 4]
    assert minidl.grad(lambda x: (x * x).sum())([[1, 2], [3, 4]]).shape == (2, 2)
    assert minidl.grad(lambda x: (x * x).sum())((Tensor(1.0), 2)).tolist() == [2, 4]


def test_gradient_descent_on_a_dict_keeps_no_history():
    params = {"w": Tensor(W), "b": Tensor(B)}
    for _ in range(20):
        gradients = minidl.grad(loss)(params, X)
        params = {name: params[name] - 0.05 * gradients[name] for name in params}
    assert loss(params, X).item() < 1e-3
    assert not params["w"].requires_grad


def test_what_in_a_dict_requires_a_gradient_outside_can_be_differentiated_through():
    w = Tensor(W, requires_grad=True)
    found = minidl.grad(loss)({"w": w, "b": B}, X)
    found["b"].sum().backward()  # 2 Σ (x @ w + b)
    np.testing.assert_allclose(w.grad.numpy(), 2 * np.outer(X, [1, 1]))
    assert not minidl.grad(loss)({"w": w.detach(), "b": B}, X)["b"].requires_grad
    assert minidl.grad(lambda x, params: loss(params, x))(X, {"w": w, "b": B}).requires_grad


def test_keywords_pass_through():
    def f(x, *, by=1.0):
        return (by * x * x).sum()

    assert minidl.grad(f)([1.0, 2.0], by=3.0).tolist() == [6, 12]
    assert minidl.value_and_grad(f)([1.0, 2.0], by=3.0)[0].item() == 15
    by = Tensor(3.0, requires_grad=True)
    minidl.grad(f)([1.0, 2.0], by=by).sum().backward()
    assert by.grad.item() == 6


def test_several_arguments_and_their_numbers():
    def f(a, b, c):
        return (minidl.multiply(a, b) * c).sum()

    first, last = minidl.grad(f, argnum=(0, -1))([1.0], [2.0], [3.0])
    assert (first.tolist(), last.tolist()) == ([6], [2])
    assert minidl.grad(f, np.int64(1))([1.0], [2.0], [3.0]).tolist() == [3]
    (one,) = minidl.grad(f, argnum=[2])([1.0], [2.0], [3.0])
    assert one.tolist() == [2]


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (TypeError, lambda f: minidl.grad(f, argnums=0), "grad: no argnums=: it is argnum= here"),
        (TypeError, lambda f: minidl.value_and_grad(f, argnums=(0, 1)), "value_and_grad: no argnums=: it is argnum="),
        (TypeError, lambda f: minidl.jacobian(f, argnums=0), "jacobian: no argnums="),
        (TypeError, lambda f: minidl.hessian(f, argnums=0), "hessian: no argnums="),
        (TypeError, lambda f: minidl.grad(f, has_aux=True), "grad: no has_aux=: it takes argnum= alone"),
        (TypeError, lambda f: minidl.grad(f, "x"), "integer"),
        (
            TypeError,
            lambda f: minidl.grad(Tensor(1.0), [Tensor(1.0)]),
            r"takes a function, not a Tensor.*minidl.gradients",
        ),
        (
            OptionError,
            lambda f: minidl.grad(f, 1)(1.0),
            "argnum=1, but the function was called with 1 arguments by pos",
        ),
        (OptionError, lambda f: minidl.grad(f)(x=1.0), "argnum=0, but the function was called with 0 arguments"),
        (OptionError, lambda f: minidl.jacobian(f, (0, -2))(1.0), "jacobian: argnum=-2"),
        (DTypeError, lambda f: minidl.grad(f)(np.arange(3)), "grad: argument 0 cannot be differentiated by: .*int64"),
        (
            DTypeError,
            lambda f: minidl.grad(f)({"w": W, "act": "relu"}),
            r"argument 0\['act'\] cannot be differentiated",
        ),
        (DTypeError, lambda f: minidl.grad(f)([W, {"n": np.arange(2)}]), r"argument 0\[1\]\['n'\] cannot"),
        (
            DTypeError,
            lambda f: minidl.grad(f)(nn.Dense(2, 2)),
            "argument 0 cannot be differentiated by: .*a Dense is no",
        ),
        (GradientError, lambda f: minidl.grad(lambda x: x)(W), "a Tensor of one element, not Tensor.*minidl.jacobian"),
        (GradientError, lambda f: minidl.grad(lambda x: 2.0)(W), "a Tensor of one element, not 2.0$"),
    ],
)
def test_a_mistake_is_named(error, call, message):
    with pytest.raises(error, match=f"(?s){message}"):
        call(lambda x: (x * x).sum())
