"""Every optimizer and its rule, the rule in each of its variants, and vectors to try it on."""

import numpy as np

from minidl import optim
from minidl.optim.flat import aligned
from minidl.optim.rules import SGD, AdaGrad, Adam, AdamW, Momentum, NAdam, Nesterov

# What minidl.optim exports: nobody has to remember to add a new one.
OPTIMIZERS = [
    kind for name, kind in vars(optim).items() if name in optim.__all__ and kind in optim.Optimizer.__subclasses__()
]
EVERY = [optimizer.rule for optimizer in OPTIMIZERS]
VARIANTS = [
    SGD(),
    SGD(weight_decay=0.1),
    *[Momentum(beta=0.7, form=form) for form in ("accumulated", "velocity", "averaged")],
    Nesterov(weight_decay=0.01),
    *[
        kind(eps_mode=mode, eps=1e-3)
        for kind in EVERY
        if "eps_mode" in kind.hyperparameters
        for mode in ("outside", "inside")
    ],
    *[kind(eps_mode="hat", amsgrad=amsgrad) for kind in (Adam, AdamW) for amsgrad in (False, True)],
    AdaGrad(initial_accumulator=0.1),
    NAdam(momentum_decay=None),
    NAdam(momentum_decay=0.5, beta1=0.99),
    *[kind(ema=0.9) for kind in EVERY],
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
