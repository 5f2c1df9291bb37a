"""jacobian, hessian, jvp and hvp: against formulas, differences and one another."""

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn
from minidl.errors import GradientError, ShapeError

A = np.array([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0]])
X = np.array([0.4, -1.3, 2.0])
V = np.array([1.0, 2.0, -0.5])


def curved(x):
    """Three values of a smooth function, which have a Jacobian and Hessians without zeros."""
    return minidl.tanh(A @ x) * x[:2] + minidl.prod(x)


def scalar(x):
    return (curved(x) ** 2).sum()


def differences(f, x, eps=1e-6):
    """The Jacobian of `f`, by central differences."""
    columns = []
    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = eps
        step = step.reshape(x.shape)
        columns.append((f(Tensor(x + step)).numpy() - f(Tensor(x - step)).numpy()) / (2 * eps))
    columns = np.stack(columns, -1)
    return columns.reshape(columns.shape[:-1] + x.shape)


def model(seed=0):
    minidl.seed(seed)
    net = nn.Sequential(nn.Dense(3, 4), nn.Tanh(), nn.Dense(4, 2))
    return lambda x: net(x[None].astype(np.float32))[0]


# --- jacobian --------------------------------------------------------------------------------------------------------
def test_the_jacobian_of_a_linear_function_is_its_matrix():
    found = minidl.jacobian(lambda x: A @ x)(X)
    np.testing.assert_array_equal(found.numpy(), A)
    assert not found.requires_grad


def test_the_jacobian_is_that_of_differences():
    np.testing.assert_allclose(minidl.jacobian(curved)(X).numpy(), differences(curved, X), rtol=1e-7)


@pytest.mark.parametrize(
    ("rows", "columns"), [((), ()), ((), (3,)), ((2,), ()), ((2, 1), (3, 1)), ((0,), (3,)), ((2,), (0,))]
)
def test_a_jacobian_has_the_shape_of_the_result_and_then_of_the_argument(rows, columns):
    found = minidl.jacobian(lambda x: x.sum() * np.ones(rows) if rows else x.sum())(np.ones(columns))
    np.testing.assert_array_equal(found.numpy(), np.ones(rows + columns))
    assert found.shape == rows + columns


def test_the_jacobian_by_several_arguments_and_by_a_dict():
    f = lambda w, x, *, by: by * (w @ x)
    by_w, by_x = minidl.jacobian(f, argnum=(0, 1))(A, X, by=2.0)
    np.testing.assert_array_equal(by_x.numpy(), 2 * A)
    np.testing.assert_array_equal(by_w.numpy(), np.einsum("ij,k->ijk", 2 * np.eye(2), X))
    found = minidl.jacobian(lambda params: f(params["w"], params["x"], by=1.0))({"w": A, "x": X})
    np.testing.assert_array_equal(found["x"].numpy(), A)
    assert found["w"].shape == (2, 2, 3)


def test_the_jacobian_of_a_dict_of_results_is_a_dict():
    found = minidl.jacobian(lambda x: {"double": 2 * x, "pair": (x.sum(), Tensor(1.0))})(X)
    np.testing.assert_array_equal(found["double"].numpy(), 2 * np.eye(3))
    assert found["pair"][0].tolist() == [1, 1, 1]
    assert found["pair"][1].tolist() == [0, 0, 0]


def test_the_jacobian_of_a_network_is_that_of_differences():
    net = model()
    np.testing.assert_allclose(minidl.jacobian(net)(X).numpy(), differences(net, X, 1e-2), rtol=1e-3, atol=1e-4)
    assert minidl.jacobian(net)(X).requires_grad  # the network's parameters do


def test_a_jacobian_can_be_differentiated_again():
    minidl.check_grads(minidl.jacobian(curved), X, order=1)
    third = minidl.jacobian(minidl.jacobian(minidl.jacobian(lambda x: (x**3).sum())))([1.0, 2.0])
    np.testing.assert_array_equal(third.numpy(), 6 * (np.arange(8).reshape(2, 2, 2) % 7 == 0))


# --- hessian ---------------------------------------------------------------------------------------------------------
def test_the_hessian_is_that_of_differences_and_symmetric():
    found = minidl.hessian(scalar)(X).numpy()
    np.testing.assert_allclose(found, differences(minidl.grad(scalar), X), rtol=1e-6)
    np.testing.assert_allclose(found, found.T, rtol=1e-12)


def test_the_hessian_by_several_arguments_has_a_block_for_each_two():
    (aa, ab), (ba, bb) = minidl.hessian(lambda a, b, by: by * a**2 * b, argnum=(0, 1))(3.0, 5.0, by=1.0)
    assert [block.item() for block in (aa, ab, ba, bb)] == [10, 6, 6, 0]


def test_the_hessian_by_a_dict_is_a_dict_of_dicts():
    found = minidl.hessian(lambda p: (p["a"] ** 2 * p["b"]).sum())({"a": np.array([3.0]), "b": np.array([5.0])})
    assert {(i, j): found[i][j].item() for i in "ab" for j in "ab"} == {
        ("a", "a"): 10,
        ("a", "b"): 6,
        ("b", "a"): 6,
        ("b", "b"): 0,
    }


