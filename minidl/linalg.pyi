# Written by tests/support/make_stubs.py.

from collections.abc import Sequence
from typing import Any, Literal, overload

from .arrays import Array, ArrayLike
from .errors import LinAlgError as LinAlgError
from .ops.decompositions import EighResult as EighResult
from .ops.decompositions import QRResult as QRResult
from .ops.decompositions import SVDResult as SVDResult
from .ops.norms import Ord
from .ops.shape import Axis
from .ops.solving import SlogdetResult as SlogdetResult
from .tensor import Tensor
from .ops import cross as cross
from .ops import matmul as matmul
from .ops import matrix_transpose as matrix_transpose
from .ops import norm as norm
from .ops import outer as outer
from .ops import tensordot as tensordot

__all__: list[str] = [
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

@overload
def cholesky(a: Tensor, upper: bool=False) -> Tensor: ...
@overload
def cholesky(a: ArrayLike, upper: bool=False) -> Array: ...
@overload
def cond(x: Tensor, p: Ord=None) -> Tensor: ...
@overload
def cond(x: ArrayLike, p: Ord=None) -> Array: ...
@overload
def det(a: Tensor) -> Tensor: ...
@overload
def det(a: ArrayLike) -> Array: ...
@overload
def diagonal(x: Tensor, offset: int=0) -> Tensor: ...
@overload
def diagonal(x: ArrayLike, offset: int=0) -> Array: ...
@overload
def eigh(a: Tensor, UPLO: Literal['L', 'U']='L') -> EighResult[Tensor]: ...
@overload
def eigh(a: ArrayLike, UPLO: Literal['L', 'U']='L') -> EighResult[Array]: ...
@overload
def eigvalsh(a: Tensor, UPLO: Literal['L', 'U']='L') -> Tensor: ...
@overload
def eigvalsh(a: ArrayLike, UPLO: Literal['L', 'U']='L') -> Array: ...
@overload
def inv(a: Tensor) -> Tensor: ...
@overload
def inv(a: ArrayLike) -> Array: ...
@overload
def matrix_norm(x: Tensor, keepdims: bool=False, ord: Ord='fro') -> Tensor: ...
@overload
def matrix_norm(x: ArrayLike, keepdims: bool=False, ord: Ord='fro') -> Array: ...
@overload
def matrix_power(a: Tensor, n: int) -> Tensor: ...
@overload
def matrix_power(a: ArrayLike, n: int) -> Array: ...
@overload
def multi_dot(arrays: Sequence[Tensor]) -> Tensor: ...
@overload
def multi_dot(arrays: Sequence[ArrayLike]) -> Array: ...
@overload
def pinv(a: Tensor, rcond: float=1e-15) -> Tensor: ...
@overload
def pinv(a: ArrayLike, rcond: float=1e-15) -> Array: ...
@overload
def qr(a: Tensor, mode: Literal['reduced', 'r']='reduced') -> Any: ...
@overload
def qr(a: ArrayLike, mode: Literal['reduced', 'r']='reduced') -> Any: ...
@overload
def slogdet(a: Tensor) -> SlogdetResult[Tensor]: ...
@overload
def slogdet(a: ArrayLike) -> SlogdetResult[Array]: ...
@overload
def solve(a: Tensor, b: ArrayLike) -> Tensor: ...
@overload
def solve(a: ArrayLike, b: Tensor) -> Tensor: ...
@overload
def solve(a: ArrayLike, b: ArrayLike) -> Array: ...
@overload
def svd(a: Tensor, full_matrices: bool=True, compute_uv: bool=True) -> Any: ...
@overload
def svd(a: ArrayLike, full_matrices: bool=True, compute_uv: bool=True) -> Any: ...
@overload
def svdvals(x: Tensor) -> Tensor: ...
@overload
def svdvals(x: ArrayLike) -> Array: ...
@overload
def trace(x: Tensor, offset: int=0) -> Tensor: ...
@overload
def trace(x: ArrayLike, offset: int=0) -> Array: ...
@overload
def vector_norm(x: Tensor, axis: Axis=None, keepdims: bool=False, ord: float=2) -> Tensor: ...
@overload
def vector_norm(x: ArrayLike, axis: Axis=None, keepdims: bool=False, ord: float=2) -> Array: ...
