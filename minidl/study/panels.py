"""The four panels of note B's last section: which rules, what is tuned in each panel, over which spaces.

After Choi et al. 2019 (arXiv:1910.05446): a rule that contains another as a special case can only look worse if the
search was too small. So spaces follow these chains: where a rule divides by √s + ε and ε is large, its step is lr/ε
times that of the simpler rule, and lr is searched as lr/ε.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..optim.by_name import find_rule
from .space import LogUniform, Range, Space, Uniform, config_at, ranges

RULES = (
    "SGD", "Momentum", "Nesterov", "AdaGrad", "RMSProp", "RMSPropNesterov", "AdaDelta", "Adam", "NAdam",
)  # fmt: skip
PANELS = "P1", "P2", "P3", "P4"
# A rule, and one that becomes it where its other settings are at their ends (β = 0, ε large).
CHAINS = (
    ("SGD", "Momentum"), ("SGD", "Nesterov"), ("Momentum", "Adam"), ("Nesterov", "NAdam"), ("RMSProp", "Adam"),
    ("RMSProp", "RMSPropNesterov"), ("Nesterov", "RMSPropNesterov"),
)  # fmt: skip
LARGE_EPS = 1e-3  # above it lr/ε is searched instead of lr, over SGD's range
BORDER = 0.05  # of a range, at either end: an optimum there is flagged

_LR = {
    "SGD": LogUniform(1e-3, 1e1), "Momentum": LogUniform(1e-4, 1e0), "Nesterov": LogUniform(1e-4, 1e0),
    "AdaGrad": LogUniform(1e-4, 1e0), "AdaDelta": LogUniform(1e-2, 1e1),
}  # fmt: skip
_LR_OF_OTHERS = LogUniform(1e-5, 1e-1)
_FORGET, _FORGET_SLOWLY = LogUniform(1e-3, 0.5), LogUniform(1e-4, 0.5)
_EPS = LogUniform(1e-10, 1e0)
_OWN: dict[str, dict[str, Range]] = {  # "1-" before a name: what is missing to 1
    "SGD": {},
    "Momentum": {"1-beta": _FORGET},
    "Nesterov": {"1-beta": _FORGET},
    "AdaGrad": {"eps": _EPS},
    "RMSProp": {"1-rho": _FORGET_SLOWLY, "eps": _EPS},
    "RMSPropNesterov": {"1-rho": _FORGET_SLOWLY, "eps": _EPS, "1-beta": _FORGET},
    "AdaDelta": {"1-rho": _FORGET, "eps": LogUniform(1e-10, 1e-2)},
    "Adam": {"1-beta1": _FORGET, "1-beta2": _FORGET_SLOWLY, "eps": LogUniform(1e-10, 1e3)},
    "NAdam": {"1-beta1": _FORGET, "1-beta2": _FORGET_SLOWLY, "eps": LogUniform(1e-10, 1e3)},
}
# lr falls in a straight line to lr · decay, over this share of all updates, and stays there (note B's α/100 is 0.01).
_FALL: dict[str, Range] = {"decay": LogUniform(1e-4, 1e0), "length": Uniform(0.5, 1.0)}


@dataclass(frozen=True)
class Tier:
    """How large a study is: trials of each rule in each panel, epochs, samples, network, seeds of the report."""

    name: str
    trials: int
    epochs: int
    samples: int | None  # None: all 50,000
    hidden: tuple[int, ...]
    seeds: int
    measured: int = 5000  # samples to tune by, and as many others to report by
    watched: int = 2000  # of them, for the curve


TIERS = {
    tier.name: tier
    for tier in (
        Tier("smoke", 4, 1, 2000, (64,), 5, 1000, 250),
        Tier("laptop", 20, 3, None, (256, 128), 20),
        Tier("full", 100, 10, None, (256, 128), 20),
    )
}


class Cell(NamedTuple):
    """Where in a study of four panels a trial belongs; `stage` is "tune", "report" or "test"."""

    workload: str
    panel: str
    rule: str
    stage: str

    def __str__(self) -> str:
        return "/".join(self)


class Change(NamedTuple):
    """A range that is widened: its name, and whether below or above."""

    name: str
    above: bool


def space(panel: str, rule: str, widened: Iterable[Change] = ()) -> dict[str, Range]:
    """What is searched for `rule` in `panel`, lr first; `widened` ranges go on for a decade more."""
    found: dict[str, Range] = {"lr": _LR.get(rule, _LR_OF_OTHERS)}
    found |= _FALL if panel in ("P2", "P4") else {}
    found |= _OWN[rule] if panel in ("P3", "P4") else {}
    for name, above in widened:
        if isinstance(old := found.get(name), LogUniform):
            high = min(old.high * 10, 1.0) if name.startswith("1-") else old.high * 10
            found[name] = replace(old, high=high) if above else replace(old, low=old.low / 10)
    return found


def settings_at(searched: Space, point: np.ndarray) -> dict[str, Any]:
    """The settings at a point: where ε is large, lr is ε times a rate from SGD's range."""
    config = config_at(searched, point)  # type: ignore[arg-type]
    if config.get("eps", 0.0) > LARGE_EPS and "lr" in ranges(searched):
        config["lr"] = config["eps"] * _LR["SGD"].at(searched["lr"].share(config["lr"]))
    return config


def borders(searched: Space, config: Mapping[str, Any]) -> list[Change]:
    """At which ends of their ranges a trial's settings lie."""
    found = []
    for name, each in ranges(searched).items():
        if name not in config or not isinstance(each, LogUniform):
            continue  # how long lr falls has natural ends
        large = name == "lr" and config.get("eps", 0.0) > LARGE_EPS
        share = _LR["SGD"].share(config["lr"] / config["eps"]) if large else each.share(config[name])
        if not BORDER <= share <= 1 - BORDER:
            found.append(Change(name, share > 0.5))
    return found


def hyperparameters(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a trial's rule is made with, ε outside the root in all of them."""
    rule = find_rule(config["rule"]).rule
    found: dict[str, Any] = {"eps_mode": "outside"} if hasattr(rule, "eps_mode") else {}
    for name, value in config.items():
        if name == "eps":
            found[name] = value
        elif name.startswith("1-"):
            found[name[2:]] = 1 - value
    return found
