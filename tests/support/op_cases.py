"""The registry of ops: for each its cases, and what NumPy says of them.

tests/ops/test_gradients.py fails until a new op is in it; test_strict.py runs it on the stand-in for CuPy, tests/gpu on
CuPy itself.
"""

import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import linalg_cases
import numpy as np
import pytest
from case import CUBE, ONE, TWO, Case, distinct, positive, real, unit
from numpy_cases import numpys

from minidl import linalg, ops


def elementwise():
    for name in "positive negative absolute exp expm1 square sin cos tanh sinh cosh arctan".split():
        yield Case(name, lambda xp, a, name=name: getattr(xp, name)(a), ONE)
    for name in "log log1p sqrt reciprocal tan".split():
        yield Case(
            name, lambda xp, a, name=name: getattr(xp, name)(a) if name != "tan" else xp.tan(a / 2), ONE, (positive,)
        )
    for name in "arcsin arccos".split():
        yield Case(name, lambda xp, a, name=name: getattr(xp, name)(a), ONE, (unit,))
    for name in "erf sigmoid softplus relu leaky_relu elu gelu silu".split():
        yield Case(name, lambda xp, a, name=name: getattr(xp, name)(a), ONE)
    yield Case("binary_cross_entropy", lambda xp, x, t: xp.binary_cross_entropy(x, t), TWO)
    yield Case("elu alpha", lambda xp, a: xp.elu(a, 0.3), ONE)
    yield Case("leaky_relu slope", lambda xp, a: xp.leaky_relu(a, 0.3), ONE)
    for name in "add subtract multiply divide maximum minimum arctan2".split():
        yield Case(name, lambda xp, a, b, name=name: getattr(xp, name)(a, b), TWO)
    yield Case("power", lambda xp, a, b: xp.power(a, b), TWO, (positive, real))
    for exponent in (0, 1, 2, 3, -1, -2.0):
        yield Case(f"power {exponent}", lambda xp, a, e=exponent: xp.power(a, e), ONE)
    yield Case("power 0.5", lambda xp, a: xp.power(a, 0.5), ONE, (positive,))
    yield Case("power base", lambda xp, a: xp.power(2.5, a), ONE)
    yield Case("where", lambda xp, a, b: xp.where(a > b, a, b * b), TWO)
    yield Case("where number", lambda xp, a: xp.where(a > 0.1, a * a, 1.5), ONE)
    yield Case("clip", lambda xp, a: xp.clip(a, -1.0, 0.9), ONE)
    yield Case("clip below", lambda xp, a: xp.clip(a, -0.7, None), ONE)
    yield Case("clip above", lambda xp, a: xp.clip(a, None, 0.7), ONE)
    three = (((2, 3), (3,), ()), ((4, 3), (1, 3), (4, 1)))
    yield Case("clip limits", lambda xp, a, lo, hi: xp.clip(a * 2, lo - 1, hi + 1), three)
    yield Case("clip crossed", lambda xp, a, lo, hi: xp.clip(a * 2, lo, hi), three)
    for name in "sign floor ceil trunc rint".split():
        yield Case(name, lambda xp, a, name=name: getattr(xp, name)(a), ONE)
    yield Case("round", lambda xp, a: xp.round(a + 0.1), ONE)
    yield Case(
        "round decimals", lambda xp, a: xp.round(a * a, 1), (((2,),),), (lambda rng, shape: np.array([0.56, 1.1]),)
    )
    yield Case("astype", lambda xp, a: xp.astype(a, np.float64), ONE)
    yield Case("transfer", lambda xp, a: xp.transfer(a, xp.home), ONE)


