"""More of what NumPy's array can do, beside tensor.py's table; and the error for what another library's array can."""

import operator
from inspect import getattr_static
from typing import TYPE_CHECKING, Any

import numpy as np

from . import ops
from .arrays import ArrayLike
from .elsewhere import OF_TENSORS
from .operands import unwrapped
from .questions import Questions

if TYPE_CHECKING:
    from .tensor import Tensor


class _Told:
    # A descriptor for each name, and no __getattr__: with that every attribute of a Tensor would take longer to look up.

    def __init__(self, name: str, known: str) -> None:
        self.name, self.known = name, known

    def __get__(self, tensor: object, kind: type) -> Any:
        message = f"'Tensor' object has no attribute {self.name!r}: here it is {self.known}"
        raise AttributeError(message, name=self.name)

    def __repr__(self) -> str:  # in `help`
        return f"here it is {self.known}"


class Elsewhere:
    """Names that other libraries' arrays have, as ``x.view``: each is an `AttributeError` that says what it is here."""

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not isinstance(getattr_static(self, name, None), _Told)]


for _name, _known in OF_TENSORS.items():
    setattr(Elsewhere, _name, _Told(_name, _known))


class Methods(Questions, Elsewhere):
    """The operators and methods that `Tensor` takes over; what each does is said of minidl's function of that name."""

    # `self: Any`: it is a Tensor, which type checkers cannot know here.
    # fmt: off
    def __floordiv__(self: Any, other: ArrayLike) -> "Tensor": return ops.floor_divide(self, other)
    def __rfloordiv__(self: Any, other: ArrayLike) -> "Tensor": return ops.floor_divide(other, self)
    def __mod__(self: Any, other: ArrayLike) -> "Tensor": return ops.remainder(self, other)
    def __rmod__(self: Any, other: ArrayLike) -> "Tensor": return ops.remainder(other, self)
    def __divmod__(self: Any, other: ArrayLike) -> "tuple[Tensor, Tensor]": return ops.divmod(self, other)
    def __rdivmod__(self: Any, other: ArrayLike) -> "tuple[Tensor, Tensor]": return ops.divmod(other, self)
    def __round__(self: Any, ndigits: int | None = None) -> "Tensor": return ops.round(self, ndigits or 0)

    def __ifloordiv__(self: Any, other: ArrayLike) -> "Tensor": return self._in_place(operator.ifloordiv, ops.floor_divide, other)
    def __imod__(self: Any, other: ArrayLike) -> "Tensor": return self._in_place(operator.imod, ops.remainder, other)

    def trace(self: Any) -> "Tensor": return ops.trace(self)
    def flatten(self: Any) -> "Tensor": return ops.copy(ops.ravel(self))
    def copy(self: Any) -> "Tensor": return ops.copy(self)
    def cumprod(self: Any, axis: int | None = None) -> "Tensor": return ops.cumprod(self, axis)
    def diagonal(self: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> "Tensor": return ops.diagonal(self, offset, axis1, axis2)
    def conj(self: Any) -> "Tensor": return ops.conjugate(self)
    def conjugate(self: Any) -> "Tensor": return ops.conjugate(self)
    def argsort(self: Any, axis: int | None = -1) -> "Tensor": return ops.argsort(self, axis)
    # fmt: on

    def searchsorted(self, v: ArrayLike, side: str = "left") -> int | np.ndarray:
        """Where each of `v` would have to be put into this Tensor, which is sorted: a plain index, or array of them."""
        found: int | np.ndarray = self._array.searchsorted(unwrapped(v), side)
        return found

    @property
    def real(self: Any) -> "Tensor":
        """The real part: a Tensor of the same numbers."""
        return ops.real(self)

    @property
    def imag(self: Any) -> "Tensor":
        """The imaginary part: 0."""
        return ops.imag(self)

    @property
    def mT(self: Any) -> "Tensor":  # noqa: N802 (NumPy's name)
        """The last two axes exchanged."""
        return ops.matrix_transpose(self)

    @property
    def nbytes(self) -> int:
        """How many bytes the elements take."""
        return self._array.nbytes

    @property
    def itemsize(self) -> int:
        """How many bytes an element takes."""
        return self._array.itemsize
