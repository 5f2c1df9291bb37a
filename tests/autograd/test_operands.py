"""What stands beside a Tensor: numbers never widen it, lists and foreign arrays count as arrays, no gradient is lost."""

from types import SimpleNamespace

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import CASES, MINIDL
from scipy import sparse

import minidl
from minidl import Tensor, nn, ops
from minidl.autograd import Op
from minidl.errors import DTypeError, GradientError, MinidlError, ShapeError

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")


def leaf(values, dtype=np.float32):
    return Tensor(np.asarray(values, dtype), requires_grad=True)


# --- numbers ---------------------------------------------------------------------------------------------------------
BESIDE_A_NUMBER = {
    "add": minidl.add,
    "subtract": minidl.subtract,
    "multiply": minidl.multiply,
    "divide": minidl.divide,
    "power": minidl.power,
    "maximum": minidl.maximum,
    "minimum": minidl.minimum,
    "arctan2": minidl.arctan2,
    "clip": lambda x, s: minidl.clip(x, s, None),
    "clip limits": lambda x, s: minidl.clip(s, x, x),
    "where": lambda x, s: minidl.where(x > 0, x, s),
    "where reversed": lambda x, s: minidl.where(x > 0, s, x),
    "where of two numbers": lambda x, s: minidl.where(x > 0, s, s),
    "where of a list": lambda x, s: minidl.where(x > 0, [s, s, s], s),
    "stack": lambda x, s: minidl.stack([x[0], s]),
    "stack reversed": lambda x, s: minidl.stack([s, x[0]]),
    "concatenate": lambda x, s: minidl.concatenate([x, [s]]),
    "concatenate flat": lambda x, s: minidl.concatenate([s, x], axis=None),
    "dot": minidl.dot,
    "inner": minidl.inner,
    "outer": minidl.outer,
    "tensordot": lambda x, s: minidl.tensordot(x, s, 0),
    "einsum": lambda x, s: minidl.einsum("i,->i", x, s),
    "matmul": lambda x, s: minidl.matmul(x, [s, s, s]),
    "pad": lambda x, s: minidl.pad(x, 1, constant_values=s),
    **{name: getattr(minidl, name) for name in "hypot logaddexp logaddexp2 fmax fmin remainder fmod kron".split()},
    "floor_divide": minidl.floor_divide,
    "divmod": lambda x, s: minidl.divmod(x, s)[1],
    "remainder operators": lambda x, s: s // x + x % s,
    "full_like": lambda x, s: minidl.full_like(x, s) * x,
    "select": lambda x, s: minidl.select([x > 1, x > 0], [x, s], s),
    "average": lambda x, s: minidl.average(x, weights=[s, s, s]),
    "append": minidl.append,
    "append reversed": lambda x, s: minidl.append(s, x),
    "broadcast_arrays": lambda x, s: minidl.broadcast_arrays(x, s)[1] * x,
    "atleast_1d": lambda x, s: minidl.atleast_1d(x, s)[1] * x,
    "meshgrid": lambda x, s: minidl.meshgrid(x, [s])[1] * x,
    "cross": lambda x, s: minidl.cross(x, [s, s, s]),
    "vdot": lambda x, s: minidl.vdot(x, [s, s, s]),
    "trapezoid": lambda x, s: minidl.trapezoid(x, dx=s),
    "diff": lambda x, s: minidl.diff(x, prepend=s, append=s),
    "gradient": lambda x, s: minidl.gradient(x, s),
    **{name: lambda x, s, name=name: getattr(minidl, name)([x[:1], [s]]) for name in ("vstack", "hstack", "dstack")},
    "column_stack": lambda x, s: minidl.column_stack([x, [s, s, s]]),
    "leaky_relu": lambda x, s: minidl.leaky_relu(x, s),
    "var": lambda x, s: minidl.var(x, ddof=s * 0),
    "std": lambda x, s: minidl.std(x, ddof=s * 0),
    "dense": lambda x, s: ops.dense(x, [[s], [s], [s]], [s]),
    "batch_norm": lambda x, s: ops.batch_norm(x[:, None], [s], [s], eps=abs(s) + 1),
    "binary_cross_entropy": lambda x, s: ops.binary_cross_entropy(x, s),
    "mean_squared_error": lambda x, s: nn.mean_squared_error(x, [s, s, s]),
    "Tensor of a list": lambda x, s: Tensor([x[0], s]),
    "operators": lambda x, s: (s + x * s - s) / s,
}
NUMBERS = [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2), np.bool_(True)]


