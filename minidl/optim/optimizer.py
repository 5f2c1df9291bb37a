"""The optimizer: a rule, the parameters that it moves, and what it remembers between steps."""

import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ..autograd import Node
from ..backend import Array
from ..elsewhere import missing_attribute
from ..errors import OptionError, StateError
from ..guards import StepGuard
from ..tensor import Tensor
from .execution.blocked import PendingGradient
from .flat import checked
from .group import Group
from .hyperparameters import LR
from .rule import AVERAGE, Rule
from .saving import restore, saved
from .vectors import Vectors

_USAGE = """
    Made as ``{name}(params, lr={lr:g}, **hyperparameters)``. `params` are Tensors, or groups: dicts with some of them
    under "params", and "lr" or any hyperparameter that is to differ. Each number may be a schedule: a
    function of k, the number of updates already made. See `Optimizer` for the rest.
    """


class Optimizer:
    """Moves parameters by a rule: ``optimizer.zero_grad(); loss.backward(); optimizer.step()``.

    The parameters become views of one flat vector, and their gradients of another. One that has no
    gradient, or ``requires_grad=False``, is not moved, and neither is its state. `t` is the number of
    updates made, one for all. `parameters` are those of all groups, in order. `state` is what the rule remembers: by
    name, one flat vector each, in the order of the parameters.

    `groups` are dicts of "params", "lr" and every hyperparameter. A number that is changed in one of them
    is checked and used at the next step; the parameters and the options (form, eps_mode, amsgrad) stay.

    Raises `OptionError` for a hyperparameter that is unknown or not allowed, and for parameters that are no
    leaves, that occur twice, or that differ in dtype; `DTypeError` for integers; `MixedBackendError` for
    parameters on two backends.
    """

    rule: ClassVar[type[Rule]]

    def __init_subclass__(cls, rule: type[Rule]) -> None:
        cls.rule = rule
        cls.__doc__ = (rule.__doc__ or "").rstrip() + "\n" + _USAGE.format(name=cls.__name__, lr=rule.lr)
        either = inspect.Parameter.POSITIONAL_OR_KEYWORD
        first = [inspect.Parameter("params", either), inspect.Parameter("lr", either, default=rule.lr)]
        hyperparameters = inspect.signature(rule).parameters.values()
        cls.__signature__ = inspect.Signature([*first, *hyperparameters])  # type: ignore[attr-defined]

    def __init__(self, params: Iterable[Any], lr: Any = None, **hyperparameters: Any) -> None:
        grouped = _grouped(type(self).__name__, params)
        common = hyperparameters if lr is None else {"lr": lr, **hyperparameters}
        groups: list[Group] = []
        first = 0
        for given, parameters in zip(grouped, checked(given["params"] for given in grouped), strict=True):
            groups.append(Group(self.rule, first, parameters, {**common, **given, "params": parameters}))
            first += len(parameters)
        self.t = 0
        self.groups = [group.settings for group in groups]
        self.vectors = Vectors(groups)
        self.parameters = cast("tuple[Tensor, ...]", tuple(self.vectors.parameters))
        self.state: dict[str, Array] = self.vectors.state
        self._guard = StepGuard()
        self._holding: str | None = None  # inside "at_iterate" or "averaged", where step() is refused

    @property
    def lr(self) -> float:
        """The learning rate of the next step (of the first group, should they differ). Assigning sets every group's.

        Where groups differ it raises `OptionError`, and nothing is set: ``lr *= 0.5`` would give them all the first
        one's. There each is set by itself: ``for group in optimizer.groups: group["lr"] *= 0.5``.
        """
        return self.rate(self.t + 1)

    @lr.setter
    def lr(self, value: Any) -> None:
        name = type(self).__name__
        value = LR.checked(name, "lr", value)
        now = [settings.get("lr") for settings in self.groups]
        if any(rate is not now[0] and rate != now[0] for rate in now):
            raise OptionError(
                f"{name}: its {len(now)} groups have learning rates that differ ({', '.join(map(repr, now))}), and lr= "
                f"would give them all the same: set each, such as: for group in optimizer.groups: group['lr'] *= 0.5"
            )
        for settings in self.groups:
            settings["lr"] = value

    def rate(self, t: int) -> float:
        """The learning rate of update number `t` (of the first group, should they differ)."""
        return self.at(t)[1]

    def at(self, t: int, group: int = 0) -> tuple[Rule, float]:
        """The rule and the learning rate of update number `t` in the group numbered `group`, every schedule read.

        Raises `OptionError` if the group or a schedule holds what is not allowed.
        """
        return self.vectors.groups[group].at(t)

    def step(self) -> None:
        """Move every parameter that has a gradient by one update.

        One without a gradient stays where it is, and so does its state; `t` counts the update for all. Whatever is
        raised, nothing has moved then.

        Raises:
            OptionError: if a group or a schedule holds what is not allowed.
            ShapeError, GradientError, MixedBackendError: if a parameter's data or gradient was replaced by what does
                not fit it.
            StateError: inside `at_iterate` or `averaged`.
        """
        self.step_after(None)

    def step_after(self, pending: PendingGradient | None) -> None:
        """``step()``; a part of the gradient that is still `pending` is made first."""
        self.check_ready()
        t = self.t + 1
        moved = self.vectors.apply(t, [group.at(t) for group in self.vectors.groups], pending)
        for parameter, has_moved in zip(self.vectors.parameters, moved, strict=True):
            if has_moved:
                parameter.changed()
        self.t = t
        self._guard.look(self.vectors.parameters, moved)

    def check_ready(self) -> None:
        """Raise `StateError` or `OptionError` unless an update may be made now."""
        if self._holding is not None:
            raise StateError(f"step() inside {self._holding}() would be undone at its end: leave the with block first")
        if [id(settings) for settings in self.groups] != [id(group.settings) for group in self.vectors.groups]:
            raise OptionError("groups cannot be added or exchanged: change their numbers, or make a new optimizer")

    def count(self, moved: Iterable[bool], steps: int) -> None:
        """Take note of so many updates of the parameters that `moved`, made elsewhere (see execution/upcoming.py)."""
        self.t += steps
        for parameter, has_moved in zip(self.vectors.parameters, moved, strict=True):
            if has_moved and steps:
                parameter.changed()

    def expect_new_gradients(self) -> None:
        """Take note that all gradients have been computed anew, elsewhere than by ``backward`` (compiler/)."""
        self._guard.forget()

    def zero_grad(self) -> None:
        """Forget all gradients: every ``p.grad`` becomes None."""
        for parameter in self.vectors.parameters:
            parameter.grad = None

    @contextmanager
    def at_iterate(self) -> Iterator[None]:
        """Within the block the parameters hold θ itself, where a rule's step leaves a look-ahead point in them.

        That is so for Nesterov and RMSPropNesterov; with the others nothing happens. Afterwards the
        parameters are what they were before, bit for bit.
        """
        with self._exchanged("at_iterate", self.rule.iterate is not Rule.iterate):
            yield

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within the block the parameters hold their averages: evaluate and save the model there.

        Of groups without `ema`, and before the first update, they hold what `at_iterate` shows; frozen ones
        (``requires_grad=False``) stay. Afterwards all are what they were before, bit for bit. BatchNorm's running
        statistics stay as well: ``model.estimate_statistics(loader)`` makes them anew for the weights that it finds.
        """
        with self._exchanged("averaged", True) if self.averages and self.t else self.at_iterate():
            yield

    @property
    def averages(self) -> bool:
        """Whether any group has an `ema`."""
        return any(map(_averages, self.vectors.groups))

    def take_averages(self) -> None:
        """Let the parameters of groups with `ema` be their averages from now on, as `fit` does at its end."""
        if self.averages and self.t:
            self.vectors.claim()
            self.vectors.prepare()
            for group in filter(_averages, self.vectors.groups):
                self._show_average(group)
            self._changed()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs, as copies: the rule's name, t, the groups' numbers, and the state.

        ``{"rule": name, "t": int, "groups": [{"shapes": [...], "lr": ..., ...}], "state": {name: NumPy vector}}``:
        but for the vectors, it is JSON. A schedule is a function, which cannot be saved: in its place is
        None (or, if it has a memory, what its ``state_dict()`` gives).
        """
        return saved(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave: training then goes on as it would have, bit for bit.

        The optimizer must have been made like the saved one, for parameters of the same shapes and dtype,
        and with schedules where that had schedules; numbers are taken from `state`. All or nothing: raises
        `StateError`, with a list of all that does not fit.
        """
        restore(self, state)

    @contextmanager
    def _exchanged(self, name: str, differs: bool) -> Iterator[None]:
        """The block called `name`, in which the parameters hold other values, if those `differ`."""
        if self._holding not in (None, name):
            raise StateError(f"{name}() inside {self._holding}(): leave that with block first")
        if self._holding or not differs:
            yield
            return
        self.vectors.claim()
        self.vectors.prepare()
        before = self.vectors.values.copy()
        self._show(averages=name == "averaged")
        self._holding = name
        self._changed()
        try:
            yield
        finally:
            self.vectors.claim()
            self.vectors.values[...] = before
            self._holding = None
            self._changed()

    def _show(self, averages: bool) -> None:
        """Write to the parameters their averages, where there are any and they are wanted, else θ itself."""
        vectors = self.vectors
        for group in vectors.groups:
            if averages and _averages(group):
                self._show_average(group)
                continue
            part = vectors.part(group.first, group.last)
            rule = group.read().at(max(self.t, 1))
            state = [vectors.state[name][part] for name in rule.state]
            vectors.values[part] = rule.iterate(vectors.values[part], *state)

    def _show_average(self, group: Group) -> None:
        """Write to the group's parameters their averages, but for frozen ones."""
        moving = [p.requires_grad for p in self.vectors.parameters]
        for start, stop in self.vectors.spans(moving, group.first, group.last):
            self.vectors.values[start:stop] = self.vectors.state[AVERAGE][start:stop]

    def _changed(self) -> None:
        """Take note that the parameters hold other values now."""
        for parameter in self.vectors.parameters:
            parameter.changed()

    def __reduce__(self) -> Any:  # a copy's parameters must be views of a vector of the copy's own
        return _rebuilt, (type(self), self.groups, self.state_dict())

    if not TYPE_CHECKING:  # for which an attribute that is not there is an error anyway

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute("Optimizer", type(self).__name__, name)

    def __repr__(self) -> str:
        hidden = {"params"} if _averages(self.vectors.groups[0]) else {"params", "ema"}
        numbers = ", ".join(f"{name}={value!r}" for name, value in self.groups[0].items() if name not in hidden)
        more = f" and {len(self.groups) - 1} more groups" if len(self.groups) > 1 else ""
        return f"{type(self).__name__}({len(self.vectors.parameters)} parameters, t={self.t}, {numbers}{more})"


def _averages(group: Group) -> bool:
    """Whether a group's rule keeps averages of its parameters."""
    return AVERAGE in group.rule.state


def _rebuilt(kind: type[Optimizer], groups: list[dict[str, Any]], state: dict[str, Any]) -> Optimizer:
    optimizer = kind(groups)
    optimizer.load_state_dict(state)
    return optimizer


def _grouped(name: str, params: Any) -> list[dict[str, Any]]:
    """What the user gave, as groups."""
    if callable(getattr(params, "parameters", None)):
        kind = type(params).__name__
        raise OptionError(f"{name}: params is a {kind}, a whole model: give its parameters, {name}(model.parameters())")
    if isinstance(params, Node | dict | str) or not isinstance(params, Iterable):
        raise OptionError(f"{name}: params is a {type(params).__name__}: give a list of Tensors, as model.parameters()")
    given = list(params)
    if not any(isinstance(group, dict) for group in given):
        return [{"params": given}]
    for i, group in enumerate(given):
        if not isinstance(group, dict) or "params" not in group:
            raise OptionError(f'{name}: group {i} is not a dict with "params" in it, as groups are')
    return given
