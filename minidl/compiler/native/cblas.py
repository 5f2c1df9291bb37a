"""Matrix products as instructions that call CBLAS.

`product` and `sum_of_rows` choose the function, and how it is told of its operands, as NumPy's
matmul does (its matmul.c.src): sdot for a row and a column, sgemv for a vector and a matrix, else
sgemm. Each adds in an order of its own: with another one the last bits would be others.
"""

from typing import NamedTuple

from ...backend import Array
from ...errors import UnsupportedError
from ...kernels import products
from .addresses import blas
from .jit import instruction_set as isa
from .jit import opcodes
from .table import Pair, address


class Matrix(NamedTuple):
    """A matrix as CBLAS takes it: its address, the length of its stored rows, if transposed."""

    address: int
    row_length: int
    transposed: bool = False

    def at(self, row: int, column: int) -> int:
        """The address of an element, counted after the transposition."""
        if self.transposed:
            row, column = column, row
        return self.address + 4 * (row * self.row_length + column)

    @property
    def transpose(self) -> int:
        """CBLAS's number for it."""
        return opcodes.TRANSPOSE if self.transposed else opcodes.NO_TRANSPOSE


def gemm(m: int, n: int, k: int, a: Matrix, b: Matrix, y: int) -> isa.Gemm | Pair:
    """A product (m, k) @ (k, n) into the address y, cut where kernels/products.py cuts it."""

    def part(rows: tuple[int, int], columns: tuple[int, int]) -> isa.Gemm:
        return isa.Gemm(
            function=blas("sgemm"),
            transpose_a=a.transpose,
            transpose_b=b.transpose,
            m=rows[1] - rows[0],
            n=columns[1] - columns[0],
            k=k,
            a=a.at(rows[0], 0),
            lda=a.row_length,
            b=b.at(0, columns[0]),
            ldb=b.row_length,
            y=Matrix(y, n).at(rows[0], columns[0]),
            ldy=n,
        )

    cut = products.cut(m, k, n)
    if cut is None:
        return part((0, m), (0, n))
    side, at = cut
    if side == "rows":
        return Pair(part((0, at), (0, n)), part((at, m), (0, n)))
    return Pair(part((0, m), (0, at)), part((0, m), (at, n)))


def gemv(order: int, rows: int, columns: int, a: Matrix, x: int, y: int) -> isa.Gemv:
    """A vector times a matrix (rows, columns), x @ a, into the address y."""
    return isa.Gemv(
        function=blas("sgemv"),
        order=order,
        rows=rows,
        columns=columns,
        a=a.address,
        lda=a.row_length,
        x=x,
        y=y,
    )


def product(a: Array, b: Array, y: Array) -> isa.Gemm | isa.Gemv | isa.Dot | Pair:
    """a @ b into y, all of float32, of shapes (m, k), (k, n) and (m, n), with k > 1.

    Raises `UnsupportedError` where NumPy does not call CBLAS, or another function (for a @ a.T).
    """
    (m, k), n = a.shape, b.shape[1]
    if address(a) == address(b):
        raise UnsupportedError("machine code leaves an array times itself to NumPy")
    if m == n == 1:
        return _dot(a[0], b[:, 0], y)
    if m == 1:
        return _by_vector(a[0], _matrix(b), (k, n), y)
    if n == 1:
        return _by_vector(b[:, 0], _matrix(a.T), (k, m), y)
    return gemm(m, n, k, _matrix(a), _matrix(b), address(y))


def sum_of_rows(ones: Array, d: Array, y: Array) -> isa.Gemv | isa.Dot:
    """The sum over the first axis of d (B, n), with B > 1, as the product with `ones` (B,)."""
    if d.shape[1] == 1:
        return _dot(ones, d[:, 0], y)
    return _by_vector(ones, _matrix(d), d.shape, y)


def _matrix(array: Array) -> Matrix:
    """A matrix of more than one row and column, whichever of its axes lies together."""
    (rows, columns), (down, across) = array.shape, array.strides
    if across == 4 and down >= 4 * columns:
        return Matrix(address(array), down // 4)
    if down == 4 and across >= 4 * rows:
        return Matrix(address(array), across // 4, transposed=True)
    raise UnsupportedError("machine code cannot multiply by a matrix as it lies in memory")


def _by_vector(x: Array, matrix: Matrix, shape: tuple[int, int], y: Array) -> isa.Gemv:
    """x @ matrix (rows, columns) into y."""
    if x.strides != (4,):
        raise UnsupportedError("machine code takes vectors that lie together")
    order = opcodes.COLUMN_MAJOR if matrix.transposed else opcodes.ROW_MAJOR
    return gemv(order, *shape, matrix, address(x), address(y))


def _dot(a: Array, b: Array, y: Array) -> isa.Dot:
    steps = a.strides[0] // 4, b.strides[0] // 4
    if min(steps) < 1:
        raise UnsupportedError("machine code takes vectors whose numbers follow each other")
    return isa.Dot(blas("sdot"), a.size, address(a), steps[0], address(b), steps[1], address(y))
