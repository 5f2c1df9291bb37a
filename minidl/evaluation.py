"""A function, evaluated so that gradients of its arguments can be asked for: what all transforms begin with."""

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from .backend import array_module
from .backward import gradients
from .errors import DTypeError, GradientError, OptionError
from .graph import depends_only_on
from .node import wrap
from .operands import recorded
from .recording import paused, recording, transforms
from .tensor import Tensor
from .trees import leaves, mapped

T = TypeVar("T", bound=Callable[..., Any])


class Evaluation(NamedTuple):
    """What a function returned, and what it was given to be differentiated by."""

    value: Any
    inputs: list[Any]  # the arguments, or trees of them: Tensors of their own
    tensors: list[Tensor]  # all of these Tensors, in order
    alone: bool  # whether nothing else requires a gradient, so that nobody can differentiate the result again

    def result(self, tree: Any) -> Any:
        """`tree`, computed from this evaluation, as the caller gets it: without a history that nobody can use."""
        return mapped(lambda y, place: y.detach(), tree) if self.alone else tree


def evaluate(
    what: str,
    f: Callable[..., Any],
    args: Sequence[Any],
    keywords: dict[str, Any],
    numbers: Iterable[int],
    check: Callable[[Any], None],
    besides: Any = None,
) -> Evaluation:
    """Call `f`, recording what it does with the arguments of those `numbers`; `check` looks at what it returned.

    `what` is the transform's name, for errors; `besides` is whatever else the result will depend on.
    """
    inputs, chosen = list(args), []
    with recording(True):
        for i in numbers:
            if not -len(args) <= i < len(args):
                raise OptionError(
                    f"{what}: argnum={i}, but the function was called with {len(args)} arguments by position: "
                    f"what it is to be differentiated by has to be one of these"
                )
            inputs[i] = mapped(functools.partial(_fresh, what, i), inputs[i], vectors=True)
            chosen.append(inputs[i])
        before = transforms.set(transforms.get() + 1)
        try:
            value = f(*inputs, **keywords)
        finally:
            transforms.reset(before)
    check(value)
    own = leaves(chosen)
    given = any(map(recorded, leaves([*args, *keywords.values(), besides])))
    alone = bool(paused()) or not (given or not all(depends_only_on(y, own) for y in leaves(value)))
    return Evaluation(value, chosen, own, alone)


def _fresh(what: str, number: int, x: Any, place: str) -> Tensor:
    """A node of its own for the argument `x`, so that only the way through this argument counts."""
    try:
        return Tensor(x, requires_grad=not recorded(x))  # of a recorded one too it is another node
    except DTypeError as error:
        raise DTypeError(f"{what}: argument {number}{place} cannot be differentiated by: {error}") from error


def pulled_back(y: Any, inputs: list[Any], grad: Any, create_graph: bool) -> list[Any]:
    """The gradients of the Tensors `inputs` from that of `y`; zeros if `y` was made of none of them."""
    if y.requires_grad:
        return gradients(y, inputs, grad, create_graph)
    return [wrap(array_module(x.data).zeros_like(x.data)) for x in inputs]


def returns_one_element(what: str) -> Callable[[Any], None]:
    """The check that a function returned a Tensor of one element."""

    def check(value: Any) -> None:
        if not isinstance(value, Tensor) or value.size != 1:
            raise GradientError(
                f"{what}: the function must return a Tensor of one element, not {value!r}"
                + (": minidl.jacobian differentiates it" if isinstance(value, Tensor) else "")
            )

    return check


def returns_tensors(what: str) -> Callable[[Any], None]:
    """The check that a function returned a Tensor, or a tree of them."""

    def check(value: Any) -> None:
        for y in leaves(value):
            if not isinstance(y, Tensor):
                raise GradientError(f"{what}: the function must return Tensors, not {y!r}")

    return check


def numbers_of(argnum: int | Sequence[int]) -> list[int]:
    """The numbers of the arguments that `argnum` tells."""
    return [operator.index(i) for i in argnum] if isinstance(argnum, Sequence) else [operator.index(argnum)]


def takes_argnum(transform: T) -> T:
    """`transform`, a function ``(f, argnum=0)``, with errors for other libraries' ways to call it."""

    @functools.wraps(transform)
    def checked(f: Any, *args: Any, **options: Any) -> Any:
        name = transform.__name__
        if not callable(f):
            raise TypeError(
                f"{name}: takes a function, not a {type(f).__name__}: of a Tensor that is computed already, "
                f"minidl.gradients(output, inputs) gives the gradients"
            )
        for option in options.keys() - {"argnum"}:
            hint = "it is argnum= here" if option == "argnums" else "it takes argnum= alone"
            raise TypeError(f"{name}: no {option}=: {hint}, an integer or a tuple of integers")
        return transform(f, *args, **options)

    return cast(T, checked)
