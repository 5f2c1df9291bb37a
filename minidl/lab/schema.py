"""What a message may hold: each field's type and limits, checked before anything is computed."""

import math
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], Any]  # a value and where it stands -> the value, or `RefusedError`


class RefusedError(Exception):
    """A message that is not carried out: a code for programs, what is wrong where, and how to fix it."""

    def __init__(self, code: str, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.code, self.what, self.fix = code, what, fix


def _refused(where: str, value: Any, allowed: str) -> RefusedError:
    shown = repr(value)
    return RefusedError("schema", f"{where}: {shown if len(shown) <= 60 else f'{shown[:57]}...'}", allowed)


def whole(least: int, most: int) -> Check:
    """An integer from `least` to `most`."""

    def check(value: Any, where: str) -> int:
        if type(value) is not int or not least <= value <= most:
            raise _refused(where, value, f"give an integer from {least} to {most}")
        return value

    return check


def real(least: float = -math.inf, most: float = math.inf) -> Check:
    """A finite number from `least` to `most`, as a float."""

    def check(value: Any, where: str) -> float:
        good = type(value) in (int, float) and abs(value) < 1e300 and least <= value <= most
        if not good:
            raise _refused(where, value, f"give a number from {least:g} to {most:g}")
        return float(value)

    return check


def choice(*values: Any) -> Check:
    """One of some values."""

    def check(value: Any, where: str) -> Any:
        if not any(type(value) is type(one) and value == one for one in values):
            raise _refused(where, value, f"choose one of {', '.join(map(str, values))}")
        return value

    return check


def text(most: int) -> Check:
    """A string of at most so many characters."""

    def check(value: Any, where: str) -> str:
        if type(value) is not str or len(value) > most:
            raise _refused(where, value, f"give a text of at most {most} characters")
        return value

    return check


def listed(item: Check, least: int, most: int) -> Check:
    """A list of `least` to `most` items of one kind."""

    def check(value: Any, where: str) -> list[Any]:
        if type(value) is not list or not least <= len(value) <= most:
            raise _refused(where, value, f"give a list of {least} to {most}")
        return [item(one, f"{where}[{number}]") for number, one in enumerate(value)]

    return check


def mapping(item: Check, most: int) -> Check:
    """An object of at most `most` names, whose values are of one kind."""

    def check(value: Any, where: str) -> dict[str, Any]:
        if type(value) is not dict or len(value) > most:
            raise _refused(where, value, f"give an object of at most {most} names")
        return {text(40)(name, where): item(one, f"{where}.{name[:40]}") for name, one in value.items()}

    return check


def record(needed: Mapping[str, Check], optional: Mapping[str, tuple[Check, Any]] | None = None) -> Check:
    """An object with these fields and no others; of an optional one, a pair, the second is what it is without."""
    optional = optional or {}

    def check(value: Any, where: str) -> dict[str, Any]:
        if type(value) is not dict:
            raise _refused(where, value, "give an object")
        unknown = [name for name in value if name not in needed and name not in optional]
        if unknown:
            known = ", ".join([*needed, *optional]) or "none"
            raise RefusedError("schema", f"{where}: unknown field {unknown[0][:40]!r}", f"the fields are: {known}")
        missing = [name for name in needed if name not in value]
        if missing:
            raise RefusedError("schema", f"{where}: no field {missing[0]!r}", f"give {missing[0]!r}")
        found = {name: one(value[name], f"{where}.{name}") for name, one in needed.items()}
        for name, (one, otherwise) in optional.items():
            found[name] = one(value[name], f"{where}.{name}") if name in value else otherwise
        return found

    return check


def nullable(item: Check) -> Check:
    """The same, or null."""
    return lambda value, where: None if value is None else item(value, where)


def setting(value: Any, where: str) -> Any:
    """What a hyperparameter may be before the rule has looked at it: a number, a word, true, false or null."""
    if value is None or type(value) is bool:
        return value
    return text(20)(value, where) if type(value) is str else real(-1e12, 1e12)(value, where)
