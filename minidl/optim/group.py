"""Parameters that share a learning rate and hyperparameters, and the dict through which a user changes those."""

from operator import is_
from typing import Any

from ..autograd import Node
from ..errors import OptionError
from .hyperparameters import LR, Choice, check_eps
from .rule import Rule


class Group:
    """One group of an optimizer: `settings` is the user's dict, `rule` and `lr` what was last read from it.

    `first` and `last` bound the numbers of its parameters among all of the optimizer's.
    """

    rule: Rule
    lr: Any
    executor: Any = None  # what executes the rule; None if that is to be made (anew)

    def __init__(self, kind: type[Rule], first: int, parameters: tuple[Node, ...], given: dict[str, Any]) -> None:
        self.kind, self.first, self.last = kind, first, first + len(parameters)
        self.parameters = parameters
        defaults = {name: getattr(kind, name) for name in kind.hyperparameters}
        self.settings: dict[str, Any] = {"params": parameters, "lr": kind.lr, **defaults, **given}
        self._seen: dict[str, Any] = {}
        self._dtype: Any = None  # for which the settings were checked
        self.read()

    def at(self, t: int) -> tuple[Rule, float]:
        """The rule and the learning rate of step `t`, every schedule read. Raises `OptionError`."""
        rule = self.read()
        lr = LR.checked(f"{rule.name}, step {t}", "lr", self.lr(t - 1)) if callable(self.lr) else self.lr
        if rule.scheduled:
            rule = rule.at(t)
            check_eps(f"{rule.name}, step {t}", getattr(rule, "eps", None), self._dtype)
        return rule, lr

    def read(self) -> Rule:
        """The rule with today's settings, checked if they, or the parameters' dtype, are new. Raises `OptionError`."""
        now, seen = self.settings, self._seen
        dtype = self.parameters[0].data.dtype if self.parameters else None
        if dtype is self._dtype and [*now] == [*seen] and all(map(is_, now.values(), seen.values())):
            return self.rule
        given = dict(self.settings)
        name = self.kind.__name__
        if given.pop("params", None) is not self.parameters:
            raise OptionError(f"{name}: the parameters of a group cannot be exchanged: make a new optimizer")
        lost = [n for n in ("lr", *self.kind.hyperparameters) if n not in given]
        if lost:
            raise OptionError(f"{name}: a group has lost its {', '.join(lost)}: give a number, do not delete it")
        lr = LR.checked(name, "lr", given.pop("lr"))
        rule = self.kind(**given)
        read = {"lr": lr, **{n: getattr(rule, n) for n in rule.hyperparameters}}
        for n, value in read.items():
            if hasattr(value, "dtype"):
                raise OptionError(f"{name}: {n} is an array; only the pure rule takes those, an optimizer numbers")
            if isinstance(rule.hyperparameters.get(n), Choice) and self._seen.get(n, value) != value:
                raise OptionError(
                    f"{name}: {n} was {self._seen[n]!r} and cannot become {value!r}: the state rests on it"
                )
        if self._seen and rule.state != self.rule.state:
            raise OptionError(
                f"{name}: ema was {self.rule.ema!r} and cannot become {rule.ema!r}: the state rests on it"
            )
        check_eps(name, getattr(rule, "eps", None), dtype)
        if self._seen and rule.numbers() != self.rule.numbers():
            self.executor = None  # a term has come or gone: another equation
        self.settings.update(read)
        self.lr, self.rule, self._seen, self._dtype = lr, rule, dict(self.settings), dtype
        return rule