def reductions():
    axes = [None, 0, -2, (0, 2), (-1, 1), ()]
    for name, axis, keepdims in itertools.product(
        "sum mean var std prod norm max min logsumexp".split(), axes, (False, True)
    ):
        if axis == () and name in ("norm", "var", "std"):  # refused; constant; a kink everywhere
            continue
        yield Case(
            f"{name} axis={axis} keepdims={keepdims}",
            lambda xp, a, name=name, axis=axis, keep=keepdims: getattr(xp, name)(a, axis=axis, keepdims=keep),
            CUBE,
            (distinct,) if name in ("max", "min") else (real,),
        )
    for name in "sum mean var std prod norm logsumexp".split():
        yield Case(f"{name} vector", lambda xp, a, name=name: getattr(xp, name)(a), (((5,),), ((1, 4),)))
    for name in "sum prod".split():
        yield Case(f"{name} 0-d", lambda xp, a, name=name: getattr(xp, name)(a), (((),), ((0,),), ((0, 3),)))
        yield Case(f"{name} empty axis", lambda xp, a, name=name: getattr(xp, name)(a, axis=0), (((0, 3),), ((3, 0),)))
    for name in "mean max min logsumexp".split():
        yield Case(f"{name} 0-d", lambda xp, a, name=name: getattr(xp, name)(a), (((),),))
        yield Case(f"{name} empty axis", lambda xp, a, name=name: getattr(xp, name)(a, axis=0), (((3, 0),),))
    for name in "var std".split():
        yield Case(f"{name} ddof", lambda xp, a, name=name: getattr(xp, name)(a, axis=1, ddof=1), CUBE)
    for axis in (None, 0, -1):
        yield Case(f"cumsum {axis}", lambda xp, a, axis=axis: xp.cumsum(a, axis=axis), CUBE + (((0, 3, 1),),))
        yield Case(f"sort {axis}", lambda xp, a, axis=axis: xp.sort(a, axis=axis), CUBE, (distinct,))
        yield Case(f"softmax {axis}", lambda xp, a, axis=axis or 0: xp.softmax(a, axis), CUBE)
        yield Case(f"log_softmax {axis}", lambda xp, a, axis=axis or 0: xp.log_softmax(a, axis), CUBE)
    for order, axis in itertools.product((1, 2, math.inf, -math.inf), (0, -1)):
        yield Case(f"norm {order} {axis}", lambda xp, a, o=order, axis=axis: xp.norm(a, o, axis, keepdims=True), CUBE)
    yield Case("norm fro", lambda xp, a: xp.norm(a, "fro", (0, 2)), CUBE)
    yield Case("norm 1 vector", lambda xp, a: xp.norm(a, 1), (((5,),),))


def shapes():
    yield Case("reshape", lambda xp, a: xp.reshape(a, (3, -1)), CUBE)
    yield Case("reshape number", lambda xp, a: xp.reshape(a, -1), CUBE + ONE)
    yield Case("reshape method", lambda xp, a: a.reshape(2, 6), CUBE)
    yield Case("ravel", lambda xp, a: xp.ravel(a), CUBE + ONE)
    yield Case("transpose", lambda xp, a: xp.transpose(a), CUBE + ONE)
    yield Case("transpose axes", lambda xp, a: xp.transpose(a, (1, -1, 0)), CUBE)
    yield Case("swapaxes", lambda xp, a: xp.swapaxes(a, 0, -1), CUBE)
    yield Case("moveaxis", lambda xp, a: xp.moveaxis(a, -1, 0), CUBE)
    yield Case("moveaxis several", lambda xp, a: xp.moveaxis(a, (0, 1), (2, 0)), CUBE)
    yield Case("squeeze", lambda xp, a: xp.squeeze(a), (((1, 3, 1),),) + ONE)
    yield Case("squeeze axis", lambda xp, a: xp.squeeze(a, axis=-1), (((1, 3, 1),),))
    yield Case("expand_dims", lambda xp, a: xp.expand_dims(a, -1), CUBE + ONE)
    yield Case("expand_dims several", lambda xp, a: xp.expand_dims(a, (0, -1)), CUBE + ONE)
    yield Case("broadcast_to", lambda xp, a: xp.broadcast_to(a, (4, 2, 3)), (((2, 3),), ((2, 1),), ((1,),), ((),)))
    for axis in (None, 1, (0, -1)):
        yield Case(f"flip {axis}", lambda xp, a, axis=axis: xp.flip(a, axis), CUBE)
    for shift, axis in ((1, None), (-2, 1), ((1, 5), (0, 1))):
        yield Case(f"roll {shift} {axis}", lambda xp, a, s=shift, axis=axis: xp.roll(a, s, axis), CUBE)
    for width in (1, (2, 0), ((1, 2), (0, 0), (0, 3))):
        yield Case(f"pad {width}", lambda xp, a, w=width: xp.pad(a, w, constant_values=1.5), CUBE)
    for reps in (2, (3,), (2, 1), (2, 1, 3), (2, 1, 2, 1), (0, 2), ()):
        yield Case(f"tile {reps}", lambda xp, a, reps=reps: xp.tile(a, reps), (((2, 3),), ((2,),), ((),), ((0, 2),)))
    for repeats, axis in ((2, None), (3, -1), (1, 0), (0, 1), ([1, 0, 3], 1)):
        yield Case(f"repeat {repeats} {axis}", lambda xp, a, r=repeats, axis=axis: xp.repeat(a, r, axis), (((2, 3),),))
    yield Case(
        "concatenate", lambda xp, a, b: xp.concatenate([a, b, a]), (((2, 3), (1, 3)), ((0, 3), (2, 3)), ((2,), (3,)))
    )
    yield Case("concatenate axis", lambda xp, a, b: xp.concatenate((a, b), axis=-1), (((2, 3), (2, 1)),))
    yield Case("concatenate flat", lambda xp, a, b: xp.concatenate((a, b), axis=None), (((2, 3), (2, 1)), ((), (2,))))
    for axis in (0, 1, -1):
        yield Case(f"stack {axis}", lambda xp, a, b, axis=axis: xp.stack([a, b, b], axis), (((2, 3), (2, 3)),))
    yield Case("stack 0-d", lambda xp, a, b: xp.stack([a, b]), (((), ()),))
    yield Case("split sections", lambda xp, a: xp.split(a, 3, axis=-2)[1], CUBE)
    yield Case("split indices", lambda xp, a: xp.stack(xp.split(a, [1, 2], axis=1)), CUBE)


