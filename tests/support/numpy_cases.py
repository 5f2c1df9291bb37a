"""Cases of the functions that minidl has because NumPy has them, beside those that networks need (op_cases.py)."""

import itertools

import numpy as np
from case import CUBE, ONE, TWO, Case, distinct, positive, real, unit

ROW, MATRIX = (((5,),),), (((3, 4),),)


def above_one(rng, shape):
    return rng.uniform(1.2, 3, shape)


def some_nan(rng, shape):
    """Distinct numbers, each fourth of them NaN; always the same."""
    return np.where(np.arange(np.prod(shape)) % 4 == 1, np.nan, distinct(rng, (np.prod(shape),))).reshape(shape)


def call(name, *rest, **options):
    """`name` of one or two arrays, with further arguments."""
    return lambda xp, *arrays: getattr(xp, name)(*arrays, *rest, **options)


def functions():
    for name in "exp2 arcsinh deg2rad rad2deg fabs cbrt angle conjugate real real_if_close imag sinc".split():
        yield Case(name, call(name), ONE)
    yield Case("fix", lambda xp, a: (xp.trunc if xp.fix is np.fix else xp.fix)(a), ONE)  # which NumPy warns of
    for name in "log2 log10".split():
        yield Case(name, call(name), ONE, (positive,))
    yield Case("arccosh", call("arccosh"), ONE, (above_one,))
    yield Case("arctanh", call("arctanh"), ONE, (unit,))
    yield Case("sinc far", lambda xp, a: xp.sinc(a * 3), ONE)
    yield Case("sinc near", lambda xp, a: xp.sinc(a * 0.1), ONE)
    for name in "hypot logaddexp logaddexp2 fmax fmin floor_divide remainder fmod".split():
        yield Case(name, call(name), TWO)
    yield Case("divmod", lambda xp, a, b: xp.divmod(a, b)[1], TWO)
    yield Case("remainder operators", lambda xp, a, b: a // b + a % 1.7 + 2 % b, TWO)
    yield Case("full_like", call("full_like"), (((2, 3), ()), ((2, 3), (3,))))
    yield Case("copy", call("copy"), ONE)
    yield Case("nan_to_num", call("nan_to_num", nan=1.5), CUBE, (some_nan,))
    for name in "nansum nanprod nanmean nanvar nanstd nanmax nanmin".split():
        for axis, keepdims in ((None, False), (1, True), ((0, -1), False)):
            yield Case(f"{name} {axis}", call(name, axis=axis, keepdims=keepdims), CUBE, (some_nan,))
    yield Case("select", lambda xp, a, b: xp.select([a > 0.4, b > 0], [a * b, b * b], 1.5), TWO)
    yield Case("average", call("average"), CUBE)
    yield Case(
        "average weights", lambda xp, a, w: xp.average(a, 1, w), (((2, 3), (3,)), ((2, 3), (2, 3))), (real, positive)
    )


def along_an_axis():
    for n, axis in ((1, -1), (2, 0), (0, 0)):
        yield Case(f"diff {n} {axis}", call("diff", n, axis), (((3, 4),), ((4, 1),)))
    yield Case("diff ends", lambda xp, a, b: xp.diff(a, axis=0, prepend=b * b, append=b), (((3, 2), (1, 2)),))
    yield Case("ediff1d", call("ediff1d"), CUBE)
    yield Case("gradient", call("gradient"), ROW + (((2,),),))
    yield Case("gradient axes", lambda xp, a: xp.stack(xp.gradient(a, 0.5, 2.0)), MATRIX)
    yield Case("gradient axis", call("gradient", 0.5, axis=0), MATRIX)
    yield Case("gradient edges", call("gradient", axis=1, edge_order=2), MATRIX)
    yield Case("trapezoid", call("trapezoid", dx=0.5), CUBE)
    yield Case("trapezoid places", lambda xp, y, x: xp.trapezoid(y, x, axis=1), (((2, 3, 2), (3,)),))
    yield Case("trapezoid grid", lambda xp, y, x: xp.trapezoid(y, x, axis=0), (((3, 2), (3, 2)),))
    for axis in (None, 0, -1):
        yield Case(f"cumprod {axis}", call("cumprod", axis=axis), CUBE + (((0, 3, 1),), ((1, 1, 1),)))
    yield Case("cumprod zeros", lambda xp, a: xp.cumprod(a - a * (abs(a) < 1)), ROW)


def orders():
    for kth, axis in ((1, -1), ((0, 2), 0), (3, None)):
        yield Case(
            f"partition {kth} {axis}", lambda xp, a, kth=kth, axis=axis: picked(xp, a, kth, axis), MATRIX, (distinct,)
        )
    for name, axis, keepdims in itertools.product(("median", "ptp"), (None, 0, (0, -1)), (False, True)):
        yield Case(f"{name} {axis} {keepdims}", call(name, axis=axis, keepdims=keepdims), CUBE, (distinct,))
    for method in "linear lower higher midpoint nearest".split():
        yield Case(f"quantile {method}", call("quantile", 0.3, axis=1, method=method), MATRIX, (distinct,))
    yield Case("percentile", call("percentile", 40, axis=0, keepdims=True), MATRIX, (distinct,))
    yield Case("median vector", call("median"), ROW + (((1,),), ((),)), (distinct,))


def picked(xp, a, kth, axis):
    """What `partition` promises: the elements in their place, not the order of the others."""
    return xp.take(xp.partition(a, kth, axis=axis), kth, axis=axis)


def rearranged():
    for k in (0, 1, 2, -1):
        yield Case(f"rot90 {k}", call("rot90", k), CUBE)
    yield Case("rot90 axes", call("rot90", 1, (-1, 1)), CUBE)
    for name in "flipud fliplr matrix_transpose".split():
        yield Case(name, call(name), CUBE)
    for axis, start in ((2, 0), (0, 2), (0, 3), (1, -1)):
        yield Case(f"rollaxis {axis} {start}", call("rollaxis", axis, start), CUBE)
    for name in "atleast_1d atleast_2d atleast_3d".split():
        yield Case(name, call(name), (((),), ((2,),), ((2, 3),), ((1, 2, 2),), ((1, 1, 2, 1),)))
    yield Case("atleast_1d several", lambda xp, a, b: xp.concatenate(xp.atleast_1d(a, b)), (((), (2,)),))
    several = (((2,), (2,)), ((), ()), ((2, 1), (2, 1)), ((1, 2, 3), (1, 2, 3)))
    for name in "vstack hstack dstack column_stack".split():
        yield Case(name, lambda xp, a, b, name=name: getattr(xp, name)([a, b, a]), several)
    for axis in (None, 0, -1):
        yield Case(f"append {axis}", call("append", axis=axis), (((2, 2), (2, 2)),))
    yield Case("append flat", call("append"), (((2, 2), ()),))
    yield Case("array_split", lambda xp, a: xp.array_split(a, 3)[0], ROW + MATRIX)
    yield Case("array_split indices", lambda xp, a: xp.array_split(a, [1, 3], axis=1)[1], MATRIX)
    for name in "vsplit hsplit dsplit".split():
        yield Case(name, lambda xp, a, name=name: getattr(xp, name)(a, 2)[1], (((2, 2, 2),),))
    yield Case("hsplit vector", lambda xp, a: xp.hsplit(a, [1, 3])[1], ROW)
    yield Case("broadcast_arrays", lambda xp, a, b: xp.stack(xp.broadcast_arrays(a, b)), (((2, 1), (3,)),))
    for indexing in ("xy", "ij"):
        yield Case(
            f"meshgrid {indexing}",
            lambda xp, a, b, c, how=indexing: xp.stack(xp.meshgrid(a, b, c, indexing=how)),
            (((2,), (3,), (1,)),),
        )
    yield Case("meshgrid sparse", lambda xp, a, b: xp.meshgrid(a, b, sparse=True)[0], (((2,), (3,)),))


def matrices():
    for k in (0, 1, -2):
        yield Case(f"triu {k}", call("triu", k), CUBE + MATRIX)
        yield Case(f"tril {k}", call("tril", k), CUBE + MATRIX)
        yield Case(f"diagflat {k}", call("diagflat", k), (((2, 2),), ((3,),)))
        yield Case(f"diagonal {k}", call("diagonal", k), CUBE + MATRIX)
    yield Case("diagonal axes", call("diagonal", 0, -1, 0), CUBE)
    yield Case("vdot", call("vdot"), (((3,), (3,)), ((2, 3), (3, 2))))
    yield Case("kron", call("kron"), (((2, 2), (3, 1)), ((2,), (2, 2)), ((1, 2, 2), (2,)), ((), (2,)), ((), ())))
    yield Case("cross", call("cross"), (((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (2, 3))))
    yield Case("cross axes", call("cross", axisa=0, axisb=1, axisc=0), (((3, 2), (2, 3)),))
    yield Case("cross axis", call("cross", axis=0), (((3, 2), (3, 2)),))
    yield Case("einsum lists", lambda xp, a, b: xp.einsum(a, [0, 1], b, [1, 2], [0, 2]), (((2, 3), (3, 2)),))
    yield Case("einsum lists alone", lambda xp, a, b: xp.einsum(a, [1, 0], b, [0, 2]), (((2, 3), (3, 2)),))
    yield Case("einsum lists dots", lambda xp, a: xp.einsum(a, [..., 0, 0], [..., 0]), (((2, 3, 3),),))


PADS = {  # mode: options
    "edge": {},
    "linear_ramp": {"end_values": (1.5, -2)},
    "maximum": {"stat_length": 2},
    "mean": {},
    "median": {},
    "minimum": {"stat_length": ((1, 2), (3, 1))},
    "reflect": {},
    "symmetric": {},
    "wrap": {},
}


def pads():
    for mode, options in PADS.items():
        for width in (2, ((0, 1), (3, 0))):
            yield Case(f"pad {mode} {width}", call("pad", width, mode, **options), MATRIX, (distinct,))
    for mode in ("reflect", "symmetric"):
        yield Case(f"pad {mode} odd", call("pad", (5, 1), mode, reflect_type="odd"), MATRIX)
        yield Case(f"pad {mode} far", call("pad", 7, mode), ROW)


def numpys():
    for family in (functions, along_an_axis, orders, rearranged, matrices, pads):
        yield from family()
