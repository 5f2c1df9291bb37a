"""The learning-rate range test (Smith 2017): train while the rate grows, and look where the loss is lowest."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backend import restore_rng, rng_state
from ..checks import checked_integer
from ..data import Dataset, Loader
from ..data.loader import BatchSize
from ..display.figures import TRAINING, VALIDATION, new_figure, style
from ..errors import OptionError
from ..nn import Module, softmax_cross_entropy
from ..ops.shape import plain
from ..optim.by_name import find_rule
from .callbacks import Callback, Run
from .loop import fit
from .losses import Loss

KEEP = 0.9  # of the old, in a running average
TOO_LARGE = 4  # times the lowest mean loss so far: the training has diverged
SAFELY = 10  # below the rate at which the loss is lowest: there it is about to rise


@dataclass(frozen=True)
class LearningRates:
    """What `find_lr` has found: `losses` of the batches, one for each of the rates `lrs`, and the `smoothed` losses.

    `suggestion` is a tenth of the rate at which the smoothed loss is lowest, for there it is about to rise; None if
    it has never fallen. A rate to begin with: three times more or less are worth a try.
    """

    lrs: np.ndarray = field(repr=False)
    losses: np.ndarray = field(repr=False)
    smoothed: np.ndarray = field(repr=False)
    suggestion: float | None

    @style()
    def plot(self) -> Any:
        """The losses over the rates, as a Matplotlib ``Figure``: ``.savefig("lr.png")``, or let a notebook show it.

        Raises `MissingExtraError` without the extra `plot`.
        """
        figure, ((axes,),) = new_figure(width=6, height=3.6)
        axes.plot(self.lrs, self.losses, color=TRAINING, alpha=0.3, label="each batch")
        axes.plot(self.lrs, self.smoothed, color=TRAINING, label="smoothed")
        if self.suggestion is not None:
            axes.axvline(self.suggestion, color=VALIDATION, linestyle="--", label=f"suggestion: {self.suggestion:.2g}")
        if len(self.smoothed):  # the divergence at the end need not be seen in full
            axes.set_ylim(0, 1.2 * np.max(self.smoothed[: (len(self.smoothed) + 1) // 2]))
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        axes.legend()
        return figure


def find_lr(
    model: Module,
    train: Any,
    targets: Any = None,
    *,
    optimizer: Any,
    loss: Loss | str = softmax_cross_entropy,
    batch_size: BatchSize | None = None,
    start: float = 1e-6,
    end: float = 10.0,
    steps: int = 100,
) -> LearningRates:
    """Train copies of `model` and `optimizer` for `steps` updates while the learning rate grows from `start` to `end`.

    It grows by the same factor with each update, and for all groups alike. The test ends early where the mean of
    the last ten losses is four times the lowest one so far, or not finite. Model, optimizer and random streams stay as
    they are::

        found = train.find_lr(model, digits, optimizer=optimizer)
        found.plot()
        optimizer.lr = found.suggestion

    Args:
        model: copied; the copy is trained.
        train: the training set, as `fit` takes it, ...
        targets: ... with its targets, if it is an array.
        optimizer: copied as well, or a name as for `fit`; its own rate, which may be a schedule, does not matter.
        loss: a function of output and labels, or its name.
        batch_size: that of the training to come: the rate depends on it.
        start: the lowest rate, above 0.
        end: the highest.
        steps: updates, at least 10.

    Returns:
        The rates and the losses, with a suggestion.

    Raises:
        OptionError: for rates that do not grow, or fewer steps; and what `fit` raises.

    Source: Smith 2017, "Cyclical learning rates", 3.3. A tenth of the lowest point's rate is fastai's suggestion.
    """
    steps = checked_integer(steps, "find_lr: steps", 10)
    if not (isinstance(start, int | float) and isinstance(end, int | float) and 0 < start < end < math.inf):
        raise OptionError(f"find_lr: start={start!r}, end={end!r}: give two rates above 0, the lower one first")
    if isinstance(optimizer, str):
        optimizer = find_rule(optimizer)(model.parameters())
    twin, other = copy.deepcopy((model, optimizer))
    begun, factor = other.t, (end / start) ** (1 / (steps - 1))
    for group in other.groups:
        group["lr"] = lambda k: start * factor ** (k - begun)
    ramp, streams = _Ramp(steps), rng_state()
    try:
        with np.errstate(all="ignore"):  # it is to diverge
            fit(
                twin, train, targets, optimizer=other, loss=loss, batch_size=batch_size, callbacks=[ramp],
                epochs=_epochs(train, batch_size, steps), progress=False, guards=False, on_nonfinite="continue",
            )  # fmt: skip
    finally:
        restore_rng(streams)
    smoothed = _smoothed(ramp.losses)
    lowest = int(smoothed.argmin()) if len(smoothed) else 0
    suggestion = ramp.lrs[lowest] / SAFELY if lowest else None
    return LearningRates(np.array(ramp.lrs), np.array(ramp.losses), smoothed, suggestion)


def _epochs(train: Any, batch_size: BatchSize | None, steps: int) -> int:
    """Epochs that have at least so many steps."""
    if isinstance(train, Loader):
        return math.ceil(steps / len(train))
    return math.ceil(steps / len(Loader(train, batch_size))) if isinstance(train, Dataset) else steps


class _Ramp(Callback):
    """Notes the rate and the loss of each of so many updates, and ends training when the loss has left."""

    def __init__(self, steps: int) -> None:
        self.steps, self.lrs, self.losses, self._lowest = steps, list[float](), list[float](), math.inf

    def interval(self, run: Run) -> int:
        return 1

    def on_pause(self, run: Run) -> None:
        loss = float(plain(run.loss))
        average = float(np.mean([*self.losses[-9:], loss]))
        if not average <= TOO_LARGE * self._lowest:
            run.stop("the loss has left")
            return
        self._lowest = min(self._lowest, average)
        self.lrs.append(run.lr)
        self.losses.append(loss)
        if len(self.losses) == self.steps:
            run.stop("all rates are tried")


def _smoothed(losses: Sequence[float]) -> np.ndarray:
    """Averaged forwards and then backwards, so that nothing is late."""
    return _averages(_averages(losses)[::-1])[::-1]


def _averages(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """The running average at each of the values, freed of its bias towards zero as in Adam."""
    found, average = [], 0.0
    for n, value in enumerate(values, 1):
        average = KEEP * average + (1 - KEEP) * value
        found.append(average / (1 - KEEP**n))
    return np.array(found)
