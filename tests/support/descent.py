"""A descent by a rule on a function of two parameters, whose gradient is written out."""

import math

import numpy as np

LRS = [0.1 * (1 + math.cos(k / 7)) for k in range(200)]  # an lr that changes at every step

# f(x) = 0.1 x1² + 2 x2² of note A, from (-5, -2)
CURVATURE = np.array([0.2, 4.0])


def slope(x, k=0):
    return CURVATURE * x


def descend(rule, lr, steps=20, x=(-5.0, -2.0), gradient=slope):
    """The parameters after so many steps; θ itself where they hold the look-ahead point."""
    x = np.array(x)
    state = rule.init(x)
    for t in range(1, steps + 1):
        x, *state = rule(x, gradient(x, t - 1), *state, lr=lr[t - 1] if isinstance(lr, list) else lr, t=t)
    return rule.iterate(x, *state)


def gradient(x, k):
    """Of minibatch k: not linear in x, and noisy."""
    return CURVATURE * x + np.sin(x) + np.cos(k * np.array([1.0, 1.7]))
