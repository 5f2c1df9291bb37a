"""Every operation, under NumPy's name and with its semantics, and a few that neural networks add."""

from .angles import angle, arccosh, arcsinh, arctanh, deg2rad, rad2deg, sinc
from .arithmetic import (
    add,
    clip,
    divide,
    equal,
    fmax,
    fmin,
    greater,
    greater_equal,
    less,
    less_equal,
    maximum,
    minimum,
    multiply,
    not_equal,
    power,
    subtract,
)
from .differences import cumprod, diff, ediff1d, gradient, trapezoid
from .division import divmod, floor_divide, fmod, remainder
from .elementwise import (
    absolute,
    arccos,
    arcsin,
    arctan,
    arctan2,
    ceil,
    conjugate,
    cos,
    cosh,
    exp,
    expm1,
    fabs,
    fix,
    floor,
    imag,
    isfinite,
    isnan,
    log,
    log1p,
    negative,
    positive,
    real,
    real_if_close,
    reciprocal,
    rint,
    round,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    tan,
    tanh,
    trunc,
    where,
)
from .error_function import erf
from .indexing import argsort, getitem, repeat, select, sort, take, take_along_axis
from .joining import (
    append,
    array_split,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    column_stack,
    dsplit,
    dstack,
    hsplit,
    hstack,
    meshgrid,
    vsplit,
    vstack,
)
from .linalg import diag, diagonal, dot, einsum, inner, matmul, outer, tensordot, trace
from .matrices import cross, diagflat, kron, matrix_transpose, tril, triu, vdot
from .nans import nan_to_num, nanmax, nanmean, nanmin, nanprod, nanstd, nansum, nanvar
from .nn import (
    batch_norm,
    binary_cross_entropy,
    dense,
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softmax_cross_entropy,
    softplus,
)
from .norms import norm
from .order import median, partition, percentile, ptp, quantile
from .padding import pad
from .powers import cbrt, exp2, hypot, log2, log10, logaddexp, logaddexp2
from .rearranging import fliplr, flipud, rollaxis, rot90
from .reduce import argmax, argmin, average, cumsum, logsumexp, max, mean, min, prod, std, sum, var
from .shape import (
    astype,
    broadcast_to,
    concatenate,
    copy,
    expand_dims,
    flip,
    full_like,
    moveaxis,
    ones_like,
    ravel,
    reshape,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    tile,
    transfer,
    transpose,
    zeros_like,
)

# NumPy's other names for some of them.
abs, amax, amin, around, concat = absolute, max, min, round, concatenate
conj, degrees, mod, permute_dims = conjugate, rad2deg, remainder, transpose
pow, radians, true_divide = power, deg2rad, divide

_UNCHECKED = {"batch_norm", "binary_cross_entropy", "dense", "softmax_cross_entropy"}  # minidl.nn is their public face
__all__ = sorted(name for name, value in globals().items() if callable(value) and name not in _UNCHECKED)
