"""The rows of the registry of ops (op_cases.py) that are minidl.linalg's: name, call, shapes, and what is drawn."""

import itertools
import math

import numpy as np


def regular(rng, shape):
    """Square matrices with eigenvalues near 2, 3, ...: far from singular, and positive definite by either triangle."""
    return rng.uniform(-0.4, 0.4, shape) + np.diag(np.arange(2.0, 2 + shape[-1]))


def real(rng, shape):
    return rng.uniform(0.3, 2, shape) * rng.choice([-1, 1], shape)


def singular(rng, shape):
    """Matrices whose last row is the sum of the others: of one rank less than full."""
    a = real(rng, shape)
    a[..., -1, :] = a[..., :-1, :].sum(-2)
    return a


SQUARE = (((3, 3),), ((2, 2, 2),), ((1, 1),), ((0, 3, 3),))
TALL_AND_WIDE = (((3, 2),), ((2, 3),), ((2, 2, 3),))
ANY = (((3, 3),), *TALL_AND_WIDE)
SYSTEMS = (
    ((3, 3), (3,)),
    ((3, 3), (3, 2)),
    ((2, 3, 3), (3,)),
    ((2, 3, 3), (3, 2)),
    ((3, 3), (2, 3, 1)),
    ((0, 0), (0, 2)),
)


def rows():
    """One row of the registry after another."""
    yield "linalg.inv", lambda xp, a: xp.linalg.inv(a), SQUARE, (regular,)
    yield "linalg.det", lambda xp, a: xp.linalg.det(a), (*SQUARE, ((0, 0),)), (regular,)
    yield "linalg.slogdet", lambda xp, a: xp.linalg.slogdet(a)[1], SQUARE, (regular,)
    yield "linalg.slogdet sign", lambda xp, a: xp.linalg.slogdet(-a)[0] * a[..., 0, 0], SQUARE, (regular,)
    yield "linalg.solve", lambda xp, a, b: xp.linalg.solve(a, b), SYSTEMS, (regular, real)
    yield "linalg.pinv", lambda xp, a: xp.linalg.pinv(a), (*ANY, ((2, 4, 3),)), (real,)
    for n in (0, 1, 2, 5, -1, -3):
        yield f"linalg.matrix_power {n}", lambda xp, a, n=n: xp.linalg.matrix_power(a, n), SQUARE, (regular,)
    chains = (
        ((2, 3), (3, 2)),
        ((2, 3), (3, 4), (4, 2)),
        ((3,), (3, 2), (2,)),
        ((3,), (3,)),
        ((1, 4), (4, 1), (1, 3), (3,)),
    )
    yield "linalg.multi_dot", lambda xp, *arrays: xp.linalg.multi_dot(arrays), chains, (real,)
    yield "linalg.trace", lambda xp, a: xp.linalg.trace(a, offset=1), ANY, (real,)
    yield "linalg.diagonal", lambda xp, a: xp.linalg.diagonal(a, offset=-1), ANY, (real,)
    yield from decompositions()
    yield from norms()


def decompositions():
    for uplo in "LU":
        yield f"linalg.eigh {uplo}", lambda xp, a, u=uplo: xp.linalg.eigh(a, u)[0], SQUARE, (regular,)
        # squared: each vector may also be its opposite
        yield f"linalg.eigh vectors {uplo}", lambda xp, a, u=uplo: xp.linalg.eigh(a, u)[1] ** 2, SQUARE, (regular,)
        yield f"linalg.eigvalsh {uplo}", lambda xp, a, u=uplo: xp.linalg.eigvalsh(a, u), SQUARE, (regular,)
    yield "linalg.svdvals", lambda xp, a: xp.linalg.svdvals(a), (*ANY, ((2, 0),)), (real,)
    yield "linalg.svd values", lambda xp, a: xp.linalg.svd(a, compute_uv=False), ANY, (real,)
    yield "linalg.svd U", lambda xp, a: xp.linalg.svd(a, full_matrices=False)[0] ** 2, ANY, (real,)
    yield "linalg.svd V", lambda xp, a: xp.linalg.svd(a, full_matrices=False)[2] ** 2, ANY, (real,)
    yield "linalg.svd all", lambda xp, a: _polar(*xp.linalg.svd(a, full_matrices=False)), ANY, (real,)
    yield "linalg.svd square", lambda xp, a: _polar(*xp.linalg.svd(a)), SQUARE, (regular,)
    for part, mode in ((0, "Q"), (1, "R")):
        yield f"linalg.qr {mode}", lambda xp, a, part=part: xp.linalg.qr(a)[part], ANY, (real,)
    yield "linalg.qr r", lambda xp, a: xp.linalg.qr(a, "r"), ANY, (real,)
    yield "linalg.cholesky", lambda xp, a: xp.linalg.cholesky(a), SQUARE, (regular,)
    yield "linalg.cholesky upper", lambda xp, a: xp.linalg.cholesky(a, upper=True), SQUARE, (regular,)


def _polar(u, s, vh):
    return (u * s[..., None, :] ** 2) @ vh


def norms():
    for order, axis in itertools.product((0, 3, 0.5, -1, -2.5), (0, -1)):
        yield (
            f"norm {order} {axis}",
            lambda xp, a, o=order, axis=axis: xp.linalg.norm(a, o, axis),
            (((2, 3, 2),),),
            (real,),
        )
    for order in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        yield f"norm matrix {order}", lambda xp, a, o=order: xp.linalg.norm(a, o), (((3, 3),), ((2, 3),)), (real,)
        for axes, keep in (((0, 2), False), ((-1, 1), True)):
            yield (
                f"norm matrix {order} {axes}",
                lambda xp, a, o=order, axes=axes, keep=keep: xp.linalg.norm(a, o, axes, keepdims=keep),
                (((2, 3, 3),),),
                (real,),
            )
    for p in (None, 2, -2, 1, -math.inf, "fro"):
        yield f"linalg.cond {p}", lambda xp, a, p=p: xp.linalg.cond(a, p), SQUARE[:3], (regular,)
    yield "linalg.cond tall", lambda xp, a: xp.linalg.cond(a), TALL_AND_WIDE, (real,)
    yield "linalg.matrix_norm", lambda xp, a: xp.linalg.matrix_norm(a, keepdims=True, ord="nuc"), ANY, (real,)
    for axis, keep in ((None, True), (1, False), ((0, -1), True), ((2, 0), False)):
        yield (
            f"linalg.vector_norm {axis}",
            lambda xp, a, axis=axis, keep=keep: xp.linalg.vector_norm(a, axis=axis, keepdims=keep, ord=3),
            (((2, 3, 2),),),
            (real,),
        )
