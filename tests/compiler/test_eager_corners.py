"""Machine code in eager steps, at its corners: what NumPy would do is what is done."""

import signal
import time

import numpy as np
import pytest

import minidl
from minidl import machine_code, nn, ops, optim
from minidl.kernels import eager, primitives


def floats(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def sparse(*shape):
    return floats(*shape) * (np.random.default_rng(1).random(shape) < 0.1)


def dense(x, w, activation=None):
    return ops.dense(x, w, np.zeros(w.shape[1], np.float32), activation=activation)


def test_shapes_that_do_not_fit_are_refused_however_often_they_come(choose):
    choose(True)
    x, w = sparse(32, 784), floats(100, 64)
    for _ in range(14):
        with pytest.raises(ValueError, match="mismatch"):
            dense(x, w)


def test_products_with_nothing_in_them_are_zeros(choose):
    choose(True)
    for _ in range(14):
        assert not dense(np.zeros((32, 0), np.float32), np.zeros((0, 128), np.float32)).any()


def test_one_array_in_two_places_says_nothing_about_the_next_call(choose):
    """The seed of a gradient that is the result itself; a matrix times itself."""

    def gradient():
        x, w = (minidl.Tensor(a, requires_grad=True) for a in (floats(256, 128), floats(128, 128, seed=1)))
        for _ in range(3):
            h = dense(x, w, "relu")
        minidl.gradients(h, [x], grad=h)
        return minidl.gradients(h, [w], grad=minidl.Tensor(floats(256, 128, seed=2)))[0].numpy()

    def product():
        z = sparse(64, 64)
        for _ in range(14):
            dense(z, z)
        return dense(z, floats(64, 64, seed=3))

    for run in (gradient, product):
        found = []
        for with_machine_code in (False, True):
            choose(with_machine_code)
            found.append(run())
        np.testing.assert_array_equal(*found)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer that signals")
def test_a_signals_handler_may_compute_in_the_middle_of_a_call(choose):
    choose(True)
    x, w, bias, wrong = floats(256, 8), floats(8, 64), np.ones(64, np.float32), []
    expected = [ops.dense(x, w, bias, activation="relu") for _ in range(3)][-1]
    before = signal.signal(signal.SIGALRM, lambda *_: ops.dense(x * 0, w, bias * 7, activation="relu"))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        until = time.perf_counter() + 1.5
        while time.perf_counter() < until:
            wrong.append(not np.array_equal(ops.dense(x, w, bias, activation="relu"), expected))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not any(wrong)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_overflow_raises_for_who_asked_for_it_on_one_thread_and_on_two(choose, threads):
    choose(True)
    with minidl.threads(threads), np.errstate(over="raise"):
        p = minidl.Tensor(np.ones(2_000_000, np.float32), requires_grad=True)
        optimizer = optim.Adam([p])
        gradient = np.ones(2_000_000, np.float32)
        gradient[-1] = 1e30
        p.grad = minidl.Tensor(gradient)
        with pytest.raises(FloatingPointError, match="overflow"):
            optimizer.step()


def test_relu_of_minus_zero_is_zero(choose):
    for with_machine_code in (False, True):
        choose(with_machine_code)
        eager.look()
        minus = np.full((256, 128), -0.0, np.float32)
        assert not np.signbit(eager.add_bias(minus, minus[0].copy(), "relu")).any()


@pytest.mark.parametrize("place", ["an op", "a primitive"])
def test_what_was_put_in_the_place_of_something_is_what_runs(choose, monkeypatch, place):
    choose(True)
    eager.look()
    x, w = np.ones((256, 8), np.float32), np.ones((8, 128), np.float32)
    assert dense(x, w, "sigmoid").all()
    if place == "an op":
        monkeypatch.setattr(ops.sigmoid, "forward", lambda a: a * 0)
    else:
        monkeypatch.setattr(primitives, "activate", lambda y, name, out=None: np.multiply(y, 0, out=out))
    assert not dense(x, w, "sigmoid").any()


def test_machine_code_that_cannot_be_loaded_breaks_no_step(choose, monkeypatch):
    choose(True)

    def fails():
        raise AttributeError("a NumPy and a Numba that do not fit")

    monkeypatch.setattr(machine_code, "source", fails)
    model = nn.Sequential(nn.Dense(3, 2))
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    for _ in range(3):
        optimizer.zero_grad()
        nn.softmax_cross_entropy(model(floats(4, 3)), np.array([0, 1, 0, 1])).backward()
        optimizer.step()
    assert optimizer.t == 3
