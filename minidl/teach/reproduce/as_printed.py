"""The notes' algorithms line by line, right or wrong as they are printed. minidl's rules are held against them.

Nothing trains by these: the rules are in optim/rules.py. Each algorithm is given the gradient as a function and
returns its path, the starting point first. Those that are right are note B's own lines, in notation/note_b.py, carried
out on numbers; the misprints stand here, in the notes' letters.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..notation import note_b
from ..notation.noted import carried_out

Gradient = Callable[[np.ndarray], np.ndarray]
sqrt = np.sqrt


def _path(equations: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """``path(gradient, theta, steps, lr, ...)``: the hyperparameters follow in the order in which `equations` has them.

    Each is a number, or a function of k = 0, 1, 2, ...
    """
    parameters = inspect.signature(equations).parameters.values()
    names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "t"]

    @functools.wraps(equations)
    def path(gradient: Gradient, theta: np.ndarray, steps: int, *settings: Any) -> np.ndarray:
        values, found = {"theta": theta, "v": np.zeros_like(theta), "s": np.zeros_like(theta)}, [theta]
        for k in range(steps):
            now = {n: x(k) if callable(x) else x for n, x in zip(names, settings, strict=True)}
            values = carried_out(equations, gradient, {**values, **now, "t": k + 1})
            found.append(values["theta"])
        return np.array(found)

    return path


sgd = _path(note_b.sgd)
momentum = _path(note_b.momentum)
nesterov = _path(note_b.nesterov)
adagrad = _path(note_b.adagrad)
rmsprop = _path(note_b.rmsprop)
rmsprop_nesterov = _path(note_b.rmsprop_nesterov)
adam = _path(note_b.adam)


# --- Misprints: what note A prints, which is not what it means


def adadelta_misprinted(gradient: Gradient, w: np.ndarray, steps: int, gamma: float, eps: float) -> np.ndarray:
    """Note A "Adadelta": the second recursion averages g², where the square of the update belongs."""
    path, s, dx = [w], np.zeros_like(w), np.zeros_like(w)
    for _ in range(steps):
        g = gradient(w)
        s = gamma * s + (1 - gamma) * g**2
        dx_before, dx = dx, gamma * dx + (1 - gamma) * g**2
        w = w - sqrt(dx_before + eps) / sqrt(s + eps) * g
        path.append(w)
    return np.array(path)


def adam_misprinted(
    gradient: Gradient, w: np.ndarray, steps: int, eta: float, beta1: float, beta2: float, beta: float, eps: float
) -> np.ndarray:
    """Note A "Adam": one and the same β corrects both moments. ε inside the root, as it prints it."""
    path, v, s = [w], np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        g = gradient(w)
        v = beta1 * v + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g**2
        v_corrected, s_corrected = v / (1 - beta**t), s / (1 - beta**t)
        w = w - eta * v_corrected / sqrt(s_corrected + eps)
        path.append(w)
    return np.array(path)


def batch_norm_without_eps(x: np.ndarray, gamma: Any = 1.0, beta: Any = 0.0) -> np.ndarray:
    """Note B 1.10: (x - μ)/σ, with no ε."""
    with np.errstate(invalid="ignore"):
        return gamma * (x - x.mean(axis=0)) / x.std(axis=0) + beta
