"""The command ``minidl race``."""

from pathlib import Path

from ..errors import OptionError
from ..optim.by_name import find_rule, setting
from ..optim.rule import Rule
from ..system.terminal import tell
from ._race import race
from .formula import formula
from .functions import Function
from .surfaces import SURFACES


def run_race(entrants: tuple[str, ...], on: str, start: str | None, steps: int, figure: Path | None) -> None:
    """Run a race, print its table, and write its figure if that is asked for."""
    known = SURFACES.get(on)
    f: Function = formula(on) if known is None else known.f
    usual = (-1.5, 1.0) if known is None else known.start
    begin = usual if start is None else _numbers(start)
    found = race(f, [_entrant(text) for text in entrants], begin, steps)
    tell(found.text())
    if figure is not None:
        found.plot().savefig(figure)
        tell(f"Written: {figure}")


def _entrant(text: str) -> tuple[Rule, float]:
    """``momentum:lr=0.6,beta=0.5`` as a rule and its learning rate."""
    name, _, rest = text.partition(":")
    kind = find_rule(name)
    settings = dict(setting(part) for part in rest.split(",")) if rest else {}
    lr = settings.pop("lr", kind.rule.lr)
    if isinstance(lr, bool | str) or lr is None or lr < 0:
        raise OptionError(f"{text!r}: lr={lr!r}: give a number of at least 0")
    return kind.rule(**settings), float(lr)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"--start {text!r}: write numbers, such as -5,-2") from error
