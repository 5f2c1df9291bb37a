"""Optimizers and their hyperparameters in words, as the command line gives them."""

from typing import Any

from ..errors import OptionError
from .optimizer import Optimizer


def find_rule(name: str) -> type[Optimizer]:
    """The optimizer class called `name`, in any case, and with -, + or _ in it, as RMSProp+Nesterov has.

    Raises `OptionError` with the list.
    """
    known = {kind.__name__.lower(): kind for kind in Optimizer.__subclasses__()}
    plain = name.lower().translate(dict.fromkeys(map(ord, "-+_ ")))
    if plain not in known:
        raise OptionError(f"optimizer {name!r}: choose one of {', '.join(sorted(known))}")
    return known[plain]


def setting(text: str) -> tuple[str, Any]:
    """``beta=0.5`` as a name and a value: a number, True, False, None, or a word. Raises `OptionError`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise OptionError(f"--set {text!r}: write NAME=VALUE, such as beta=0.5")
    words: dict[str, Any] = {"True": True, "False": False, "None": None}
    try:
        return name, words[value] if value in words else float(value)
    except ValueError:
        return name, value
