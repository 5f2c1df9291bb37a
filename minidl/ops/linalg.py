"""Products of vectors, matrices and stacks of them; diagonals."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..autograd import Op
from ..backend import Array, array_module
from ..errors import ShapeError
from ..operands import as_operands
from . import reduce
from .arithmetic import multiply
from .indexing import scatter
from .shape import broadcast_to, moveaxis, reshape, swapaxes, transpose

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # that subscripts of einsum may have


@Op
def matmul(a: Array, b: Array) -> Array:
    """The product a @ b, of matrices along the last two axes, the axes before them broadcast.

    A vector counts as a row on the left, as a column on the right, and the axis of length 1 that this
    adds is dropped again. Raises `ShapeError` if the shapes do not fit or a number is multiplied.
    """
    return a @ b


def _flipped(a: Any) -> Any:
    return a.T if a.ndim == 2 else swapaxes(a, -1, -2)


def _as_matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    # A vector counts as a row or a column; g lacks the axis of length 1 that the result has lost.
    if b.ndim == 1:
        b, g = b[:, None], g[..., None]
    if a.ndim == 1:
        a, g = a[None, :], g[..., None, :]
    return g, a, b


def _matmul_vjp_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, _, b = _as_matrices(g, a, b)
    return g @ _flipped(b)


def _matmul_vjp_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    vector = b.ndim == 1
    g, a, b = _as_matrices(g, a, b)
    if b.ndim == 2 < a.ndim:  # one product of tall matrices, not a stack of products to be summed
        rows = math.prod(a.shape[:-1])
        g, a = reshape(g, (rows, g.shape[-1])), reshape(a, (rows, a.shape[-1]))
    found = _flipped(a) @ g
    return found[..., 0] if vector else found


matmul.vjp(_matmul_vjp_left, _matmul_vjp_right)


def dot(a: Array, b: Array) -> Any:
    """NumPy's dot: a product of numbers, vectors or matrices; beyond, over a's last axis and b's last but one."""
    a, b = as_operands("dot", a, b)
    if 0 in (a.ndim, b.ndim):
        return multiply(a, b)
    return matmul(a, b) if b.ndim < 3 else tensordot(a, b, (-1, -2))


def inner(a: Array, b: Array) -> Any:
    """The sum of products over the last axis of both; of numbers, the product."""
    a, b = as_operands("inner", a, b)
    return multiply(a, b) if 0 in (a.ndim, b.ndim) else tensordot(a, b, (-1, -1))


def outer(a: Array, b: Array) -> Any:
    """The matrix of all products a[i] b[j], both flattened first."""
    a, b = as_operands("outer", a, b)
    return multiply(reshape(a, (-1, 1)), reshape(b, (1, -1)))


def tensordot(a: Array, b: Array, axes: int | Sequence[Any] = 2) -> Any:
    """The sum of products over axes of both: the last so many of `a` and first of `b`, or a pair (a's, b's).

    The result has the axes left over, a's first. Raises `ShapeError` if the axes do not match in length.
    """
    a, b = as_operands("tensordot", a, b)
    if isinstance(axes, int | np.integer):
        axes = range(a.ndim - axes, a.ndim), range(axes)
    over_a, over_b = normalize_axis_tuple(axes[0], a.ndim), normalize_axis_tuple(axes[1], b.ndim)
    lengths = [a.shape[i] for i in over_a]
    if lengths != [b.shape[i] for i in over_b]:
        raise ShapeError(f"tensordot: axes {over_a} of {a.shape} and {over_b} of {b.shape} do not match in length")
    rest_a = [i for i in range(a.ndim) if i not in over_a]
    rest_b = [i for i in range(b.ndim) if i not in over_b]
    rows, columns = [a.shape[i] for i in rest_a], [b.shape[i] for i in rest_b]
    # One matrix product: the axes that are summed over go last on the left, first on the right.
    left = reshape(transpose(a, (*rest_a, *over_a)), (math.prod(rows), math.prod(lengths)))
    right = reshape(transpose(b, (*over_b, *rest_b)), (math.prod(lengths), math.prod(columns)))
    return reshape(matmul(left, right), (*rows, *columns))


@Op
def _einsum(*operands: Array, subscripts: str, optimize: Any) -> Array:
    return array_module(operands[0]).einsum(subscripts, *operands, optimize=optimize)


def _einsum_vjp(i: int, g: Any, y: Any, *args: Any) -> Any:
    *operands, subscripts, optimize = args
    inputs, _, output = subscripts.partition("->")
    terms = inputs.split(",")
    # The sum is linear in each operand: its gradient is the same sum with g and the result's letters in its place,
    # and its own letters in the result's.
    own = terms[i]
    operands[i], terms[i] = g, output
    known = [letter for letter in own if any(letter in term for term in terms)]
    found = _einsum(*operands, subscripts=f"{','.join(terms)}->{''.join(known)}", optimize=optimize)
    # a letter that only this operand has was summed over: its gradient is the same all along that axis
    found = found[tuple(slice(None) if letter in known else None for letter in own)]
    lengths = zip(own, found.shape, args[i].shape, strict=True)
    return broadcast_to(found, tuple(n if letter in known else length for letter, n, length in lengths))