INDICES: dict[str, Callable[..., Any]] = {
    "number": lambda a: 1,
    "slices": lambda a: (slice(None, None, -1), 1, None, ..., slice(0, 1)),
    "empty": lambda a: slice(2, 2),
    "list": lambda a: [1, 0, 1, 1],
    "nested": lambda a: ([[0, 1], [1, 1]], slice(None), [0, 1]),
    "mask": lambda a: a > 0,
    "mask of an axis": lambda a: (slice(None), [True, False, True]),
    "negative": lambda a: (..., [-1, 0, -1]),
}


def indexing():
    for name, index in INDICES.items():
        yield Case(f"getitem {name}", lambda xp, a, index=index: a[index(a)], CUBE)
    yield Case("getitem 0-d", lambda xp, a: a[()] * a[..., None], (((),),))
    for axis in (None, 0, -1):
        yield Case(f"take {axis}", lambda xp, a, axis=axis: xp.take(a, [[1, 0], [1, 1]], axis), CUBE)
    yield Case("take number", lambda xp, a: xp.take(a, 1, 1), CUBE)
    yield Case("take_along_axis", lambda xp, a: xp.take_along_axis(a, xp.argsort(a, 1), 1), CUBE)
    yield Case(
        "take_along_axis best", lambda xp, a: xp.take_along_axis(a, xp.argmax(a, axis=1, keepdims=True), 1), CUBE
    )


def products():
    matrices = [
        ((2, 3), (3, 4)),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 2, 3), (3, 2)),
        ((2, 3), (2, 3, 1)),
    ]
    stacks = [
        ((2, 1, 2, 3), (3, 3, 1)),
        ((3,), (2, 3, 2)),
        ((2, 2, 3), (3,)),
        ((1, 2, 3), (4, 3, 1)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 2)),
    ]
    yield Case("matmul", lambda xp, a, b: a @ b, (*matrices, *stacks, ((2, 2, 0), (0, 2)), ((2, 2, 3), (3, 0))))
    yield Case("dot", lambda xp, a, b: xp.dot(a, b), (*matrices[:5], ((2, 3), (2, 3, 2)), ((), (3,)), ((), ())))
    yield Case(
        "inner", lambda xp, a, b: xp.inner(a, b), (((3,), (3,)), ((2, 3), (4, 3)), ((3,), (2, 2, 3)), ((), (2,)))
    )
    yield Case("outer", lambda xp, a, b: xp.outer(a, b), (((2,), (3,)), ((2, 2), (3,)), ((), (2,))))
    yield Case("tensordot", lambda xp, a, b: xp.tensordot(a, b), (((2, 3, 2), (3, 2, 2)), ((2, 3), (2, 3))))
    yield Case("tensordot 0", lambda xp, a, b: xp.tensordot(a, b, 0), (((2, 3), (2,)),))
    yield Case("tensordot axes", lambda xp, a, b: xp.tensordot(a, b, ([0, -1], [1, 0])), (((2, 3, 4), (4, 2, 2)),))
    yield Case("tensordot axis", lambda xp, a, b: xp.tensordot(a, b, (0, -1)), (((2, 3), (3, 2)),))
    for offset in (0, 1, -1, 5):
        yield Case(f"trace {offset}", lambda xp, a, k=offset: xp.trace(a, k), (((2, 3),), ((3, 2),), ((2, 3, 2),)))
        yield Case(f"diag {offset}", lambda xp, a, k=offset: xp.diag(a, k), (((2, 3),), ((3, 2),), ((3,),), ((0,),)))
    yield Case("trace axes", lambda xp, a: xp.trace(a, 0, -1, 0), CUBE)


