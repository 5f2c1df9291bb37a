"""Parameters with gradients of known values, and steps of every optimizer on them."""

import numpy as np

from minidl import Tensor


def parameters(dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    return [Tensor(rng.normal(size=s).astype(dtype), requires_grad=True) for s in ((3, 4), (4,), (), (2, 1, 2))]


def put_gradients(params, k=0):
    """A gradient for each, which depends on its values and on `k`."""
    for i, p in enumerate(params):
        p.zero_grad()
        ((p * p).sum() * 0.5 + (p * float(np.cos(k + i))).sum()).backward()


def train(optimizer, params, steps, skip=lambda k, i: False):
    for k in range(optimizer.t, optimizer.t + steps):
        put_gradients(params, k)
        for i, p in enumerate(params):
            if skip(k, i):
                p.grad = None
        optimizer.step()


def values(params):
    return [p.numpy().copy() for p in params]


def assert_equal(ours, theirs, **tolerance):
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x, y, **({"rtol": 0, "atol": 0} | tolerance))
