"""Law 5: all parameters of an optimizer are views of one flat vector, all their gradients of another."""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import hooks
from ..autograd import Node
from ..backend import Array, array_module, backend_of, same_backend
from ..deposit import assign
from ..errors import DTypeError, GradientError, MixedBackendError, OptionError, ShapeError
from ..graph import maker

Span = tuple[int, int]  # the elements from start to stop of a flat vector


def aligned(size: int, dtype: Any, xp: Any = np) -> Array:
    """An uninitialised vector whose first byte is at a multiple of 64, as wide vector instructions like it."""
    if xp is not np:
        return xp.empty(size, dtype)
    length = size * np.dtype(dtype).itemsize
    memory = np.empty(length + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + length].view(dtype)


@dataclass(slots=True, eq=False)
class Piece:
    """The part of the two flat vectors, from `start` to `stop`, that is parameter `number`'s, in its shape."""

    number: int
    parameter: Node
    start: int
    stop: int
    value: Array
    gradient: Array


class Flat:
    """The parameters' values and gradients as two vectors, `values` and `gradients`.

    Each parameter keeps its shape, but its ``data`` becomes a view of `values`, and `backward` deposits
    its gradient in a view of `gradients`. `parameters` must have passed `checked`. `message` is the gradients and,
    behind them, room for what is to travel with them.
    """

    values: Array
    gradients: Array
    message: Array
    _room = 0  # elements behind the gradients
    _make: Callable[[int, Any], Array] | None = None  # where `message` comes from, if not from here

    def __init__(self, parameters: Sequence[Node]) -> None:
        self.parameters = parameters
        self._spans: dict[Any, tuple[Span, ...]] = {}  # known answers of `spans`
        self._lay()

    def _lay(self) -> None:
        """Allocate the vectors where the parameters live now, move their values in, and point them there."""
        _alike(self.parameters)
        like = self.parameters[0].data
        self.size, self.dtype, self._module = sum(p.data.size for p in self.parameters), like.dtype, array_module(like)
        self.values, self.message = self.zeros(), self._message(self.size + self._room)
        self.gradients = self.message[: self.size]
        self.pieces: list[Piece] = []
        stop = 0
        for number, p in enumerate(self.parameters):
            start, stop = stop, stop + p.data.size
            value, gradient = (v[start:stop].reshape(p.data.shape) for v in (self.values, self.gradients))
            self.pieces.append(Piece(number, p, start, stop, value, gradient))
        self._take(self.pieces)

    def zeros(self) -> Array:
        """A vector like `values`, of zeros."""
        return self._cleared(self.size)

    def _cleared(self, size: int) -> Array:
        vector = aligned(size, self.dtype, self._module)
        vector[...] = 0
        return vector

    def _message(self, size: int) -> Array:
        made = self._make(size, self.dtype) if self._make is not None and self._module is np else None
        return self._cleared(size) if made is None else made

    def make_room(self, size: int, make: Callable[[int, Any], Array] | None = None) -> None:
        """Let `message` have so many elements behind the gradients. All vectors are new ones then.

        `make`: of a size and a dtype, a vector of zeros for it; None if it has none.
        """
        if size != self._room:
            self.claim()
            self._room, self._make = size, make
            self._lay()

    def _take(self, pieces: list[Piece]) -> None:
        copies = [piece.parameter.data.copy() for piece in pieces]  # they may overlap with where they go
        for piece, values in zip(pieces, copies, strict=True):
            hooks.write(operator.setitem, piece.value, ..., values)
            assign(piece.parameter, piece.value, piece.gradient)  # the same values: no change

    def claim(self) -> None:
        """Take back every parameter whose ``data`` was replaced: its new values are copied in.

        That is so after an assignment to ``p.data``, after another optimizer was given the same
        parameters, and after ``model.to(...)``: if all parameters have moved to another backend or dtype,
        the vectors follow them (and are new ones). Raises `ShapeError` if a shape has changed,
        `OptionError` or `MixedBackendError` if only some parameters have moved.
        """
        astray = [piece for piece in self.pieces if piece.parameter._array is not piece.value]
        if not astray:
            return
        for piece in astray:
            if piece.parameter.data.shape != piece.value.shape:
                raise ShapeError(
                    f"parameter {piece.number} had shape {piece.value.shape} when the optimizer was made, "
                    f"and has {piece.parameter.data.shape} now: make a new optimizer for it"
                )
        _alike(self.parameters)
        data = astray[0].parameter.data
        if data.dtype == self.dtype and array_module(data) is self._module:
            self._take(astray)
        else:
            self._lay()

    def collect(self) -> list[bool]:
        """For each parameter whether it is to move, its gradient then being in `gradients`.

        It is not if it has no gradient or requires none. A gradient that was put in the place of
        the one that `backward` deposited (by clipping, say) is copied in. Raises `GradientError`,
        `ShapeError` or `MixedBackendError` if that is not a Tensor like the parameter.
        """
        active, foreign = [], []
        for piece in self.pieces:
            grad = piece.parameter.grad
            moves = grad is not None and piece.parameter.requires_grad
            active.append(moves)
            if moves and getattr(grad, "_array", None) is not piece.gradient:
                _check_gradient(piece, grad)
                foreign.append((piece, grad.data))
        if not foreign:
            return active
        overlap = array_module(self.gradients).may_share_memory
        copies = [g.copy() if overlap(g, self.gradients) else g for _, g in foreign]
        for (piece, _), gradient in zip(foreign, copies, strict=True):
            hooks.write(operator.setitem, piece.gradient, ..., gradient)
        return active

    def part(self, first: int, last: int) -> slice:
        """The elements of the parameters numbered from `first` to `last`."""
        start = self.pieces[first].start if first < last else 0
        return slice(start, start + sum(p.data.size for p in self.parameters[first:last]))

    def spans(self, active: Sequence[bool], first: int, last: int) -> tuple[Span, ...]:
        """The elements of the active ones among the parameters numbered from `first` to `last`, as few spans."""
        key = tuple(active), first, last
        if key not in self._spans:
            if len(self._spans) == 64:  # should the sets never repeat, forget
                self._spans.clear()
            self._spans[key] = self._joined(*key)
        return self._spans[key]

    def _joined(self, active: tuple[bool, ...], first: int, last: int) -> tuple[Span, ...]:
        spans: list[Span] = []
        for piece, on in zip(self.pieces[first:last], active[first:last], strict=True):
            if on and spans and spans[-1][1] == piece.start:
                spans[-1] = spans[-1][0], piece.stop
            elif on:
                spans.append((piece.start, piece.stop))
        return tuple(spans)


