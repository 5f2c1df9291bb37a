"""The engine: what is recorded, what comes back, what is done without recording, and how memory is freed."""

import copy
import gc
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import minidl
from minidl import Tensor
from minidl.autograd import Op


def leaf(values, dtype=None):
    return Tensor(values, requires_grad=True, dtype=dtype)


def test_gradient_of_a_formula_is_the_one_worked_out_by_hand():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 5.0])
    (x * y + x**2).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [5.0, 9.0])  # y + 2x
    np.testing.assert_allclose(y.grad.numpy(), [1.0, 2.0])


def test_plain_arrays_in_plain_array_out():
    result = minidl.exp(np.zeros(3))
    assert type(result) is np.ndarray


def test_leaves_accumulate_over_two_backwards_until_they_are_cleared():
    x = leaf(3.0)
    (x * x).backward()
    (x * x).backward()
    assert x.grad.item() == 12.0
    x.zero_grad()
    assert x.grad is None


def test_a_node_used_twice_is_visited_once():
    visits = []

    @Op
    def watched(a):
        return a * 2

    def formula(g, y, a):
        visits.append(1)
        return g * 2

    watched.vjp(formula)
    x = leaf(1.0)
    h = watched(x)
    (h + h * h).backward()
    assert len(visits) == 1
    assert x.grad.item() == 2 * (1 + 2 * 2)


def test_gradients_that_nobody_needs_are_not_computed():
    asked = []

    @Op
    def product(a, b):
        return a * b

    product.vjp(lambda g, y, a, b: asked.append("a") or g * b, lambda g, y, a, b: asked.append("b") or g * a)
    batch, weight = Tensor([2.0]), leaf([3.0])
    product(batch, weight).backward()
    assert asked == ["b"]
    assert batch.grad is None


def test_gradients_computes_only_what_leads_to_its_inputs():
    asked = []

    @Op
    def double(a):
        return a * 2

    double.vjp(lambda g, y, a: asked.append(1) or g * 2)
    x, z = leaf(1.0), leaf(1.0)
    (found,) = minidl.gradients(double(x) * z, [z])
    assert found.item() == 2.0
    assert asked == []


def test_gradients_takes_interior_tensors_and_touches_no_grad():
    x = leaf(2.0)
    h = x * x
    y = h * h
    dh, dx = minidl.gradients(y, [h, x])
    assert (dh.item(), dx.item()) == (8.0, 32.0)
    assert x.grad is None
    dh_again, dx_again = minidl.gradients(y, [h, x])  # the graph is kept
    assert (dh_again.item(), dx_again.item()) == (8.0, 32.0)


def test_an_unused_input_gets_zeros():
    x, unused = leaf([1.0, 2.0]), leaf([[3.0, 4.0]])
    _, du = minidl.gradients(x.sum(), [x, unused])
    np.testing.assert_array_equal(du.numpy(), [[0.0, 0.0]])
    np.testing.assert_array_equal(minidl.grad(lambda a: Tensor(5.0))(3.0).numpy(), 0.0)
    x.sum().backward()
    assert unused.grad is None


def test_no_two_leaves_share_a_gradient_array():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (a + b).sum().backward()
    a.grad.data[...] = 7.0
    np.testing.assert_array_equal(b.grad.numpy(), [1.0, 1.0])


def test_the_gradient_passed_to_backward_is_never_written_into():
    x, seed = leaf([1.0, 2.0]), np.ones(2, np.float32)
    y = x + 0.0
    (y + y + y).backward(seed)
    np.testing.assert_array_equal(seed, [1.0, 1.0])
    np.testing.assert_array_equal(x.grad.numpy(), [3.0, 3.0])


def test_a_gradient_keeps_its_leafs_dtype_and_shape():
    x = leaf(np.ones((3, 1), np.float32))
    w = leaf(np.ones(4, np.float64))
    (x * w).sum().backward()
    assert (x.grad.dtype, x.grad.shape) == (np.float32, (3, 1))
    assert (w.grad.dtype, w.grad.shape) == (np.float64, (4,))


def test_gradients_of_gradients_nest():
    third = minidl.grad(minidl.grad(minidl.grad(lambda x: x**4)))
    assert third(Tensor(2.0, dtype="float64")).item() == pytest.approx(48.0)


def test_inner_gradient_does_not_count_the_outer_variable():
    # d/dx [x * d/dy (x + y)] at y = x is 1: a classic of confused perturbations
    assert minidl.grad(lambda x: x * minidl.grad(lambda y: x + y)(x))(3.0).item() == 1.0


