"""The update rules, each stated once: ``theta, *state = rule(theta, g, *state, lr=, t=)``.

The same letters throughout: θ the parameters, g the gradient, v a running average (or sum) of
gradients, s of their squares, lr the learning rate, t = 1, 2, ... the update. In the notes' letters:

========== ====== ====== =================================
here       note A note B
========== ====== ====== =================================
theta      w, x   θ      parameters
lr         η      α      learning rate
beta       β      β      share of the old v that is kept
rho        γ      ρ      share of the old s that is kept
eps        ε      δ      keeps the divisor away from zero
v          v      v      velocity, first moment
s          s      r      squares, second moment
========== ====== ====== =================================
"""

import functools
import math
from typing import Any, Literal

from ..ops import maximum
from .hyperparameters import EpsMode, EpsModeHat, NotNegative, NotNegativeOrNone, Share
from .rule import Rule, Value, root
from .symbols import product_of

__all__ = [
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Momentum",
    "NAdam",
    "Nesterov",
    "RMSProp",
    "RMSPropNesterov",
    "Rule",
]


class SGD(Rule):
    """Gradient descent: a step against the gradient, whatever came before.

        θ = θ - lr · g

    Source: note A "Descenso del gradiente" (η), note B 1.1 (α_k: give `lr` a schedule).
    Memory: no extra array. Default: lr 0.01.
    Neighbours: Momentum and Nesterov with beta=0.
    """

    lr = 0.01

    def update(self, theta: Value, g: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:
        return (theta - lr * g,)


class Momentum(Rule):
    """Gradient descent with a memory: the step follows v, a fading sum of all gradients so far.

        form="accumulated"   v = β·v + g             θ = θ - lr · v      note A; PyTorch
        form="velocity"      v = β·v - lr·g          θ = θ + v           note B; Keras
        form="averaged"      v = β·v + (1 - β)·g     θ = θ - lr · v      note A's expansion v(n)

    The first two agree while lr is constant; once it changes, "velocity" goes on with the steps it
    took at the old lr. "averaged" is "accumulated" with lr · (1 - β) for its lr.

    Source: Polyak 1964; note A (momentum: β, η), note B 1.3 (β, α).
    Memory: one extra array, v. Defaults: lr 0.01, beta 0.9, form "accumulated".
    Neighbours: SGD is beta=0; Nesterov takes its gradient further ahead.
    """

    lr = 0.01
    state = ("v",)
    beta: Share = 0.9
    form: Literal["accumulated", "velocity", "averaged"] = "accumulated"

    def update(self, theta: Value, g: Value, v: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:
        if self.form == "velocity":
            v = self.beta * v - lr * g
            return theta + v, v
        v = self.beta * v + (g if self.form == "accumulated" else (1 - self.beta) * g)
        return theta - lr * v, v


class Nesterov(Rule):
    """Momentum whose gradient is taken where the velocity is about to carry the parameters.

        v = β·v - lr·g
        θ = θ + β·v - lr·g

    Note B steps to the interim point θ̃ = θ + β·v, takes g there, and comes back: v = β·v - lr·g,
    θ = θ + v. Here the parameters hold θ̃ all the time (so that the forward pass and g need no detour),
    and the lines above are note B's, rewritten for θ̃: equal to it step by step, under a changing lr
    too. `iterate` gives θ back. A β that changes in mid-run moves θ once, by the change times v.

    Source: Nesterov 1983, Sutskever et al. 2013; note B 1.4 (β, α). Not in note A.
    Memory: one extra array, v. Defaults: lr 0.01, beta 0.9.
    Neighbours: SGD is beta=0. PyTorch keeps v free of lr: the same while lr is constant.
    """

    lr = 0.01
    state = ("v",)
    beta: Share = 0.9

    def update(self, theta: Value, g: Value, v: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:
        v = self.beta * v - lr * g
        return theta + self.beta * v - lr * g, v

    def iterate(self, theta: Value, *state: Value) -> Value:
        return theta - self.beta * state[0]


class AdaGrad(Rule):
    """A learning rate per coordinate, which shrinks as the squares of its gradients add up.

        s = s + g²
        θ = θ - lr · g / (√s + ε)            eps_mode="outside"; "inside": √(s + ε)

    Source: Duchi et al. 2011; note A "Adagrad" (η, ε inside the root), note B 1.5.1 (α, δ, r; δ outside).
    Memory: one extra array, s. Defaults: lr 0.01, eps 1e-7, initial_accumulator (where s starts) 0.
    Neighbours: RMSProp forgets old squares, so its steps do not die out.
    """

    lr = 0.01
    state = ("s",)
    eps: NotNegative = 1e-7
    eps_mode: EpsMode = "outside"
    initial_accumulator: NotNegative = 0.0

    def start(self, name: str) -> Any:
        return self.initial_accumulator

    def update(self, theta: Value, g: Value, s: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:
        s = s + g * g
        return theta - lr * g / root(s, self.eps, self.eps_mode), s


class RMSProp(Rule):
    """AdaGrad that forgets: s is a running average of the squares, not their sum.

        s = ρ·s + (1 - ρ)·g²
        θ = θ - lr · g / √(s + ε)            eps_mode="inside"; "outside": √s + ε

    s starts at zero and nothing corrects that bias: the first step is lr/√(1 - ρ), 3.16 lr at ρ = 0.9.

    Source: Tieleman & Hinton 2012; note A "RMSProp" (γ, η, ε), note B 1.5.1 (ρ, α, δ, r).
    Memory: one extra array, s. Defaults: lr 0.001, rho 0.9, eps 1e-6.
    Neighbours: Adam adds momentum and corrects the bias; RMSPropNesterov adds a look-ahead.
    """

    lr = 0.001
    state = ("s",)
    rho: Share = 0.9
    eps: NotNegative = 1e-6
    eps_mode: EpsMode = "inside"

    def update(self, theta: Value, g: Value, s: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:
        s = self.rho * s + (1 - self.rho) * g * g
        return theta - lr * g / root(s, self.eps, self.eps_mode), s


class RMSPropNesterov(Rule):
    """RMSProp's step, taken by Nesterov's velocity.

        s = ρ·s + (1 - ρ)·g²
        v = β·v - lr · g / √(s + ε)          eps_mode="inside"; "outside": √s + ε
        θ = θ + β·v - lr · g / √(s + ε)

    As with Nesterov the parameters hold the interim point θ̃ = θ + β·v of note B, where g is taken;
    `iterate` gives θ back, and the steps equal note B's, under a changing lr too.

    Source: note B 1.6 (ρ, α, δ, r, β); Goodfellow et al. 2016, Algorithm 8.6. Not in note A.
    Memory: two extra arrays, s and v. Defaults: lr 0.001, rho 0.9, beta 0.9, eps 1e-6.
    Neighbours: RMSProp is beta=0; NAdam averages the gradient where this one sums steps.
    """

    lr = 0.001
    state = ("s", "v")
    rho: Share = 0.9
    beta: Share = 0.9
    eps: NotNegative = 1e-6
    eps_mode: EpsMode = "inside"

    def update(self, theta: Value, g: Value, s: Value, v: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:
        s = self.rho * s + (1 - self.rho) * g * g
        step = lr * g / root(s, self.eps, self.eps_mode)
        v = self.beta * v - step
        return theta + self.beta * v - step, s, v

    def iterate(self, theta: Value, *state: Value) -> Value:
        return theta - self.beta * state[1]


class AdaDelta(Rule):
    """RMSProp whose learning rate is the size of its own recent steps.

        s = ρ·s + (1 - ρ)·g²
        Δ = √(d + ε) / √(s + ε) · g          eps_mode="inside"; "outside": (√d + ε) / (√s + ε) · g
        d = ρ·d + (1 - ρ)·Δ²
        θ = θ - lr · Δ

    The notes and the paper have no learning rate; lr, 1 by default, multiplies the step. ε acts as one:
    the first step is about √ε/√(1 - ρ). Note A's second line prints g² where Δ² belongs.

    Source: Zeiler 2012; note A "Adadelta" (γ, ε; d is its Δx). Not in note B.
    Memory: two extra arrays, s and d. Defaults: lr 1, rho 0.95, eps 1e-6.
    Neighbours: RMSProp is the same with a constant in the place of √(d + ε).
    """

    lr = 1.0
    state = ("s", "d")
    rho: Share = 0.95
    eps: NotNegative = 1e-6
    eps_mode: EpsMode = "inside"

    def update(self, theta: Value, g: Value, s: Value, d: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:
        s = self.rho * s + (1 - self.rho) * g * g
        step = root(d, self.eps, self.eps_mode) / root(s, self.eps, self.eps_mode) * g
        d = self.rho * d + (1 - self.rho) * step * step
        return theta - lr * step, s, d


class Adam(Rule):
    """Momentum over RMSProp, both averages freed of the bias towards the zero that they start from.

        v = β1·v + (1 - β1)·g                v̂ = v / (1 - β1^t)
        s = β2·s + (1 - β2)·g²               ŝ = s / (1 - β2^t)
        θ = θ - lr · v̂ / (√ŝ + ε)            eps_mode="outside"; "inside": √(ŝ + ε)

    "hat" is Keras' ε: √ŝ + ε/√(1 - β2^t). With `amsgrad` the largest s so far, s_max, divides in the
    place of s, so that no coordinate's rate grows again; it is bias-corrected, as in PyTorch, where the
    paper corrects nothing. Note A prints one β in both corrections, and ε inside; the paper has neither.

    Source: Kingma & Ba 2015, Algorithm 1; Reddi et al. 2018 (amsgrad); note A "Adam" (β1, β2, η, ε),
    note B 1.7 (β1, β2, α, δ, r).
    Memory: two extra arrays, v and s; three with amsgrad. Defaults: lr 0.001, beta1 0.9, beta2 0.999, eps 1e-8.
    Neighbours: AdamW decays the weights apart from the gradient; NAdam looks ahead.
    """

    lr = 0.001
    state = ("v", "s")
    beta1: Share = 0.9
    beta2: Share = 0.999
    eps: NotNegative = 1e-8
    eps_mode: EpsModeHat = "outside"
    amsgrad: bool = False

    def __post_init__(self) -> None:
        if self.amsgrad:
            self.state = ("v", "s", "s_max")  # type: ignore[assignment]  # annotated it would be a hyperparameter

    def update(
        self, theta: Value, g: Value, v: Value, s: Value, s_max: Value = None, *, lr: Value, t: Value
    ) -> tuple[Value, ...]:
        v = self.beta1 * v + (1 - self.beta1) * g
        s = self.beta2 * s + (1 - self.beta2) * g * g
        largest = maximum(s_max, s) if self.amsgrad else s
        v_hat = v / (1 - self.beta1**t)
        s_hat = largest / (1 - self.beta2**t)
        theta = theta - lr * v_hat / root(s_hat, self.eps, self.eps_mode, 1 - self.beta2**t)
        return (theta, v, s, largest) if self.amsgrad else (theta, v, s)


class AdamW(Adam):
    """Adam with the weight decay taken out of the gradient, where Adam would divide it by √ŝ.

        θ = θ · (1 - lr · λ)                 then Adam's lines

    The decay follows the learning rate's schedule.

    Source: Loshchilov & Hutter 2019, Algorithm 2. In neither note.
    Memory: two extra arrays, v and s; three with amsgrad.
    Defaults: Adam's, and weight_decay (λ) 0.01.
    Neighbours: Adam's own weight_decay adds λ·θ to the gradient (the notes' regularised objective).
    """

    weight_decay: NotNegative = 0.01

    def decayed(self, theta: Value, g: Value, lr: Value) -> tuple[Value, Value]:
        return theta * (1 - lr * self.weight_decay), g


class NAdam(Rule):
    """Adam that looks ahead: the newest gradient counts once more, as in Nesterov's momentum.

        μ(t) = β1 · (1 - ½ · 0.96^(t·ψ))     Π(t) = μ(1) · μ(2) · ... · μ(t)
        v = β1·v + (1 - β1)·g                v̂ = μ(t+1) · v / (1 - Π(t+1)) + (1 - μ(t)) · g / (1 - Π(t))
        s = β2·s + (1 - β2)·g²               ŝ = s / (1 - β2^t)
        θ = θ - lr · v̂ / (√ŝ + ε)            eps_mode="outside"; "inside": √(ŝ + ε)

    ψ is `momentum_decay`; None means a constant μ(t) = β1. As in PyTorch v itself is averaged with β1,
    where Dozat uses μ(t). Π(t) is a function of t and today's β1 and ψ, as Adam's β1^t is: nothing to
    store, and nothing to lose on resuming.

    Source: Dozat 2016. In neither note (note B shows it in a plot).
    Memory: two extra arrays, v and s. Defaults: lr 0.002, beta1 0.9, beta2 0.999, eps 1e-8, momentum_decay 0.004.
    Neighbours: Adam, whose v̂ looks back only.
    """

    lr = 0.002
    state = ("v", "s")
    beta1: Share = 0.9
    beta2: Share = 0.999
    eps: NotNegative = 1e-8
    eps_mode: EpsMode = "outside"
    momentum_decay: NotNegativeOrNone = 0.004

    def mu(self, t: Value) -> Value:
        """The momentum of step `t`."""
        return self.beta1 if self.momentum_decay is None else self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def product(self, t: Value) -> Value:
        """The product of the momenta of steps 1 to `t`."""
        constant = self.beta1**t
        return constant if self.momentum_decay is None else constant * damping(t, self.momentum_decay)

    def update(self, theta: Value, g: Value, v: Value, s: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:
        mu, mu_next, product = self.mu(t), self.mu(t + 1), self.product(t)
        v = self.beta1 * v + (1 - self.beta1) * g
        s = self.beta2 * s + (1 - self.beta2) * g * g
        v_hat = mu_next * v / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        s_hat = s / (1 - self.beta2**t)
        return theta - lr * v_hat / root(s_hat, self.eps, self.eps_mode), v, s


def _factor(i: Value, psi: Value) -> Value:
    return 1 - 0.5 * 0.96 ** (i * psi)


@product_of(_factor)
def damping(t: int, psi: Value) -> Value:
    """(1 - ½·0.96^ψ) · (1 - ½·0.96^2ψ) · ... · (1 - ½·0.96^tψ)."""
    if not isinstance(psi, float):
        return math.prod(_factor(i, psi) for i in range(1, t + 1))
    products = _dampings(psi)
    return products[min(t, len(products) - 1)]


@functools.lru_cache(maxsize=64)
def _dampings(psi: float) -> list[float]:
    """`damping` for t = 0, 1, 2, ..., as far as it takes until more factors would leave 1 - β1^t · damping alone."""
    products, fading = [1.0], 1.0
    while products[-1] > 1e-20 and fading > 1e-17:
        fading = 0.96 ** (len(products) * psi)
        products.append(products[-1] * (1 - 0.5 * fading))
    return products
