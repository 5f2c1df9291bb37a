# Written by tests/support/make_stubs.py.

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from ..tensor import Tensor
from .hyperparameters import Rate
from .optimizer import Optimizer as Optimizer
from .translate import Translation as Translation
from .clipping import clip_grad_norm as clip_grad_norm
from .clipping import clip_grad_value as clip_grad_value
from .decay import decay_groups as decay_groups
from . import rules as rules
from . import schedules as schedules
from .translate import translate as translate

__all__: list[str] = [
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

Params: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]]

class SGD(Optimizer, rule=rules.SGD):
    def __init__(self, params: Params, lr: Rate = 0.01, *, weight_decay: Rate = 0.0, ema: Rate | None = None) -> None: ...
class AdaDelta(Optimizer, rule=rules.AdaDelta):
    def __init__(self, params: Params, lr: Rate = 1.0, *, rho: Rate = 0.95, eps: Rate = 1e-06, eps_mode: Literal['outside', 'inside'] = 'inside', weight_decay: Rate = 0.0, ema: Rate | None = None) -> None: ...
class AdaGrad(Optimizer, rule=rules.AdaGrad):
    def __init__(self, params: Params, lr: Rate = 0.01, *, eps: Rate = 1e-07, eps_mode: Literal['outside', 'inside'] = 'outside', initial_accumulator: Rate = 0.0, weight_decay: Rate = 0.0, ema: Rate | None = None) -> None: ...
class Adam(Optimizer, rule=rules.Adam):
    def __init__(self, params: Params, lr: Rate = 0.001, *, beta1: Rate = 0.9, beta2: Rate = 0.999, eps: Rate = 1e-08, eps_mode: Literal['outside', 'inside', 'hat'] = 'outside', amsgrad: bool = False, weight_decay: Rate = 0.0, ema: Rate | None = None) -> None: ...
class AdamW(Optimizer, rule=rules.AdamW):
    def __init__(self, params: Params, lr: Rate = 0.001, *, beta1: Rate = 0.9, beta2: Rate = 0.999, eps: Rate = 1e-08, eps_mode: Literal['outside', 'inside', 'hat'] = 'outside', amsgrad: bool = False, weight_decay: Rate = 0.01, ema: Rate | None = None) -> None: ...
class Momentum(Optimizer, rule=rules.Momentum):
    def __init__(self, params: Params, lr: Rate = 0.01, *, beta: Rate = 0.9, form: Literal['accumulated', 'velocity', 'averaged'] = 'accumulated', weight_decay: Rate = 0.0, ema: Rate | None = None) -> None: ...
class NAdam(Optimizer, rule=rules.NAdam):
    def __init__(self, params: Params, lr: Rate = 0.002, *, beta1: Rate = 0.9, beta2: Rate = 0.999, eps: Rate = 1e-08, eps_mode: Literal['outside', 'inside'] = 'outside', momentum_decay: Rate | None = 0.004, weight_decay: Rate = 0.0, ema: Rate | None = None) -> None: ...
class Nesterov(Optimizer, rule=rules.Nesterov):
    def __init__(self, params: Params, lr: Rate = 0.01, *, beta: Rate = 0.9, weight_decay: Rate = 0.0, ema: Rate | None = None) -> None: ...
class RMSProp(Optimizer, rule=rules.RMSProp):
    def __init__(self, params: Params, lr: Rate = 0.001, *, rho: Rate = 0.9, eps: Rate = 1e-06, eps_mode: Literal['outside', 'inside'] = 'inside', weight_decay: Rate = 0.0, ema: Rate | None = None) -> None: ...
class RMSPropNesterov(Optimizer, rule=rules.RMSPropNesterov):
    def __init__(self, params: Params, lr: Rate = 0.001, *, rho: Rate = 0.9, beta: Rate = 0.9, eps: Rate = 1e-06, eps_mode: Literal['outside', 'inside'] = 'inside', weight_decay: Rate = 0.0, ema: Rate | None = None) -> None: ...