def checked(groups: Iterable[Iterable[Any]]) -> list[tuple[Node, ...]]:
    """The parameters of each group, once all of them are found fit to be optimised together.

    Raises `OptionError` for what is no Tensor, is no leaf, or is there twice; `DTypeError` for integers.
    """
    checked, known = [], dict[Node, str]()
    for number, group in enumerate(groups):
        parameters = tuple(group)
        for i, p in enumerate(parameters):
            where = f"parameter {i} of group {number}"
            if not isinstance(p, Node):
                hint = ": give the Tensors alone, as model.parameters() does" if isinstance(p, tuple | str) else ""
                raise OptionError(f"{where} is a {type(p).__name__}, not a Tensor{hint}")
            if (op := maker(p)) is not None:
                raise OptionError(f"{where} is the result of {op.name}: an optimizer moves leaves only")
            if p.data.dtype.kind != "f":
                raise DTypeError(f"{where} has dtype {p.data.dtype}: only floating numbers can be optimised")
            if p in known:
                raise OptionError(f"{where}, of shape {p.data.shape}, is {known[p]} as well: it would move twice")
            known[p] = where
        checked.append(parameters)
    if not known:
        raise OptionError("an optimizer needs parameters, and was given none (was a generator used up before?)")
    return checked


def _check_gradient(piece: Piece, grad: Any) -> None:
    where = f"the gradient of parameter {piece.number}"
    if not isinstance(grad, Node):
        raise GradientError(f"{where} is a {type(grad).__name__}, not a Tensor: write p.grad = minidl.Tensor(...)")
    same_backend(where, piece.value, grad.data)
    if grad.data.shape != piece.value.shape:
        raise ShapeError(f"{where} has shape {grad.data.shape}, the parameter has {piece.value.shape}")


def _alike(parameters: Sequence[Node]) -> None:
    """Raise unless all parameters share a backend (`MixedBackendError`) and a dtype (`OptionError`)."""
    first = parameters[0].data
    for i, p in enumerate(parameters):
        if backend_of(p.data) != backend_of(first):
            raise MixedBackendError(
                f"one optimizer, two backends: parameter 0 is a {backend_of(first)} array, parameter {i} a "
                f"{backend_of(p.data)} array: move the whole model with model.to(...)"
            )
        if p.data.dtype != first.dtype:
            raise OptionError(
                f"one optimizer, two dtypes: parameter 0 is {first.dtype}, parameter {i} {p.data.dtype}: "
                f"convert one of them, or make an optimizer for each"
            )
