"""Learning rates that change: functions of k, the number of updates already made.

``schedule(0)`` is the learning rate of the first step. A schedule is taken wherever a learning rate or a
hyperparameter is, and any other function of k is too: ``Adam(params, lr=lambda k: 0.1 / (k + 1))``.
Nothing but k enters (save for `Plateau`), so training can be resumed anywhere.

Each schedule knows its `order`: in the long run it falls like ``k ** -order`` (0: towards a constant
above zero; infinity: faster than any power; NaN: that depends on more than k). On that hangs the
convergence of stochastic gradient descent: see `robbins_monro`. All of them raise `OptionError` for an
argument that is not allowed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import OptionError, StateError
from .convergence import RobbinsMonro, robbins_monro

__all__ = ["Plateau", "RobbinsMonro", "constant", "cosine", "exponential", "inverse_time", "linear", "one_cycle"]
__all__ += ["per_epoch", "robbins_monro", "step", "warmup"]


@dataclass(frozen=True)
class constant:
    """The same `lr` at every step."""

    lr: float

    def __post_init__(self) -> None:
        _rates(self, "lr")

    def __call__(self, k: int) -> float:
        return self.lr

    @property
    def order(self) -> float:
        return _towards(self.lr)


@dataclass(frozen=True)
class linear:
    """From `start` in a straight line to `end` at k = `steps`, and `end` from there on.

        α_k = (1 - k/τ)·α_0 + (k/τ)·α_τ      k < τ

    `end` None means start / 100, the α_τ of note B 1.2; the formula, which the note leaves out, is that
    of Goodfellow et al. 2016, eq. 8.14.
    """

    start: float
    end: float | None
    steps: int

    def __post_init__(self) -> None:
        _rates(self, "start")
        if self.end is None:
            object.__setattr__(self, "end", self.start / 100)
        _rates(self, "end")
        _counts(self, "steps")

    def __call__(self, k: int) -> float:
        share = min(k / self.steps, 1.0)
        return (1 - share) * self.start + share * self.end  # type: ignore[operator]

    @property
    def order(self) -> float:
        return _towards(self.end)


@dataclass(frozen=True)
class exponential:
    """`start` times `decay_rate` for every `decay_steps` updates: Keras' ExponentialDecay (note B 1.2).

        α_k = α_0 · rate^(k / steps)         the exponent rounded down if `staircase`

    `decay_steps` is not the τ of note B: ExponentialDecay(1e-2, 10000, 0.9) has fallen to a hundredth of
    its start after 437,087 updates only.
    """

    start: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        _rates(self, "start")
        _counts(self, "decay_steps")
        _shares(self, "decay_rate")

    def __call__(self, k: int) -> float:
        return self.start * self.decay_rate ** (k // self.decay_steps if self.staircase else k / self.decay_steps)

    @property
    def order(self) -> float:
        return math.inf if self.decay_rate < 1 else _towards(self.start)


@dataclass(frozen=True)
class inverse_time:
    """Falls like 1/k in the long run: Keras' InverseTimeDecay.

    α_k = α_0 / (1 + rate · k / steps)
    """

    start: float
    decay_steps: int
    decay_rate: float

    def __post_init__(self) -> None:
        _rates(self, "start", "decay_rate")
        _counts(self, "decay_steps")

    def __call__(self, k: int) -> float:
        return self.start / (1 + self.decay_rate * k / self.decay_steps)

    @property
    def order(self) -> float:
        return 1.0 if self.decay_rate > 0 and self.start > 0 else _towards(self.start)


@dataclass(frozen=True)
class step:
    """`start`, multiplied by `factor` after every `every` updates."""

    start: float
    every: int
    factor: float

    def __post_init__(self) -> None:
        _rates(self, "start")
        _counts(self, "every")
        _shares(self, "factor")

    def __call__(self, k: int) -> float:
        return self.start * self.factor ** (k // self.every)

    @property
    def order(self) -> float:
        return math.inf if self.factor < 1 else _towards(self.start)


@dataclass(frozen=True)
class cosine:
    """From `start` to `end` along half a cosine over `steps` updates, and `end` from there on.

        α_k = α_τ + ½·(α_0 - α_τ)·(1 + cos(π·k/τ))      k < τ

    Loshchilov & Hutter 2017, without the restarts.
    """

    start: float
    steps: int
    end: float = 0.0

    def __post_init__(self) -> None:
        _rates(self, "start", "end")
        _counts(self, "steps")

    def __call__(self, k: int) -> float:
        return _eased(self.start, self.end, k / self.steps)

    @property
    def order(self) -> float:
        return _towards(self.end)


@dataclass(frozen=True)
class warmup:
    """Rises in a straight line to the first value of `then` over `steps` updates, then follows `then`.

        α_k = (k + 1)/steps · then(0)   k < steps;     then(k - steps) from there on

    `then` is a number or a schedule, which starts counting after the warm-up.
    """

    steps: int
    then: Any

    def __post_init__(self) -> None:
        _counts(self, "steps")
        _as_schedule(self, "then")

    def __call__(self, k: int) -> float:
        return self.then(0) * (k + 1) / self.steps if k < self.steps else self.then(k - self.steps)

    @property
    def order(self) -> float | None:
        return getattr(self.then, "order", None)


@dataclass(frozen=True)
class one_cycle:
    """Up to `peak` and down again, along cosines: from peak/25 in the share `rise` of `steps`, then to peak/250,000.

    Smith & Topin 2018, with PyTorch's proportions.
    """

    peak: float
    steps: int
    rise: float = 0.3

    def __post_init__(self) -> None:
        _rates(self, "peak")
        _counts(self, "steps")
        _shares(self, "rise")

    def __call__(self, k: int) -> float:
        top = self.rise * self.steps
        if k < top:
            return _eased(self.peak / 25, self.peak, k / top)
        return _eased(self.peak, self.peak / 250_000, (k - top) / (self.steps - top) if k < self.steps else 1.0)

    @property
    def order(self) -> float:
        return _towards(self.peak)


@dataclass(frozen=True)
class per_epoch:
    """`schedule`, a function of the epochs already made, as one of updates: note B's α_k, indexed by epoch."""

    schedule: Any
    steps_per_epoch: int

    def __post_init__(self) -> None:
        _counts(self, "steps_per_epoch")
        _as_schedule(self, "schedule")

    def __call__(self, k: int) -> float:
        return self.schedule(k // self.steps_per_epoch)

    @property
    def order(self) -> float | None:
        return getattr(self.schedule, "order", None)


@dataclass
class Plateau:
    """`start`, multiplied by `factor` whenever the validation loss has stopped falling.

    Tell it each loss with ``update(loss)``. A loss is an improvement if it is below the best one by the
    share `threshold` of it; after more than `patience` losses in a row that are none, the value is
    multiplied by `factor`, but not below `end`. It is the one schedule with a memory, which goes into
    the optimizer's ``state_dict()``.
    """

    start: float
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    end: float = 0.0
    lr: float = field(init=False)
    best: float | None = field(init=False, default=None)
    waited: int = field(init=False, default=0)
    order = math.nan  # not a field: it has no annotation

    def __post_init__(self) -> None:
        _rates(self, "start", "threshold", "end")
        _shares(self, "factor")
        _counts(self, "patience", least=0)
        self.lr = self.start

    def __call__(self, k: int) -> float:
        return self.lr

    def update(self, loss: float) -> None:
        """Take note of a validation loss. One that is NaN is no improvement."""
        loss = float(loss)
        if loss == loss and (self.best is None or loss < self.best - self.threshold * abs(self.best)):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.lr, self.waited = max(self.lr * self.factor, min(self.end, self.lr)), 0

    def state_dict(self) -> dict[str, Any]:
        """The memory, fit for JSON: the present value, the best loss (None before the first) and the wait."""
        return {"lr": self.lr, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave. Raises `StateError` if it is not such a dict."""
        if state.keys() != self.state_dict().keys():
            raise StateError(f"Plateau: expected {list(self.state_dict())}, got {list(state)}")
        self.lr, self.best, self.waited = state["lr"], state["best"], state["waited"]


def _eased(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def _towards(limit: float | None) -> float:
    return 0.0 if limit else math.inf  # once it is zero it has fallen faster than any power


def _as_schedule(schedule: Any, name: str) -> None:
    if not callable(getattr(schedule, name)):
        object.__setattr__(schedule, name, constant(getattr(schedule, name)))


def _require(schedule: Any, names: tuple[str, ...], good: Callable[[Any], bool], what: str) -> None:
    for name in names:
        value = getattr(schedule, name)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not good(value):
            raise OptionError(f"{type(schedule).__name__}: {name}={value!r}: {name} must be {what}")


def _rates(schedule: Any, *names: str) -> None:
    _require(schedule, names, lambda x: 0 <= x < math.inf, "a finite number >= 0")


def _shares(schedule: Any, *names: str) -> None:
    _require(schedule, names, lambda x: 0 < x <= 1, "a number above 0 and at most 1")


def _counts(schedule: Any, *names: str, least: int = 1) -> None:
    _require(schedule, names, lambda x: x >= least and x % 1 == 0, f"a whole number >= {least}")
