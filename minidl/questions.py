"""What a Tensor answers as NumPy's array does, with plain numbers and arrays: no gradient flows through an answer."""

import operator
from collections.abc import Callable
from typing import Any, Never

import numpy as np

from .backend import to_numpy
from .elsewhere import refuse_options
from .errors import ShapeError
from .node import Node, wrap
from .operands import unwrapped
from .ops.shape import Axis


class Questions(Node):
    """The questions that `Tensor` takes over."""

    def __format__(self, spec: str) -> str:
        """``f"{loss:.4f}"``: the one element, formatted. Without a `spec`, as `str` does.

        Raises `ShapeError` for a `spec` where there is more than one element.
        """
        if not spec:
            return str(self)
        if self._array.size != 1:
            raise ShapeError(
                f"a Tensor of shape {self.shape} has no one number to format as {spec!r}: pick or compute one, as in "
                f"f'{{x.mean():{spec}}}', or format x.tolist() element by element"
            )
        return format(self._array.item(), spec)

    def _repr_html_(self) -> str:
        """What a notebook shows: a table of the numbers, with shape, dtype and origin."""
        from .display.arrays import html_of_array

        facts = [f"{type(self).__name__} {self.shape} {self.dtype}", *([self.backend] * (self.backend != "numpy"))]
        facts += ["requires_grad"] * self.requires_grad + ([] if self._op is None else [f"made by {self._op.name}"])
        return html_of_array(to_numpy(self._array), ", ".join(facts))

    def any(self, axis: Axis = None, keepdims: bool = False, **other: Never) -> bool | np.ndarray:
        """Whether an element is true (or not zero): a plain boolean, or a plain array of them along `axis`."""
        refuse_options("any", ("axis", "keepdims"), other)
        found = self._array.any(axis=axis, keepdims=keepdims)
        return found if found.ndim else bool(found)

    def all(self, axis: Axis = None, keepdims: bool = False, **other: Never) -> bool | np.ndarray:
        """Whether all elements are true (or not zero): a plain boolean, or a plain array of them along `axis`."""
        refuse_options("all", ("axis", "keepdims"), other)
        found = self._array.all(axis=axis, keepdims=keepdims)
        return found if found.ndim else bool(found)

    def nonzero(self) -> tuple[np.ndarray, ...]:
        """The places of the elements that are not zero: a plain array of integers for each axis."""
        found: tuple[np.ndarray, ...] = self._array.nonzero()
        return found

    def __contains__(self, value: Any) -> bool:
        return bool((self._array == unwrapped(value)).any())

    # fmt: off
    def __invert__(self) -> Any: return wrap(~self._array)
    def __and__(self, other: Any) -> Any: return self._of_masks(operator.and_, other)
    def __rand__(self, other: Any) -> Any: return self._of_masks(operator.and_, other)
    def __or__(self, other: Any) -> Any: return self._of_masks(operator.or_, other)
    def __ror__(self, other: Any) -> Any: return self._of_masks(operator.or_, other)
    def __xor__(self, other: Any) -> Any: return self._of_masks(operator.xor, other)
    def __rxor__(self, other: Any) -> Any: return self._of_masks(operator.xor, other)
    # fmt: on

    def _of_masks(self, operate: Callable[[Any, Any], Any], other: Any) -> Any:
        """Masks (and whole numbers, bit by bit) combined: a Tensor, as comparisons are."""
        return wrap(operate(self._array, unwrapped(other)))