_einsum.vjp(_einsum_vjp)


def einsum(subscripts: str | Array, *operands: Array, optimize: bool | str | Sequence[Any] = True) -> Any:
    """Einstein's sum, ``einsum("ij,jk->ik", a, b)``: over all letters that the result does not have.

    Without ``->`` the result has, in alphabetical order, the letters that occur once. A letter twice in
    one operand takes its diagonal; ``...`` stands for further axes, broadcast. Instead of the string each
    operand may be followed by a list of numbers, ``einsum(a, [0, 1], b, [1, 2], [0, 2])``. Raises
    `ShapeError` if letters and axes do not fit.
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists(subscripts, *operands)
    arrays = as_operands("einsum", *operands)
    terms, output = _explicit(subscripts, [a.ndim for a in arrays])
    for i in range(len(terms)):
        arrays[i], terms[i] = _without_repeats(arrays[i], terms[i])
    return _einsum(*arrays, subscripts=f"{','.join(terms)}->{output}", optimize=optimize)


def _from_lists(*given: Any) -> tuple[str, tuple[Any, ...]]:
    """Subscripts and operands, of operands each with its list of numbers, and perhaps the result's at the end."""
    pairs = len(given) // 2
    terms = [_spelled(numbers) for numbers in given[1::2]]
    result = f"->{_spelled(given[-1])}" if len(given) % 2 else ""
    return ",".join(terms) + result, given[: 2 * pairs : 2]


def _spelled(numbers: Sequence[Any]) -> str:
    return "".join("..." if i is Ellipsis else LETTERS[i] for i in numbers)


def _explicit(subscripts: str, ndims: list[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, with letters put in for ``...`` and for an absent result."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ShapeError(f"einsum: {subscripts!r} is for {len(terms)} operands, but {len(ndims)} were given")
    hidden = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    for term, extra, ndim in zip(terms, hidden, ndims, strict=True):
        if extra < 0 or (extra and "..." not in term):
            raise ShapeError(f"einsum: {term!r} does not fit an operand with {ndim} axes")
    unused = "".join(letter for letter in LETTERS if letter not in subscripts)
    spare = unused[: max(hidden)]
    if not arrow:
        output = "..." + "".join(sorted(letter for letter in set(inputs) - set(",.") if inputs.count(letter) == 1))
    elif spare and "..." not in output:
        raise ShapeError(f"einsum: {subscripts!r} has ... among its operands, so the result needs it too")
    # An operand with fewer further axes has the last of them: NumPy broadcasts from the right.
    terms = [term.replace("...", spare[len(spare) - extra :]) for term, extra in zip(terms, hidden, strict=True)]
    return terms, output.replace("...", spare)


def _without_repeats(a: Any, term: str) -> tuple[Any, str]:
    """The diagonal of `a` along axes of the same letter, and the letters of what remains."""
    for letter in term:
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            if a.shape[first] != a.shape[second]:
                raise ShapeError(f"einsum: {letter!r} stands for lengths {a.shape[first]} and {a.shape[second]}")
            a = diagonal(a, 0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + letter
    return a, term


def trace(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum along a diagonal, `offset` above the main one, of the matrices along two axes."""
    return reduce.sum(diagonal(a, offset, axis1, axis2), -1, False, None)


def diag(v: Array, k: int = 0) -> Any:
    """Of a matrix, its diagonal, `k` above the main one; of a vector, the matrix that has it there, else 0.

    Raises `ShapeError` for any other number of axes.
    """
    (v,) = as_operands("diag", v)
    if v.ndim == 1:
        n = v.shape[0] + abs(k)
        return reshape(scatter(v, _steps(k, n, n), (n * n,)), (n, n))
    if v.ndim != 2:
        raise ShapeError(f"diag: expected a vector or a matrix, got shape {v.shape}")
    return diagonal(v, k, 0, 1)


def diagonal(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal, `offset` above the main one, of the matrices along two axes: as the last axis of the result."""
    (a,) = as_operands("diagonal", a)
    a = moveaxis(a, (axis1, axis2), (-2, -1))
    *rest, rows, columns = a.shape
    return reshape(a, (*rest, rows * columns))[..., _steps(offset, rows, columns)]


def _steps(offset: int, rows: int, columns: int) -> slice:
    """Where a diagonal lies in a flattened matrix: each element one row and one column after the last."""
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    start = offset if offset > 0 else -offset * columns
    return slice(start, start + length * (columns + 1), columns + 1)
