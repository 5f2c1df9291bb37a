"""NumPy's functions beyond what networks need: how many there are, what they do at corners, and what they refuse.

Their values and gradients are checked with all others in test_gradients.py, from tests/support/numpy_cases.py.
"""

import inspect
import runpy
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from numpy_cases import numpys
from op_cases import CASES, MINIDL

import minidl
from minidl import Tensor, check_grads
from minidl.errors import DTypeError, GradientError, OptionError, ShapeError, UnsupportedError
from minidl.ops.namesakes import _RENAMED, NAMESAKES

ROOT = Path(__file__).parents[2]

# Every function of real numbers that has a gradient in HIPS autograd 1.8: autograd/numpy/numpy_vjps.py, and what
# numpy_wrapper.py makes of those.
AUTOGRAD = """
    abs absolute add amax amin angle append arccos arccosh arcsin arcsinh arctan arctan2 arctanh array array_split astype
    atleast_1d atleast_2d atleast_3d broadcast_to c_ clip column_stack concatenate conj conjugate cos cosh cross cumsum
    deg2rad degrees diag diagonal diff divide dot dsplit einsum exp exp2 expand_dims expm1 fabs fliplr flipud fmax fmin
    full gradient hsplit hstack hypot imag inner kron linspace log log10 log1p log2 logaddexp logaddexp2 make_diagonal
    matmul max maximum mean min minimum mod moveaxis multiply nan_to_num negative outer pad partition power prod r_
    rad2deg radians ravel real real_if_close reciprocal remainder repeat reshape roll rollaxis rot90 select sin sinc sinh
    sort split sqrt square squeeze stack std subtract sum swapaxes tan tanh tensordot tile trace transpose tril triu
    true_divide var vsplit vstack where
""".split()
AUTOGRAD_LINALG = "cholesky det eigh inv norm pinv slogdet solve svd".split()  # linalg.py; its eig is complex
OF_NEW_TENSORS = {  # their first arguments are no arrays
    "array": lambda a, b: minidl.array([[a, b], [b, 1.0]]),
    "full": lambda a: minidl.full((2, 3), a),
    "linspace": lambda a, b: minidl.linspace(a, b, 4),
}


def test_nearly_every_gradient_of_autograds_is_there_and_checked_to_second_order():
    checked = {id(attrgetter(case.op)(MINIDL)) for case in CASES} | {id(getattr(minidl, n)) for n in OF_NEW_TENSORS}
    there = [name for name in AUTOGRAD if id(getattr(minidl, name, None)) in checked]
    missing = set(AUTOGRAD) - set(there)
    assert missing == {"c_", "make_diagonal", "r_"}  # two are no functions, and NumPy does not have the third
    assert len(there) / len(AUTOGRAD) >= 0.97
    assert {id(getattr(minidl.linalg, name)) for name in AUTOGRAD_LINALG} <= checked


@pytest.mark.parametrize("name", OF_NEW_TENSORS)
def test_gradients_through_new_tensors(name):
    points = [1.5, -2.0, 0.5][: OF_NEW_TENSORS[name].__code__.co_argcount]
    check_grads(OF_NEW_TENSORS[name], *points)


@pytest.mark.parametrize("case", [*numpys()], ids=lambda case: case.name)
def test_numpys_own_function_of_a_tensor_is_minidls(case):
    for of in case.shapes:
        tensors = [Tensor(x) for x in case.draw(of)]
        found, expected = case.call(np, *tensors), case.call(MINIDL, *tensors)
        assert isinstance(found, Tensor)
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_what_numpys_functions_need_has_the_same_names_here():
    for theirs, ours in NAMESAKES.items():
        if not isinstance(theirs, np.ufunc):
            with suppress(ValueError):  # older versions have no signatures for functions in C
                named = [p for p in inspect.signature(theirs).parameters.values() if p.kind is not p.POSITIONAL_ONLY]
                needed = {_RENAMED.get(p.name, p.name) for p in named if p.default is p.empty}
                assert needed - {"args", "arys", "kwargs", "operands", "varargs", "xi"} <= {
                    *inspect.signature(ours).parameters
                }


