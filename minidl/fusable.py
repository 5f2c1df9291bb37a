"""A composition of ops that a kernel may replace, for speed, at first order (law 1)."""

from collections.abc import Callable, Sequence
from typing import Any

from .autograd import Node, Op, P, unbroadcast
from .backend import Array, backend_of
from .backward import gradients
from .operands import prepared


class Fusable(Op[P]):
    """A composition of ops, which is its own specification; a kernel may stand in for it.

    ``kernels[backend]`` is a pair: ``forward(*args) -> (y, saved)``, and ``backward(g, y, saved,
    wanted, *args)`` -> the gradients of the arguments numbered in `wanted`. Arrays are positional
    arguments, parameters keyword-only. Where there is no kernel, the composition itself runs.
    """

    def __init__(self, composition: Callable[P, Any]) -> None:
        super().__init__(composition)
        self.forward = composition
        self.kernels: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}
        self.vjp(*[composition] * self.signature.positional)  # as many arrays; `pullback` differentiates them

    def __call__(self, *args: P.args, **params: P.kwargs) -> Any:
        given: Any = self.signature.bind(args, params)
        first = given[0]._array if isinstance(given[0], Node) else given[0]
        if backend_of(first) in self.kernels:
            return super().__call__(*given)  # type: ignore[call-arg]  # all are bound, none is left to be named
        return self.compose(prepared(self.name, given, self.arrays))

    def evaluate(self, values: list[Any]) -> tuple[Array, Any]:
        """Run the kernel's forward."""
        return self.kernels[backend_of(values[0])][0](*values)

    def pullback(self, g: Any, y: Any, args: Sequence[Any], wanted: list[int], saved: Any) -> list[Any]:
        """Run the kernel's backward; for Tensors, record the composition anew and differentiate that."""
        if not isinstance(y, Node):
            return self.kernels[backend_of(y)][1](g, y, saved, wanted, *args)
        fresh = [unbroadcast(a, a._array.shape, a._array.dtype) if isinstance(a, Node) else a for a in args]
        return gradients(self.compose(fresh), [fresh[i] for i in wanted], g, create_graph=True)

    def compose(self, args: Sequence[Any]) -> Any:
        """Run the composition itself on `args`, which are all that `signature.bind` returns."""
        arrays = self.signature.positional
        return self.forward(*args[:arrays], **dict(zip(self.signature.names[arrays:], args[arrays:], strict=True)))
