"""``numpy.linalg`` for Tensors: the same names, differentiable, for a matrix (..., m, n) or a stack of them."""

from typing import Any

import numpy as np

from . import elsewhere, ops
from .backend import Array
from .errors import LinAlgError
from .ops import cross, matmul, matrix_transpose, norm, outer, tensordot
from .ops.decompositions import EighResult, QRResult, SVDResult, cholesky, eigh, eigvalsh, qr, svd, svdvals
from .ops.namesakes import NAMESAKES
from .ops.norms import cond, matrix_norm, vector_norm
from .ops.solving import SlogdetResult, det, inv, matrix_power, multi_dot, pinv, slogdet, solve

__all__ = [
    "EighResult",
    "LinAlgError",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vector_norm",
]


def diagonal(x: Array, offset: int = 0) -> Any:
    """The diagonal of each matrix, `offset` above the main one. `minidl.diagonal` takes the first axes."""
    return ops.diagonal(x, offset, -2, -1)


def trace(x: Array, offset: int = 0) -> Any:
    """The sum along the diagonal of each matrix, `offset` above the main one. `minidl.trace` takes the first axes."""
    return ops.trace(x, offset, -2, -1)


NAMESAKES.update(
    {getattr(np.linalg, name): globals()[name] for name in __all__ if hasattr(np.linalg, name) and name[0].islower()}
)


def __getattr__(name: str) -> Any:
    raise elsewhere.missing(__name__, name)