@pytest.mark.parametrize("name", BESIDE_A_NUMBER)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    number=st.sampled_from(NUMBERS), dtype=st.sampled_from([np.float16, np.float32, np.float64]), first=st.booleans()
)
def test_no_number_ever_widens_a_tensor(name, number, dtype, first):
    if name == "subtract" and isinstance(number, np.bool_):
        number = bool(number)
    x = leaf([1.0, 0.5, 2.0], dtype)
    call = BESIDE_A_NUMBER[name]
    symmetric = first and getattr(call, "signature", None) is not None
    y = call(number, x) if symmetric else call(x, number)
    if name in (
        "where of two numbers",
        "where of a list",
    ):  # alone they become float32, as in Tensor(2.0), or stay bool
        assert y.dtype == (bool if isinstance(number, bool | np.bool_) else np.float32)
        return
    assert y.dtype == dtype
    (g,) = minidl.gradients(y, [x], np.ones(y.shape))
    assert g.dtype == dtype


def test_every_function_of_several_arrays_is_tried_beside_a_number():
    tried = {name.partition(" ")[0] for name in BESIDE_A_NUMBER}
    several = {case.op for case in CASES if max(map(len, case.shapes)) > 1}
    assert several - {"linalg.solve", "linalg.multi_dot"} <= tried  # which take matrices only


# --- lists, and Tensors in them ----------------------------------------------------------------------------------------
class Listed(list):
    """A list without operators: what a function is given, and not what Python makes of ``[...] * 2``."""

    __mul__ = __rmul__ = __add__ = __radd__ = __gt__ = __getitem__ = None


def as_lists(x, depth):
    """A Tensor or array as nested lists, of 0-d ones or of some with the last axes left."""
    return x if depth == 0 or x.ndim == 0 else Listed(as_lists(row, depth - 1) for row in x)


def gradients_of(y, xs):
    return [g.numpy() for g in minidl.gradients(y, xs, np.cos(np.arange(y.size)).reshape(y.shape))]


LISTED = [case for case in CASES if all(np.prod(shape) for shape in case.shapes[0])]


@pytest.mark.parametrize("case", LISTED, ids=lambda case: case.name)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(depth=st.integers(1, 3), data=st.data())
def test_a_tensor_inside_lists_is_recorded_or_refused(case, depth, data):
    points = [np.asarray(p) for p in case.draw(case.shapes[0])]
    xs = [Tensor(p, requires_grad=True) for p in points]
    which = data.draw(st.integers(0, len(xs) - 1))
    try:
        y = case.call(MINIDL, *[as_lists(x, depth) if i == which else x for i, x in enumerate(xs)])
    except (MinidlError, AttributeError, TypeError):  # a.reshape(...) or a > b, of a list: Python's own error
        return
    for mine, right in zip(gradients_of(y, xs), gradients_of(case.call(MINIDL, *xs), xs), strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", LISTED, ids=lambda case: case.name)
def test_a_list_counts_as_an_array(case):
    points = [np.asarray(p) for p in case.draw(case.shapes[0])]
    try:
        found = case.call(MINIDL, *[as_lists(p, p.ndim) for p in points])
    except (AttributeError, TypeError):  # the case uses a method or an operator of its argument
        assert uses_more_than_functions(case, points)
        return
    np.testing.assert_allclose(found, case.call(MINIDL, *points), rtol=1e-6)


def uses_more_than_functions(case, points):
    """Whether a case also uses methods or operators of its arguments, which a list has not."""

    class Bare:
        __slots__ = ()

    everything = {name: lambda *args, **options: None for name in vars(MINIDL)}
    try:
        case.call(SimpleNamespace(**everything), *[Bare() for _ in points])
    except (AttributeError, TypeError):
        return True
    return False


# --- parameters --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "call",
    [
        lambda x, y: minidl.pad(x, 1, constant_values=y[0]),
        lambda x, y: minidl.pad(x, 1, constant_values=(y[0], 0.0)),
        lambda x, y: minidl.leaky_relu(x, y[0]),
        lambda x, y: minidl.var(x, ddof=y[0]),
        lambda x, y: ops.batch_norm(x[:, None], [1.0], [0.0], eps=y[0]),
    ],
)
def test_a_parameter_takes_no_tensor_that_requires_a_gradient(call):
    x, y = leaf([1.0, 2.0]), leaf([0.5, 0.5])
    with pytest.raises(GradientError, match=r"parameter.*\.detach\(\)"):
        call(x, y)
    assert call(x, y.detach()).dtype == np.float32
    with minidl.no_grad():
        assert call(x, y).dtype == np.float32