def test_the_page_lists_todays_functions():
    page = (ROOT / "docs/numpy.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(ROOT / "docs/list_numpy.py"))["written"](page) == page, "run: python docs/list_numpy.py"
    for name in ("logaddexp2", "nanmedian", "linalg.norm", "allclose"):
        assert (f"`{name}`" in page) == (name != "nanmedian")


# --- corners ---------------------------------------------------------------------------------------------------------
def slopes(f, *points):
    tensors = [Tensor(np.array(p, float), requires_grad=True) for p in points]
    return [g.tolist() for g in minidl.gradients(f(*tensors).sum(), tensors)]


@pytest.mark.parametrize(
    ("f", "points", "expected"),
    [
        (minidl.fmax, [[1, np.nan, 2], [np.nan, 1, 2]], [[1, 0, 0.5], [0, 1, 0.5]]),
        (minidl.fmin, [[1, 2], [2, 1]], [[1, 0], [0, 1]]),
        (minidl.hypot, [[0, 3], [0, 4]], [[0, 0.6], [0, 0.8]]),
        (minidl.logaddexp, [[-np.inf, 0, -np.inf], [-np.inf, 0, 1]], [[0, 0.5, 0], [0, 0.5, 1]]),
        (minidl.logaddexp2, [[-np.inf, 0], [-np.inf, 0]], [[0, 0.5], [0, 0.5]]),
        (minidl.nan_to_num, [[np.nan, np.inf, 2]], [[0, 0, 1]]),
        (minidl.nanmean, [[np.nan, 1, 2, np.nan]], [[0, 0.5, 0.5, 0]]),
        (minidl.nanstd, [[1, 1, np.nan]], [[0, 0, 0]]),
        (minidl.nanmax, [[3, np.nan, 3]], [[0.5, 0, 0.5]]),
        (minidl.median, [[5, 1, 3, 2]], [[0, 0, 0.5, 0.5]]),
        (lambda a: minidl.select([a > 1, a > 0], [a * a, -a]), [[2, 0.5, -1]], [[4, -1, 0]]),
        (lambda a: minidl.percentile(a, 0), [[5, 1]], [[0, 1]]),
    ],
)
def test_gradient_at_a_corner(f, points, expected):
    assert slopes(f, *points) == expected


@pytest.mark.parametrize("order", range(5))
def test_sinc_has_all_derivatives_at_zero_near_it_and_beyond(order):
    f = minidl.sinc
    for _ in range(order):
        f = minidl.grad(f)
    t = np.linspace(0, 1, 20_001)
    for x in (0.0, 1e-8, 5e-4, 0.3, 0.9, (order + 1) / np.pi, 1.7, -2.6):  # sinc(x) is the integral of cos(πxt) over t
        expected = np.trapezoid((np.pi * t) ** order * np.cos(np.pi * x * t + order * np.pi / 2), t)
        assert f(np.array(x)).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("point", [[2.0, 0.0, 3.0, 0.5, 1.5], [0.0, 0.0, 3.0], [[0.0, 2.0, 0.0], [1.0, 0.0, 2.0]]])
def test_cumprod_at_zeros_to_second_order(point):
    check_grads(lambda a: minidl.cumprod(a, axis=-1), point)


def test_numbers_and_lists_do_not_widen():
    x = Tensor([1.0, 3.0, 2.0])
    for y in (
        minidl.diff(x, prepend=0, append=[1.0]),
        minidl.quantile(x, [0.1, 0.5]),
        minidl.select([x > 1], [x], 0.5),
        minidl.append(x, [1.0]),
        x // 2 + x % 0.7,
        minidl.average(x, weights=[1, 2, 3]),
        minidl.trapezoid(x, dx=0.5),
        minidl.full_like(x, 2),
    ):
        assert y.dtype == np.float32
    assert minidl.median(Tensor([1, 2], dtype=int)).item() == 1.5


def test_infinite_elements_have_a_median_and_a_nan_makes_it_nan():
    assert minidl.median(Tensor([np.inf, np.inf, 1.0])).item() == np.inf
    assert np.isnan(minidl.median(Tensor([np.nan, 1.0, 2.0])).item())


@pytest.mark.parametrize(("axis", "keepdims"), [(None, True), (1, True), ((0, -1), False)])
def test_several_quantiles_at_once_come_along_the_first_axis(axis, keepdims):
    a, q = np.random.default_rng(0).random((3, 4, 2)), [[0.1, 0.5], [0.9, 1.0]]
    found = minidl.quantile(Tensor(a), q, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(found.numpy(), np.quantile(a, q, axis=axis, keepdims=keepdims), rtol=1e-12, strict=True)
    check_grads(lambda a: minidl.quantile(a, q, axis=axis), a, order=1)


def test_integers_and_booleans_are_padded_and_compared_as_numpys_are():
    a = np.array([[1, 2], [4, 9]])
    for mode in ("mean", "linear_ramp", "median"):
        np.testing.assert_array_equal(minidl.pad(Tensor(a), 3, mode).numpy(), np.pad(a, 3, mode))
    flips = np.array([True, False, False])
    np.testing.assert_array_equal(minidl.diff(Tensor(flips)).numpy(), np.diff(flips))
    assert (Tensor(a) > 2).copy().tolist() == [[False, False], [True, True]]


def test_where_with_a_condition_alone_gives_the_places():
    wrong = Tensor([1.0, 0.0, 2.0]) != np.array([1.0, 1.0, 1.0])
    np.testing.assert_array_equal(np.where(wrong), [[1, 2]])


def test_a_question_without_a_gradient_is_asked_under_numpys_name():
    x = minidl.Tensor([1.0, np.inf, 1.0], requires_grad=True)
    assert minidl.allclose(x, x) is True
    assert (minidl.any(x > 2), minidl.all(x > 2)) == (True, False)
    np.testing.assert_array_equal(minidl.isinf(x), [False, True, False])
    np.testing.assert_array_equal(minidl.logical_not(x > 2), [True, False, True])
    np.testing.assert_array_equal(minidl.unique(x), [1, np.inf])
    with pytest.raises(AttributeError, match="module 'minidl' has no attribute 'fft'"):
        minidl.fft


def test_tensors_are_saved_as_arrays(tmp_path):
    x = Tensor([1.0, 2.0], requires_grad=True)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x)
    assert np.load(tmp_path / "x.npy").tolist() == np.load(tmp_path / "x.npz")["x"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("error", "f", "message"),
    [
        (ShapeError, lambda x: minidl.cross(x, x), "vectors of length 3, got 2"),
        (ShapeError, lambda x: minidl.matrix_transpose(x[0]), "at least 2 axes"),
        (ShapeError, lambda x: minidl.median(x[:0]), r"shape \(0, 2\) has no elements"),
        (ShapeError, lambda x: minidl.diff(x[0, 0]), "expected an axis"),
        (ShapeError, lambda x: minidl.gradient(x[:1]), "needs one sample more"),
        (ShapeError, lambda x: minidl.select([x > 0], []), "1 conditions do not fit 0 choices"),
        (ShapeError, lambda x: minidl.array_split(x, 0), "at least one section"),
        (ShapeError, lambda x: minidl.meshgrid(x, indexing="yx"), "'xy' or 'ij'"),
        (ShapeError, lambda x: minidl.pad(x[:0], 1, "edge"), "no elements for mode 'edge'"),
        (ShapeError, lambda x: minidl.rollaxis(x, 0, 5), "start=5"),
        (ShapeError, lambda x: minidl.vstack([x, x[:, :1]]), "concatenate: "),
        (OptionError, lambda x: minidl.quantile(x, 1.5), r"does not lie in \[0, 1\]"),
        (OptionError, lambda x: minidl.quantile(x, 0.3, method="weibull"), "unknown method 'weibull'"),
        (UnsupportedError, lambda x: minidl.gradient(x, [0.0, 1.0], 1.0), "no coordinates"),
        (UnsupportedError, lambda x: np.copyto(x, 1), "no numpy.copyto"),
        (GradientError, lambda x: minidl.pad(x, 1, constant_values=x.sum()), "pad: "),
        (GradientError, lambda x: minidl.percentile(x, x.sum()), "percentile: "),
        (DTypeError, lambda x: minidl.zeros(2, 3), r"zeros\(\(2, 3\)\)"),
        (TypeError, lambda x: minidl.stack([x, x], dim=1), "here it is axis="),
        (TypeError, lambda x: minidl.softmax(x, dim=1), "here it is axis="),
    ],
)
def test_a_mistake_is_named(error, f, message):
    with pytest.raises(error, match=message):
        f(Tensor(np.ones((2, 2)), requires_grad=True))
