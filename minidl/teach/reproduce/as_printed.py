"""The notes' algorithms line by line, right or wrong as they are printed. minidl's rules are held against them.

Nothing else in minidl uses these: its rules are in optim/rules.py. The letters are the notes' own. Each
algorithm is given the gradient as a function and returns its path, the starting point first.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Gradient = Callable[[np.ndarray], np.ndarray]
sqrt = np.sqrt


def sgd(gradient: Gradient, theta: np.ndarray, steps: int, alpha: Callable[[int], float]) -> np.ndarray:
    """Note B 1.1; `alpha` is a function of k = 0, 1, 2, ..."""
    path = [theta]
    for k in range(steps):
        g = gradient(theta)
        theta = theta - alpha(k) * g
        path.append(theta)
    return np.array(path)


def momentum(
    gradient: Gradient, theta: np.ndarray, steps: int, alpha: Callable[[int], float], beta: float
) -> np.ndarray:
    """Note B 1.3."""
    path, v = [theta], np.zeros_like(theta)
    for k in range(steps):
        g = gradient(theta)
        v = beta * v - alpha(k) * g
        theta = theta + v
        path.append(theta)
    return np.array(path)


def nesterov(
    gradient: Gradient, theta: np.ndarray, steps: int, alpha: Callable[[int], float], beta: float
) -> np.ndarray:
    """Note B 1.4: there and back."""
    path, v = [theta], np.zeros_like(theta)
    for k in range(steps):
        interim = theta + beta * v
        g = gradient(interim)
        v = beta * v - alpha(k) * g
        theta = theta + v
        path.append(theta)
    return np.array(path)


def adagrad(gradient: Gradient, theta: np.ndarray, steps: int, alpha: float, delta: float) -> np.ndarray:
    """Note B 1.5.1."""
    path, r = [theta], np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        r = r + g * g
        theta = theta + -alpha / (delta + sqrt(r)) * g
        path.append(theta)
    return np.array(path)


def rmsprop(gradient: Gradient, theta: np.ndarray, steps: int, alpha: float, rho: float, delta: float) -> np.ndarray:
    """Note B 1.5.2."""
    path, r = [theta], np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        r = rho * r + (1 - rho) * g * g
        theta = theta + -alpha / sqrt(delta + r) * g
        path.append(theta)
    return np.array(path)


def rmsprop_nesterov(
    gradient: Gradient,
    theta: np.ndarray,
    steps: int,
    alpha: Callable[[int], float],
    beta: float,
    rho: float,
    delta: float,
) -> np.ndarray:
    """Note B 1.6."""
    path, r, v = [theta], np.zeros_like(theta), np.zeros_like(theta)
    for k in range(steps):
        interim = theta + beta * v
        g = gradient(interim)
        r = rho * r + (1 - rho) * g * g
        v = beta * v - alpha(k) / sqrt(r + delta) * g
        theta = theta + v
        path.append(theta)
    return np.array(path)


def adam(
    gradient: Gradient, theta: np.ndarray, steps: int, alpha: float, beta1: float, beta2: float, delta: float
) -> np.ndarray:
    """Note B 1.7."""
    path, t, v, r = [theta], 0, np.zeros_like(theta), np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        t = t + 1
        v = beta1 * v + (1 - beta1) * g
        r = beta2 * r + (1 - beta2) * g * g
        v_hat, r_hat = v / (1 - beta1**t), r / (1 - beta2**t)
        theta = theta - alpha * v_hat / (sqrt(r_hat) + delta)
        path.append(theta)
    return np.array(path)


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
