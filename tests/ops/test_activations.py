"""The error function and the activations made of it and of others: values, and what they do at their corners."""

import math

import numpy as np
import pytest

import minidl
from minidl import Tensor


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-15), (np.float32, 4e-7), (np.float16, 4e-3)])
def test_erf_is_as_exact_as_its_docstring_says_close_to_zero_too(dtype, tolerance):
    tiny = np.finfo(dtype).tiny
    x = np.concatenate([np.linspace(-7, 7, 20_001), np.geomspace(tiny, 1, 2001)]).astype(dtype)
    expected = np.array([math.erf(float(v)) for v in x])
    found = minidl.erf(x)
    assert found.dtype == dtype
    if dtype == np.float16:  # what is denormal has few digits
        x, found, expected = (v[np.abs(expected) > 1e-3] for v in (x, found, expected))
    np.testing.assert_allclose(found.astype(float), expected, rtol=tolerance, atol=0)


def test_erf_of_anything_is_odd_and_stays_within_one():
    np.testing.assert_array_equal(minidl.erf(np.array([np.inf, -np.inf, 1e300, 0.0, -0.0])), [1, -1, 1, 0, -0.0])
    assert math.isnan(minidl.erf(math.nan))
    assert minidl.erf([0.5, -0.5]).tolist() == pytest.approx([math.erf(0.5), math.erf(-0.5)])
    assert minidl.erf(np.array([1, 2])).tolist() == pytest.approx([math.erf(1), math.erf(2)], rel=1e-15)
    assert np.abs(minidl.erf(np.linspace(-9, 9, 10_001, dtype=np.float32))).max() == 1


CORNERS = {
    "elu": ([-1e9, 0, 1e9, np.nan], [-1, 0, 1e9, np.nan], [0, 1, 1, np.nan]),
    "gelu": ([-1e9, 0, 1e9, np.nan], [0, 0, 1e9, np.nan], [0, 0.5, 1, np.nan]),
    "silu": ([-1e9, 0, 1e9, np.nan], [0, 0, 1e9, np.nan], [0, 0.5, 1, np.nan]),
    "erf": ([-1e30, 0, 1e30, np.nan], [-1, 0, 1, np.nan], [0, 2 / math.sqrt(math.pi), 0, np.nan]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CORNERS)
def test_far_out_and_at_zero_they_and_their_gradients_are_finite_and_nan_stays_nan(name, dtype):
    points, values, slopes = CORNERS[name]
    x = Tensor(np.array(points, dtype), requires_grad=True)
    y = getattr(minidl, name)(x)
    np.testing.assert_array_equal(y.numpy(), np.array(values, dtype))
    y.sum().backward()
    found, expected = x.grad.numpy(), np.array(slopes, dtype)
    np.testing.assert_allclose(found[:3], expected[:3], rtol=1e-6)
    if name != "elu":  # which passes a gradient by what it compares
        assert np.isnan(found[3])


def test_the_slope_of_elu_below_zero_begins_with_alpha():
    x = Tensor([-1e-6, 0.0, 1e-6], requires_grad=True)
    minidl.elu(x, 0.3).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.3, 0.3, 1], rtol=1e-5)


def test_silu_dips_to_its_known_minimum():
    x = np.linspace(-3, 0, 300_001)
    y = minidl.silu(x)
    assert y.min() == pytest.approx(-0.2784645, abs=1e-7)  # -W(1/e), at -1.2784645
    assert x[y.argmin()] == pytest.approx(-1.2784645, abs=1e-5)


def test_they_are_smooth_at_zero_to_second_order():
    for f in (minidl.erf, minidl.gelu, minidl.silu):
        minidl.check_grads(f, [0.0, 0.0])
