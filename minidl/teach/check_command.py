"""The commands ``minidl check`` and ``minidl exercise``."""

from pathlib import Path

from ..errors import OptionError
from ..optim import Optimizer
from ..optim.by_name import find_rule
from ..optim.rule import Rule
from ..system.terminal import tell
from ._check.exercise import answer, exercise
from ._check.verdict import check
from ._ledger.sentences import Language


def check_file(path: Path, name: str | None, language: Language) -> bool:
    """Check a file, and say what was found; whether it was right."""
    kind = find_rule(name) if name else _guessed(path)
    tell(f"Running {path.name} ...")
    verdict = check(path, kind.rule())
    tell(verdict.text(language))
    return verdict.right


def show_exercise(name: str, answered: bool, language: Language) -> None:
    """Print an exercise, or its answer."""
    rule: Rule = find_rule(name).rule()
    tell(answer(rule) if answered else exercise(rule, language))


def _guessed(path: Path) -> type[Optimizer]:
    """The rule that a file is called after: the longest name that is in the file's."""
    stem = path.stem.lower().replace("_", "").replace("-", "")
    known = sorted((kind.__name__.lower() for kind in Optimizer.__subclasses__()), key=len)
    found = [name for name in known if name in stem]
    if not found:
        raise OptionError(f"{path.name}: which rule is it? Say so with --rule, one of {', '.join(sorted(known))}")
    return find_rule(found[-1])
