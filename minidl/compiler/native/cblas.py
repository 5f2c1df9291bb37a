"""Matrix products as instructions that call CBLAS."""

from typing import NamedTuple

from ...kernels import products
from .addresses import blas
from .jit import instruction_set as isa
from .jit import opcodes
from .table import Pair


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
