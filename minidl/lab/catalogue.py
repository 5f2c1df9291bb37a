"""What the page is told once: rules with what each may be set to, surfaces, colours, letters, presets."""

from typing import Any

from ..optim import rules
from ..optim.hyperparameters import Choice
from ..optim.rule import Rule
from ..teach.notation.formats import Text
from ..teach.notation.letters import ALPHABETS, alphabet
from ..teach.notation.notes import convention, noted
from ..teach.plots import COLOURS, rule_style
from .lanes import RULES, SCHEDULES, STEPS
from .presets import FIVE, presets
from .surface import BLANK, NAMES, surface

VERSION = "minidl-lab.1"


def hello() -> dict[str, Any]:
    """The catalogue."""
    return {
        "protocol": VERSION,
        "rules": [_rule(getattr(rules, name)) for name in RULES],
        "surfaces": list(NAMES),
        "starts": {name: list(surface({**BLANK, "name": name}).start) for name in NAMES},
        "schedules": list(SCHEDULES),
        "presets": presets(),
        "lanes": FIVE,
        "most": {"lanes": 12, "steps": STEPS},
    }


def _rule(kind: type[Rule]) -> dict[str, Any]:
    rule = kind()
    names = ["lr", *(name for name in kind.hyperparameters if name != "ema")]
    return {
        "name": kind.__name__,
        "lr": kind.lr,
        "colour": COLOURS[kind.__name__],
        "dashed": rule_style(kind.__name__)["linestyle"] != "-",
        "hyperparameters": [_hyperparameter(rule, name) for name in kind.hyperparameters if name != "ema"],
        "letters": {one: {name: Text(4).letter(alphabet(one)(name)) for name in names} for one in ALPHABETS},
        "conventions": {note: convention(kind, note) for note in ("A", "B") if noted(kind, note)},
    }


def _hyperparameter(rule: Rule, name: str) -> dict[str, Any]:
    allowed, default = rule.hyperparameters[name], getattr(rule, name)
    if isinstance(allowed, Choice):
        return {"name": name, "kind": "choice", "values": list(allowed.values), "default": default}
    below = None if allowed.below == float("inf") else allowed.below
    return {"name": name, "kind": "number", "below": below, "optional": allowed.optional, "default": default}
