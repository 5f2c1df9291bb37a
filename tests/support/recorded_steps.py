"""Steps of one's own model and loss, compiled and eager, and whether both come to the same bits."""

import numpy as np

import minidl
from minidl import optim
from minidl.hardware.threads import use_blas_threads


def trained(model, loss, batches, compiled, rule=optim.Adam):
    """The losses of some steps, and the model's numbers after them; and the compiled step."""
    optimizer = rule(model.parameters(), lr=1e-3)
    step = minidl.compile(model, loss, optimizer)
    losses = []
    for x, y in batches:
        if compiled:
            losses.append(float(step(x, y)))
            continue
        with use_blas_threads(1):
            optimizer.zero_grad()
            value = loss(model(x), y)
            value.backward()
            optimizer.step()
        losses.append(float(value))
    gradients = [p.grad if p.grad is None else p.grad.numpy().copy() for p in model.parameters()]
    return losses, {**model.state_dict()}, gradients, step


def both(make, loss, batches, rule=optim.Adam):
    found = []
    for compiled in (True, False):
        minidl.seed(4)
        with np.errstate(all="ignore"):
            found.append(trained(make(), loss, batches, compiled, rule))
    return found


def assert_equal(one, other):
    assert one[0] == other[0] or np.isnan(one[0]).any()
    for name, array in one[1].items():
        np.testing.assert_array_equal(array, other[1][name], err_msg=name)
    for a, b in zip(one[2], other[2], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)
