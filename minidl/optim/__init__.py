"""Optimizers: update rules as equations, the optimizers that apply them, and learning-rate schedules."""

from typing import TYPE_CHECKING, Any

from ..elsewhere import missing
from . import rules, schedules
from .clipping import clip_grad_norm, clip_grad_value
from .decay import decay_groups
from .optimizer import Optimizer
from .translate import Translation, translate

__all__ = [
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Optimizer",
    "RMSProp",
    "RMSPropNesterov",
    "Translation",
    "clip_grad_norm",
    "clip_grad_value",
    "decay_groups",
    "rules",
    "schedules",
    "translate",
]


# fmt: off
# Each of them has the docstring and the signature of its rule: `help(Adam)` shows the equation.
class SGD(Optimizer, rule=rules.SGD): ...
class Momentum(Optimizer, rule=rules.Momentum): ...
class Nesterov(Optimizer, rule=rules.Nesterov): ...
class AdaGrad(Optimizer, rule=rules.AdaGrad): ...
class RMSProp(Optimizer, rule=rules.RMSProp): ...
class RMSPropNesterov(Optimizer, rule=rules.RMSPropNesterov): ...
class AdaDelta(Optimizer, rule=rules.AdaDelta): ...
class Adam(Optimizer, rule=rules.Adam): ...
class AdamW(Optimizer, rule=rules.AdamW): ...
class NAdam(Optimizer, rule=rules.NAdam): ...
# fmt: on

if not TYPE_CHECKING:  # for which a name that is not there is an error anyway

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
