"""What every update rule shares: its hyperparameters, and the way one step is taken.

A rule is an equation and its hyperparameters; it holds no state. What changes from step to step is
handed in and handed back, so one definition serves Python floats, arrays, Tensors and symbols.
"""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeAlias, dataclass_transform

import numpy as np

from ..autograd import Node, wrap
from ..backend import array_module
from ..errors import OptionError
from ..ops import minimum, sqrt
from .hyperparameters import Choice, NotNegative, Range, ShareOrNone, check_eps, declared
from .translate import in_our_words

Value: TypeAlias = Any  # a Python number, an array, a Tensor or a Symbol: a rule takes any of them

AVERAGE = "average"  # the name of the state that `ema` adds


@dataclass_transform(kw_only_default=True)
class _Declared:
    """So that type checkers take what `Rule` and its subclasses annotate, but not these, for hyperparameters."""

    lr: ClassVar[float]
    state: tuple[str, ...] = ()
    update: Callable[..., tuple[Value, ...]]
    hyperparameters: ClassVar[dict[str, Range | Choice]]


class Rule(_Declared):
    """An update rule: ``theta, *state = rule(theta, g, *state, lr=, t=)``, with t = 1, 2, ...

    A subclass has a default `lr`, the names of its `state`, its hyperparameters as annotated
    attributes (the annotation says what is allowed, the value is the default), and `update`, the
    equation. Every rule has `weight_decay` (λ >= 0), which adds ``weight_decay * theta`` to the
    gradient: that of the objective regularised by λ/2·‖θ‖²; and `ema` (None, or in [0, 1)), which adds the state
    "average", an exponential moving average of the weights, and changes nothing else::

        average = d · average + (1 - d) · θ         d = min(ema, (1 + t) / (10 + t))

    It begins from the weights themselves. While t is small, d is small as well: so many updates have not been made
    yet as `ema` averages over, and the first weights are soon forgotten (TensorFlow's ExponentialMovingAverage with
    num_updates; Polyak & Juditsky 1992 for averages). Where the parameters hold a look-ahead point, θ itself
    (`iterate`) is averaged.

    A hyperparameter may be a number, an array, a Tensor (the step can then be differentiated with
    respect to it), or a schedule: a function of ``k = t - 1``, the number of updates already made.
    Raises `OptionError` for one that is unknown or not allowed.
    """

    weight_decay: NotNegative = 0.0
    ema: ShareOrNone = None

    def __init_subclass__(cls) -> None:
        annotations: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            annotations |= inspect.get_annotations(base)
        cls.hyperparameters = declared(annotations)
        for name in ("weight_decay", "ema"):  # a rule's own come first
            cls.hyperparameters[name] = cls.hyperparameters.pop(name)
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [inspect.Parameter(name, keyword, default=getattr(cls, name)) for name in cls.hyperparameters]
        cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]

    def __init__(self, **given: Any) -> None:
        for name, value in given.items():
            if name not in self.hyperparameters:
                known = ", ".join(self.hyperparameters)
                hint = " (lr is an argument of each step)" if name == "lr" else ""
                message = f"{self.name}: unknown hyperparameter {name!r}{hint}; known ones: {known}"
                unknown = {name: value for name, value in given.items() if name not in self.hyperparameters}
                raise OptionError(message + in_our_words(self.name, unknown))
            setattr(self, name, self.hyperparameters[name].checked(self.name, name, value))
        self.scheduled = [name for name in self.hyperparameters if callable(getattr(self, name))]
        self.__post_init__()
        if self.ema is not None:
            self.state = (*self.state, AVERAGE)  # annotated it would be a hyperparameter

    def __post_init__(self) -> None:
        """What a subclass has to do once its hyperparameters are there."""

    @property
    def name(self) -> str:
        """The rule's name, which is that of its class."""
        return type(self).__name__

    @property
    def decays(self) -> bool:
        """Whether the equation has a weight decay in it: not if that is the number zero."""
        return not (isinstance(self.weight_decay, float) and self.weight_decay == 0)

    def numbers(self) -> list[str]:
        """The names of the hyperparameters that the equation reads as numbers.

        The others (options, a weight decay of zero) decide what the equation is.
        """
        options = [n for n, allowed in self.hyperparameters.items() if isinstance(allowed, Choice)]
        options += [] if self.decays else ["weight_decay"]
        return [n for n in self.hyperparameters if n not in options and getattr(self, n) is not None]

    def replaced(self, values: Mapping[str, Any]) -> Self:
        """A copy with these hyperparameters instead, unchecked."""
        twin = copy.copy(self)
        twin.__dict__.update(values, scheduled=[name for name in self.scheduled if name not in values])
        return twin

    def at(self, t: int) -> Self:
        """This rule at step `t`: each schedule replaced by its value there. Raises `OptionError`."""
        if not self.scheduled:
            return self
        where = f"{self.name}, step {t}"
        values = {name: getattr(self, name)(t - 1) for name in self.scheduled}
        return self.replaced({n: self.hyperparameters[n].checked(where, n, value) for n, value in values.items()})

    def start(self, name: str) -> Any:
        """The number that the state called `name` starts from."""
        return 0.0

    def init(self, theta: Value) -> tuple[Value, ...]:
        """The starting state: as many as `state` has names, each shaped like `theta`."""
        first = self.at(1)
        return tuple(_filled(theta if name == AVERAGE else first.start(name), theta) for name in self.state)

    def decayed(self, theta: Value, g: Value, lr: Value) -> tuple[Value, Value]:
        """θ and g with the weight decay in them: the gradient of λ/2·‖θ‖² joins g."""
        return theta, g + self.weight_decay * theta

    def __call__(self, theta: Value, g: Value, *state: Value, lr: Value, t: Value) -> tuple[Value, ...]:
        """θ and the state after step `t`, from θ, its gradient `g` and the state before it.

        All of one shape; what is handed in is not changed. `lr` is a number (or a schedule), `t` counts
        the updates from 1, this one included. Raises `OptionError` for a `t` below 1, and for an eps that is lost in
        θ's dtype.
        """
        t = _number(t)
        if isinstance(t, int | float) and t < 1:
            raise OptionError(f"{self.name}: t={t}: t counts the updates from 1")
        lr = _number(lr(t - 1) if callable(lr) else lr)
        rule = self.at(t)
        check_eps(self.name, getattr(rule, "eps", None), getattr(theta, "dtype", None))
        if rule.decays:
            theta, g = rule.decayed(theta, g, lr)
        if rule.ema is None:
            return rule.update(theta, g, *state, lr=lr, t=t)
        *state, average = state  # type: ignore[assignment]
        theta, *state = rule.update(theta, g, *state, lr=lr, t=t)  # type: ignore[assignment]
        d = _number(minimum(rule.ema, (1 + t) / (10 + t)))
        return theta, *state, d * average + (1 - d) * rule.iterate(theta, *state)

    def iterate(self, theta: Value, *state: Value) -> Value:
        """θ itself, where a rule's parameters hold another point (the look-ahead); else `theta`."""
        return theta

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in self.hyperparameters if name != "ema" or self.ema is not None}
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def root(s: Value, eps: Value, mode: str, correction: Value = 1.0) -> Value:
    """√s, kept away from zero by ε.

    ========= ============= =========================================================
    "outside" √s + ε        a step never exceeds lr·g/ε
    "inside"  √(s + ε)      to act like "outside" where s = 0, this ε must be squared
    "hat"     √s + ε/√c     ε before the bias correction c = 1 - β2^t of s
    ========= ============= =========================================================
    """
    if mode == "inside":
        return sqrt(s + eps)
    return sqrt(s) + (eps / correction**0.5 if mode == "hat" else eps)


def _number(value: Value) -> Value:
    return value.item() if isinstance(value, np.generic) else value  # a NumPy scalar would widen a float32 array


def _filled(value: Any, like: Value) -> Value:
    if isinstance(like, Node):
        return wrap(array_module(like.data).zeros_like(like.data)) + value
    return array_module(like).zeros_like(like) + value if hasattr(like, "shape") else value
