"""Rules whose steps a ledger shows, and a ledger of one of them."""

import pytest

from minidl import nn, optim
from minidl.optim import schedules
from minidl.teach import ledger
from minidl.teach.notation.letters import ALPHABETS

CASES = {
    "SGD": (optim.SGD, {}),
    "SGD decayed": (optim.SGD, {"weight_decay": 0.1}),
    "Momentum": (optim.Momentum, {"lr": 0.6, "beta": 0.5}),
    "Momentum velocity": (optim.Momentum, {"form": "velocity", "weight_decay": 0.01}),
    "Momentum averaged": (optim.Momentum, {"form": "averaged"}),
    "Momentum scheduled": (optim.Momentum, {"lr": schedules.linear(0.1, 0.01, 10), "beta": lambda k: 0.5 + 0.01 * k}),
    "Nesterov": (optim.Nesterov, {"lr": 0.1}),
    "Nesterov decayed": (optim.Nesterov, {"lr": 0.1, "weight_decay": 0.1}),
    "AdaGrad": (optim.AdaGrad, {"lr": 0.4}),
    "AdaGrad inside": (optim.AdaGrad, {"eps_mode": "inside", "initial_accumulator": 0.1, "weight_decay": 0.1}),
    "RMSProp": (optim.RMSProp, {"lr": 0.1}),
    "RMSProp outside": (optim.RMSProp, {"eps_mode": "outside"}),
    "RMSPropNesterov": (optim.RMSPropNesterov, {"weight_decay": 0.1}),
    "AdaDelta": (optim.AdaDelta, {}),
    "Adam": (optim.Adam, {"lr": 0.4}),
    "Adam hat": (optim.Adam, {"eps_mode": "hat", "amsgrad": True, "weight_decay": 0.1}),
    "AdamW": (optim.AdamW, {"lr": schedules.cosine(0.4, 20)}),
    "NAdam": (optim.NAdam, {"weight_decay": 0.1}),
    "NAdam constant": (optim.NAdam, {"momentum_decay": None, "eps_mode": "inside"}),
}

every_rule = pytest.mark.parametrize("case", CASES)
every_alphabet = pytest.mark.parametrize("letters", ALPHABETS)


def descent(case, steps=4, dtype="float64"):
    """A ledger of both coordinates of note A's function, and the optimizer."""
    kind, hyperparameters = CASES[case] if isinstance(case, str) else case
    x = nn.Parameter([-5.0, -2.0], dtype=dtype)
    optimizer = kind([x], **hyperparameters)
    book = ledger(optimizer, [(x, 0), (x, 1)], names={"x": x})
    for _ in range(steps):
        optimizer.zero_grad()
        (0.1 * x[0] ** 2 + 2 * x[1] ** 2).backward()
        optimizer.step()
    return book, optimizer