def test_a_users_op_takes_no_tensor_in_its_parameters_either():
    @Op
    def shifted(a, by):
        return a + by[0]

    shifted.vjp(lambda g, y, a, by: g)
    with pytest.raises(GradientError, match="shifted: one of its parameters"):
        shifted(leaf([1.0]), (leaf(1.0), 2.0))
    assert shifted(leaf([1.0]), (2.0,)).item() == 3.0


# --- what looks like an array --------------------------------------------------------------------------------------------
A = np.array([[1.0, 2.0], [3.0, 4.0]])


class Labelled(np.ndarray):
    """A subclass of somebody's own, whose product means something else."""

    def __mul__(self, other):
        return self @ other if type(other) is Labelled else NotImplemented


FOREIGN = {
    "matrix": sparse.csr_matrix(A).todense(),
    "frame": pandas.DataFrame(A, columns=["a", "b"]),
    "frame with another index": pandas.DataFrame(A, index=[7, 3]),
    "masked array with nothing masked": np.ma.array(A),
    "subclass": A.view(Labelled),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_whatever_looks_like_an_array_is_one_beside_a_tensor(name):
    other = FOREIGN[name]
    x = Tensor(other)
    assert type(x.data) is np.ndarray
    np.testing.assert_array_equal((x * other).numpy(), A * A)
    np.testing.assert_array_equal((x @ other).numpy(), A @ A)
    np.testing.assert_array_equal(minidl.where(A > 1, x, other).numpy(), A)
    np.testing.assert_array_equal(minidl.stack([x, other]).numpy(), [A, A])
    np.testing.assert_array_equal(minidl.sum(other, axis=0), A.sum(0))
    if "masked" not in name:  # which takes over `masked * tensor` without asking the Tensor
        product = other * Tensor(A, requires_grad=True)
        assert product.requires_grad
        np.testing.assert_array_equal(product.numpy(), A * A)
    mine = Tensor(A.copy())
    mine += other
    np.testing.assert_array_equal(mine.numpy(), 2 * A)
    mine[...] = other
    np.testing.assert_array_equal(mine.numpy(), A)


def test_a_series_is_an_array_that_knows_no_index():
    series = pandas.Series([1.0, 2.0, 3.0], index=[2, 1, 0])
    x = Tensor(series)
    assert type(x.data) is np.ndarray
    np.testing.assert_array_equal((x + series).numpy(), [2, 4, 6])
    np.testing.assert_array_equal((series[::-1] + x).numpy(), [4, 4, 4])
    assert (x.reshape(3, 1) * series).shape == (3, 3)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (sparse.csr_matrix(A), r"multiply: a csr_matrix .*toarray"),
        (np.ma.array(A, mask=A > 3), "multiply: 1 of 4 elements .* masked"),
    ],
)
def test_what_would_mean_something_else_is_refused_beside_a_tensor(other, message):
    with pytest.raises(DTypeError, match=message):
        Tensor(A) * other
    with pytest.raises(DTypeError, match="^Tensor: "):
        Tensor(other)


