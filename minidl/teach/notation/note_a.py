"""Note A's update rules, line by line, as it writes them: for `notes`, which prints them and their numbers.

Each is a generator that yields a name and the right-hand side of a line, and is sent the value of the line: a symbol,
or a number. `gradient` is called where the note takes the gradient. The names are minidl's, w being theta; the letters
are put in when a line is printed. Nothing trains by these: a test holds minidl's rules against them.
"""

from ...ops import sqrt
from ...optim.rule import Value
from .letters import Letter
from .noted import GradientAt, Lines, NoteRule


def gradient_descent(theta: Value, gradient: GradientAt, *, lr: Value) -> Lines:
    """Of momentum, "si β = 0": the note has no line of its own for it."""
    g = gradient(theta)
    yield "theta", theta - lr * g


def momentum(theta: Value, v: Value, gradient: GradientAt, *, lr: Value, beta: Value) -> Lines:
    """Its v_t and x_t; the later v(n), with 1 - β, is another form."""
    g = gradient(theta)
    v = yield "v", beta * v + g
    yield "theta", theta - lr * v


def adagrad(theta: Value, s: Value, gradient: GradientAt, *, lr: Value, eps: Value) -> Lines:
    """Its "Adagrad": ε inside the root, 1e-6 or 1e-7 (its printed runs have 1e-6)."""
    g = gradient(theta)
    s = yield "s", s + g * g
    yield "theta", theta - lr / sqrt(s + eps) * g


def rmsprop(theta: Value, s: Value, gradient: GradientAt, *, lr: Value, rho: Value, eps: Value) -> Lines:
    """Its "RMSProp": ε inside the root."""
    g = gradient(theta)
    s = yield "s", rho * s + (1 - rho) * g * g
    yield "theta", theta - lr / sqrt(s + eps) * g


def adadelta(theta: Value, s: Value, d: Value, gradient: GradientAt, *, rho: Value, eps: Value) -> Lines:
    """Its "Adadelta": no learning rate. g'_t, the update, is in its text only, and it misprints g_t² for g'_t²."""
    g = gradient(theta)
    s = yield "s", rho * s + (1 - rho) * g * g
    yield "theta", theta - sqrt(d + eps) / sqrt(s + eps) * g
    step = yield "step", sqrt(d + eps) / sqrt(s + eps) * g
    yield "d", rho * d + (1 - rho) * step * step


def adam(
    theta: Value, v: Value, s: Value, gradient: GradientAt,
    *, lr: Value, beta1: Value, beta2: Value, eps: Value, t: Value,
) -> Lines:  # fmt: skip
    """Its "Adam": ε inside the root. It prints one β for both corrections, where β1 and β2 are meant."""
    g = gradient(theta)
    v = yield "v", beta1 * v + (1 - beta1) * g
    s = yield "s", beta2 * s + (1 - beta2) * g * g
    v_hat = yield "v_hat", v / (1 - beta1**t)
    s_hat = yield "s_hat", s / (1 - beta2**t)
    yield "theta", theta - lr * v_hat / sqrt(s_hat + eps)


X = {"theta": Letter("x")}  # what the note calls its parameters while it speaks of momentum
INSIDE = {"eps_mode": "inside"}
RULES = {
    "SGD": NoteRule(gradient_descent, {}, X, remark="no line"),
    "Momentum": NoteRule(momentum, {"form": "accumulated"}, X),
    "AdaGrad": NoteRule(adagrad, INSIDE, values={"eps": 1e-6}),
    "RMSProp": NoteRule(rmsprop, INSIDE),
    "AdaDelta": NoteRule(adadelta, {**INSIDE, "lr": 1.0}, remark="square"),
    "Adam": NoteRule(adam, {**INSIDE, "amsgrad": False}, remark="one beta"),
}
