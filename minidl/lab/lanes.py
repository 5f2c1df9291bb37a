"""The lanes of a race as the page names them, made into rules and learning rates."""

from dataclasses import dataclass
from typing import Any

from ..errors import OptionError
from ..optim import rules, schedules
from ..optim.hyperparameters import LR, Choice
from ..optim.rule import Rule
from ..teach.notation.notes import Note, convention
from .schema import choice, mapping, nullable, record, setting, whole

RULES = [name for name in rules.__all__ if name != "Rule"]
SCHEDULES = ("constant", "linear", "exponential")
STEPS = 2_000  # the most of a race
DECAY = 0.96  # of "exponential": the share that is left after a twentieth of the steps

LANE = record(
    {"rule": choice(*RULES)},
    {
        "settings": (mapping(setting, 12), {}),
        "schedule": (choice(*SCHEDULES), "constant"),
        "fork": (
            nullable(record({"at": whole(0, STEPS), "settings": mapping(setting, 12)})),
            None,
        ),
    },
)


@dataclass(frozen=True)
class Forked:
    """A hyperparameter that is `before` for the first `at` steps and `then` from there on: a schedule."""

    before: Any
    at: int
    then: float

    def __call__(self, k: int) -> Any:
        if k >= self.at:
            return self.then
        return self.before(k) if callable(self.before) else self.before

    def __str__(self) -> str:
        return f"{self.before}, from step {self.at} {self.then}"


def entrant(lane: dict[str, Any], note: Note, steps: int) -> tuple[Rule, Any]:
    """The rule and the learning rate of a lane, its settings before those of the note's convention.

    Raises `OptionError` for a setting that the rule does not have, or refuses.
    """
    kind: type[Rule] = getattr(rules, lane["rule"])
    given = convention(kind, note) | lane["settings"]
    lr = _rate(kind, given.pop("lr", kind.lr))
    rate = _scheduled(lr, lane["schedule"], steps)
    rule = kind(**given)
    fork = lane["fork"]
    if fork is None:
        return rule, rate
    changed = dict(fork["settings"])
    if "lr" in changed:
        rate = Forked(rate, fork["at"], _rate(kind, changed.pop("lr")))
    return kind(**given | {name: _forked(rule, name, fork["at"], value) for name, value in changed.items()}), rate


def _rate(kind: type[Rule], value: Any) -> float:
    checked: float = LR.checked(kind.__name__, "lr", value)
    return checked


def _scheduled(lr: float, name: str, steps: int) -> Any:
    if name == "linear":
        return schedules.linear(lr, None, steps)
    return schedules.exponential(lr, max(1, steps // 20), DECAY) if name == "exponential" else lr


def _forked(rule: Rule, name: str, at: int, value: Any) -> Any:
    """A hyperparameter that changes on the way. Raises `OptionError` for one that cannot."""
    allowed = rule.hyperparameters.get(name)
    if allowed is None or isinstance(allowed, Choice) or getattr(rule, name) is None or value is None:
        numbers = ", ".join(["lr", *rule.numbers()])
        raise OptionError(f"{rule.name}: {name}={value!r} cannot change on the way; these can: {numbers}")
    return Forked(getattr(rule, name), at, allowed.checked(rule.name, name, value))