# --- products with a vector ------------------------------------------------------------------------------------------
def test_jvp_is_the_value_and_the_jacobian_times_the_vector():
    value, product = minidl.jvp(curved, X, V)
    np.testing.assert_array_equal(value.numpy(), curved(X))
    np.testing.assert_allclose(product.numpy(), minidl.jacobian(curved)(X).numpy() @ V)
    assert not value.requires_grad
    assert not product.requires_grad


def test_hvp_is_the_hessian_times_the_vector():
    product = minidl.hvp(scalar, X, V)
    np.testing.assert_allclose(product.numpy(), minidl.hessian(scalar)(X).numpy() @ V)
    assert not product.requires_grad


def test_products_for_several_arguments_dicts_and_keywords():
    f = lambda a, p, *, by: by * minidl.sin(a) * p["b"] ** 2
    a, b, da, db = (np.array([v]) for v in (0.3, 2.0, 0.5, -1.0))
    _, product = minidl.jvp(f, (a, {"b": b}), (da, {"b": db}), by=3.0)
    np.testing.assert_allclose(product.numpy(), 3 * (np.cos(a) * b**2 * da + np.sin(a) * 2 * b * db))
    of_a, of_p = minidl.hvp(f, (a, {"b": b}), (da, {"b": db}), by=3.0)
    np.testing.assert_allclose(of_a.numpy(), 3 * (-np.sin(a) * b**2 * da + np.cos(a) * 2 * b * db))
    np.testing.assert_allclose(of_p["b"].numpy(), 3 * (np.cos(a) * 2 * b * da + np.sin(a) * 2 * db))


def test_products_with_numbers():
    assert [t.item() for t in minidl.jvp(lambda x: x**3, 2.0, 1.0)] == [8, 12]
    assert [t.item() for t in minidl.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 1.0))] == [6, 5]
    assert minidl.hvp(lambda x: x**3, 2.0, 0.5).item() == 6
    assert [t.item() for t in minidl.hvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))] == [0, 1]


def test_products_of_what_does_not_depend_on_the_argument_are_zero():
    assert minidl.jvp(lambda x: Tensor([1.0, 2.0]), X, V)[1].tolist() == [0, 0]
    assert minidl.hvp(lambda x: Tensor(1.0), X, V).tolist() == [0, 0, 0]
    assert minidl.hvp(lambda x: (A @ x).sum(), X, V).tolist() == [0, 0, 0]
    assert minidl.jvp(lambda x: x > 0, X, V)[1].shape == (3,)


def test_products_work_under_no_grad_and_can_be_differentiated_where_something_is_recorded():
    with minidl.no_grad():
        assert not minidl.hvp(scalar, X, V).requires_grad
        np.testing.assert_allclose(minidl.jvp(lambda x: A @ x, X, V)[1].numpy(), A @ V)
    v = Tensor(V, requires_grad=True)
    minidl.jvp(curved, X, v)[1].sum().backward()
    np.testing.assert_allclose(v.grad.numpy(), minidl.jacobian(curved)(X).numpy().sum(0))
    minidl.check_grads(lambda x: minidl.hvp(scalar, x, V), X, order=1)
    minidl.check_grads(lambda x: minidl.jvp(curved, x, V)[1], X, order=1)


def test_products_through_a_networks_kernels_are_those_of_the_jacobian():
    net = model()
    np.testing.assert_allclose(
        minidl.jvp(net, X, V)[1].numpy(), minidl.jacobian(net)(X).numpy() @ V, rtol=1e-5, atol=1e-6
    )


# --- what is refused -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (
            GradientError,
            lambda: minidl.jacobian(lambda x: 3.0)(X),
            "jacobian: the function must return Tensors, not 3.0",
        ),
        (GradientError, lambda: minidl.jvp(lambda x: [x, "a"], X, V), "jvp: the function must return Tensors, not 'a'"),
        (GradientError, lambda: minidl.hvp(curved, X, V), "hvp: the function must return a Tensor of one element"),
        (GradientError, lambda: minidl.hessian(curved)(X), "the function must return a Tensor of one element"),
        (
            ShapeError,
            lambda: minidl.jvp(curved, X, V[:2]),
            r"jvp: v must be.*at \[0\] x has shape \(3,\), and v has \(2,\)",
        ),
        (
            ShapeError,
            lambda: minidl.hvp(scalar, X, (V, V)),
            r"hvp: v must be.*at \[1\] x has shape none, and v has \(3,\)",
        ),
        (ShapeError, lambda: minidl.hvp(lambda p: p["a"], {"a": 1.0}, {"b": 1.0}), r"at \[0\]\['[ab]'\] x has shape"),
        (TypeError, lambda: minidl.jacobian(Tensor(X)), "jacobian: takes a function, not a Tensor"),
    ],
)
def test_a_mistake_is_named(error, call, message):
    with pytest.raises(error, match=f"(?s){message}"):
        call()
