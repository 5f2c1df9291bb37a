"""Ops of one's own: how they are called, what is said of a wrong formula, and that they can be copied and pickled."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn, ops, optim
from minidl.autograd import Op
from minidl.errors import DTypeError, GradientError, ShapeError, UnsupportedError
from minidl.fusable import Fusable


def leaf(values):
    return Tensor(np.asarray(values, np.float64), requires_grad=True)


@Op
def doubled(a):
    """A module's own op, which pickle finds by its name."""
    return a * 2


doubled.vjp(lambda g, y, a: g * 2)


# --- parameters --------------------------------------------------------------------------------------------------------
def test_keyword_only_parameters_are_passed_by_keyword_and_handed_to_the_formula_in_order():
    @Op
    def scaled(a, b, *, by=2.0, plus=0.0):
        return a * b * by + plus

    scaled.vjp(lambda g, y, a, b, by, plus: g * b * by, lambda g, y, a, b, by, plus: g * a * by)
    x, z = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    assert scaled(x, z).tolist() == [6, 16]
    assert scaled(x, b=z, plus=1.0, by=3.0).tolist() == [10, 25]
    assert scaled(np.ones(2), np.ones(2), by=3.0).tolist() == [3, 3]
    minidl.check_grads(lambda x, z: scaled(x, z, by=3.0), [1.0, 2.0], [3.0, 4.0])
    with pytest.raises(TypeError, match=r"scaled\(a, b, by, plus\) cannot take \['times'\]"):
        scaled(x, z, times=2)


def test_forwards_that_an_op_cannot_call_are_refused_when_it_is_made():
    with pytest.raises(UnsupportedError, match="anything: an op's forward is f"):

        @Op
        def anything(a, **options):
            return a

    with pytest.raises(UnsupportedError, match="first: an op's forward is f"):

        @Op
        def first(a, *others):
            return a


def test_a_mistake_in_a_forwards_own_code_is_no_dtype_error():
    @Op
    def miscalled(a):
        return (lambda b, c: b)(a)

    with pytest.raises(TypeError, match="miscalled: .* missing 1 required positional argument: 'c'") as caught:
        miscalled(leaf([1.0]))
    assert not isinstance(caught.value, DTypeError)
    with pytest.raises(DTypeError, match="add: unsupported operand"):
        leaf([1.0]) + None


# --- wrong formulas ----------------------------------------------------------------------------------------------------
def made(forward, formula):
    op = Op(forward)
    op.vjp(formula)
    return op


def double(a):
    return a * 2


def total(a):
    return a.sum(axis=0)


def centred(a, b):
    return (a * b).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("forward", "formula", "shape", "returned"),
    [
        (double, lambda g, y, a: (g * 2).T, (2, 3), r"\(3, 2\)"),
        (double, lambda g, y, a: (g * 2).sum(), (2, 3), r"\(\)"),
        (double, lambda g, y, a: (g * 2).sum(axis=0), (2, 3), r"\(3,\)"),
        (double, lambda g, y, a: (g * 2).sum(axis=0, keepdims=True), (2, 3), r"\(1, 3\)"),
        (double, lambda g, y, a: (g * 2).T, (3, 1), r"\(1, 3\)"),
        (double, lambda g, y, a: (g * 2)[:, 0], (3, 1), r"\(3,\)"),
        (double, lambda g, y, a: (g * 2)[:1], (2, 3), r"\(1, 3\)"),
        (total, lambda g, y, a: g.sum(), (2, 3), r"\(\)"),
        (total, lambda g, y, a: g[:, None], (2, 3), r"\(3, 1\)"),
    ],
)
def test_a_formula_of_the_wrong_shape_is_named(forward, formula, shape, returned):
    op = made(forward, formula)
    x = leaf(np.ones(shape))
    with pytest.raises(
        ShapeError, match=rf"{op.name}: the gradient formula of argument 0 \(a\) returned shape {returned}"
    ):
        op(x).sum().backward()
    assert x.grad is None
    with pytest.raises(ShapeError, match=op.name):
        minidl.gradients(op(x).sum(), [x], create_graph=True)


