"""Every kernel against its composition: value, gradient, Hessian-vector product."""

import numpy as np
import pytest
from kernel_cases import CASES, B, W, X, results

import minidl
from minidl import Tensor, ops
from minidl.fusable import Fusable


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_kernel_agrees_with_its_composition(name, dtype):
    op, arrays, extra, options = CASES[name]
    assert "numpy" in op.kernels
    fused = results(op, arrays, extra, options, dtype)
    composed = results(op.forward, arrays, extra, options, dtype)
    tolerance = 1e-11 if dtype == np.float64 else 2e-4
    for a, b in zip(fused, composed, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=tolerance, atol=tolerance)


def test_first_order_runs_the_kernel_as_one_node():
    y = ops.dense(X, Tensor(W, requires_grad=True), B, activation="relu")
    assert y._op is ops.dense


def test_every_kernel_has_a_case():
    fused = {name for name, op in vars(ops).items() if isinstance(op, Fusable)}
    assert fused == {name.split()[0] for name in CASES}


def test_only_what_is_wanted_is_computed():
    x = Tensor(X)
    w = Tensor(W, requires_grad=True)
    _, backward = ops.dense.kernels["numpy"]
    calls = []
    ops.dense.kernels["numpy"] = (ops.dense.kernels["numpy"][0], lambda *a: calls.append(a[3]) or backward(*a))
    try:
        ops.dense(x, w, B).sum().backward()
    finally:
        ops.dense.kernels["numpy"] = (ops.dense.kernels["numpy"][0], backward)
    assert calls == [[1]]


def test_an_unknown_activation_and_arguments_by_name_are_as_in_the_composition():
    with pytest.raises(minidl.errors.OptionError, match="unknown activation 'rellu': choose one of relu"):
        ops.dense(X, W, B, activation="rellu")
    np.testing.assert_allclose(ops.dense(x=X, weight=W, bias=B), X @ W + B)


def test_mixed_precision_promotes_as_the_composition_does():
    x, w = Tensor(X.astype(np.float32)), Tensor(W.astype(np.float32), requires_grad=True)
    b = Tensor(B, requires_grad=True)
    assert ops.dense(x, w, b).dtype == ops.dense.forward(x, w, b).dtype == np.float64
