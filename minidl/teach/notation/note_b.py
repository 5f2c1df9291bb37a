"""Note B's update rules, line by line, as it writes them: as in note_a.py."""

from ...ops import sqrt
from ...optim.rule import Value
from .letters import Letter
from .noted import GradientAt, Lines, NoteRule


def sgd(theta: Value, gradient: GradientAt, *, lr: Value) -> Lines:
    """1.1."""
    g = gradient(theta)
    yield "theta", theta - lr * g


def momentum(theta: Value, v: Value, gradient: GradientAt, *, lr: Value, beta: Value) -> Lines:
    """1.3: v points downhill, lr being in it."""
    g = gradient(theta)
    v = yield "v", beta * v - lr * g
    yield "theta", theta + v


def nesterov(theta: Value, v: Value, gradient: GradientAt, *, lr: Value, beta: Value) -> Lines:
    """1.4: there and back."""
    interim = yield "interim", theta + beta * v
    g = gradient(interim)
    v = yield "v", beta * v - lr * g
    yield "theta", theta + v


def adagrad(theta: Value, s: Value, gradient: GradientAt, *, lr: Value, eps: Value) -> Lines:
    """1.5.1: δ outside the root."""
    g = gradient(theta)
    s = yield "s", s + g * g
    yield "theta", theta + -(lr / (eps + sqrt(s))) * g


def rmsprop(theta: Value, s: Value, gradient: GradientAt, *, lr: Value, rho: Value, eps: Value) -> Lines:
    """1.5.2: δ inside the root."""
    g = gradient(theta)
    s = yield "s", rho * s + (1 - rho) * g * g
    yield "theta", theta + -(lr / sqrt(eps + s)) * g


def rmsprop_nesterov(
    theta: Value, s: Value, v: Value, gradient: GradientAt, *, lr: Value, beta: Value, rho: Value, eps: Value
) -> Lines:
    """1.6."""
    interim = yield "interim", theta + beta * v
    g = gradient(interim)
    s = yield "s", rho * s + (1 - rho) * g * g
    v = yield "v", beta * v - lr / sqrt(s + eps) * g
    yield "theta", theta + v


def adam(
    theta: Value, v: Value, s: Value, gradient: GradientAt,
    *, lr: Value, beta1: Value, beta2: Value, eps: Value, t: Value,
) -> Lines:  # fmt: skip
    """1.7: δ outside the root."""
    g = gradient(theta)
    v = yield "v", beta1 * v + (1 - beta1) * g
    s = yield "s", beta2 * s + (1 - beta2) * g * g
    v_hat = yield "v_hat", v / (1 - beta1**t)
    s_hat = yield "s_hat", s / (1 - beta2**t)
    yield "theta", theta - lr * (v_hat / (sqrt(s_hat) + eps))


INDEXED = {"lr": Letter("α", "k")}
RULES = {
    "SGD": NoteRule(sgd, {}, INDEXED),
    "Momentum": NoteRule(momentum, {"form": "velocity"}, INDEXED),
    "Nesterov": NoteRule(nesterov, {}, INDEXED),
    "AdaGrad": NoteRule(adagrad, {"eps_mode": "outside"}),
    "RMSProp": NoteRule(rmsprop, {"eps_mode": "inside"}),
    "RMSPropNesterov": NoteRule(rmsprop_nesterov, {"eps_mode": "inside"}),
    "Adam": NoteRule(adam, {"eps_mode": "outside", "amsgrad": False}),
}