@pytest.mark.parametrize("wrong", [2.0, (1, 2), "g"])
def test_a_formula_that_returns_no_array_is_named(wrong):
    op = made(double, lambda g, y, a: wrong)
    with pytest.raises(GradientError, match=rf"double: .*argument 0 \(a\) returned a {type(wrong).__name__}"):
        op(leaf([1.0])).sum().backward()


def test_what_was_broadcast_or_reduced_is_still_fitted_for_a_formula():
    summed = made(total, lambda g, y, a: g)
    minidl.check_grads(summed, np.ones((2, 3)))
    everything = made(lambda a: a.sum(), lambda g, y, a: g)
    minidl.check_grads(everything, np.ones((2, 3)))
    op = Op(centred)
    op.vjp(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
    minidl.check_grads(op, np.ones((1, 3)), np.ones((2, 1)))
    minidl.check_grads(op, np.ones((2, 3)), np.ones((3,)))
    minidl.check_grads(op, np.ones((2, 3)), np.ones(()))


# --- copies --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("op", [minidl.multiply, minidl.relu, ops.dense, doubled, ops.shape._stack])
def test_an_op_is_pickled_by_its_name_and_copied_as_itself(op):
    assert pickle.loads(pickle.dumps(op)) is op
    assert copy.deepcopy(op) is op


def test_a_recorded_tensor_is_not_pickled_and_the_remedy_is_named():
    x = leaf([1.0, 2.0])
    with pytest.raises(GradientError, match=r"the result of multiply, cannot be pickled .*\.detach\(\)"):
        pickle.dumps(x * 2)
    with pytest.raises(GradientError, match="set that to None"):
        pickle.dumps({"kept": [x * 2]})
    assert pickle.loads(pickle.dumps((x * 2).detach())).tolist() == [2.0, 4.0]


def test_a_deep_history_is_pickled_or_copied_without_recursion():
    x = y = leaf(1.0)
    for _ in range(5000):
        y = y * 1.0
    with pytest.raises(GradientError, match="detach"):
        pickle.dumps(y)
    twin = copy.deepcopy(y)
    twin.backward()
    assert x.grad is None
    y.backward()
    assert x.grad.item() == 1.0


def test_a_deep_copy_has_a_history_of_its_own_that_leads_to_the_copied_leaves():
    weight = leaf([[1.0], [2.0]])
    twin = copy.deepcopy({"weight": weight, "kept": (np.ones((1, 2)) @ weight).sum()})
    twin["kept"].backward()
    assert weight.grad is None
    assert twin["weight"].grad.tolist() == [[1], [1]]
    assert copy.deepcopy(twin["weight"]).grad.tolist() == [[1], [1]]


def test_a_shallow_copy_shares_memory_but_no_gradient():
    w = leaf([1.0, 2.0])
    optimizer = optim.SGD([w])
    twin = copy.copy(w)
    y = (w * w).sum()
    (w.sum() + 2 * twin.sum()).backward()
    assert (w.grad.tolist(), twin.grad.tolist()) == ([1, 1], [2, 2])
    with minidl.no_grad():
        twin += 1
    with pytest.raises(GradientError, match="changed in place"):
        y.backward()
    optimizer.step()
    assert copy.copy(w * 2).requires_grad


def test_a_pickled_parameter_trains_on_in_another_process(tmp_path):
    w = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.5)
    for _ in range(100):
        optimizer.zero_grad()
        (w * 0.0).sum().backward()
        optimizer.step()
    (tmp_path / "w.pickle").write_bytes(pickle.dumps(w))
    program = (
        "import pickle, sys; w = pickle.load(open(sys.argv[1], 'rb')); (w * w).sum().backward(); print(w.grad.tolist())"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "w.pickle")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[2.0, 4.0]\n"


def test_a_fusable_takes_lists_without_a_kernel_too(monkeypatch):
    @Fusable
    def affine(x, w, *, plus=0.0):
        return x @ w + plus

    assert affine([[1.0, 2.0]], leaf([[1.0], [1.0]]), plus=1.0).tolist() == [[4.0]]
