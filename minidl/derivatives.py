"""More derivatives of functions: whole matrices of them, and their products with a vector."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import ops
from .arrays import Array
from .backend import array_module
from .errors import ShapeError
from .evaluation import evaluate, numbers_of, pulled_back, returns_one_element, returns_tensors, takes_argnum
from .hardware.arithmetic import computes
from .node import wrap
from .recording import recording
from .tensor import Tensor
from .transforms import grad
from .trees import filled, mapped


@takes_argnum
def jacobian(f: Callable[..., Any], argnum: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function with `f`'s arguments that returns all derivatives of `f`: J[i, j] = ∂f(x)[i] / ∂x[j].

    It costs one evaluation of `f`, and a backward pass for each element of its result. The transforms nest, as
    `value_and_grad` does.

    Args:
        f: a function that returns a Tensor of any shape, or a dict, list or tuple of Tensors.
        argnum: the number of the argument to differentiate by, or a sequence of such numbers; see `value_and_grad`.

    Returns:
        The function. Its result is a Tensor of shape ``f(x).shape + x.shape``; where the argument is a dict, list or
        tuple, such a one of these; for a sequence of numbers, a tuple; where `f` returns a dict, list or tuple, such a
        one of all that.

    Raises:
        GradientError: in a call, if `f` returns something else than Tensors.
    """
    numbers = numbers_of(argnum)

    @computes
    def transformed(*args: Any, **keywords: Any) -> Any:
        found = evaluate("jacobian", f, args, keywords, numbers, returns_tensors("jacobian"))
        inputs = tuple(found.inputs) if isinstance(argnum, Sequence) else found.inputs[0]
        return mapped(lambda y, place: filled(inputs, _blocks(y, found.tensors, not found.alone)), found.value)

    return transformed


def _blocks(y: Tensor, inputs: list[Tensor], create_graph: bool) -> Iterator[Tensor]:
    """The Jacobian of `y` by each of `inputs`."""
    rows = [pulled_back(y, inputs, g, create_graph) for g in _basis(y.data)]
    for i, x in enumerate(inputs):
        column = ops.stack([row[i] for row in rows]) if rows else wrap(array_module(x.data).zeros_like(x.data, shape=0))
        yield ops.reshape(column, (*y.shape, *x.shape))


def _basis(array: Array) -> Iterator[Array]:
    """For each element an array like `array` that is 1 there, and 0 elsewhere."""
    for i in range(array.size):
        one = array_module(array).zeros_like(array)
        one.reshape(-1)[i] = 1
        yield one


@takes_argnum
def hessian(f: Callable[..., Any], argnum: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function with `f`'s arguments that returns the second derivatives of `f`: H[i, j] = ∂²f(x) / ∂x[i] ∂x[j].

    It is ``jacobian(grad(f))``, and costs a backward pass, through the gradient, for each element of the argument. For
    its product with a vector, `hvp` needs one.

    Args:
        f: a function that returns a Tensor of one element.
        argnum: the number of the argument to differentiate by, or a sequence of such numbers; see `value_and_grad`.

    Returns:
        The function. Its result is a Tensor of shape ``x.shape + x.shape``; for a dict, a dict of dicts, the first of
        the first derivative; for a sequence of numbers, a tuple of tuples.

    Raises:
        GradientError: in a call, if `f` returns anything but a single element.
    """
    return jacobian(grad(f, argnum), argnum)


@computes
def jvp(f: Callable[..., Any], x: Any, v: Any, **keywords: Any) -> tuple[Any, Any]:
    """The value of `f` at `x`, and its derivative in the direction `v`: the Jacobian times `v`, which is never made.

    The engine goes backward only. So this is the derivative of a derivative: u ↦ Jᵀu is linear, and its own
    transposed is J (Townsend 2017, "A new trick for calculating Jacobian vector products"). It costs an evaluation of
    `f`, a recorded backward pass and one through that.

    Args:
        f: a function that returns a Tensor of any shape, or a dict, list or tuple of Tensors.
        x: its argument, an array, or a dict or list of arrays; a tuple is several arguments.
        v: the direction, of the form and the shapes of `x`.
        keywords: passed to `f`.

    Returns:
        The pair ``(f(x), J @ v)``, both of the form and the shapes that `f` returns.

    Raises:
        GradientError: if `f` returns something else than Tensors.
        ShapeError: if `v` is not of the form and the shapes of `x`.
    """
    found = evaluate("jvp", f, _arguments(x), keywords, _all(x), returns_tensors("jvp"), besides=v)
    direction = _direction("jvp", found.inputs, v)

    def derivative(y: Tensor, place: str) -> Tensor:
        if not y.requires_grad:
            return wrap(array_module(y.data).zeros_like(y.data))
        u = Tensor(array_module(y.data).zeros_like(y.data), requires_grad=True)
        (product,) = pulled_back(_along(pulled_back(y, found.tensors, u, True), direction), [u], None, not found.alone)
        return product

    with recording(True):
        product = mapped(derivative, found.value)
    return found.result(found.value), product


@computes
def hvp(f: Callable[..., Any], x: Any, v: Any, **keywords: Any) -> Any:
    """The Hessian of `f` at `x` times `v`, which costs two backward passes: the matrix is never made.

    Args:
        f: a function that returns a Tensor of one element.
        x: its argument, an array, or a dict or list of arrays; a tuple is several arguments.
        v: of the form and the shapes of `x`.
        keywords: passed to `f`.

    Returns:
        The product, of the form and the shapes of `x`.

    Raises:
        GradientError: if `f` returns anything but a single element.
        ShapeError: if `v` is not of the form and the shapes of `x`.
    """
    found = evaluate("hvp", f, _arguments(x), keywords, _all(x), returns_one_element("hvp"), besides=v)
    direction = _direction("hvp", found.inputs, v)
    with recording(True):
        slope = _along(pulled_back(found.value, found.tensors, None, True), direction)
    product = filled(tuple(found.inputs), pulled_back(slope, found.tensors, None, not found.alone))
    return product if isinstance(x, tuple) else product[0]


def _arguments(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def _all(x: Any) -> range:
    return range(len(_arguments(x)))


def _direction(what: str, inputs: list[Any], v: Any) -> list[Tensor]:
    """The Tensors in `v`, if they are of the form and the shapes of `inputs`."""
    wanted, given = _by_place(inputs), _by_place(_arguments(v))
    for place in wanted | given:
        if place not in wanted or place not in given or wanted[place].shape != given[place].shape:
            shapes = [tree[place].shape if place in tree else "none" for tree in (wanted, given)]
            raise ShapeError(
                f"{what}: v must be of the form of x, but at {place} x has shape {shapes[0]}, and v has {shapes[1]}"
            )
    return list(given.values())


def _by_place(trees: Sequence[Any]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for i, tree in enumerate(trees):
        mapped(lambda leaf, place: found.setdefault(place, Tensor(leaf)), tree, vectors=True, place=f"[{i}]")
    return found


def _along(slopes: list[Tensor], direction: list[Tensor]) -> Any:
    """The sum of all products of the elements of `slopes` and `direction`."""
    total: Any = 0
    for slope, v in zip(slopes, direction, strict=True):
        total = total + ops.sum(slope * v)
    return total
