"""The runs whose results note A prints, as lanes of a race; what it prints is read off the rows that reproduce it."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from ..teach.reproduce import ROWS as ALL
from ..teach.reproduce.registry import NOTE_A


def _lane(rule: str, **settings: Any) -> dict[str, Any]:
    return {"rule": rule, "settings": settings}


_INSIDE = {"eps": 1e-6, "eps_mode": "inside"}
ROWS: dict[str, list[dict[str, Any]]] = {
    "A1": [_lane("SGD", lr=0.4)],
    "A2": [_lane("SGD", lr=0.6)],
    "A3": [_lane("Momentum", lr=0.6, beta=0.5)],
    "A4": [_lane("Momentum", lr=0.6, beta=0.25)],
    "A5": [_lane("Momentum", lr=0.6, beta=0.0)],
    "A6": [_lane("AdaGrad", lr=0.4, **_INSIDE)],
    "A7": [_lane("AdaGrad", lr=2.0, **_INSIDE)],
    "A8": [_lane("RMSProp", lr=0.4, rho=0.9, eps=1e-6)],
    "A9": [
        _lane("AdaDelta", lr=1.0, rho=0.9, eps=1e-5),
        _lane("Adam", lr=0.4, eps=1e-8, eps_mode="outside"),
        _lane("NAdam", lr=0.4, momentum_decay=None),
        _lane("RMSPropNesterov", lr=0.4, beta=0.5),
        _lane("Nesterov", lr=0.3, beta=0.5),
        _lane("Nesterov", lr=0.6, beta=0.5),
    ],
}
STEPS = 20  # of each of them
FIVE = [  # what the page begins with
    _lane("SGD", lr=0.4),
    _lane("Momentum", lr=0.6, beta=0.5),
    _lane("Nesterov", lr=0.3, beta=0.5),
    _lane("AdaGrad", lr=2.0),
    _lane("Adam", lr=0.4),
]


@cache
def printed(row: str) -> list[tuple[str, str]]:
    """What is printed after the 20 steps of a row's runs, a line each, and its source: the note, or a reference."""
    checks = [check for check in ALL[row].function().checks if check.expected.startswith("epoch 20, ")]
    return [(check.expected, "note" if check.source == NOTE_A else "reference") for check in checks]


def presets() -> list[dict[str, Any]]:
    """For the page: names, titles, lanes."""
    return [{"row": row, "title": ALL[row].title, "lanes": lanes, "steps": STEPS} for row, lanes in ROWS.items()]


def agreement(row: str, ends: Sequence[str], steps: int) -> list[dict[str, Any]]:
    """For each lane what is printed, and whether the race ended there; none if the race is not that of the row."""
    lines = printed(row)
    if steps != STEPS or len(lines) != len(ends):
        return []
    return [
        {"printed": line.removeprefix("epoch 20, "), "source": source, "agrees": line == f"epoch 20, {end}"}
        for (line, source), end in zip(lines, ends, strict=True)
    ]