def test_value_and_grad_of_several_arguments():
    value, (dx, dy) = minidl.value_and_grad(lambda x, y: (x * y).sum(), argnum=(0, 1))([1.0, 2.0], [3.0, 4.0])
    assert value.item() == 11.0
    np.testing.assert_array_equal(dx.numpy(), [3.0, 4.0])
    np.testing.assert_array_equal(dy.numpy(), [1.0, 2.0])


def test_create_graph_lets_a_gradient_be_a_loss():
    x = leaf([1.0, 2.0])
    (g,) = minidl.gradients((x**3).sum(), [x], create_graph=True)
    (g * g).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [36.0, 288.0])  # d/dx 9x⁴


def test_backward_with_create_graph_leaves_differentiable_gradients():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    first = x.grad
    x.zero_grad()
    first.backward()
    assert x.grad.item() == 12.0


def test_check_grads_finds_a_wrong_formula():
    @Op
    def wrong(a):
        return a * a

    wrong.vjp(lambda g, y, a: g * a)
    with pytest.raises(AssertionError, match=r"order 1, argument 0, element \(1,\): expected .* got"):
        minidl.check_grads(wrong, np.array([0.0, 3.0]))


def test_check_grads_finds_a_formula_wrong_at_second_order_only():
    @Op
    def slope(a):
        return 3 * a * a

    slope.vjp(lambda g, y, a: g * a)  # should be 6a

    @Op
    def cube(a):
        return a**3

    cube.vjp(lambda g, y, a: g * slope(a))
    minidl.check_grads(cube, np.array(2.0), order=1)
    with pytest.raises(AssertionError, match="order 2"):
        minidl.check_grads(cube, np.array(2.0))


# no_grad


def test_no_grad_is_a_decorator_and_survives_exceptions():
    x = leaf(1.0)

    @minidl.no_grad()
    def fails():
        assert not (x * 2.0).requires_grad
        raise ValueError("on the way out")

    with pytest.raises(ValueError, match="on the way out"):
        fails()
    assert (x * 2.0).requires_grad


def test_no_grad_in_one_thread_leaves_the_others_recording():
    x = leaf(1.0)
    inside, done = threading.Event(), threading.Event()
    seen = []

    def other():
        inside.wait(10)
        seen.append((x * 2.0).requires_grad)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with minidl.no_grad():
        inside.set()
        assert done.wait(10)
        assert not (x * 2.0).requires_grad
    thread.join()
    assert seen == [True]


def test_a_parameter_whose_data_was_replaced_gets_its_gradient_in_the_new_ones_form():
    p = leaf([1.0, 2.0])
    minidl.optim.SGD([p])
    p.data = np.ones(3)
    (p * 2.0).sum().backward()
    assert (p.grad.shape, p.grad.dtype) == ((3,), np.float64)


def test_a_tensor_can_be_copied_with_all_that_it_carries():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    twin = copy.deepcopy(x)
    (twin * twin).sum().backward()
    np.testing.assert_array_equal(twin.grad.numpy(), [4.0, 8.0])
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 4.0])


# memory


def test_a_graph_dies_with_its_last_reference_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(np.ones(4))
        hidden = minidl.relu(x @ np.ones((4, 3)))
        watched = [weakref.ref(hidden)]
        loss = minidl.log_softmax(hidden).sum()
        loss.backward(retain_graph=True)
        (g,) = minidl.gradients(loss, [x], create_graph=True)
        watched += [weakref.ref(loss), weakref.ref(g)]
        del hidden, loss, g
        x.grad = None
        assert [ref() for ref in watched] == [None, None, None]
    finally:
        gc.enable()


@pytest.mark.slow
def test_a_chain_of_a_hundred_thousand_ops_goes_forward_backward_and_away():
    program = """
import sys, time
import minidl
sys.setrecursionlimit(200)
x = minidl.Tensor(1.0, requires_grad=True)
y = x
for _ in range(100_000):
    y = y + 1.0
y.backward()
assert x.grad.item() == 1.0
for _ in range(100_000):
    x = x + 1.0
del x, y  # one graph freed by backward, one by reference counting
"""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert time.perf_counter() - start < 60


def test_deep_sharing_is_linear_not_exponential():
    x = leaf(1.0, "float64")
    y = x
    for _ in range(60):
        y = (y + y) * 0.5
    y.backward()
    assert x.grad.item() == 1.0
