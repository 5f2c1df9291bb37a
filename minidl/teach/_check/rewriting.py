"""An equation with something changed in it: what a slip of the pen makes of a rule."""

from collections.abc import Callable
from typing import Any

from ...optim.execution.plan import Scalars, in_order
from ...optim.symbols import Equation, Symbol, apply

Change = Callable[[Symbol], Any]  # a symbol, its parts changed already -> what stands in its place; None: itself
State = tuple[float, ...]
Step = Callable[..., State]  # (theta, g, *state, lr=, t=) -> (theta, *state)


def rewritten(equation: Equation, change: Change) -> Equation:
    """The equation with `change` made in all its results."""
    return equation._replace(outputs=tuple(changed(x, change) for x in equation.outputs))


def changed(x: Any, change: Change, done: dict[Any, Any] | None = None) -> Any:
    """An expression with `change` made in each of its parts, from the inside out."""
    done = {} if done is None else done
    if not isinstance(x, Symbol):
        return x
    if x not in done:
        args = tuple(changed(part, change, done) for part in x.args)
        same = Symbol(x.op, args, x.scalar) if not args else apply(x.op, *args)
        instead = change(same) if isinstance(same, Symbol) else None
        done[x] = same if instead is None else instead
    return done[x]


def exchanged(x: Any, old: Any, new: Any) -> Any:
    """An expression with `new` in the place of `old`, within which nothing is looked at."""
    if x is old:
        return new
    if not isinstance(x, Symbol) or not x.args:
        return x
    return apply(x.op, *(exchanged(part, old, new) for part in x.args))


def executable(equation: Equation, numbers: dict[str, float]) -> Step:
    """The equation as a function of Python floats; `numbers` are the hyperparameters."""
    names = [x.op for x in equation.inputs]
    compute = Scalars(list(equation.outputs))

    def step(*values: float, lr: float, t: int) -> State:
        return tuple(map(float, compute({**numbers, **dict(zip(names, values, strict=True)), "lr": lr, "t": t})))

    return step


def is_product(x: Any) -> bool:
    """Whether an expression is a product."""
    return isinstance(x, Symbol) and x.op == "multiply"


def is_remainder(x: Any) -> bool:
    """Whether an expression is 1 minus a hyperparameter."""
    return isinstance(x, Symbol) and x.op == "subtract" and not isinstance(x.args[0], Symbol) and _is_name(x.args[1])


def _is_name(x: Any) -> bool:
    return isinstance(x, Symbol) and not x.args


def named(*names: str) -> list[Symbol]:
    """The symbols of scalars of these names."""
    return [Symbol(name, scalar=True) for name in names]


def factor_of(old: Symbol, new: Any) -> Any:
    """The first product within the expression `new` that has `old` as a factor; None if there is none."""
    return next((x for x in in_order([new]) if is_product(x) and any(part is old for part in x.args)), None)
