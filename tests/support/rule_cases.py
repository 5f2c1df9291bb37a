"""Every rule in each of its variants, and vectors to try it on."""

import numpy as np

from minidl.optim.flat import aligned
from minidl.optim.rules import SGD, AdaDelta, AdaGrad, Adam, AdamW, Momentum, NAdam, Nesterov, RMSProp, RMSPropNesterov

EVERY = [SGD, Momentum, Nesterov, AdaGrad, RMSProp, RMSPropNesterov, AdaDelta, Adam, AdamW, NAdam]
VARIANTS = [
    SGD(),
    SGD(weight_decay=0.1),
    *[Momentum(beta=0.7, form=form) for form in ("accumulated", "velocity", "averaged")],
    Nesterov(weight_decay=0.01),
    *[kind(eps_mode=mode, eps=1e-3) for kind in EVERY[3:] for mode in ("outside", "inside")],
    *[kind(eps_mode="hat", amsgrad=amsgrad) for kind in (Adam, AdamW) for amsgrad in (False, True)],
    AdaGrad(initial_accumulator=0.1),
    NAdam(momentum_decay=None),
    NAdam(momentum_decay=0.5, beta1=0.99),
]


def names(rule):
    return repr(rule)


def vectors(rule, size, dtype, seed=0):
    rng = np.random.default_rng(seed)
    theta, g = aligned(size, dtype), aligned(size, dtype)
    theta[:], g[:] = rng.normal(size=size), rng.normal(size=size)
    state = []
    for start in rule.init(theta):
        state.append(aligned(size, dtype))
        state[-1][:] = start + rng.uniform(0.1, 1, size=size)
    return [theta, g, *state]