def test_losses_take_lists_and_series():
    logits = [[2.0, 1.0], [0.5, 0.25]]
    loss = nn.softmax_cross_entropy(logits, pandas.Series([0, 1]))
    np.testing.assert_allclose(loss, nn.softmax_cross_entropy(Tensor(logits), np.array([0, 1])).item(), rtol=1e-6)
    assert nn.mean_squared_error([1.0, 2.0], pandas.Series([1.0, 4.0])) == 2.0
    assert nn.binary_cross_entropy_with_logits(Tensor([0.0, 0.0]), [0, 1]).item() == pytest.approx(np.log(2))


@pytest.mark.parametrize("loss", [nn.mean_squared_error, nn.binary_cross_entropy_with_logits])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_integer_targets_do_not_widen_a_loss(loss, dtype):
    assert loss(leaf([0.5, 2.0]), np.array([0, 1], dtype)).dtype == np.float32


# --- Tensors made of Tensors ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: minidl.tensor([x, x + 2]).mean(), 1),
        (lambda x: minidl.Tensor([[x, 2.0], [3.0, x * x]]).sum(), 5),
        (lambda x: minidl.Tensor((x, x)).sum(), 2),
        (lambda x: minidl.Tensor(x) ** 2, 4),
        (lambda x: minidl.Tensor(x, dtype="float64") ** 2, 4),
        (lambda x: minidl.Tensor([x], backend="numpy").sum(), 1),
        (lambda x: minidl.mean([x, x * x]), 2.5),
        (lambda x: minidl.stack([[x, x], [x, 1.0]]).sum(), 3),
        (lambda x: ([x, 1.0] + Tensor([1.0, 2.0])).sum(), 1),
        (lambda x: np.sum(Tensor([x, x])), 2),
    ],
)
def test_a_tensor_made_of_tensors_stays_recorded(f, slope):
    assert minidl.grad(f)(2.0).item() == slope
    assert minidl.grad(f)(Tensor(2.0, requires_grad=True)).item() == slope
    minidl.check_grads(f, 2.0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: Tensor(np.array([x, x + 2])).mean(),
        lambda x: Tensor(np.mean([x, x])),
        lambda x: Tensor(np.asarray(x)),
        lambda x: Tensor(sparse.csr_matrix(np.eye(1)) @ x.reshape(1)).sum(),
        lambda x: Tensor(pandas.Series([1.0]).to_numpy() * np.array([x])).sum(),
        lambda x: Tensor(x, requires_grad=True) ** 2,
        lambda x: nn.Parameter(x) ** 2,
        lambda x: Tensor([x, x], requires_grad=True).sum(),
    ],
)
def test_what_would_lose_a_gradient_is_an_error_inside_a_function_that_is_differentiated(f):
    with pytest.raises(GradientError):
        minidl.grad(f)(2.0)


def test_a_tensor_of_a_tensor_shares_memory_and_says_so_to_graphs():
    w, x = Tensor([1.0, 2.0]), leaf([1.0, 1.0])
    y = (w * x).sum()
    v = Tensor(w)
    v += 10
    assert w.tolist() == [11, 12]
    with pytest.raises(GradientError, match="changed in place"):
        y.backward()
    with minidl.no_grad():
        twin = nn.Parameter(x)
    y = (x * x).sum()
    with minidl.no_grad():
        twin += 1
    with pytest.raises(GradientError, match="changed in place"):
        y.backward()


def test_a_running_value_made_of_a_recorded_tensor_leaves_that_alone():
    w = leaf([1.0, 2.0])
    y = (w * w).sum()
    v = Tensor(w)
    v += 10
    y.backward()
    assert (w.tolist(), w.grad.tolist(), v.tolist()) == ([1, 2], [2, 4], [11, 12])


def test_ragged_lists_beside_a_tensor_are_refused():
    with pytest.raises(ShapeError, match="nested lists must be of equal lengths"):
        leaf([1.0]) + [[1.0], [1.0, 2.0]]
    with pytest.raises(ShapeError):
        Tensor([leaf([1.0]), leaf([1.0, 2.0])])
