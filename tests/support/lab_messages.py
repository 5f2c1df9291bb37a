"""Messages to a laboratory's session: good ones, and others made of them by mistakes and malice."""

import copy
import json
import random

RACE = {
    "surface": {"name": "bowl"},
    "start": [-5, -2],
    "lanes": [{"rule": "Momentum", "settings": {"lr": 0.6, "beta": 0.5}}, {"rule": "Adam", "settings": {"lr": 0.4}}],
    "steps": 20,
    "note": "A",
}
GOOD = [
    {"op": "hello"},
    {"op": "surface.field", "surface": {"name": "saddle"}, "n": 16},
    {"op": "surface.race", **RACE, "preset": None},
    {"op": "surface.race", **RACE, "surface": {"name": "formula", "formula": "x1^2 + exp(x2)/3"}},
    {
        "op": "surface.stability",
        "surface": {"name": "bowl"},
        "start": [-5, -2],
        "lane": RACE["lanes"][0],
        "steps": 20,
        "note": "B",
        "n": 8,
    },
    {"op": "script", **RACE, "lane": 0, "t": 3, "coordinate": 0, "language": "es"},
    {"op": "ledger", **RACE, "lane": 1, "t": 6, "coordinate": 1, "language": "it"},
]
ODD = [
    None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e308, 10**400, -(10**25), 3.7e-320, "", "x", "A", "lr", "NaN", [], {}, [[]], {"a": 1},
    "\ud800", "θ" * 50, [0] * 50, "bowl", "plateau", "quadratic", "formula", {"name": "formula", "formula": "1/0"},
    {"name": "formula", "formula": "9**9**9**9"}, {"name": "formula", "formula": "(0-8)**(1/3)*x1"}, {"name": "formula", "formula": "(" * 120},
    {"name": "formula", "formula": "x1**x2"}, {"name": "formula", "formula": "log(x1)"}, {"name": "quadratic", "curvatures": [0, 0]},
    {"at": 3, "settings": {"beta": 0.99}}, {"at": 3, "settings": {"form": "velocity"}}, {"rule": "NAdam"}, {"rule": "SGD", "settings": {"beta": 1}},
    {"rule": "AdaGrad", "settings": {"eps": 0}}, {"rule": "Momentum", "schedule": "linear", "settings": {"lr": 0}}, {"ema": 0.9}, {"lr": 1e12},
]  # fmt: skip


def mistaken(seed, count):
    """So many texts, the same for the same seed: good messages with some of their values exchanged, and other text."""
    rng = random.Random(seed)
    for number in range(count):
        message = {"id": number, **copy.deepcopy(rng.choice(GOOD))}
        for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
            spoil(message, rng)
        text = json.dumps(message)
        if rng.random() < 0.1:
            place = rng.randrange(len(text))
            text = rng.choice(
                [
                    text[:place],
                    text[:place] + rng.choice('{}[]",:e0N\\') + text[place:],
                    "[" * place,
                    "NaN",
                    '{"id":1e999}',
                    "\ud800",
                ]
            )
        yield text


def spoil(message, rng):
    """Exchange, remove or add one value, at any depth."""
    here = message
    while True:
        inner = [
            value
            for value in (here.values() if isinstance(here, dict) else here)
            if isinstance(value, dict | list) and value
        ]
        if not inner or rng.random() < 0.4:
            break
        here = rng.choice(inner)
    if not here:  # all has been removed
        return
    key = rng.choice(list(here) if isinstance(here, dict) else range(len(here)))
    act = rng.random()
    if act < 0.7:
        here[key] = copy.deepcopy(rng.choice(ODD))
    elif act < 0.85:
        del here[key]
    elif isinstance(here, dict):
        here[rng.choice(["extra", "fork", "schedule", "settings", "angle", "high", "domain", "__class__"])] = (
            copy.deepcopy(rng.choice(ODD))
        )
    else:
        here.append(copy.deepcopy(rng.choice(ODD)))