EINSUMS = {  # subscripts: shapes
    "ij,jk->ik": ((2, 3), (3, 2)),
    "ij,jk": ((2, 3), (3, 2)),
    "ba,c": ((2, 3), (2,)),
    "ij->ji": ((2, 3),),
    "ij->": ((2, 3),),
    "ij->j": ((2, 3),),
    "ij,kl->il": ((2, 3), (2, 3)),
    "i,i->i": ((3,), (3,)),
    "i,i": ((1,), (3,)),
    "ii": ((3, 3),),
    "ii->i": ((3, 3),),
    "iij->ji": ((2, 2, 3),),
    "iii,i->i": ((2, 2, 2), (2,)),
    "ijij,kk->j": ((2, 3, 2, 3), (2, 2)),
    "bij,bjk,k->b": ((2, 2, 3), (2, 3, 2), (2,)),
    "...ij,...jk->...ik": ((2, 2, 3), (3, 2)),
    "...i->...": ((2, 3),),
    "i...,...j": ((3, 2, 1), (2, 4)),
    "...,...": ((2, 3), (3,)),
    " i j , j -> i ": ((2, 3), (3,)),
    ",i->i": ((), (3,)),
}


def einsums():
    for subscripts, of in EINSUMS.items():
        yield Case(f"einsum {subscripts}", lambda xp, *arrays, s=subscripts: xp.einsum(s, *arrays), (of,))
    yield Case("einsum literal", lambda xp, a, b: xp.einsum("ij,jk->ik", a, b, optimize=False), (((2, 3), (3, 2)),))


def networks():
    for activation in (None, "relu", "leaky_relu", "sigmoid", "tanh", "softplus"):
        yield Case(
            f"dense {activation}",
            lambda xp, x, w, b, name=activation: xp.dense(x, w, b, activation=name),
            (((2, 3), (3, 2), (2,)), ((2, 2, 3), (3, 2), (2,))),
        )
    yield Case("dense bias", lambda xp, x, w: xp.dense(x, w, None), (((2, 3), (3, 2)),))
    for how in ("mean", "sum", "none"):
        yield Case(
            f"softmax_cross_entropy {how}",
            lambda xp, a, how=how: xp.softmax_cross_entropy(a, xp.argmax(a, axis=1), reduction=how),
            (((4, 3),),),
        )
    yield Case("batch_norm", lambda xp, x, g, b: xp.batch_norm(x, g, b, eps=1e-3), (((4, 3), (3,), (3,)),))


def linear_algebra():
    yield from (Case(*row) for row in linalg_cases.rows())


CASES = [
    case
    for family in (elementwise, reductions, shapes, indexing, products, einsums, networks, numpys, linear_algebra)
    for case in family()
]


# --- what NumPy says; and for what it does not have, the definition ---------------------------------------------------
def _log_softmax(a, axis=-1):
    return a - np.log(np.exp(a).sum(axis, keepdims=True))


def _dense(x, w, b, activation=None):
    y = x @ w + (0 if b is None else b)
    return y if activation is None else getattr(NUMPY, activation)(y)


def _cross_entropy(logits, labels, reduction):
    loss = np.array([-row[label] for row, label in zip(_log_softmax(logits), labels, strict=True)])
    return loss if reduction == "none" else getattr(np, reduction)(loss)


def _erf(a):
    return np.vectorize(math.erf, "d")(a).astype(a.dtype)


NUMPY = SimpleNamespace(
    **vars(np),
    home="numpy",
    norm=np.linalg.norm,
    logsumexp=lambda a, axis=None, keepdims=False: np.log(np.exp(a).sum(axis=axis, keepdims=keepdims)),
    erf=_erf,
    sigmoid=lambda a: 1 / (1 + np.exp(-a)),
    silu=lambda a: a / (1 + np.exp(-a)),
    elu=lambda a, alpha=1.0: np.where(a > 0, a, alpha * (np.exp(a) - 1)),
    gelu=lambda a: a * (1 + _erf(a / math.sqrt(2))) / 2,
    softplus=lambda a: np.log(1 + np.exp(a)),
    relu=lambda a: a * (a > 0),
    leaky_relu=lambda a, slope=0.01: np.where(a > 0, a, slope * a),
    softmax=lambda a, axis=-1: np.exp(_log_softmax(a, axis)),
    log_softmax=_log_softmax,
    dense=_dense,
    softmax_cross_entropy=_cross_entropy,
    binary_cross_entropy=lambda x, t: -t * np.log(1 / (1 + np.exp(-x))) - (1 - t) * np.log(1 / (1 + np.exp(x))),
    batch_norm=lambda x, g, b, eps: (x - x.mean(0)) / np.sqrt(x.var(0) + eps) * g + b,
    transfer=lambda a, backend: a,
    getitem=lambda a, index: a[index],
)
MINIDL = SimpleNamespace(**{**vars(ops), "linalg": linalg}, home="numpy")
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)

COMPARISONS = "equal not_equal less less_equal greater greater_equal".split()
CONSTANT = ["isfinite", "isnan", "argmax", "argmin", "argsort", "zeros_like", "ones_like", *COMPARISONS]
